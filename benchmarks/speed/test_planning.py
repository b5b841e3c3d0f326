"""Plans of growing matrices, and a large table written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.planning import TARGETS, expected, floor, plan, table


@pytest.mark.parametrize("encoders", [1, 2, 5, 10], ids=lambda n: f"{expected(n)[0]} cells")
def test_plan(benchmark: Any, tmp_path: Path, encoders: int) -> None:
    """Cells and jobs are those of the closed form: embeddings a sum, never a product."""
    made = []
    benchmark.pedantic(
        lambda: made.append(plan(tmp_path, encoders)), rounds=5 if encoders < 10 else 1
    )
    cells, jobs = expected(encoders)
    assert {(each["cells"], each["jobs"]) for each in made} == {(cells, jobs)}
    benchmark.extra_info |= made[-1]
    benchmark.extra_info |= {"written_plainly_s": floor(tmp_path) * jobs, "target": TARGETS}


def test_table(benchmark: Any, tmp_path: Path) -> None:
    """What is read of a table of 200,000 rows is what was written."""
    took = benchmark.pedantic(lambda: table(tmp_path, 200_000), rounds=5)
    benchmark.extra_info |= took
