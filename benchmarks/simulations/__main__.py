"""Run all simulations; results go to ``results/reference/simulations``.

``python -m benchmarks.simulations TIMES [FOLDER]`` takes another number of draws than 2,000.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.simulations.choices import false_alarms, headline
from benchmarks.simulations.coverage import simulate

COMMON = (0.0, 0.5, 0.9)
"""How much of their errors methods have in common."""


def write(name: str, rows: Iterable[dict[str, Any]], folder: Path) -> None:
    """Write and print a table, row by row as they come."""
    kept: list[dict[str, Any]] = []
    for row in rows:
        kept.append(row)
        print(row, flush=True)
        table = pd.DataFrame(kept)
        table.to_csv(folder / f"{name}.csv", index=False)
        text = table.to_markdown(index=False)
        (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")


def main(times: int = 2000, folder: str = "results/reference/simulations") -> None:
    """Run all."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    write("choices", (headline(times, common) for common in COMMON), place)
    write("ranks", (false_alarms(times, common) for common in COMMON), place)
    write("coverage", simulate(times), place)


if __name__ == "__main__":
    main(*(int(text) if text.isdigit() else text for text in sys.argv[1:]))
