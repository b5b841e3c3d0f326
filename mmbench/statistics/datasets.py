"""Several methods on several datasets: Friedman's test, what follows it, and a Bayesian test.

The recommendations are those of Demšar (2006, "Statistical comparisons of classifiers over multiple
data sets", JMLR 7) and Benavoli et al. (2016, "Should we really use post-hoc tests based on
mean-ranks?", JMLR 17; 2017, "Time for a change: a tutorial for comparing multiple classifiers
through Bayesian analysis", JMLR 18).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from mmbench.statistics.families import Correction, adjust

DIGITS = 9
"""Scores are rounded to so many decimals: what is equal but for the order of adding up is a tie."""


@dataclass(frozen=True)
class DatasetsComparison:
    """What datasets say of methods.

    Attributes
    ----------
    names : tuple of str
        The methods, in the order given.
    mean_ranks : ndarray of float64, shape (k,)
        1 is the best, ties shared.
    statistic, p_value : float
        Friedman's test that all methods rank alike; of two methods, the Wilcoxon test.
    post_hoc : str
        The test of pairs.
    p_values : ndarray of float64, shape (k, k)
        Of the pairs, corrected for their number; 1 on the diagonal.
    critical_difference : float
        Of mean ranks, for ``nemenyi``; NaN for ``wilcoxon``.
    groups : tuple of tuple of str
        Critical-difference groups, the best first: each a longest run of methods that follow each
        other by mean rank and of which no two differ. A method may be in several.
    """

    names: tuple[str, ...]
    mean_ranks: np.ndarray
    statistic: float
    p_value: float
    post_hoc: str
    p_values: np.ndarray
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]


def compare_on_datasets(
    scores: np.ndarray,
    names: Sequence[str],
    *,
    post_hoc: Literal["wilcoxon", "nemenyi"] = "wilcoxon",
    correction: Correction = "holm",
    level: float = 0.95,
    higher_is_better: bool = True,
) -> DatasetsComparison:
    """Compare methods by their scores on the same datasets.

    Friedman's test comes first: unless it says that the methods differ, all are one group.

    Parameters
    ----------
    scores : ndarray of float, shape (k, datasets)
        One figure per method and dataset, none missing.
    names : sequence of str
        Of the k methods; two or more.
    post_hoc : {"wilcoxon", "nemenyi"}
        ``wilcoxon``: signed-rank tests of the scores (differences of zero are split), corrected for
        the number of pairs; what two methods are to each other does not depend on the others.
        ``nemenyi``: of mean ranks, by the studentised range; corrected in itself.
    correction : {"holm", "fdr"}
        Of ``wilcoxon``.
    level : float
        One minus the level of significance.
    higher_is_better : bool
        Of the scores.

    Raises
    ------
    ValueError
        The scores do not fit the names, one is missing, or there are fewer than two datasets.
    """
    rounded = np.round(np.asarray(scores, dtype=np.float64), DIGITS)
    k = len(names)
    if rounded.ndim != 2 or len(rounded) != k or k < 2 or rounded.shape[1] < 2:
        raise ValueError(
            f"scores of shape {rounded.shape} for {k} names: expected a row per method and a "
            "column per dataset, two of each or more"
        )
    if not np.isfinite(rounded).all():
        row = int(np.argmin(np.isfinite(rounded).all(axis=1)))
        raise ValueError(f"scores of {names[row]!r}: one is missing or not finite")
    ranks = mean_ranks(rounded, higher_is_better=higher_is_better)
    if post_hoc == "nemenyi":
        p_values = _nemenyi(rounded)
        difference = critical_difference(k, rounded.shape[1], level=level)
    else:
        p_values, difference = _wilcoxon(rounded, correction), math.nan
    statistic, p_value = friedman(rounded) if k > 2 else (math.nan, float(p_values[0, 1]))
    alpha = 1 - level
    differs = p_values <= alpha if p_value <= alpha else np.zeros((k, k), dtype=bool)
    order = np.argsort(ranks, kind="stable")
    return DatasetsComparison(
        names=tuple(names),
        mean_ranks=ranks,
        statistic=statistic,
        p_value=p_value,
        post_hoc=post_hoc,
        p_values=p_values,
        critical_difference=difference,
        groups=tuple(tuple(names[i] for i in order[run]) for run in _runs(differs, order)),
    )


def mean_ranks(scores: np.ndarray, *, higher_is_better: bool = True) -> np.ndarray:
    """Return the mean over datasets of each method's rank, 1 the best, ties shared.

    Parameters
    ----------
    scores : ndarray of float, shape (..., methods, datasets)
    higher_is_better : bool

    Returns
    -------
    ndarray of float64, shape (..., methods)
    """
    from scipy.stats import rankdata

    sign = -1 if higher_is_better else 1
    ranked: np.ndarray = rankdata(sign * np.round(scores, DIGITS), axis=-2).mean(axis=-1)
    return ranked


def friedman(scores: np.ndarray) -> tuple[float, float]:
    """Return statistic and p-value of Friedman's test (1937), corrected for ties.

    Parameters
    ----------
    scores : ndarray of float, shape (methods, datasets)
        Of three methods or more. Where all are alike, the statistic is 0 and the p-value 1.
    """
    from scipy.stats import friedmanchisquare

    if (scores == scores[0]).all():
        return 0.0, 1.0
    found = friedmanchisquare(*scores)
    return float(found.statistic), float(found.pvalue)


def critical_difference(methods: int, datasets: int, *, level: float = 0.95) -> float:
    """Return Nemenyi's critical difference of mean ranks (Demšar 2006)."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(level, methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * datasets)))


