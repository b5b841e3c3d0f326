"""Confidence intervals of one sample's figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmbench.contracts import Metric
from mmbench.statistics.resampling import bootstrap_weights, degrees, draws_for
from mmbench.statistics.weighted import resampled

LEVEL = 0.95
"""Of every interval in the table."""


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share.

    Parameters
    ----------
    successes, n : int
        How many of how many.
    level : float
        Confidence level.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    from scipy.stats import binomtest

    found = binomtest(successes, n).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def percentile(values: np.ndarray, degrees: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the expanded percentile interval of draws.

    It is as much wider than the middle ``level`` of the draws as Student's t is than the normal
    distribution, as the spread is estimated.

    Parameters
    ----------
    values : ndarray of float64, shape (draws,)
        A statistic of every draw; NaN is left out, and the interval is NaN where there is no other.
    degrees : float
        Degrees of freedom of the spread.
    level : float
        Confidence level.

    References
    ----------
    Hesterberg, "What teachers should know about the bootstrap", American Statistician 69, 2015.
    """
    from scipy.special import ndtr, stdtrit

    there = values[~np.isnan(values)]
    if not len(there):
        return float("nan"), float("nan")
    tail = ndtr(stdtrit(degrees, (1 - level) / 2))
    low, high = np.quantile(there, [tail, 1 - tail])
    return float(low), float(high)


def on_scale(
    values: np.ndarray, scale: str, degrees: float, level: float = LEVEL
) -> tuple[float, float]:
    """Return Student's t interval on another scale, with the spread of the draws.

    Parameters
    ----------
    values : ndarray of float64, shape (1 + draws,)
        The figure, then its draws.
    scale : {"logit", "log"}
        Of a share, or of a figure above 0. The spread is carried over to first order.
    degrees : float
        Degrees of freedom of the spread.
    level : float
        Confidence level.

    Returns
    -------
    tuple of two floats
        The figure twice where it is at the end of its scale.

    References
    ----------
    Of ROC AUC: Pepe, "The statistical evaluation of medical tests", 2003, section 5.2.
    """
    from scipy.special import expit, logit, stdtrit

    figure, spread = float(values[0]), float(np.nanstd(values[1:]))
    half = stdtrit(degrees, (1 + level) / 2) * spread
    if scale == "log":
        if not figure > 0:
            return figure, figure
        return figure * float(np.exp(-half / figure)), figure * float(np.exp(half / figure))
    slope = figure * (1 - figure)
    if not slope > 0:
        return figure, figure
    low, high = expit(logit(figure) + np.array([-1, 1]) * half / slope)
    return float(low), float(high)


SCALES = {"roc_auc": "logit", "log_loss": "log"}
"""By metric, the scale on which its draws are near to normal; other metrics' percentiles are taken.

The draws of ROC AUC are linear in the weights, so that they would pass 1, and those of log loss are
skewed."""


def interval(
    name: str, values: np.ndarray, degrees: float, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of a metric from its figure and its draws (1 + draws,)."""
    if name in SCALES and not np.isnan(values[0]):
        return on_scale(values, SCALES[name], degrees, level)
    return percentile(values[1:], degrees, level)


def intervals(
    metrics: Mapping[str, Metric],
    truth: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    figures: Mapping[str, float | None] | None = None,
    level: float = LEVEL,
) -> dict[str, tuple[float, float]]:
    """Return the confidence interval of each metric.

    Wilson's for accuracy where there are no groups; else of the stratified bootstrap, clustered by
    group.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By their name in the table.
    truth : ndarray of int, shape (n,)
        Class codes.
    probabilities : ndarray of float64, shape (n, n_classes)
        What was predicted.
    groups : ndarray of int, shape (n,), optional
        What belongs together.
    figures : mapping of str to float or None, optional
        What the metrics are, where it is known.
    level : float
        Confidence level.

    Returns
    -------
    dict of str to tuple of two floats
        Low and high; NaN where the metric does not apply.
    """
    weights = bootstrap_weights(truth, groups, draws=draws_for(len(truth)))
    drawn = resampled(metrics, truth, probabilities, weights, figures)
    freedom = degrees(truth, groups)
    found = {name: interval(name, values, freedom, level) for name, values in drawn.items()}
    if groups is None and "accuracy" in found:
        n = len(truth)
        found["accuracy"] = wilson(round(drawn["accuracy"][0] * n), n, level)
    return found
