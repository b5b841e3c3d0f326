"""Commands that have nothing to do, against the import of what they cannot do without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mmbench
from benchmarks.speed.sidebyside import by_turns
from benchmarks.speed.startup import CELLS, calls, commands, figures, run_once
from mmbench.catalogue import load_catalogue
from mmbench.cli import VERBS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which 1,000 cells have been run."""
    folder = tmp_path_factory.mktemp("startup")
    run_once(folder)
    return folder


def test_help(benchmark: Any, folder: Path) -> None:
    told = measure(benchmark, folder, 0)
    assert all(verb in told for verb in VERBS)


def test_list(benchmark: Any, folder: Path) -> None:
    told = {line.split()[0] for line in measure(benchmark, folder, 1).splitlines()}
    assert all(told >= entries.keys() for entries in load_catalogue().entries.values())


def test_a_run_done_before(benchmark: Any, folder: Path) -> None:
    """All rows are taken over, the times when they were made included."""
    before = mmbench.read_results(folder / "run")
    assert len(before) == CELLS
    assert (before["status"] == "ok").all()
    stored = sorted((folder / "store").rglob("*.npy"))
    measure(benchmark, folder, 2)
    pd.testing.assert_frame_equal(mmbench.read_results(folder / "run"), before)
    assert sorted((folder / "store").rglob("*.npy")) == stored


def measure(benchmark: Any, folder: Path, number: int) -> str:
    command = commands(folder)[number]
    ours, theirs = by_turns(*calls(command, folder), benchmark=benchmark)
    benchmark.extra_info |= figures(command, ours, theirs)
    return str(ours.answer)
