"""Correlation alignment: every modality is given the reference's covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import svd

from mmbench_alignments.frames import Frame, n_rows, reference_of


@dataclass(frozen=True)
class Covariance:
    """A covariance matrix C (width, width), kept as its axes, and the ridge added to it.

    Attributes
    ----------
    axes : ndarray of float64, shape (width, rank)
    variances : ndarray of float64, shape (rank,)
        Along the axes, not 0.
    ridge : float
    """

    axes: np.ndarray
    variances: np.ndarray
    ridge: float

    @classmethod
    def fit(cls, centred: np.ndarray, ridge: float) -> Self:
        """Learn from centred rows (n, width)."""
        _, values, axes = svd(centred, full_matrices=False)
        known = values > values[0] * max(centred.shape) * np.finfo(np.float64).eps
        return cls(axes[known].T, values[known] ** 2 / (len(centred) - 1), ridge)

    def power(self, rows: np.ndarray, exponent: float) -> np.ndarray:
        """Return ``rows @ (C + ridge I)^exponent``; 0 stays 0 to any power."""
        rest = self.ridge**exponent if self.ridge else 0.0
        along = (self.variances + self.ridge) ** exponent - rest
        powered: np.ndarray = rest * rows + ((rows @ self.axes) * along) @ self.axes.T
        return powered


class Coral:
    """Whiten every modality and re-colour it with the covariance of the reference.

    Modality m, centred, becomes ``X_m (C_m + ridge I)^(-1/2) (C_ref + ridge I)^(1/2)``, with
    covariance matrices C, and is moved to the reference's mean. Samples are not paired: only the
    distributions are made alike.

    Column j of one modality is taken to correspond to column j of the others. Where widths
    differ, all are first reduced to the narrowest by principal component analysis, and the j-th
    principal axes correspond.

    Parameters
    ----------
    reference : str, optional
        The modality that stays as it is. Default: the dataset's first.
    regularisation : float, default 1.0
        The ridge, not negative, 1 as in the paper; with 0 covariances become equal exactly, and
        directions in which the training part does not vary are lost.

    Attributes
    ----------
    reference_ : str
    frames_ : dict of str to Frame
    covariances_ : dict of str to Covariance

    References
    ----------
    Sun, Feng and Saenko, "Return of frustratingly easy domain adaptation", AAAI 2016.
    """

    def __init__(self, *, reference: str | None = None, regularisation: float = 1.0) -> None:
        self.reference = reference
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
            There is one sample, no modality of the reference's name, or a negative ridge.
        """
        n = n_rows(features)
        if not 0 <= self.regularisation < np.inf:
            raise ValueError(
                f"coral: regularisation = {self.regularisation}: it must be finite and not negative"
            )
        self.reference_ = reference_of(self.reference, features)
        widths = {part.shape[1] for part in features.values()}
        widest = min(*widths, n - 1) if len(widths) > 1 else max(widths)
        self.frames_ = {name: Frame.fit(part, widest) for name, part in features.items()}
        self.covariances_ = {
            name: Covariance.fit(self.frames_[name].coordinates(part), self.regularisation)
            for name, part in features.items()
        }
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the re-coloured modalities, (n, width) each."""
        target = self.covariances_[self.reference_]
        aligned = {}
        for name, part in features.items():
            rows = self.frames_[name].coordinates(part)
            if name != self.reference_:
                rows = target.power(self.covariances_[name].power(rows, -0.5), 0.5)
            aligned[name] = rows + self.frames_[self.reference_].origin
        return aligned
