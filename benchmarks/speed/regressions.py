"""The suites run again and held against the tables that are committed.

``python -m benchmarks.speed.regressions`` is what ``make bench`` runs.

A row has fallen where the range of its figure over rounds is wholly on the wrong side of the
committed range: by more than the noise that either run measured. The exit status is then 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SUITES = ("kernels", "decisions", "texts", "images", "startup", "overhead", "cores")
"""Those that measure two sides; seconds alone, as of planning, depend on the machine's load."""

FIGURES = {"ratio": 1, "more_s": -1}
"""By column, whether more (1) or less (-1) is better; ``low`` and ``high`` are its range."""

MEASURED = "ours_s"
"""The first column of figures."""

COMMITTED = Path("results/speed")


@dataclass(frozen=True)
class Change:
    """One row of a table, as committed and as measured now."""

    row: str
    figure: str
    before: tuple[float, float, float]
    """Low, median and high."""
    now: tuple[float, float, float]

    @property
    def verdict(self) -> str:
        """Whether it has fallen, risen, or cannot be told from what it was."""
        sign = FIGURES[self.figure]
        (before_low, _, before_high), (low, _, high) = self.before, self.now
        if high < before_low:
            return "fallen" if sign > 0 else "risen"
        if low > before_high:
            return "risen" if sign > 0 else "fallen"
        return "as before"

    def __str__(self) -> str:
        told = [f"{median:.3g} ({low:.3g} to {high:.3g})" for low, median, high in self._both]
        return f"{self.verdict:<9}  {self.row}: {self.figure} {told[0]}, now {told[1]}"

    @property
    def _both(self) -> tuple[tuple[float, float, float], ...]:
        return self.before, self.now


def changes(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[Change]:
    """Compare the rows that two tables of a suite have in common.

    Rows are the same where all columns before the first figure are.
    """
    figure = next(column for column in FIGURES if column in before)
    names = list(before.columns[: before.columns.get_loc(MEASURED)])
    values = ["low", figure, "high"]
    known = before.set_index(names)[values]
    measured = now.set_index(names)[values]
    for key in known.index.intersection(measured.index, sort=False):
        row = key if isinstance(key, str) else ", ".join(map(str, key))
        yield Change(row, figure, tuple(known.loc[key]), tuple(measured.loc[key]))


def main() -> int:
    """Run the suites that have a committed table for this device, and tell what changed."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"default: {', '.join(SUITES)}")
    fallen = 0
    for suite in parser.parse_args().suites or SUITES:
        committed = COMMITTED / f"{suite}-cpu.csv"
        if not committed.is_file():
            print(f"{suite}: no table is committed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", f"benchmarks.speed.{suite}", "--out", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            now = pd.read_csv(Path(folder) / committed.name)
        print(suite)
        for change in changes(pd.read_csv(committed), now):
            print(f"  {change}")
            fallen += change.verdict == "fallen"
    return int(fallen > 0)


if __name__ == "__main__":
    sys.exit(main())