@dataclass(frozen=True)
class SignedRank:
    """Posterior probabilities of the Bayesian signed-rank test; they add up to 1.

    Attributes
    ----------
    better, equivalent, worse : float
        That A is better than B by more than the region of practical equivalence, that they are
        equivalent, that A is worse, on a further dataset.
    """

    better: float
    equivalent: float
    worse: float


def bayesian_signed_rank(
    differences: np.ndarray,
    equivalent: float = 0.01,
    *,
    prior: float = 0.5,
    draws: int = 50_000,
    seed: int = 0,
) -> SignedRank:
    """Compare two methods over datasets by the Bayesian signed-rank test.

    The differences have a Dirichlet process prior whose one pseudo-observation is zero. For each
    draw of their weights, the chance that the mean of two of them lies above, within or below the
    region of practical equivalence is computed; the posterior probability of each is the share of
    draws in which it is the likeliest (Benavoli et al. 2014, "A Bayesian Wilcoxon signed-rank test
    based on the Dirichlet process", ICML; 2017).

    Parameters
    ----------
    differences : ndarray of float, shape (n,)
        Score of A minus score of B on each dataset, higher scores being better.
    equivalent : float
        Differences up to this size do not matter: 0.01 is one point of accuracy.
    prior : float
        Weight of the pseudo-observation, in datasets.
    draws : int
        Of the weights.
    seed : int
        Of the draws.

    Raises
    ------
    ValueError
        There is no difference, one is not finite, or a parameter is out of range.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError("differences: expected one or more finite numbers in one dimension")
    if equivalent < 0 or prior <= 0 or draws < 1:
        raise ValueError(
            f"equivalent={equivalent}, prior={prior}, draws={draws}: expected 0 or more, "
            "more than 0, and 1 or more"
        )
    observed = np.append(0.0, values)
    sums = np.add.outer(observed, observed)
    above = np.heaviside(sums - 2 * equivalent, 0.5)
    below = np.heaviside(-sums - 2 * equivalent, 0.5)
    concentration = np.append(prior, np.ones(len(values)))
    weights = np.random.default_rng(seed).dirichlet(concentration, draws)
    better, worse = (((weights @ part) * weights).sum(axis=1) for part in (above, below))
    chances = np.stack([better, 1 - better - worse, worse])
    is_best = np.isclose(chances, chances.max(axis=0), rtol=0, atol=1e-12)
    shares = (is_best / is_best.sum(axis=0)).mean(axis=1)
    return SignedRank(*map(float, shares))


def _nemenyi(scores: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata, studentized_range

    methods, datasets = scores.shape
    mean_ranks = rankdata(-scores, axis=0).mean(axis=1)
    apart = np.abs(np.subtract.outer(mean_ranks, mean_ranks))
    q = apart / math.sqrt(methods * (methods + 1) / (6 * datasets))
    return np.asarray(studentized_range.sf(q * math.sqrt(2), methods, np.inf), dtype=np.float64)


def _wilcoxon(scores: np.ndarray, correction: Correction) -> np.ndarray:
    from scipy.stats import wilcoxon

    p_values = np.eye(len(scores))
    pairs = list(combinations(range(len(scores)), 2))
    differences = [np.round(scores[i] - scores[j], DIGITS) for i, j in pairs]
    found = [
        float(wilcoxon(d, zero_method="zsplit").pvalue) if d.any() else 1.0 for d in differences
    ]
    for (i, j), p_value in zip(pairs, adjust(np.array(found), correction), strict=True):
        p_values[i, j] = p_values[j, i] = p_value
    return p_values


def _runs(differs: np.ndarray, order: np.ndarray) -> list[slice]:
    """Return the longest runs along an order within which no two methods differ."""
    found: list[slice] = []
    for start in range(len(order)):
        stop = start + 1
        while stop < len(order) and not differs[order[stop], order[start:stop]].any():
            stop += 1
        if not found or stop > found[-1].stop:
            found.append(slice(start, stop))
    return found
