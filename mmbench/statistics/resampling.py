"""Which samples a draw of the bootstrap takes, and how often: in strata, in whole groups."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

DRAWS = 1000
"""How many draws are made of a few thousand samples."""
FEWEST = 200
LARGEST = 5_000_000
"""How many weights are held at once: of many samples fewer draws are made, down to `FEWEST`."""


def draws_for(n: int) -> int:
    """Return how many draws are made of ``n`` samples."""
    return int(np.clip(LARGEST // max(n, 1), FEWEST, DRAWS))


def bootstrap_weights(
    truth: np.ndarray, groups: np.ndarray | None = None, *, draws: int, seed: int = 0
) -> np.ndarray:
    """Return what each sample weighs in each draw; the first draw is the sample itself.

    From each stratum of ``m`` units ``m - 1`` are drawn with replacement and weigh ``m / (m - 1)``
    each (Rao and Wu 1988), so that the variance of a mean over draws is its unbiased estimate, in
    small strata too. Units are samples and strata classes. With groups, units are whole groups;
    strata are classes still where every group is of one class, else there is one stratum.

    Parameters
    ----------
    truth : ndarray of int, shape (n,)
        Class codes.
    groups : ndarray of int, shape (n,), optional
        What belongs together.
    draws : int
        How many to draw, besides the first.
    seed : int
        Of the draws. The same samples, groups and seed give the same weights.

    Returns
    -------
    ndarray of float64, shape (n, 1 + draws)
        Read-only, and kept for the next call.

    References
    ----------
    Rao and Wu, "Resampling inference with complex survey data", JASA 83, 1988.
    """
    strata, unit = _units(truth, groups)
    return _weights(strata.tobytes(), unit.tobytes(), draws, seed)


def degrees(truth: np.ndarray, groups: np.ndarray | None = None) -> int:
    """Return the degrees of freedom of a spread over draws: units less strata, at least 1."""
    strata, _ = _units(truth, groups)
    return max(len(strata) - len(np.unique(strata)), 1)


def _units(truth: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the stratum of each unit, and the unit of each sample."""
    truth = np.ascontiguousarray(truth, np.int64)
    if groups is None:
        return truth, np.arange(len(truth))
    _, first, unit = np.unique(groups, return_index=True, return_inverse=True)
    strata = truth[first]
    is_pure = np.array_equal(strata[unit], truth)
    return strata if is_pure else np.zeros_like(strata), unit


@lru_cache(maxsize=4)
def _weights(strata: bytes, unit: bytes, draws: int, seed: int) -> np.ndarray:
    of_unit = _drawn(np.frombuffer(strata, np.int64), draws, seed)
    weights: np.ndarray = of_unit[np.frombuffer(unit, np.int64)]
    weights.flags.writeable = False
    return weights


def _drawn(strata: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return weights (units, 1 + draws); a stratum of one unit stays as it is."""
    rng = np.random.default_rng(seed)
    weights = np.ones((len(strata), 1 + draws))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        m = len(members)
        if m > 1:
            taken = rng.integers(0, m, (m - 1, draws)) + m * np.arange(draws)
            counts = np.bincount(taken.ravel(), minlength=m * draws).reshape(draws, m)
            weights[members, 1:] = counts.T * (m / (m - 1))
    return weights
