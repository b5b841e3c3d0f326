"""What a paired test of accuracies could show: power, and the smallest difference.

Two classifiers predict the same samples. ``discordance`` is the probability that exactly one of
them is right on a sample; ``difference`` is that of A alone minus that of B alone, which is the
difference of their accuracies. Given the number of discordant samples, those that A alone gets
right are binomial, so the power of the exact McNemar test is a sum of binomial probabilities
(Duffy 1984, "Asymptotic and exact power for the McNemar test and its analogue with R controls",
Biometrics 40).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

NEGLIGIBLE = 1e-16
"""Probability of a number of discordant samples that may be left out."""


def mcnemar_power(n: int, difference: float, discordance: float, *, level: float = 0.95) -> float:
    """Return the power of the exact two-sided McNemar test.

    Parameters
    ----------
    n : int
        Test samples.
    difference : float
        Of the true accuracies, from ``-discordance`` to ``discordance``.
    discordance : float
        Share of samples that exactly one of the two gets right, from 0 to 1.
    level : float
        One minus the test's level of significance.

    Returns
    -------
    float
        The probability that the test's p-value is at most ``1 - level``.

    Raises
    ------
    ValueError
        There is no such pair of classifiers.
    """
    from scipy.stats import binom

    if n < 1 or not 0 <= discordance <= 1 or abs(difference) > discordance:
        raise ValueError(
            f"n={n}, difference={difference}, discordance={discordance}: expected n of 1 or more "
            "and |difference| <= discordance <= 1"
        )
    if n * discordance <= NEGLIGIBLE:
        return 0.0
    chances = binom.pmf(np.arange(n + 1), n, discordance)
    discordant = np.flatnonzero(chances > NEGLIGIBLE)
    critical = _critical(n, 1 - level)[discordant]
    won = (discordance + difference) / (2 * discordance)
    rejected = binom.cdf(critical, discordant, won) + binom.cdf(critical, discordant, 1 - won)
    return float(min(1.0, chances[discordant] @ rejected))


def smallest_difference(
    n: int, discordance: float = 0.0, *, power: float = 0.8, level: float = 0.95
) -> float:
    """Return the smallest difference in accuracy that a test set shows with a given power.

    Parameters
    ----------
    n : int
        Test samples.
    discordance : float
        Share of samples that exactly one of the two gets right, as known or observed. Where it is
        too small for any difference to be shown, the smallest that allows one is taken, with all
        discordant samples speaking for the same side; so by default.
    power : float
        The probability with which the exact McNemar test is to show it.
    level : float
        One minus the test's level of significance.

    Returns
    -------
    float
        From 0 to 1; NaN where the test set is too small to show any.
    """
    from scipy.optimize import brentq

    def lacking(difference: float, at: float) -> float:
        return mcnemar_power(n, difference, at, level=level) - power

    def lacking_one_way(difference: float) -> float:
        return lacking(difference, difference)

    if lacking_one_way(1.0) < 0:
        return math.nan
    if lacking_one_way(discordance) < 0:
        return float(brentq(lacking_one_way, discordance, 1.0, xtol=1e-12))
    if lacking(0.0, discordance) >= 0:
        return 0.0
    return float(brentq(lacking, 0.0, discordance, args=(discordance,), xtol=1e-12))


@lru_cache(maxsize=64)
def _critical(n: int, alpha: float) -> np.ndarray:
    """Return the largest k with 2 P(Bin(m, 1/2) <= k) <= alpha, -1 for none, for m = 0 ... n."""
    from scipy.stats import binom

    discordant = np.arange(n + 1)
    count = binom.ppf(alpha / 2, discordant, 0.5)
    critical: np.ndarray = count - (2 * binom.cdf(count, discordant, 0.5) > alpha)
    return critical
