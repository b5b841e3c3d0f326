"""How long mmbench takes to answer where there is nothing to do: help, lists, a run done before.

Every command is a process of its own, held by turns against one that only imports the library
which the command cannot do without. What counts is what it takes more. Modules are compiled
beforehand, as an installer does.

Run as ``python -m benchmarks.speed.startup`` to write ``results/speed/startup-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed import tables
from benchmarks.speed.sidebyside import ROUNDS, Timed, by_turns

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parents[2]
CELLS = 1000
FUSIONS = (
    "concat", "product", "mean", "max", "mean-probability", "product-rule", "max-rule",
    "min-rule", "median", "vote", "borda", "dempster-shafer",
)  # fmt: skip

TEXT = """\
What a command takes more than a process that only imports the library it cannot do without:
medians of {rounds} rounds by turns, each a process of its own, one thread, modules compiled
beforehand. `low` and `high` are the extremes of the rounds; `cpu_more_s` is the difference in
processor time, which other work on the machine lengthens less. The run of {cells:,} cells (16
pairs of encoders, 12 fusions, 5 folds) had been done before, so that all that it needs is stored:
it plans them, takes every row over, and writes the table anew; reports stay as they are."""


@dataclass(frozen=True)
class Command:
    """What is timed, and what it is held against."""

    what: str
    arguments: tuple[str, ...]
    library: str
    target: float
    """Seconds that it may take more than the import of the library."""


def matrix(folder: Path) -> dict[str, Any]:
    """Return a matrix of 1,000 cells on made vectors, which it writes into a folder."""
    import numpy as np

    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    vectors = {m: rng.standard_normal((200, 16)) + labels[:, None] for m in ("a", "b")}
    np.savez(folder / "made.npz", y=labels, **vectors)
    dataset = {
        "use": "arrays",
        "name": "made",
        "path": str(folder / "made.npz"),
        "label": "y",
        "modalities": {m: {"key": m, "kind": "vector"} for m in vectors},
    }
    return {
        "name": "again",
        "datasets": [dataset],
        "encoders": {"vector": ["identity", {"use": "pca", "components": [2, 4, 8]}]},
        "fusions": list(FUSIONS),
        "heads": "naive-bayes",
        "split": {"scheme": "kfold", "folds": 5},
    }


def run_once(folder: Path) -> None:
    """Run the matrix of 1,000 cells in a folder."""
    import tomli_w

    (folder / "again.toml").write_text(tomli_w.dumps(matrix(folder)), encoding="utf-8")
    calls(commands(folder)[-1], folder)[0]()


class Process:
    """A process of this interpreter, which compiles modules into a folder of its own."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self.arguments = arguments
        self.env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.env |= {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "OMP_NUM_THREADS": "1"}

    def __call__(self) -> str:
        """Return what it prints; `subprocess.CalledProcessError` where it fails."""
        done = subprocess.run(
            [sys.executable, *self.arguments],
            env=self.env,
            cwd=HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        return done.stdout


def commands(folder: Path) -> list[Command]:
    """Return what is timed; the last runs the matrix of 1,000 cells."""
    again = ("run", folder / "again.toml", "--out", folder / "run", "--store", folder / "store")
    return [
        Command("mmbench --help", ("--help",), "click", 0.1),
        Command("mmbench list", ("list",), "click", 0.2),
        Command(f"mmbench run, {CELLS:,} cells stored", tuple(map(str, again)), "pandas", 1.0),
    ]


def calls(command: Command, folder: Path) -> tuple[Callable[[], str], Callable[[], str]]:
    """Return a command and what it is held against."""
    return (
        Process(folder, ("-m", "mmbench", *command.arguments)),
        Process(folder, ("-c", f"import {command.library}")),
    )


def figures(command: Command, ours: Timed, theirs: Timed) -> Mapping[str, Any]:
    """Return a command's row of the table."""
    more = [own - other for own, other in zip(ours.seconds, theirs.seconds, strict=True)]
    median = statistics.median
    return {
        "command": command.what,
        "against": f"import {command.library}",
        "ours_s": round(median(ours.seconds), 3),
        "theirs_s": round(median(theirs.seconds), 3),
        "more_s": round(median(ours.seconds) - median(theirs.seconds), 3),
        "low": round(min(more), 3),
        "high": round(max(more), 3),
        "cpu_more_s": round(median(ours.cpu) - median(theirs.cpu), 3),
        "target": command.target,
    }


def measure(folder: Path, rounds: int = ROUNDS) -> pd.DataFrame:
    """Return the table, all made in a folder."""
    import pandas as pd

    rows = []
    run_once(folder)
    for command in commands(folder):
        ours, theirs = by_turns(*calls(command, folder), rounds)
        rows.append(figures(command, ours, theirs))
    return pd.DataFrame(rows)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), given.rounds)
    text = TEXT.format(rounds=given.rounds, cells=CELLS)
    tables.write("startup", "cpu", table, table, text, given.out)


if __name__ == "__main__":
    main()
