"""Decision-level fusions predict what scikit-learn's ensembles do; how much sooner is noted."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.decisions import Task, compare

SMALL = Task(train=100, test=50, encoders=2, measured=2, rounds=3)


def test_all_fusions_predict_alike(benchmark: Any) -> None:
    """Both sides, by turns; `compare` fails where a predicted class differs."""
    row = compare(SMALL, benchmark)
    assert row["cells"] == 8 * 6 * 2
    benchmark.extra_info |= row
