"""RBF machines over pairs of encoders predict what scikit-learn's do; how much sooner is noted."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.kernels import TASKS, Task, compare


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_all_pairs_are_predicted_alike(benchmark: Any, task: Task) -> None:
    """Both sides, by turns; `compare` fails where a predicted class differs."""
    benchmark.group = f"kernels: {task.name}"
    benchmark.extra_info |= compare(task, benchmark)
