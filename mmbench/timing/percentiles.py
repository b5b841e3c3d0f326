"""Mean and percentiles of measured times, each with its confidence interval.

The interval of a percentile is nonparametric: two order statistics whose ranks follow from the
Beta distribution, interpolated where the ranks are fractions, so that its coverage is close to
the level asked for and not only above it (Hutson 1999, "Calculating nonparametric confidence
intervals for quantiles using fractional order statistics", Journal of Applied Statistics 26).

Times measured one after another are seldom independent: a queue, a warming chip and a neighbour
tie each to the last. The intervals therefore count the independent samples that the series is
worth, by Geyer's initial monotone sequence (Geyer 1992, "Practical Markov chain Monte Carlo",
Statistical Science 7), for a percentile also that of the series' being below it (Vehtari et al.
2021, "Rank-normalization, folding, and localization", Bayesian Analysis 16).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVEL = 0.95
"""The confidence level of all intervals."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its confidence interval; None, with the reason, where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Distribution:
    """What a sample of times says, in seconds.

    Attributes
    ----------
    n : int
        Samples.
    effective : float
        How many independent samples the series is worth for its mean; at most `n`.
    mean, p50, p90, p99 : Estimate
        The mean and three percentiles; ``p50`` is the median.
    outliers : int
        Samples more than three interquartile ranges outside the quartiles ("far out": Tukey
        1977, Exploratory Data Analysis). They are counted and stay in all figures.
    """

    n: int
    effective: float
    mean: Estimate
    p50: Estimate
    p90: Estimate
    p99: Estimate
    outliers: int


def describe(seconds: np.ndarray) -> Distribution:
    """Summarise times in the order in which they were measured.

    Parameters
    ----------
    seconds : ndarray of float64, shape (n,)
        At least one, all finite.

    Raises
    ------
    ValueError
        If there is no sample, or one that is not finite.
    """
    series = np.asarray(seconds, dtype=np.float64)
    if series.ndim != 1 or not len(series) or not np.isfinite(series).all():
        raise ValueError("times: expected one or more finite numbers in one dimension")
    ordered = np.sort(series)
    effective = effective_size(series)
    p50, p90, p99 = (_percentile(series, ordered, p, effective) for p in (0.5, 0.9, 0.99))
    return Distribution(
        len(series), effective, _mean(series, effective), p50, p90, p99, _outliers(ordered)
    )


def undescribed(reason: str) -> Distribution:
    """Return a distribution whose every figure is empty for one reason."""
    none = Estimate(None, reason=reason)
    return Distribution(0, 0.0, none, none, none, none, 0)


def effective_size(series: np.ndarray) -> float:
    """Return how many independent samples a series is worth for its mean, at most its length.

    A series that differs from an independent one by less than two standard errors, 2 / sqrt(n)
    each for twice the first autocorrelation, is taken for one.

    Parameters
    ----------
    series : ndarray of float64, shape (n,)
        A stationary series in order.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    n = len(series)
    if n < 4 or np.ptp(series) == 0:
        return float(n)
    size = next_fast_len(2 * n, real=True)  # padded, so that the ends do not meet
    covariance = irfft(np.abs(rfft(series - series.mean(), size)) ** 2, size)[:n]
    pairs = (covariance / covariance[0])[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    positive = np.argmax(pairs <= 0) if (pairs <= 0).any() else len(pairs)
    inefficiency = 2 * np.minimum.accumulate(pairs[:positive]).sum() - 1
    return float(n if inefficiency <= 1 + 4 / math.sqrt(n) else n / inefficiency)


def samples_needed(p: float) -> int:
    """Return the fewest independent samples whose extremes bound the quantile ``p``.

    Below, the largest of them lies under the quantile with a probability of more than half of
    what the level leaves: no order statistic can be the interval's end.
    """
    return math.ceil(math.log((1 - LEVEL) / 2) / math.log(max(p, 1 - p)))


def _percentile(series: np.ndarray, ordered: np.ndarray, p: float, effective: float) -> Estimate:
    name, needed = f"p{100 * p:.0f}", samples_needed(p)
    if len(series) < needed:
        return Estimate(None, reason=f"{name} needs {needed} samples, not {len(series)}")
    value = float(np.quantile(ordered, p))
    worth = int(min(effective, effective_size((series <= value).astype(np.float64))))
    if worth < needed:
        return Estimate(
            value,
            reason=f"the interval of {name} needs {needed} independent samples; "
            f"these {len(series)} depend on each other and are worth {worth}",
        )
    low, high = np.quantile(ordered, _interval(p, worth), method="weibull")
    return Estimate(value, float(low), float(high))


@lru_cache(maxsize=4096)
def _interval(p: float, n: int) -> tuple[float, float]:
    """Return the levels u whose fractional order statistics, of rank (n + 1) u, are the bounds."""
    from scipy.optimize import brentq
    from scipy.special import betainc

    tail = (1 - LEVEL) / 2

    def excess(u: float, probability: float) -> float:
        return float(betainc((n + 1) * u, (n + 1) * (1 - u), p)) - probability

    low = brentq(excess, 1 / (n + 1), p, args=(1 - tail,))
    high = brentq(excess, p, n / (n + 1), args=(tail,))
    return low, high


def _mean(series: np.ndarray, effective: float) -> Estimate:
    from scipy.stats import t

    value = float(series.mean())
    if effective < 2:
        return Estimate(value, reason="the interval of the mean needs 2 independent samples")
    spread = t.ppf((1 + LEVEL) / 2, effective - 1) * series.std(ddof=1) / math.sqrt(effective)
    return Estimate(value, value - float(spread), value + float(spread))


def _outliers(ordered: np.ndarray) -> int:
    lower, upper = np.quantile(ordered, (0.25, 0.75))
    reach = 3 * (upper - lower)
    return int(np.sum((ordered < lower - reach) | (ordered > upper + reach)))
