"""Which methods the data can tell apart: ranks, and groups of ranks that they cannot."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ALPHA = 0.05
"""How often methods that are equal may be told apart, over all comparisons of one ranking."""

Worse = Callable[[int, np.ndarray], np.ndarray]
"""From a method and others (m,) to the p-values (m,) of their being equal to it; 1 of those that
are not worse."""


def ranks(figures: np.ndarray, *, higher_is_better: bool = True) -> np.ndarray:
    """Return ranks from 1, the best; equal figures share the better rank.

    Parameters
    ----------
    figures : ndarray of float64, shape (n,)
        One of each method.
    higher_is_better : bool
        Whether more is better.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    from scipy.stats import rankdata

    ranked: np.ndarray = rankdata(-figures if higher_is_better else figures, method="min")
    return ranked.astype(np.int64)


def rank_groups(order: np.ndarray, worse: Worse, alpha: float = ALPHA) -> np.ndarray:
    """Put methods into groups: the best and all that cannot be told from it, and so on.

    The best of those that were told from it opens the next group. Which pairs are compared depends
    on the data, so p-values are corrected for all pairs, ``m = n (n - 1) / 2``: they are taken in
    ascending order within a group, and each has to be at most ``alpha / (m - r)``, where ``r``
    pairs were told apart before (Holm 1979). Whenever the first true null hypothesis is rejected,
    at least as many pairs are left as there are true ones: so the probability that any methods are
    told apart which are equal is at most ``alpha``.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        The methods, best first.
    worse : callable
        The test.
    alpha : float
        The family-wise error rate.

    Returns
    -------
    ndarray of int64, shape (n,)
        By method, its group, from 1.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6, 1979.
    """
    n = len(order)
    left, told, group = np.asarray(order), 0, 0
    groups = np.zeros(n, np.int64)
    while len(left):
        group += 1
        leader, rivals = int(left[0]), left[1:]
        p = worse(leader, rivals) if len(rivals) else np.empty(0)
        is_tied = np.ones(len(rivals), bool)
        for i in np.argsort(p, kind="stable"):
            if not p[i] <= alpha / (n * (n - 1) // 2 - told):
                break
            is_tied[i] = False
            told += 1
        groups[leader] = group
        groups[rivals[is_tied]] = group
        left = rivals[~is_tied]
    return groups


def worse_by_mcnemar(right: np.ndarray) -> Worse:
    """Return McNemar's exact test of which samples each method labels right.

    Parameters
    ----------
    right : ndarray of bool, shape (n, samples)
        Of each method.
    """
    from scipy.stats import binom

    def worse(leader: int, rivals: np.ndarray) -> np.ndarray:
        best, others = right[leader], right[rivals]
        only_best, only_other = (best & ~others).sum(axis=1), (others & ~best).sum(axis=1)
        p = np.minimum(1, 2 * binom.cdf(only_other, only_best + only_other, 0.5))
        return np.where(only_best > only_other, p, 1.0)

    return worse


def worse_by_bootstrap(draws: np.ndarray, degrees: float, *, higher_is_better: bool) -> Worse:
    """Return the t test of differences, whose spread is that over the draws of the bootstrap.

    Parameters
    ----------
    draws : ndarray of float64, shape (n, 1 + draws)
        Of each method its figure, then that of every draw; the draws are the same for all.
    degrees : float
        Degrees of freedom of the spread; that it is taken from so many draws lessens them.
    higher_is_better : bool
        Whether more is better.
    """
    from scipy.special import stdtr

    sign = 1 if higher_is_better else -1
    freedom = 1 / (1 / degrees + 1 / (draws.shape[1] - 1))

    def worse(leader: int, rivals: np.ndarray) -> np.ndarray:
        difference = sign * (draws[leader] - draws[rivals])
        spread = np.nanstd(difference[:, 1:], axis=1)
        has_spread = spread > 0
        t = np.divide(difference[:, 0], spread, out=np.zeros(len(rivals)), where=has_spread)
        return np.where(t > 0, 2 * stdtr(freedom, -t), 1.0)

    return worse
