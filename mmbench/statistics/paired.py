"""Is A better than B? Tests and intervals of a difference on the same samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmbench.contracts import Metric
from mmbench.errors import UserError, did_you_mean
from mmbench.metrics import evaluate, predict
from mmbench.statistics.intervals import LEVEL, percentile
from mmbench.statistics.resampling import LARGEST, bootstrap_weights, degrees
from mmbench.statistics.weighted import CALLS, auc_influence, has_form, of_sums, resampled

DRAWS = 2000
FEW = 10
"""Where fewer permutations than these reach the difference, the tail is taken to be normal."""


@dataclass(frozen=True)
class Comparison:
    """What is known of the difference of A and B, seen on the same samples."""

    estimate: float
    """A less B, in the metric; NaN where it does not apply to both."""
    low: float
    high: float
    """Percentile interval of the paired bootstrap, stratified by class, clustered by group."""
    p_value: float
    """Two-sided."""
    test: str
    """``exact McNemar``, ``paired permutation`` or ``DeLong``."""
    effect: float
    effect_name: str
    """``Cohen's g`` (share of the samples that only A has right among those that only one has,
    less a half) or ``Cohen's d_z`` (the difference over its standard deviation per sample)."""
    n: int
    """Samples."""


def compare_predictions(
    metric: str | Metric,
    truth: np.ndarray,
    probabilities_a: np.ndarray,
    probabilities_b: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    name: str = "",
) -> Comparison:
    """Compare two predictions of the same samples.

    Accuracy without groups is tested by McNemar's exact test, ROC AUC by DeLong's, all else by
    permutation: A and B are swapped for each sample, or each whole group, at random.

    Parameters
    ----------
    metric : str or Metric
        An installed metric's name, or a metric.
    truth : ndarray of int, shape (n,)
        Class codes.
    probabilities_a, probabilities_b : ndarray of float64, shape (n, n_classes)
        What each predicts; the predicted label is the argmax.
    groups : ndarray of int, shape (n,), optional
        What belongs together: whole groups are drawn and swapped.
    level : float
        Confidence level of the interval.
    draws : int
        Of the bootstrap and of the permutations; all permutations where there are no more. At most
        `mmbench.statistics.weighted.CALLS` for a metric that is not mmbench's own.
    seed : int
        Of the draws.
    name : str
        A given metric's name in the table, by which its weighted form is known.

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        No installed metric has that name.
    PluginError
        The metric fails.

    References
    ----------
    McNemar, Psychometrika 12, 1947. DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988;
    clustered: Obuchowski, Biometrics 53, 1997.
    """
    if isinstance(metric, str):
        name, metric = metric, installed(metric)
    metrics = {name or "metric": metric}
    name = next(iter(metrics))
    weights = bootstrap_weights(truth, groups, draws=draws, seed=seed)
    a, b = (
        resampled(metrics, truth, each, weights)[name]
        for each in (probabilities_a, probabilities_b)
    )
    difference = a - b
    estimate, n = float(difference[0]), len(truth)
    low, high = percentile(difference[1:], degrees(truth, groups), level)
    if name == "accuracy" and groups is None:
        only_a, only_b = discordant(truth, probabilities_a, probabilities_b)
        p, effect = mcnemar(only_a, only_b)
        return Comparison(estimate, low, high, p, "exact McNemar", effect, "Cohen's g", n)
    spread = float(np.nanstd(difference[1:])) if estimate == estimate else 0.0
    effect = float(estimate / (spread * np.sqrt(n))) if spread else 0.0
    if name == "roc_auc":
        test, p = "DeLong", delong(truth, probabilities_a, probabilities_b, groups)
    else:
        test = "paired permutation"
        p = _permuted(
            name, metric, truth, probabilities_a, probabilities_b, groups, estimate, draws, seed
        )
    return Comparison(estimate, low, high, p, test, effect, "Cohen's d_z", n)


def installed(name: str) -> Metric:
    """Build an installed metric with its default options."""
    from mmbench.catalogue import load_catalogue
    from mmbench.options import build

    entries = load_catalogue().entries["metric"]
    if name not in entries:
        raise UserError(f"unknown metric {name!r}{did_you_mean(name, entries)}")
    built: Metric = build(entries[name], {}, {"seed": 0, "threads": 1})
    return built


def discordant(
    truth: np.ndarray, probabilities_a: np.ndarray, probabilities_b: np.ndarray
) -> tuple[int, int]:
    """Return how many samples only A labels right, and how many only B."""
    a, b = (predict(each) == truth for each in (probabilities_a, probabilities_b))
    return int(np.sum(a & ~b)), int(np.sum(b & ~a))


def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """Return the two-sided p-value of McNemar's exact test, and Cohen's g."""
    from scipy.stats import binomtest

    n = only_a + only_b
    return (float(binomtest(only_a, n).pvalue), only_a / n - 0.5) if n else (1.0, 0.0)


