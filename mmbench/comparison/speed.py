"""Speed: what both runs have timed, by the raw times of their calls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.comparison.quality import verdict
from mmbench.comparison.sides import Side
from mmbench.errors import UserError
from mmbench.statistics.families import Correction, adjust
from mmbench.timing.percentiles import effective_size

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

WHAT = [
    "unit", "name", "cell", "dataset", "modalities", "encoders", "params", "scenario",
    "batch_size", "device", "precision", "compile",
]  # fmt: skip
"""What must be the same for two rows of timings to be of the same."""
HARDWARE = ("processor", "cores", "gpus")
"""What of a machine decides how long a call takes."""


def compare_speed(
    a: Side, b: Side, *, level: float, correction: Correction, min_effect: float
) -> tuple[list[Row], str]:
    """Compare the raw times of calls by the Mann-Whitney test.

    Calls that follow each other depend on one another. So of each series only every k-th call is
    tested, k being its length over what it is worth in independent calls (Geyer 1992).

    Parameters
    ----------
    a, b : Side
    level : float
        Of the tests.
    correction : {"holm", "fdr"}
        For how many are made.
    min_effect : float
        By how much the medians must differ, as a share of the faster one's.

    Returns
    -------
    rows : list of dict
        What both have timed.
    note : str
        Why there are none; else empty.

    Raises
    ------
    UserError
        Raw times are missing or damaged.
    """
    tables = a.timings(), b.timings()
    for name, table in zip("AB", tables, strict=True):
        if table is None:
            return [], f"{name} has no timings"
    machines = [side.record.environment.get("machine", {}) for side in (a, b)]
    for part in HARDWARE:
        ours, theirs = (machine.get(part) for machine in machines)
        if ours != theirs:
            return [], f"other machines: {part} {ours} in A, {theirs} in B"
    timed = [_timed(table) for table in tables if table is not None]
    rows = [
        _compared(a, b, timed[0][key], timed[1][key])
        for key in timed[0]
        if key in timed[1] and _same_rate(timed[0][key], timed[1][key])
    ]
    adjusted = adjust(np.array([row["p_value"] for row in rows]), correction)
    for row, p_value in zip(rows, adjusted, strict=True):
        row["p_adjusted"] = float(p_value)
        slower, faster = row["ratio"] > 1 + min_effect, row["ratio"] < 1 / (1 + min_effect)
        row["verdict"] = verdict(p_value, level, slower, faster)
    return rows, "" if rows else "nothing was timed in both"


def _timed(table: pd.DataFrame) -> dict[tuple[Any, ...], Row]:
    """Return the rows that have raw times, by what they are of."""
    done = table[(table["status"] == "ok") & (table["raw"] != "")]
    numbered = done.assign(number=done.groupby(WHAT, dropna=False).cumcount())
    return {
        tuple(row[name] for name in (*WHAT, "number")): row for row in numbered.to_dict("records")
    }


def _same_rate(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two servers had the same arrivals; times at other rates are of other work."""
    return ours["scenario"] != "server" or bool(ours["rate"] == theirs["rate"])


def _compared(a: Side, b: Side, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Row:
    times = [_raw(side, row) for side, row in ((a, ours), (b, theirs))]
    medians = [float(np.median(each)) for each in times]
    p_value, slower = mann_whitney(*times)
    return {
        **{name: ours[name] for name in WHAT},
        "batch_size": int(ours["batch_size"]),
        "n_a": len(times[0]), "n_b": len(times[1]),
        "a_ms": 1e3 * medians[0], "b_ms": 1e3 * medians[1],
        "ratio": medians[1] / medians[0] if medians[0] else math.nan,
        "p_value": p_value, "test": "Mann-Whitney",
        "effect": slower, "effect_name": "probability that a call of B takes longer",
    }  # fmt: skip


def mann_whitney(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return the two-sided p-value, and the probability that B takes longer.

    Parameters
    ----------
    a, b : ndarray of float64, shape (n,), (m,)
        Times in the order in which they were measured.
    """
    from scipy.stats import mannwhitneyu

    if np.array_equal(a, b):
        return 1.0, 0.5
    a, b = (each[:: math.ceil(len(each) / effective_size(each))] for each in (a, b))
    found = mannwhitneyu(b, a)
    return float(found.pvalue), float(found.statistic) / (len(a) * len(b))


def _raw(side: Side, row: Mapping[str, Any]) -> np.ndarray:
    file = side.folder / "timings" / row["raw"]
    try:
        times: np.ndarray = np.load(file, allow_pickle=False).astype(np.float64)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None
    return times
