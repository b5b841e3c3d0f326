"""Feature-level fusion: several embeddings to one vector.

All but `Concat` combine the modalities column by column: the j-th columns of all modalities to the
j-th of the fused vector. Widths may differ. The fused vector is as wide as the widest embedding,
and a column is combined from those modalities that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mmbench_fusions.weights import as_history, learned_by_modality, normalised

if TYPE_CHECKING:
    from scipy import sparse


class Concat:
    """Put the embeddings of a sample side by side, in the order of the mapping."""

    def transform(
        self, features: Mapping[str, np.ndarray | sparse.csr_matrix]
    ) -> np.ndarray | sparse.csr_matrix:
        """Concatenate.

        Parameters
        ----------
        features : mapping of str to ndarray or CSR, shape (n, d_modality)

        Returns
        -------
        ndarray, or CSR where any part is sparse, shape (n, d)
            ``d`` is the sum of all ``d_modality``.
        """
        parts = list(features.values())
        if any(not isinstance(part, np.ndarray) for part in parts):
            from scipy import sparse

            return sparse.hstack(parts, format="csr")
        return np.hstack(parts)

    def distance_weights(self, modalities: Iterable[str]) -> dict[str, float]:
        """Return the weights with which squared distances add up: 1 for every modality."""
        return dict.fromkeys(modalities, 1.0)


class Columnwise:
    """A fixed formula over the modalities, column by column.

    Parameters
    ----------
    formula : callable
        Takes an array (m, n, d), NaN where a modality has no such column, to (n, d).
    """

    def __init__(self, formula: Callable[[np.ndarray], np.ndarray]) -> None:
        self.formula = formula

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fuse embeddings (n, d_modality) into vectors (n, widest d_modality)."""
        return self.formula(_stack(features))


def mean() -> Columnwise:
    """Build the mean of the modalities that have the column."""
    return Columnwise(lambda stacked: np.nanmean(stacked, axis=0))


def maximum() -> Columnwise:
    """Build the largest value among the modalities that have the column."""
    return Columnwise(lambda stacked: np.nanmax(stacked, axis=0))


def product(*, offset: float = 0.0) -> Columnwise:
    """Build the product over the modalities that have the column.

    Parameters
    ----------
    offset : float, default 0.0
        Added to every factor. Standardised features have mean 0, where a plain product forgets
        their signs and one modality at its mean wipes out the others; with 1, ``(1 + x)(1 + y)``
        keeps the sum beside the product.
    """
    return Columnwise(lambda stacked: np.nanprod(stacked + offset, axis=0))


class WeightedSum:
    """The weighted sum of the modalities, column by column.

    A column that some modalities do not have is the sum over the others; their weights stay.

    Parameters
    ----------
    weights : list of float, optional
        One per modality, in the dataset's order, not negative; scaled to sum to 1. Default: equal.
    """

    def __init__(self, *, weights: list[float] | None = None) -> None:
        self.weights = weights

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fuse embeddings (n, d_modality) into vectors (n, widest d_modality).

        Raises
        ------
        ValueError
            If the weights are not one per modality, finite, not negative and not all 0.
        """
        return _weighted(features, normalised(self.weights, len(features)))


class LearnedWeightedSum:
    """`WeightedSum` with the weights that combine the modalities' heads best.

    Those that minimise the log loss of the weighted mean of the heads' out-of-fold probabilities:
    a modality counts as much as its head's decision deserves.

    Attributes
    ----------
    weights_ : dict of str to float
        By modality, not negative, summing to 1.
    history_ : list of dict
        The same, to be kept with the fit.

    References
    ----------
    Smyth and Wolpert, "Linearly combining density estimators via stacking", Machine Learning 36,
    1999.
    """

    def fit(
        self,
        features: Mapping[str, np.ndarray],
        labels: np.ndarray,
        *,
        out_of_fold: Mapping[str, np.ndarray],
    ) -> Self:
        """Find the weights.

        Parameters
        ----------
        features : mapping of str to ndarray
            Not used.
        labels : ndarray of int, shape (n,)
        out_of_fold : mapping of str to ndarray, shape (n, k)
            Out-of-fold class probabilities by modality.
        """
        self.weights_ = learned_by_modality(out_of_fold, labels)
        self.history_: list[dict[str, Any]] = as_history(self.weights_, "weight")
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fuse embeddings (n, d_modality) into vectors (n, widest d_modality)."""
        return _weighted(features, np.array([self.weights_[modality] for modality in features]))


def _weighted(features: Mapping[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
    summed: np.ndarray = np.nansum(weights[:, None, None] * _stack(features), axis=0)
    return summed


def _stack(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the embeddings as (m, n, widest d), NaN where a modality has no such column."""
    parts = list(features.values())
    width = max(part.shape[1] for part in parts)
    stacked = np.full((len(parts), len(parts[0]), width), np.nan)
    for filled, part in zip(stacked, parts, strict=True):
        filled[:, : part.shape[1]] = part
    return stacked