def delong(
    truth: np.ndarray,
    probabilities_a: np.ndarray,
    probabilities_b: np.ndarray,
    groups: np.ndarray | None = None,
) -> float:
    """Return the two-sided p-value of DeLong's test of two correlated ROC AUCs.

    Of several classes it is the mean over classes, one-vs-rest; NaN where a class is absent.
    """
    from scipy.stats import norm

    (area_a, a), (area_b, b) = (
        auc_influence(truth, each) for each in (probabilities_a, probabilities_b)
    )
    if np.isnan(area_a - area_b):
        return float("nan")
    influence, strata = a - b, truth
    if groups is not None:
        _, unit = np.unique(groups, return_inverse=True)
        influence = np.bincount(unit, weights=influence)
        strata = np.zeros(len(influence), np.int64)
    variance = 0.0
    for stratum in np.unique(strata):
        members = influence[strata == stratum]
        if len(members) > 1:
            variance += len(members) * float(np.var(members, ddof=1))
    if variance <= np.finfo(float).eps ** 2:
        return 1.0 if area_a == area_b else 0.0
    return float(2 * norm.sf(abs(area_a - area_b) / np.sqrt(variance)))


def _permuted(
    name: str,
    metric: Metric,
    truth: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    groups: np.ndarray | None,
    estimate: float,
    draws: int,
    seed: int,
) -> float:
    """Return the two-sided p-value of the difference under swaps of A and B."""
    if np.isnan(estimate):
        return float("nan")
    differ = predict(a) != predict(b) if metric.needs == "labels" else (a != b).any(axis=1)
    label = np.arange(len(truth)) if groups is None else groups
    moved, of_moved = np.unique(label[differ], return_inverse=True)
    unit = np.full(len(truth), len(moved))
    unit[differ] = of_moved
    is_known = has_form(name, metric, truth, a)
    swapped = _swapped_sums if is_known else _swapped_calls
    return sign_test(
        lambda swaps: swapped(name, metric, truth, a, b, swaps[unit]),
        estimate,
        len(moved),
        draws if is_known else min(draws, CALLS),
        seed,
    )


def _swapped_sums(
    name: str, metric: Metric, truth: np.ndarray, a: np.ndarray, b: np.ndarray, swaps: np.ndarray
) -> np.ndarray:
    """Return the differences under swaps (n, m): of both predictions, one weighs 0 in each."""
    twice, both = np.concatenate([truth, truth]), np.concatenate([a, b])
    made = []
    for block in np.array_split(swaps, 1 + swaps.size * 2 // LARGEST, axis=1):
        given = np.concatenate([~block, block]).astype(np.float64)
        of_a, of_b = (of_sums({name}, twice, both, w)[name] for w in (given, 1 - given))
        made.append(of_a - of_b)
    return np.concatenate(made)


def _swapped_calls(
    name: str, metric: Metric, truth: np.ndarray, a: np.ndarray, b: np.ndarray, swaps: np.ndarray
) -> np.ndarray:
    """Return the differences under swaps (n, m), the metric called on each."""
    made = np.empty(swaps.shape[1])
    for i, swap in enumerate(swaps.T[:, :, np.newaxis]):
        pair = np.where(swap, b, a), np.where(swap, a, b)
        of_a, of_b = (evaluate({name: metric}, truth, each)[name] for each in pair)
        made[i] = np.nan if of_a is None or of_b is None else of_a - of_b
    return made


def sign_test(
    difference: Callable[[np.ndarray], np.ndarray],
    estimate: float,
    units: int,
    draws: int,
    seed: int,
) -> float:
    """Return the two-sided p-value of a difference when units are swapped at random.

    All ``2**units`` permutations where these are no more than ``draws``, else the share
    ``(r + 1) / (draws + 1)`` of those that reach the difference; where ``r`` is under `FEW`, the
    tail of the normal distribution with the permutations' spread, as ``draws`` of them cannot tell
    small p-values.

    Parameters
    ----------
    difference : callable
        From swaps, bool of shape (units + 1, m), the last row False, to the differences (m,).
    estimate : float
        The difference without swaps.
    units : int
        How many samples or groups may be swapped.
    draws : int
        Of permutations.
    seed : int
        Of the draws.
    """
    from scipy.stats import norm

    if units == 0:
        return 1.0
    is_all = units <= 30 and 2**units <= draws
    if is_all:
        draws = 2**units
        swaps = (np.arange(draws) >> np.arange(units)[:, np.newaxis] & 1).astype(bool)
    else:
        swaps = np.random.default_rng(seed).random((units, draws)) < 0.5
    swaps = np.concatenate([swaps, np.zeros((1, draws), bool)])
    found = difference(swaps)
    reached = int(np.sum(np.abs(found) >= abs(estimate) - 1e-12))
    if is_all:
        return reached / draws
    if reached >= FEW:
        return (reached + 1) / (draws + 1)
    spread = float(np.sqrt(np.nanmean(found**2)))
    tail = float(2 * norm.sf(abs(estimate) / spread)) if spread else 0.0
    return max(tail, 2.0 ** (1 - units))
