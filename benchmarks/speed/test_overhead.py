"""A run predicts, to the last bit, what the same calls by hand do; how much more it takes is noted.

So few samples make the fits short: the table's own figures are those of all samples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.speed.overhead import TASK, compare


def test_a_run_is_what_its_calls_by_hand_are(benchmark: Any) -> None:
    """Both sides, by turns; `compare` fails where a probability differs."""
    table, phases = compare(replace(TASK, limit=200), benchmark=benchmark)
    benchmark.extra_info |= table.iloc[0].to_dict()
    benchmark.extra_info |= {"phases": phases.set_index("phase").to_dict("index")}
