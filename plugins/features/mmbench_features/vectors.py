"""Vectors, changed by what is learnt on the training part: PCA, quantiles, one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np

from mmbench_features.identity import stacked
from mmbench_features.principal import PrincipalComponents

Validation = tuple[Sequence[np.ndarray], np.ndarray | None] | None


class Pca:
    """Principal components of vectors.

    Parameters
    ----------
    components : int or float, default 0.95
        How many, the first; or the share of the variance that they must hold, in 0 to 1. Fewer
        where the training vectors do not have as many.
    whiten : bool, default False
        Whether each component is scaled to variance 1.
    scale : bool, default True
        Whether each value is standardised first (mean 0, variance 1 on the training part), so that
        units do not matter.

    Attributes
    ----------
    components_ : PrincipalComponents
        The fitted components.

    References
    ----------
    Pearson, "On lines and planes of closest fit to systems of points in space", Philosophical
    Magazine 2(11), 1901.
    """

    def __init__(
        self, *, components: int | float = 0.95, whiten: bool = False, scale: bool = True
    ) -> None:
        self.components = components
        self.whiten = whiten
        self.scale = scale

    def fit(
        self,
        items: Sequence[np.ndarray],
        labels: np.ndarray | None = None,
        *,
        validation: Validation = None,
    ) -> Self:
        """Learn the components of the training vectors; nothing else is used.

        Raises
        ------
        ValueError
            If all training vectors are equal, or differ in length, or ``components`` is out of
            range.
        """
        from sklearn.preprocessing import StandardScaler

        rows = stacked(items)
        self.scaler_ = StandardScaler(with_mean=self.scale, with_std=self.scale).fit(rows)
        self.components_ = PrincipalComponents(self.components, self.whiten)
        self.components_.fit(self.scaler_.transform(rows))
        return self

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Embed vectors.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` is at most ``components``; those of the largest variance first.
        """
        return self.components_.transform(self.scaler_.transform(stacked(items)))


class Quantile:
    """Values by their rank among the training part's: heavy tails and outliers lose their weight.

    Each value becomes the share of the training values below it, interpolated between quantiles;
    beyond the training part's range it is that of the nearest end.

    Parameters
    ----------
    quantiles : int, default 100
        How many landmarks of the distribution are kept; at most as many as training vectors.
    distribution : {"uniform", "normal"}, default "uniform"
        What the values are spread as: from 0 to 1, or standard normal.

    Attributes
    ----------
    transformer_ : sklearn.preprocessing.QuantileTransformer
    """

    def __init__(
        self, *, quantiles: int = 100, distribution: Literal["uniform", "normal"] = "uniform"
    ) -> None:
        self.quantiles = quantiles
        self.distribution = distribution

    def fit(
        self,
        items: Sequence[np.ndarray],
        labels: np.ndarray | None = None,
        *,
        validation: Validation = None,
    ) -> Self:
        """Learn the quantiles of the training vectors; nothing else is used.

        Raises
        ------
        ValueError
            If ``quantiles`` is not positive, or the vectors differ in length.
        """
        from sklearn.preprocessing import QuantileTransformer

        if self.quantiles < 1:
            raise ValueError(f"quantiles = {self.quantiles}: at least 1 is needed")
        rows = stacked(items)
        self.transformer_ = QuantileTransformer(
            n_quantiles=min(self.quantiles, len(rows)),
            output_distribution=self.distribution,
            subsample=None,
        ).fit(rows)
        return self

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Embed vectors.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` as the vectors have.
        """
        ranks: np.ndarray = self.transformer_.transform(stacked(items))
        return ranks.astype(np.float32)


class OneHot:
    """Columns of categories as indicators, one for each value of the training part.

    Categories are numbers here, as a vector holds nothing else. A value that the training part
    does not have is 0 in all indicators of its column. Other columns stay as they are.

    Parameters
    ----------
    columns : tuple of int, optional
        Positions of the columns of categories, from 0. By default those whose training values are
        whole numbers and at most ``max_categories`` different ones.
    max_categories : int, default 20
        See ``columns``.

    Attributes
    ----------
    columns_ : list of int
        The columns taken as categories.
    encoder_ : sklearn.preprocessing.OneHotEncoder
        Fitted on them.
    """

    def __init__(self, *, columns: tuple[int, ...] | None = None, max_categories: int = 20) -> None:
        self.columns = columns
        self.max_categories = max_categories

    def fit(
        self,
        items: Sequence[np.ndarray],
        labels: np.ndarray | None = None,
        *,
        validation: Validation = None,
    ) -> Self:
        """Learn the categories of the training vectors; nothing else is used.

        Raises
        ------
        ValueError
            If ``columns`` names one that is not there, or the vectors differ in length.
        """
        from sklearn.preprocessing import OneHotEncoder

        rows = stacked(items)
        width = rows.shape[1]
        if self.columns is None:
            self.columns_ = [c for c in range(width) if self._is_category(rows[:, c])]
        else:
            self.columns_ = sorted(set(self.columns))
            if beyond := [c for c in self.columns_ if not 0 <= c < width]:
                raise ValueError(
                    f"columns: there is no column {beyond[0]}; the vectors have 0 to {width - 1}"
                )
        self.others_ = [c for c in range(width) if c not in set(self.columns_)]
        self.encoder_ = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        if self.columns_:
            self.encoder_.fit(rows[:, self.columns_])
        return self

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Embed vectors.

        Returns
        -------
        ndarray of float32, shape (n, d)
            First the other columns, then the indicators, by column and ascending category.
        """
        rows = stacked(items)
        parts = [rows[:, self.others_]]
        if self.columns_:
            parts.append(self.encoder_.transform(rows[:, self.columns_]))
        return np.hstack(parts).astype(np.float32)

    def _is_category(self, values: np.ndarray) -> bool:
        return bool((values == np.rint(values)).all()) and (
            len(np.unique(values)) <= self.max_categories
        )
