"""Two jobs at once against one, and whether their threads ever contend for the cores.

Run as ``python -m benchmarks.speed.cores``, it writes ``results/speed/cores-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed.images import make_images
from benchmarks.speed.runs import run_apart
from benchmarks.speed.sidebyside import by_turns, figures
from benchmarks.speed.tables import write

if TYPE_CHECKING:
    import pandas as pd

CORES = 2
TARGET = 1.7
ROUNDS = 3
PLUGIN = Path(__file__).with_name("pools.py")
PERIOD = 0.02
"""Seconds between two looks at the threads."""

TEXT = """\
Runs with an empty store, each in a process of its own, from its start to its end: two jobs at \
once against one; medians over rounds by turns, with the range of the ratio. The tables of both \
are the same, the columns of times aside. `runnable` is the most threads of all worker processes \
together that were running or waiting for a core at one of the looks taken every {period:g} ms, \
and `over_percent` the share of looks with more than {cores} of them. `threads` is the most that \
BLAS, OpenMP or torch was set to in a worker that scored."""


@dataclass(frozen=True)
class Task:
    """A matrix whose work lies in one kind of job."""

    name: str
    block: dict[str, Any]
    images: bool = False
    """Whether it reads the JPEG files that are made for it."""

    def matrix(self, folder: Path) -> dict[str, Any]:
        """Return the matrix, its data in a folder."""
        path = {"path": str(folder / "images")} if self.images else {}
        dataset = {"use": "image-folder" if self.images else "digits", **path}
        return {"name": "cores", "datasets": [dataset], "metrics": ["most_threads"], **self.block}


TASKS = (
    Task(
        "embeddings of images by ResNet-18",
        {
            "encoders": {
                "image": {
                    "use": "timm",
                    "model": "resnet18",
                    "pretrained": False,
                    "initialisation": list(range(24)),
                }
            },
            "heads": ["naive-bayes"],
            "split": {"scheme": "holdout"},
        },
        images=True,
    ),
    Task(
        "forests and RBF machines",
        {
            "encoders": {"image": "hog", "speech": "mfcc"},
            "fusions": ["concat"],
            "heads": [
                {"use": "random-forest", "n_estimators": [200, 300]},
                {"use": "svm", "C": [1.0, 10.0]},
            ],
        },
    ),
)


@dataclass
class Looks:
    """How many threads of the workers were runnable, look by look."""

    runnable: list[int] = field(default_factory=list)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Look all the while."""
        done = threading.Event()
        looking = threading.Thread(target=self._look, args=(done,))
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()

    def _look(self, done: threading.Event) -> None:
        while not done.wait(PERIOD):
            states = [state for pid in workers() for state in thread_states(pid)]
            self.runnable.append(states.count("R"))


def workers() -> list[int]:
    """Return the processes that the fork servers of this process's children have forked."""
    import psutil

    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "multiprocessing.forkserver" in " ".join(process.parent().cmdline()):
                found.append(process.pid)
        except (psutil.Error, AttributeError):
            continue
    return found


def thread_states(pid: int) -> Iterator[str]:
    """Give the state of each of a process's threads, ``R`` for runnable."""
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            yield stat.read_text().rpartition(")")[2].split()[0]
        except OSError:  # it has ended
            continue


def compare(
    task: Task, rounds: int = ROUNDS, benchmark: Any = None, limit: int | None = None
) -> dict[str, Any]:
    """Return a row of the table, after both tables were seen to be the same."""
    import pandas as pd

    import mmbench

    looks = Looks()
    with tempfile.TemporaryDirectory() as made:
        folder, numbers = Path(made), itertools.count()
        if task.images:
            (folder / "images").mkdir()
            make_images(folder / "images")
        matrix = task.matrix(folder)

        def run(jobs: int) -> pd.DataFrame:
            place = folder / str(next(numbers))
            run_apart(matrix, place, jobs=jobs, limit=limit, plugins=[str(PLUGIN)])
            table = mmbench.read_results(place / "run")
            table.attrs = {}
            return table.drop(columns=list(mmbench.TIMING_COLUMNS))

        def two() -> pd.DataFrame:
            with looks.taken():
                return run(CORES)

        ours, theirs = by_turns(two, lambda: run(1), rounds, benchmark, warm=False)
    assert (ours.answer["status"] == "ok").all(), ours.answer["reason"].unique()
    pd.testing.assert_frame_equal(ours.answer, theirs.answer, check_exact=True)
    over = sum(n > CORES for n in looks.runnable) / len(looks.runnable)
    told = figures(ours, theirs, TARGET)
    return {
        "what": task.name,
        "cells": len(ours.answer),
        "ours_s": told["ours_s"],
        "theirs_s": told["theirs_s"],
        **{name: told[name] for name in ("ratio", "low", "high", "target", "rounds")},
        "threads": int(ours.answer["most_threads"].max()),
        "runnable": max(looks.runnable),
        "over_percent": round(100 * over, 2),
    }


def main() -> None:
    """Write the table."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--limit", type=int, help="a sample of that many")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args()
    rows = [compare(t, given.rounds, limit=given.limit) for t in TASKS if given.only in t.name]
    table = pd.DataFrame(rows)
    text = TEXT.format(period=1000 * PERIOD, cores=CORES)
    write("cores", "cpu", table, table, text, given.out)


if __name__ == "__main__":
    main()
