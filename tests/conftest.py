"""What the tests share: a store of their own, the command line, and matrices as files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

MMBENCH = [sys.executable, "-m", "mmbench"]
ZOO = Path(__file__).parent / "zoo.py"


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep every test's results apart."""
    store = tmp_path / "store"
    monkeypatch.setenv("MMBENCH_STORE", str(store))
    monkeypatch.chdir(tmp_path)
    yield store


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mmbench(tmp_path: Path) -> Command:
    """Run the command line as a user does, in the test's folder."""

    def call(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MMBENCH, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "120", **env},
            timeout=300,
        )

    return call


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the columns that may differ between two runs."""
    from mmbench import TIMING_COLUMNS

    return table.drop(columns=list(TIMING_COLUMNS))
