"""Feature-level fusion by concatenation of less: random projection and feature selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse

from mmbench_fusions.feature import Concat


class RandomProjection:
    """The embeddings side by side, projected on random directions.

    Distances are kept in the mean over seeds, the better the more components.

    Parameters
    ----------
    seed : int
        Of the directions.
    components : int, default 256
        Width of the fused vector; a narrower concatenation keeps its width.
    matrix : {"gaussian", "sparse"}
        Directions with normally distributed entries, or with few that are not 0 (one in the
        square root of the width), which takes less memory and time.

    References
    ----------
    Johnson and Lindenstrauss, "Extensions of Lipschitz mappings into a Hilbert space",
    Contemporary Mathematics 26, 1984.
    Li, Hastie and Church, "Very sparse random projections", KDD 2006.
    """

    def __init__(
        self,
        *,
        seed: int,
        components: int = 256,
        matrix: Literal["gaussian", "sparse"] = "gaussian",
    ) -> None:
        self.seed = seed
        self.components = components
        self.matrix = matrix
        self._drawn: Any = None

    def transform(self, features: Mapping[str, np.ndarray | sparse.csr_matrix]) -> np.ndarray:
        """Fuse embeddings (n, d_modality), dense or CSR, into vectors (n, components).

        Raises
        ------
        ValueError
            If there is to be no component.
        """
        joined = Concat().transform(features).astype(np.float64, copy=False)
        projected: np.ndarray = self._directions(joined.shape[1]).transform(joined)
        return projected

    def _directions(self, width: int) -> Any:
        """Return the projection of that many columns, the last one kept: it depends on no data."""
        from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

        if self.components < 1:
            raise ValueError(f"components = {self.components}: it must be at least 1")
        if self._drawn is None or self._drawn.n_features_in_ != width:
            options = {"n_components": min(self.components, width), "random_state": self.seed}
            if self.matrix == "gaussian":
                projection = GaussianRandomProjection(**options)
            else:
                projection = SparseRandomProjection(**options, dense_output=True)
            self._drawn = projection.fit(np.zeros((1, width)))
        return self._drawn


class FeatureSelection:
    """The features with most mutual information with the labels, side by side.

    Mutual information of each feature alone with the labels is estimated on the training part from
    nearest neighbours. A constant feature has none.

    Parameters
    ----------
    seed : int
        Of the noise that the estimator adds so that no two values are equal.
    k : int, default 64
        How many features to keep; all where there are fewer.
    scope : {"modality", "all"}
        Keep `k` of each modality, or `k` of all modalities together.

    Attributes
    ----------
    columns_ : dict of str to ndarray of int
        Columns kept, ascending, by modality.
    history_ : list of dict
        The same with their mutual information in nats, to be kept with the fit.

    References
    ----------
    Battiti, "Using mutual information for selecting features in supervised neural net learning",
    IEEE Transactions on Neural Networks 5(4), 1994.
    Ross, "Mutual information between discrete and continuous data sets", PLoS ONE 9(2), 2014.
    """

    def __init__(
        self, *, seed: int, k: int = 64, scope: Literal["modality", "all"] = "modality"
    ) -> None:
        self.seed = seed
        self.k = k
        self.scope = scope

    def fit(self, features: Mapping[str, np.ndarray], labels: np.ndarray) -> Self:
        """Choose the columns on embeddings (n, d_modality) and labels (n,).

        Raises
        ------
        ValueError
            If no feature is to be kept, or no class has two samples.
        """
        if self.k < 1:
            raise ValueError(f"k = {self.k}: it must be at least 1")
        if np.unique(labels, return_counts=True)[1].max() < 2:
            raise ValueError("feature-selection: no class has two training samples")
        scores = {modality: self._information(part, labels) for modality, part in features.items()}
        if self.scope == "modality":
            kept = {modality: _largest(score, self.k) for modality, score in scores.items()}
        else:
            edges = np.cumsum([len(score) for score in scores.values()])[:-1]
            best = _largest(np.concatenate(list(scores.values())), self.k)
            kept = dict(zip(scores, np.split(best, edges), strict=True))
        self.columns_ = {modality: np.flatnonzero(mask) for modality, mask in kept.items()}
        self.history_: list[dict[str, Any]] = [
            {"modality": m, "column": int(c), "mutual_information": float(scores[m][c])}
            for m, columns in self.columns_.items()
            for c in columns
        ]
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fuse embeddings (n, d_modality) into vectors (n, number of columns kept)."""
        return np.hstack([features[m][:, columns] for m, columns in self.columns_.items()])

    def _information(self, part: np.ndarray, labels: np.ndarray) -> np.ndarray:
        from sklearn.feature_selection import mutual_info_classif

        varies = np.ptp(part, axis=0) > 0
        information = np.zeros(part.shape[1])
        if varies.any():
            information[varies] = mutual_info_classif(
                part[:, varies], labels, random_state=self.seed
            )
        return information


def _largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Return a mask of the k largest scores, of equal ones the first."""
    mask = np.zeros(len(scores), dtype=bool)
    mask[np.argsort(-scores, kind="stable")[:k]] = True
    return mask
