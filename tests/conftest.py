"""What the tests share: a store of their own, the command line, and matrices as files."""

from __future__ import annotations

import compileall
import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmbench import cli, processes

MMBENCH = [sys.executable, "-m", "mmbench"]
ZOO = Path(__file__).parent / "zoo.py"

processes.PRELOADED += [
    *("mmbench.measurement.measure", "mmbench.measurement.work", "mmbench.testing.checks"),
    *("mmbench_digits.dataset", "mmbench_fusions", "mmbench_heads.classifiers"),
    *("skimage.feature", "sklearn.datasets", "sklearn.ensemble", "sklearn.linear_model"),
    *("torch", "torch._dynamo", "torch.utils.flop_counter"),
]
"""One test process starts hundreds of jobs: what they import, its fork server imports once."""


def pytest_configure(config: pytest.Config) -> None:
    """Compile once what the processes that tests start import, also where Python keeps nothing.

    Those processes can be interrupted, also where the tests themselves are run in the background.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        root = Path(__file__).parents[1]
        for package in (root / "mmbench", *root.glob("plugins/*/mmbench_*")):
            compileall.compile_dir(package, quiet=2)


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
def mmbench_here(tmp_path: Path) -> Command:
    """Run the command line in this process: for what a verb does, not how its process starts."""

    def call(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "120", **env}
        return called_here(*map(str, arguments), folder=tmp_path, environment=environment)

    return call


def called_here(
    *arguments: str, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Do what ``python -m mmbench`` does, in a folder and under these variables alone."""
    out, error = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
            pytest.raises(SystemExit) as ended,
        ):
            cli.main(arguments)
    printed = [stream.detach().getvalue().decode() for stream in (out, error)]
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *printed)


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


def unranked(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the columns that tell of a combination among the others."""
    from mmbench.results import STANDING

    return table.drop(columns=list(STANDING))


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return Chromium, driven by selenium, which keeps what pages log and ask for."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium or chromedriver is not on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()
