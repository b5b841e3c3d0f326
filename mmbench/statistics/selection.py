"""What choosing the best by test score costs: the winner's curse, and its correction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmbench.statistics.intervals import LEVEL

TIED = 1e-12
"""How near figures are that are equal but for rounding."""


@dataclass(frozen=True)
class Corrected:
    """The figure of the best of several, corrected for its having been chosen by it."""

    estimate: float
    low: float
    high: float
    naive: float
    """The best one's own figure."""
    n: int
    """Of how many it is the best."""


def outside(weights: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return what the samples weigh that a draw has not taken.

    Each class weighs in each draw what it weighs in all samples; one that was taken whole stays as
    it is (a class of one sample).

    Parameters
    ----------
    weights : ndarray of float64, shape (n, draws)
        Of the bootstrap.
    truth : ndarray of int, shape (n,)
        Class codes.

    Returns
    -------
    ndarray of float64, shape (n, draws)
    """
    left: np.ndarray = np.equal(weights, 0).astype(np.float64)
    for code in np.unique(truth):
        members = np.flatnonzero(truth == code)
        of_class = left[members].sum(axis=0)
        scale = np.divide(len(members), of_class, out=np.zeros(len(of_class)), where=of_class > 0)
        left[members] *= scale
        left[np.ix_(members, np.flatnonzero(of_class == 0))] = 1
    return left


def selection_corrected(
    drawn: np.ndarray,
    left: np.ndarray,
    figures: np.ndarray,
    *,
    higher_is_better: bool = True,
    level: float = LEVEL,
) -> Corrected:
    """Correct the best of several by bootstrap bias-corrected cross-validation.

    In each draw of the bootstrap over stored predictions, the method that is best on the samples
    drawn is evaluated on those that were not; of several that are equally good it is the mean. The
    estimate is the mean over draws and the interval that of percentiles, which is cautious: it is
    of the third of the samples that a draw leaves out.

    Parameters
    ----------
    drawn, left : ndarray of float64, shape (n, draws)
        Each method's figure on the samples of each draw, and on those left out of it.
    figures : ndarray of float64, shape (n,)
        Each method's figure on all samples.
    higher_is_better : bool
        Whether more is better.
    level : float
        Confidence level.

    References
    ----------
    Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for
    efficient and accurate cross-validation", Machine Learning 107, 2018.
    """
    sign = 1 if higher_is_better else -1
    known = ~np.isnan(drawn).any(axis=0) & ~np.isnan(left).any(axis=0)
    if not known.any():
        nan = float("nan")
        return Corrected(nan, nan, nan, float(sign * (sign * figures).max()), len(figures))
    inside = sign * drawn[:, known]
    is_best = inside >= inside.max(axis=0) - TIED
    found = (left[:, known] * is_best).sum(axis=0) / is_best.sum(axis=0)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    naive = float(sign * np.max(sign * figures))
    return Corrected(float(found.mean()), float(low), float(high), naive, len(figures))
