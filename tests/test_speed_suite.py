"""The suite in ``benchmarks/speed``: it runs, on mmbench's clock, and writes what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

import mmbench
from benchmarks.speed.kernels import TASKS, compare
from benchmarks.speed.regressions import SUITES, changes
from mmbench.measurement.benchmark import import_benchmark

ROOT = Path(__file__).parent.parent
SUITE = ["pytest", "-q", "-p", "no:cacheprovider", "benchmarks/speed/test_components.py"]
QUICK = ["--benchmark-max-time=0.01", "--benchmark-min-rounds=20", "-k", "identity or concat"]


def python(*arguments: object) -> str:
    """Run a module from the repository's root, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pytest_benchmark_saves_compares_and_is_imported(tmp_path: Path) -> None:
    storage = f"--benchmark-storage=file://{tmp_path}"
    file = tmp_path / "speed.json"
    python(*SUITE, *QUICK, storage, "--benchmark-save=before", f"--benchmark-json={file}")
    compared = python(*SUITE, *QUICK, storage, "--benchmark-compare")
    assert "0001_before" in compared
    benchmarks = json.loads(file.read_text())["benchmarks"]
    assert {one["options"]["timer"] for one in benchmarks} == {"now"}  # not "perf_counter"
    assert {one["stats"]["iterations"] for one in benchmarks} == {1}
    import_benchmark(file, tmp_path)
    table = mmbench.read_timings(tmp_path)
    names = table["name"].str.extract(r"\[(.*)-\d+\]")[0]
    found = set(zip(names, table["batch_size"], strict=True))
    assert found == {(n, s) for n in ("encoder identity", "fusion concat") for s in (1, 32)}
    assert set(table["device"]) == {"cpu"}
    assert (table["latency_ms_p50"] > 0).all()


def test_the_table_of_encoders_is_written(tmp_path: Path) -> None:
    quick = ("--min-repeats", 10, "--min-seconds", 0, "--only", "identity")
    printed = python("benchmarks.speed.encoders", *quick, "--out", tmp_path)
    table = pd.read_csv(tmp_path / "encoders-cpu.csv")
    assert table["encoder"].tolist() == ["identity"] * 2
    assert table["batch_size"].tolist() == [1, 32]
    assert (table["throughput"] > 0).all()
    page = (tmp_path / "encoders-cpu.md").read_text()
    assert "| identity" in page
    assert "| identity" in printed
    assert "Machine: " in page


def test_the_table_of_fidelity_is_written(tmp_path: Path) -> None:
    python("benchmarks.speed.fidelity", "--rounds", 2, "--out", tmp_path)
    table = pd.read_csv(tmp_path / "fidelity-cpu.csv")
    assert len(table) == 2
    assert table["low"].lt(table["ratio"]).all()
    assert table["ratio"].lt(table["high"]).all()
    assert table["ratio"].between(0.5, 2).all()  # two ways to measure one thing


def test_kernels_are_compared_like_with_like() -> None:
    """It fails where a tuned and calibrated machine predicts other classes than scikit-learn's."""
    grid = {"C": [0.1, 10.0], "gamma": [0.0003, 0.01]}
    row = compare(replace(TASKS[1], train=80, test=40, encoders=1, rounds=1, grid=grid))
    assert row["pairs"] == 1
    assert row["low"] == row["ratio"] == row["high"] > 0  # of one round


def test_a_row_has_fallen_where_ranges_are_apart() -> None:
    """A ratio falls by becoming less, a cost in seconds by becoming more."""
    images = {"model": ["a", "a", "b"], "cores": [1, 2, 1], "ours_s": 1.0}
    before = pd.DataFrame({**images, "ratio": 2.0, "low": 1.8, "high": 2.2})
    now = before.assign(ratio=[1.5, 1.7, 2.5], low=[1.4, 1.6, 2.3], high=[1.7, 1.9, 2.6])
    found = {change.row: change.verdict for change in changes(before, now)}
    assert found == {"a, 1": "fallen", "a, 2": "as before", "b, 1": "risen"}
    costs = before.rename(columns={"ratio": "more_s"}).iloc[[0]]
    slower = costs.assign(more_s=3.0, low=2.5, high=3.5)
    (change,) = changes(costs, slower)
    assert change.verdict == "fallen"
    assert "a, 1: more_s 2 (1.8 to 2.2), now 3 (2.5 to 3.5)" in str(change)
    for suite in SUITES:
        table = pd.read_csv(ROOT / "results" / "speed" / f"{suite}-cpu.csv")
        assert {change.verdict for change in changes(table, table)} == {"as before"}
