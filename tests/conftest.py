"""What the tests share: a store of their own, the command line, and matrices as files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

MMBENCH = [sys.executable, "-m", "mmbench"]
ZOO = Path(__file__).parent / "zoo.py"


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test's results apart."""
    store = tmp_path / "store"
    monkeypatch.setenv("MMBENCH_STORE", str(store))
    monkeypatch.chdir(tmp_path)
    return store


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


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Write a table as csv and return its ``[[datasets]]`` block.

    Columns ``a.0``, ``a.1``, ... are the vector modality ``a``; the other columns are used where
    an option (``label``, ``id``, ``split``, ``fold``, ``group``) names them.
    """

    def write(table: pd.DataFrame, file: str = "data", **options: str) -> dict[str, Any]:
        path = tmp_path / f"{file}.csv"
        table.to_csv(path, index=False)
        vectors = dict.fromkeys(c.partition(".")[0] for c in table.columns if "." in c)
        modalities = {m: {"columns": f"{m}.*", "kind": "vector"} for m in vectors}
        block = {"use": "manifest", "name": "data", "path": str(path), "label": "label"}
        return {**block, **options, "modalities": modalities}

    return write


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the real data sets, or skip."""
    folder = os.environ.get("MMBENCH_DATA")
    if not folder:
        pytest.skip("MMBENCH_DATA, the folder of the real data sets, is not set")
    return Path(folder)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep what a test computes itself from taking all cores."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the columns that may differ between two runs."""
    from mmbench import TIMING_COLUMNS

    return table.drop(columns=list(TIMING_COLUMNS))


def write_matrix(folder: Path, content: dict[str, Any], name: str = "matrix.toml") -> Path:
    """Write a matrix file and return its path."""
    import tomli_w

    file = folder / name
    file.write_text(tomli_w.dumps(content), encoding="utf-8")
    return file


def read_texts(run: Path) -> pd.DataFrame:
    """Return a run's ``cells.csv`` as it is written, every field a text, by cell."""
    table = pd.read_csv(run / "cells.csv", dtype=str, keep_default_na=False)
    return comparable(table).set_index("cell")


def read_log(path: Path) -> list[str]:
    """Return the lines that the zoo's ``logged-*`` plugins have written."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
