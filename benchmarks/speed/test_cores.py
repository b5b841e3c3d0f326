"""Two jobs at once make the table that one makes, and do not contend for the cores."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.cores import TASKS, Task, compare

BRIEF = 2.0
"""Percent of all looks at which more threads than cores may be runnable."""


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_two_jobs_at_once(benchmark: Any, task: Task) -> None:
    """Both sides, by turns; `compare` fails where the tables differ."""
    benchmark.group = f"cores: {task.name}"
    row = compare(task, benchmark=benchmark)
    benchmark.extra_info |= row
    assert row["threads"] == 1
    assert row["over_percent"] <= BRIEF
