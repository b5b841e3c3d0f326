"""What plugins are given and return, as rows and arrays that are taken, copied and compared."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmbench import pipeline

Arrays = dict[str, Any]
"""What a plugin returned, by modality; under the empty name where it is one array."""


def take(rows: Any, chosen: Sequence[int] | np.ndarray) -> Any:
    """Return some of the rows, in the order given."""
    if isinstance(rows, Mapping):
        return {name: values[np.asarray(chosen, dtype=int)] for name, values in rows.items()}
    if isinstance(rows, list):
        return [rows[i] for i in chosen]
    return rows[np.asarray(chosen, dtype=int)]


def dense(values: Any) -> np.ndarray:
    """Return an array that may be sparse as a dense one."""
    return np.asarray(pipeline.to_dense(values))


def is_sparse(values: Any) -> bool:
    """Whether it is a sparse matrix; SciPy is not imported to say no."""
    return "scipy.sparse" in sys.modules and sys.modules["scipy.sparse"].issparse(values)


def copied(arrays: Arrays) -> Arrays:
    """Return a copy of what was returned, so that later calls cannot change it."""
    return {name: np.array(dense(values)) for name, values in arrays.items()}


def same(a: Arrays, b: Arrays) -> bool:
    """Whether two results are equal to the last bit."""
    return a.keys() == b.keys() and all(
        np.array_equal(dense(a[name]), dense(b[name]), equal_nan=True) for name in a
    )


def difference(a: Arrays, b: Arrays) -> float:
    """Return the largest difference, relative to the largest value; infinite for other shapes."""
    worst = 0.0
    for name in a:
        left, right = dense(a[name]), dense(b[name])
        if left.shape != right.shape:
            return float("inf")
        scale = max(float(np.abs(left).max(initial=0)), 1e-12)
        gap = np.abs(left.astype(np.float64) - right).max(initial=0)
        worst = max(worst, float("inf") if np.isnan(gap) else float(gap) / scale)
    return worst
