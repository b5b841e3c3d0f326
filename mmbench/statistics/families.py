"""P-values of several tests, corrected for how many were made."""

from __future__ import annotations

from typing import Literal

import numpy as np

Correction = Literal["holm", "fdr"]

METHODS = {"holm": "holm", "fdr": "fdr_bh"}
"""The names that statsmodels has for the corrections."""


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
    from statsmodels.stats.multitest import multipletests

    adjusted = np.array(p_values, dtype=np.float64)
    made = ~np.isnan(adjusted)
    if made.any():
        adjusted[made] = multipletests(adjusted[made], method=METHODS[correction])[1]
    return adjusted
