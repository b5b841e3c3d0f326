"""Where a modality's features are measured from, and how several come to have one width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Frame:
    """The origin and axes of one modality.

    Attributes
    ----------
    mean : ndarray of float64, shape (d,)
        Of the training part.
    axes : ndarray of float64, shape (d, width), optional
        The first principal axes of the training part; None for the columns themselves.
    """

    mean: np.ndarray
    axes: np.ndarray | None = None

    @classmethod
    def fit(cls, features: np.ndarray, widest: int) -> Self:
        """Learn from the training part; more than ``widest`` columns become that many axes.

        The axes are signed so that the largest loading of each is positive.
        """
        if features.shape[1] <= widest:
            return cls(features.mean(axis=0))
        from sklearn.decomposition import PCA

        reduction = PCA(widest, svd_solver="full").fit(features)
        return cls(reduction.mean_, reduction.components_.T)

    def coordinates(self, features: np.ndarray) -> np.ndarray:
        """Return the features (n, d) measured from the origin along the axes, (n, width)."""
        centred: np.ndarray = features - self.mean
        return centred if self.axes is None else centred @ self.axes

    @property
    def origin(self) -> np.ndarray:
        """What is to be added to coordinates so that unreduced features are as they were."""
        return self.mean if self.axes is None else np.zeros(self.axes.shape[1])


def n_rows(features: Mapping[str, np.ndarray]) -> int:
    """Return the number of training samples.

    Raises
    ------
    ValueError
        There are fewer than two: nothing varies.
    """
    n = len(next(iter(features.values())))
    if n < 2:
        raise ValueError(f"an alignment needs two or more training samples, and there is {n}")
    return n


def reference_of(reference: str | None, features: Mapping[str, np.ndarray]) -> str:
    """Return the reference modality; the first one where none was chosen.

    Raises
    ------
    ValueError
        There is no modality of that name.
    """
    if reference is None:
        return next(iter(features))
    if reference not in features:
        raise ValueError(
            f"reference = {reference!r}: no such modality; there are {', '.join(features)}"
        )
    return reference
