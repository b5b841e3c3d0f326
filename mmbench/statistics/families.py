"""P-values of several tests, corrected for how many were made."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Correction = Literal["holm", "fdr"]
CORRECTIONS: tuple[str, ...] = get_args(Correction)


def adjust(p_values: np.ndarray, correction: Correction = "holm") -> np.ndarray:
    """Return p-values corrected for the number of tests in their family.

    Parameters
    ----------
    p_values : ndarray of float, any shape
        Of all tests of the family. NaN stands for a test that was not made; it counts for none.
    correction : {"holm", "fdr"}
        ``holm``: the probability of any false alarm stays at or under the level, however the tests
        depend on one another (Holm 1979, "A simple sequentially rejective multiple test
        procedure"). ``fdr``: the expected share of false ones among the alarms does (Benjamini
        and Hochberg 1995, "Controlling the false discovery rate"), for independent or positively
        dependent tests.

    Returns
    -------
    ndarray of float64, the same shape
    """
    from scipy.stats import false_discovery_control

    adjusted = np.array(p_values, dtype=np.float64)
    made = ~np.isnan(adjusted)
    correct = _holm if correction == "holm" else false_discovery_control
    if made.any():
        adjusted[made] = correct(adjusted[made])
    return adjusted


def _holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values (n,) corrected by Holm's step-down method (1979)."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(stepped, 1)
    return corrected
