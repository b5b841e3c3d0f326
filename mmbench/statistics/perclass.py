"""Recall, precision and F1 of each class: of every draw, and of two methods on the same samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmbench.statistics.paired import DRAWS, mcnemar, sign_test


@dataclass(frozen=True)
class Counts:
    """What samples weigh, by class; arrays of one shape."""

    hits: np.ndarray
    """Those of the class that were labelled so."""
    there: np.ndarray
    """Those of the class."""
    taken: np.ndarray
    """Those that were labelled so."""


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a / b``, 0 where ``b`` is."""
    made = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    np.divide(a, b, out=made, where=b > 0)
    return made


Form = Callable[[Counts], np.ndarray]

FORMS: dict[str, Form] = {
    "recall": lambda c: _ratio(c.hits, c.there),
    "precision": lambda c: _ratio(c.hits, c.taken),
    "f1": lambda c: _ratio(2 * c.hits, c.there + c.taken),
}
"""By name, a figure of a class. Precision is 0 where nothing was labelled so."""


def labelled(n: int, n_classes: int, seeds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return what each sample was labelled, as shares of the seeds.

    Parameters
    ----------
    n, n_classes : int
        Of samples and classes.
    seeds : list of tuple of ndarray of int
        Of each seed, the samples tested and what they were labelled.

    Returns
    -------
    ndarray of float64, shape (n, n_classes)
        Rows add up to the share of the seeds that tested the sample.
    """
    shares = np.zeros((n, n_classes))
    for rows, predicted in seeds:
        np.add.at(shares, (rows, predicted), 1 / len(seeds))
    return shares


def of_classes(
    figure: str, truth: np.ndarray, shares: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Evaluate a figure of each class in each draw.

    Parameters
    ----------
    figure : {"recall", "precision", "f1"}
    truth : ndarray of int, shape (n,)
        Class codes.
    shares : ndarray of float64, shape (n, n_classes)
        What samples were labelled, see `labelled`; seeds count together.
    weights : ndarray of float64, shape (n, draws)
        Of the samples in each draw.

    Returns
    -------
    ndarray of float64, shape (n_classes, draws)
        NaN where a draw has no sample of the class.
    """
    member = truth[:, np.newaxis] == np.arange(shares.shape[1])
    tested = member * shares.sum(axis=1, keepdims=True)
    counts = Counts(*(each.T @ weights for each in (member * shares, tested, shares)))
    return np.where(counts.there > 0, FORMS[figure](counts), np.nan)


def exchanged(
    figure: str,
    truth: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    groups: np.ndarray | None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> np.ndarray:
    """Return the two-sided p-values of two methods' figures being the same, by class.

    Of recall without groups, where every sample has one label of each method, McNemar's exact test
    of the class's samples; else by permutation (`mmbench.statistics.paired.sign_test`): what the
    two have labelled a sample, or a whole group, is exchanged at random.

    Parameters
    ----------
    figure : {"recall", "precision", "f1"}
    truth : ndarray of int, shape (n,)
        Class codes.
    a, b : ndarray of float64, shape (n, n_classes)
        What samples were labelled by each, see `labelled`.
    groups : ndarray of int, shape (n,), or None
        What belongs together.
    draws : int
        Of the permutations.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
        NaN of a class without samples.

    References
    ----------
    McNemar, Psychometrika 12, 1947.
    """
    unit = np.arange(len(truth)) if groups is None else np.unique(groups, return_inverse=True)[1]
    found = np.full(a.shape[1], np.nan)
    for code in np.unique(truth):
        member = truth == code
        moved = (b - a)[:, code]
        hits, taken = (np.bincount(unit, weights) for weights in (moved * member, moved))
        if figure == "recall":
            if groups is None and np.isin(hits, (-1, 0, 1)).all():
                found[code] = mcnemar(int((hits < 0).sum()), int((hits > 0).sum()))[0]
                continue
            taken = np.zeros_like(taken)
        of_a, of_b = (
            Counts(each[member, code].sum(), each[member].sum(), each[:, code].sum())
            for each in (a, b)
        )
        apart = (hits != 0) | (taken != 0)
        found[code] = _permuted(FORMS[figure], of_a, of_b, hits[apart], taken[apart], draws, seed)
    return found


def _permuted(
    form: Form, a: Counts, b: Counts, hits: np.ndarray, taken: np.ndarray, draws: int, seed: int
) -> float:
    """Return the p-value of a class; of each unit, how many more hits and labels ``b`` has."""

    def difference(swaps: np.ndarray) -> np.ndarray:
        more, labels = hits @ swaps[:-1], taken @ swaps[:-1]
        given = form(Counts(a.hits + more, a.there, a.taken + labels))
        other = form(Counts(b.hits - more, b.there, b.taken - labels))
        return np.asarray(given - other)

    estimate = float(difference(np.zeros((len(hits) + 1, 1), bool))[0])
    return sign_test(difference, estimate, len(hits), draws, seed)
