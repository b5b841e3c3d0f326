"""Canonical correlation analysis of two or more modalities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from scipy.linalg import svd

from mmbench_alignments.frames import n_rows


class CanonicalCorrelation:
    """Project every modality onto what all have in common.

    Generalised canonical correlation in the form MAXVAR: the shared variates ``G`` (n,
    components), uncorrelated and of variance 1, are those for which the sum over modalities of
    ``|G - X_m W_m|^2 + ridge_m |W_m|^2`` is least. Modality m becomes ``X_m W_m``, what it tells
    of ``G``: a component that it knows nothing of shrinks towards 0. Of two modalities these are
    Hotelling's canonical variates, those of correlation r scaled to variance (1 + r) / 2.

    Parameters
    ----------
    components : int, optional
        Columns of the result. Default, and at most: the independent columns of the modality that
        has fewest.
    regularisation : float, default 0.1
        Ridge, as a share of the mean variance of a modality's columns, not negative. 0 needs
        fewer columns than training samples.

    Attributes
    ----------
    means_, weights_ : dict of str to ndarray, shapes (d_modality,), (d_modality, components)
        By modality.
    correlations_ : ndarray of float64, shape (components,)
        The mean correlation of two modalities in each component, descending; exact without
        regularisation, else smaller.

    References
    ----------
    Hotelling, "Relations between two sets of variates", Biometrika 28, 1936. Carroll,
    "Generalization of canonical correlation analysis to three or more sets of variables", APA
    Convention, 1968. Kettenring, "Canonical analysis of several sets of variables", Biometrika
    58(3), 1971. With the ridge: Rastogi, Van Durme and Arora, "Multiview LSA: representation
    learning via generalized CCA", NAACL 2015.
    """

    def __init__(self, *, components: int | None = None, regularisation: float = 0.1) -> None:
        self.components = components
        self.regularisation = regularisation

    def fit(self, features: Mapping[str, np.ndarray], labels: np.ndarray | None = None) -> Self:
        """Fit on the training part.

        Parameters
        ----------
        features : mapping of str to ndarray of float64, shape (n, d_modality)
        labels : None
            Not used.

        Raises
        ------
        ValueError
            There is one modality or sample, a modality is constant, or an option does not fit.
        """
        from sklearn.utils.extmath import svd_flip

        n = n_rows(features)
        self._check(len(features))
        self.means_ = {name: part.mean(axis=0) for name, part in features.items()}
        bases = {}
        for name, part in features.items():
            left, values, right = svd(part - self.means_[name], full_matrices=False)
            ridge = self.regularisation * (values**2).sum() / part.shape[1]
            known = values > values[0] * max(part.shape) * np.finfo(np.float64).eps
            left, values, right = left[:, known], values[known], right[known]
            if not len(values):
                raise ValueError(f"cca: all features of {name!r} are constant in the training part")
            if self.regularisation == 0 and len(values) == n - 1:
                raise ValueError(
                    f"cca: regularisation = 0, but {name!r} has as many independent columns as "
                    f"{n} training samples allow: anything correlates with it; choose more than 0"
                )
            bases[name] = left, values, right, ridge
        width = self._width({name: len(values) for name, (_, values, _, _) in bases.items()})
        stacked = np.hstack(
            [left * (values / np.sqrt(values**2 + r)) for left, values, _, r in bases.values()]
        )
        shared, strengths, right = svd(stacked, full_matrices=False)
        shared, _ = svd_flip(shared[:, :width], right[:width])
        self.correlations_ = (strengths[:width] ** 2 - 1) / (len(features) - 1)
        self.weights_ = {
            name: right.T @ ((values / (values**2 + r))[:, None] * (left.T @ shared)) * np.sqrt(n)
            for name, (left, values, right, r) in bases.items()
        }
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return each modality's part of the shared variates, (n, components) each."""
        return {
            name: (part - self.means_[name]) @ self.weights_[name]
            for name, part in features.items()
        }

    def _check(self, n_modalities: int) -> None:
        if n_modalities < 2:
            raise ValueError("cca needs two or more modalities, and there is one")
        if self.components is not None and self.components < 1:
            raise ValueError(f"cca: components = {self.components}: at least 1 is needed")
        if not 0 <= self.regularisation < np.inf:
            raise ValueError(
                f"cca: regularisation = {self.regularisation}: it must be finite and not negative"
            )

    def _width(self, ranks: Mapping[str, int]) -> int:
        narrowest = min(ranks, key=lambda name: ranks[name])
        if self.components is None:
            return ranks[narrowest]
        if self.components > ranks[narrowest]:
            raise ValueError(
                f"cca: components = {self.components}, but {narrowest!r} has only "
                f"{ranks[narrowest]} independent columns in the training part"
            )
        return self.components
