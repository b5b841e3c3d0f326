"""The same file gives the same table, byte for byte, however many processes did the work."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mmbench
from tests.conftest import MMBENCH, ZOO, read_log, write_matrix

MATRIX: dict[str, Any] = {
    "name": "everything",
    "seeds": [0, 1],
    "fusions": ["concat", "mean-probability", "vote", "stacking"],
    "heads": [
        "svm",
        "logistic-regression",
        {"use": "random-forest", "n_estimators": 10},
    ],
    "datasets": [{"use": "blobs", "n": 60}],
    "subsets": [["a", "note"], ["a", "b", "note"]],
    "encoders": {"vector": ["identity"], "text": ["tf-idf"]},
    "split": {"folds": 2},
}


def comparable_bytes(out: Path) -> list[list[str]]:
    """Return ``cells.csv`` as written, without the columns that may differ."""
    with open(out / "cells.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    kept = [i for i, name in enumerate(header) if name not in mmbench.TIMING_COLUMNS]
    return [[row[i] for i in kept] for row in [header, *rows]]


def run(folder: Path, jobs: int, hash_seed: int) -> Path:
    file = write_matrix(folder, MATRIX)
    where = ("--out", folder / "out", "--store", folder / "store", "--plugin", ZOO)
    subprocess.run(
        [*MMBENCH, "run", *map(str, (file, *where, "--jobs", jobs, "--quiet"))],
        check=True,
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        timeout=300,
    )
    return folder / "out"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("first"), jobs=1, hash_seed=1)


def test_the_same_file_gives_the_same_table(first: Path, tmp_path: Path) -> None:
    again = run(tmp_path, jobs=2, hash_seed=2)
    rows = comparable_bytes(first)
    assert len(rows) == 1 + (3 + 2 * 4) * 3 * 4  # baselines, fusions; heads; seeds and folds
    status = rows[0].index("status")
    assert {row[status] for row in rows[1:]} == {"ok"}
    assert comparable_bytes(again) == rows
    files = sorted(file.name for file in (first / "predictions").iterdir())
    assert sorted(file.name for file in (again / "predictions").iterdir()) == files
    assert len(files) == len(rows) - 1
    for name in files:
        ours, theirs = (pd.read_parquet(out / "predictions" / name) for out in (again, first))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_timing_columns_are_the_only_ones_that_may_differ(first: Path) -> None:
    header = next(csv.reader((first / "cells.csv").read_text().splitlines()))
    assert "started" in mmbench.TIMING_COLUMNS
    assert not set(mmbench.TIMING_COLUMNS) & {"cell", "status", "reason", "accuracy", "n_test"}
    assert set(mmbench.TIMING_COLUMNS) <= set(header)


SCRIPT = """
import os
import sys

import numpy as np

import mmbench


class Doubled:
    '''Vectors, doubled.'''

    def __init__(self, *, by: float = 2.0):
        self.by = by

    def encode(self, items):
        with open(os.environ["ZOO_LOG"], "a") as file:
            file.write(f"{type(self).__name__} {__name__}\\n")
        return (self.by * np.stack(list(items))).astype(np.float32)


mmbench.register("encoder", "doubled", Doubled, kind="vector")
if len(sys.argv) > 1:
    mmbench.register("encoder", sys.argv[1], Doubled, kind="vector")
with open(os.environ["ZOO_LOG"], "a") as file:
    file.write("script\\n")
table = mmbench.run(
    {
        "name": "script",
        "datasets": [{"use": "blobs"}],
        "encoders": {"a": [{"use": "doubled", "by": [2.0, 3.0]}]},
        "heads": ["logistic-regression"],
        "split": {"folds": 2},
        "plugins": [os.environ["ZOO"]],
    },
    jobs=2,
)
assert set(table["status"]) == {"ok"}, set(table["reason"])
print(table["accuracy"].tolist(), table.attrs["folder"])
"""


class TestScripts:
    """A script needs no ``if __name__ == "__main__"``; its own classes work in the workers."""

    @pytest.fixture
    def run(self, tmp_path: Path, own_store: Path) -> Any:
        def run(*command: str, script: str | None = None) -> str:
            return subprocess.run(
                [sys.executable, *command],
                input=script,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                cwd=tmp_path,
                env={**os.environ, "ZOO": str(ZOO), "ZOO_LOG": str(tmp_path / "log")},
                timeout=300,
            ).stdout

        return run

    def test_a_script_without_a_guard(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "script.py").write_text(SCRIPT)
        work = ["script", "Doubled __main__", "Doubled __main__"]
        told = run("script.py")
        assert read_log(tmp_path / "log") == work
        assert run("script.py", "another") == told  # what it registers besides is no matter
        assert read_log(tmp_path / "log") == [*work, "script"]
        (tmp_path / "script.py").write_text(SCRIPT.replace("(self.by *", "(-self.by *"))
        run("script.py")
        assert read_log(tmp_path / "log") == [*work, "script", *work]

    def test_a_script_from_standard_input(self, run: Any, tmp_path: Path) -> None:
        told = run("-", script=SCRIPT)
        assert told.endswith("results/script\n")
        assert read_log(tmp_path / "log").count("Doubled __main__") == 2
