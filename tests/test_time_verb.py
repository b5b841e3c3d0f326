"""``mmbench time`` and ``mmbench import-benchmark``, as a user calls them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmbench as package
from mmbench.errors import UserError
from mmbench.measurement.benchmark import import_benchmark
from tests.conftest import Command, write_matrix

PLUGIN = Path(__file__).parent / "timed.py"
QUICK = ("--min-repeats", "8", "--min-seconds", "0")
MATRIX: dict[str, Any] = {
    "name": "one",
    "datasets": [{"use": "pairs"}],
    "encoders": {"a": "identity", "b": "identity"},
    "fusions": ["concat"],
    "heads": "logistic-regression",
    "plugins": [str(PLUGIN)],
    "split": {"folds": 2},
}


def timings(command: Command, *arguments: object, status: int = 0) -> pd.DataFrame:
    """Time, and return the table that ``--out`` writes."""
    done = command("time", *arguments, *QUICK, "--out", "timings.csv")
    assert done.returncode == status, done.stderr + done.stdout
    return pd.read_csv("timings.csv", keep_default_na=False, na_values=[""])


# --- mmbench time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "unit"),
    [
        ("hashing", "encoder"),
        ("logistic-regression", "head"),
        ("fusion:learned-weighted-sum", "fusion"),
    ],
)
def test_a_component_is_timed_on_made_samples(what: str, unit: str, mmbench_here: Command) -> None:
    table = timings(mmbench_here, what, "--scenario", "single-stream", "--scenario", "offline")
    assert table["unit"].tolist() == [unit] * 2
    assert table["name"].tolist() == [what.rpartition(":")[2]] * 2
    assert table["scenario"].tolist() == ["single-stream", "offline"]
    assert table["batch_size"].tolist() == [1, 32]
    assert table["status"].tolist() == ["ok"] * 2
    assert table["agreement"].tolist() == [1.0] * 2
    assert (table["latency_ms_p50"] > 0).all()
    assert table["percentile_reason"].str.contains("p99 needs 368").all()


def test_options_plugins_and_stages_of_a_component(mmbench: Command) -> None:
    options = ("--plugin", PLUGIN, "--set", "preprocess=12", "--set", "transfer=6")
    table = timings(mmbench, "clocked", *options, "--max-seconds", "1").iloc[0]
    assert 12 <= table["stage_preprocess_ms"] < 24
    assert 6 <= table["stage_transfer_ms"] < 12
    assert table["latency_ms_p50"] > 18
    assert table["stage_sum_ms"] == pytest.approx(table["stage_whole_ms"], rel=0.3)


def test_a_component_that_fails_says_why(mmbench_here: Command) -> None:
    options = ("--plugin", PLUGIN, "--scenario", "single-stream", "--scenario", "offline")
    table = timings(mmbench_here, "whimsical", "--set", "how=alone", *options, status=1)
    assert table["status"].tolist() == ["failed", "ok"]
    assert table["reason"][0] == "ValueError: one item is too few"
    table = timings(mmbench_here, "whimsical", "--set", "how=dies alone", *options, status=1)
    assert table["status"].tolist() == ["crashed", "ok"]
    sizes = ("--batch-size", "8", "--batch-size", "65")
    options = ("--plugin", PLUGIN, "--scenario", "offline", *sizes)
    table = timings(mmbench_here, "whimsical", "--set", "how=large batches", *options, status=1)
    assert table["status"].tolist() == ["ok", "oom"]


@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="no C++ compiler")
def test_compiling_is_said_only_of_what_was_compiled(mmbench_here: Command) -> None:
    """A network whose ``forward`` is called directly is never compiled."""
    options = ("--plugin", PLUGIN, "--set", "width=64", "--compile", "torch.compile")
    table = timings(mmbench_here, "linear", *options).iloc[0]
    assert (table["status"], table["compile"]) == ("ok", "torch.compile")
    assert table["flops_per_sample"] == 2 * 64 * 6
    assert table["cold_first_ms"] > 10 * table["latency_ms_p50"]
    table = timings(mmbench_here, "linear", "--set", "direct=true", *options).iloc[0]
    assert table["status"] == "skipped"
    assert table["reason"] == "torch.compile: no call in it was compiled"
    table = timings(mmbench_here, "concat", "--compile", "torch.compile").iloc[0]
    assert table["reason"] == "torch.compile: there is no torch network in it"


def test_the_table_fits_the_terminal(mmbench_here: Command) -> None:
    file = write_matrix(Path(), MATRIX)
    scenarios = ("--scenario", "single-stream", "--scenario", "server")
    done = mmbench_here("time", file, *QUICK, *scenarios, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "single-stream, cpu" in lines
    assert "server, cpu" in lines
    for word in ("p50 ms", "samples/s", "end-to-end concat", "queries/s arrive", "p99 needs 368"):
        assert word in done.stdout
    assert not any("…" in line for line in lines)


def test_a_file_with_one_combination_is_timed_part_by_part_and_whole(mmbench: Command) -> None:
    file = write_matrix(Path(), MATRIX)
    table = timings(mmbench, file, "--limit", "30")
    assert table["status"].eq("ok").all()
    assert table["unit"].tolist() == [
        "encoder",
        "encoder",
        "classifier",
        "composed",
        "end-to-end",
    ]
    assert table["agreement"].dropna().eq(1).all()
    assert set(table["modalities"][2:]) == {"a+b"}
    assert not Path("results").exists()


def test_only_chooses_the_combination(mmbench_here: Command) -> None:
    file = write_matrix(Path(), {**MATRIX, "heads": ["logistic-regression", "svm"]})
    done = mmbench_here("time", file)
    assert done.returncode == 2
    assert done.stderr == (
        "mmbench: matrix.toml: 2 combinations (a+b concat logistic-regression, a+b concat svm); "
        "choose one with --only column=value\n"
    )
    table = timings(mmbench_here, file, "--only", "head=svm", "--only", "modalities=b")
    assert set(table["unit"]) == {"encoder", "classifier", "composed", "end-to-end"}
    assert set(table["name"]) == {"identity", "svm"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hogg"], "time: there is no 'hogg' to time; did you mean 'hog'?"),
        (["metric:accuracy"], "time: a metric serves no samples; encoders, fusions and heads do"),
        (["timm"], "encoder timm: option 'model' is required"),
        (["hog", "--set", "sice=3"], "encoder hog: unknown option 'sice'; did you mean 'size'?"),
        (["hog", "--set", "size"], "--set 'size': OPTION=VALUE was expected"),
        (["hog", "--kind", "text"], "time: hog takes no text; valid: image"),
        (["hog", "--limit", "9"], "--limit is for a matrix FILE; 'hog' is a component"),
        (["hog", "--only", "fold=0"], "--only is for a matrix FILE; 'hog' is a component"),
        (
            ["hog", "--min-seconds", "3", "--max-seconds", "2"],
            "--min-seconds is more than --max-seconds",
        ),
        (["missing.toml"], "missing.toml: no such file"),
        (["matrix.toml", "--kind", "text"], "--kind is for an encoder; a matrix FILE knows"),
        (["matrix.toml", "--only", "head=x"], "matrix.toml: it has no combination that can be"),
        (["matrix.toml", "--only", "had=x"], "--only had=x: unknown column 'had'"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, mmbench_here: Command) -> None:
    write_matrix(Path(), MATRIX)
    done = mmbench_here("time", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mmbench: {message}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


# --- pytest-benchmark --------------------------------------------------------------------------

SUITE = """
import time

