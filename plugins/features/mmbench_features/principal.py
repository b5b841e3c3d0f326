"""Principal components of the rows of a matrix."""

from __future__ import annotations

from typing import Self

import numpy as np


class PrincipalComponents:
    """The directions of the largest variance, without those in which there is none.

    Parameters
    ----------
    components : int or float
        How many, at most; or the share of the variance that they must hold, in 0 to 1.
    whiten : bool
        Whether each component is scaled to variance 1.

    References
    ----------
    Pearson, "On lines and planes of closest fit to systems of points in space", Philosophical
    Magazine 2(11), 1901.
    """

    def __init__(self, components: int | float, whiten: bool) -> None:
        self.components = components
        self.whiten = whiten

    def fit(self, rows: np.ndarray) -> Self:
        """Learn the components of rows, shape (n, d).

        Raises
        ------
        ValueError
            If all rows are equal, or ``components`` is out of range.
        """
        from sklearn.decomposition import PCA

        share = isinstance(self.components, float)
        if not (0 < self.components < 1 if share else self.components >= 1):
            raise ValueError(
                f"components = {self.components}: expected a number of components, or a share of "
                "the variance between 0 and 1"
            )
        if not np.ptp(rows, axis=0).any():
            raise ValueError(f"all {len(rows)} training items are equal: there is no variance")
        most = self.components if share else min(self.components, *rows.shape)
        self.pca_ = PCA(most, whiten=self.whiten, svd_solver="full").fit(rows.astype(np.float64))
        spread = self.pca_.singular_values_
        negligible = spread[0] * max(rows.shape) * np.finfo(rows.dtype).eps
        self.n_components_ = int((spread > negligible).sum())
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Return the components of rows, float32 (n, at most ``components``)."""
        scores: np.ndarray = self.pca_.transform(rows.astype(np.float64))
        return scores[:, : self.n_components_].astype(np.float32)