import pytest


@pytest.mark.parametrize("size", [1, 8])
def test_nap(benchmark, size):
    benchmark.extra_info.update(batch_size=size, device="cpu", precision="fp32", scenario="offline")
    benchmark.pedantic(time.sleep, args=(0.002,), rounds=40, iterations=1)


def test_rounds_of_many_calls(benchmark):
    benchmark.pedantic(sum, args=((1, 2),), rounds=20, iterations=50)
"""


def benchmarks(folder: Path, *options: str) -> None:
    """Run pytest-benchmark itself on a tiny suite."""
    (folder / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py"]
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}  # no xdist worker
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return files as ``--benchmark-json`` (with all rounds) and ``--benchmark-save`` write."""
    folder = tmp_path_factory.mktemp("suite")
    benchmarks(folder, "--benchmark-json=rounds.json", "--benchmark-save=some")
    (saved,) = folder.glob(".benchmarks/*/*_some.json")
    return {"rounds": folder / "rounds.json", "saved": saved}


def test_a_file_of_all_rounds_becomes_rows(files: dict[str, Path], mmbench_here: Command) -> None:
    done = mmbench_here("import-benchmark", files["rounds"], "--out", "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 benchmarks are in out/timings.parquet\n"
    table = package.read_timings("out").set_index("name")
    content = json.loads(files["rounds"].read_text())
    for one in content["benchmarks"]:
        row, stats = table.loc[one["fullname"]], one["stats"]
        seconds = np.array(stats["data"])
        assert (row["unit"], row["status"]) == ("benchmark", "ok")
        assert row["n"] == len(seconds)
        assert row["latency_ms_mean"] == pytest.approx(1e3 * stats["mean"])
        assert row["throughput"] == pytest.approx(row["batch_size"] / stats["mean"])
        if "nap" in one["name"]:
            assert row["batch_size"] == one["params"]["size"]
            assert (row["device"], row["precision"]) == ("cpu", "fp32")
            assert row["scenario"] == "offline"
            assert row["latency_ms_p50"] == pytest.approx(1e3 * np.median(seconds))
            assert row["latency_ms_p90"] == pytest.approx(1e3 * np.quantile(seconds, 0.9))
            assert np.isnan(row["latency_ms_p99"])
            assert "p99 needs 368 samples, not 40" in row["percentile_reason"]
        else:
            assert row[["latency_ms_p50", "latency_ms_p90"]].isna().all()
            assert row["percentile_reason"] == "a round is the mean of 50 calls"
    assert json.loads(table["conditions"].iloc[0])["python_version"] == sys.version.split()[0]


def test_a_file_without_rounds_has_mean_and_median(
    files: dict[str, Path], mmbench_here: Command
) -> None:
    assert mmbench_here("import-benchmark", files["saved"], "--out", "out").returncode == 0
    table = package.read_timings("out").set_index("name")
    for one in json.loads(files["saved"].read_text())["benchmarks"]:
        if "nap" in one["name"]:
            row = table.loc[one["fullname"]]
            assert row["latency_ms_p50"] == pytest.approx(1e3 * one["stats"]["median"])
            assert np.isnan(row["latency_ms_p50_low"])
            assert "--benchmark-save-data" in row["percentile_reason"]


def test_importing_twice_replaces_and_a_run_keeps_it(
    files: dict[str, Path], mmbench_here: Command
) -> None:
    file = write_matrix(Path(), {**MATRIX, "timing": {"min_repeats": 6, "min_seconds": 0}})
    assert mmbench_here("run", file, "--out", "out", "--quiet").returncode == 0
    own = package.read_timings("out")
    assert not own.empty
    for source in ("saved", "rounds", "rounds"):
        assert mmbench_here("import-benchmark", files[source], "--out", "out").returncode == 0
    table = package.read_timings("out")
    imported = table[table["unit"] == "benchmark"]
    assert len(imported) == 3
    assert imported.loc[imported["name"].str.contains("nap"), "latency_ms_p90"].notna().all()
    pd.testing.assert_frame_equal(table[table["unit"] != "benchmark"], own)
    assert mmbench_here("run", file, "--out", "out", "--quiet").returncode == 0
    pd.testing.assert_frame_equal(package.read_timings("out"), table)


def test_what_is_no_file_of_pytest_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.json: cannot be read: No such file"):
        import_benchmark(tmp_path / "gone.json", tmp_path)
    for content in ("not json", "[]", '{"benchmarks": [{"name": "x"}]}', '{"other": 1}'):
        (tmp_path / "wrong.json").write_text(content)
        with pytest.raises(UserError, match=r"wrong.json: is no JSON of pytest-benchmark"):
            import_benchmark(tmp_path / "wrong.json", tmp_path)
    assert not list(tmp_path.glob("*.parquet"))
