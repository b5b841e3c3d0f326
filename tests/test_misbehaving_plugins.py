"""What a plugin does wrong costs the cells that need it, by name, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mmbench
from tests.conftest import MMBENCH, ZOO, read_texts, unranked, write_matrix

Ran = tuple["subprocess.CompletedProcess[str]", Path]

ENCODERS = {
    "raises": ("failed", "ValueError: this encoder always raises"),
    "unprintable": ("failed", "UnprintableError"),
    "surrogate": ("failed", "ValueError: a name \\udcff that is no text"),
    "constructor": ("failed", "ValueError: this encoder cannot be built"),
    "rows": ("failed", "encode returned shape (63, 4); (64, d) was expected"),
    "flat": ("failed", "encode returned shape (256,); (64, d) was expected"),
    "no columns": ("failed", "encode returned vectors of no columns"),
    "nan": ("failed", "encode returned NaN or infinite values"),
    "infinity": ("failed", "encode returned NaN or infinite values"),
    "list": ("failed", "encode returned list; an array was expected"),
    "none": ("failed", "encode returned NoneType; an array was expected"),
    "float64": ("failed", "encode returned float64; float32 was expected"),
    "integers": ("failed", "encode returned int64; floating point was expected"),
    "object": ("failed", "encode returned object; floating point was expected"),
    "widths": ("failed", "encode returned 2 columns after 1"),
    "hang": ("timeout", "it took longer than 8 s"),
    "sys.exit": ("failed", "it called sys.exit('gone')"),
    "os._exit(0)": ("crashed", "its process ended with exit status 0"),
    "os._exit(3)": ("crashed", "its process ended with exit status 3"),
    "sigkill": (
        "crashed",
        "its process was killed by signal 9 (SIGKILL); perhaps out of memory",
    ),
    "sigsegv": ("crashed", "its process was killed by signal 11 (SIGSEGV)"),
    "orphan": (
        "crashed",
        "its process was killed by signal 9 (SIGKILL); perhaps out of memory",
    ),
    "closes everything": ("crashed", "its process ended with exit status 1"),
    "memory": ("oom", "MemoryError: not even a byte"),
    "interrupt": ("failed", "KeyboardInterrupt"),
    "generator exit": ("failed", "GeneratorExit"),
    "loud": ("ok", ""),
    "mute": ("ok", ""),
}
HEADS = {
    "raises": ("failed", "ValueError: this head always raises"),
    "constructor": ("failed", "ValueError: this head cannot be built"),
    "sigsegv": ("crashed", "its process was killed by signal 11 (SIGSEGV)"),
    "rows": ("failed", "predict_proba returned shape (39, 3); (40, 3) was expected"),
    "columns": ("failed", "predict_proba returned shape (40, 2); (40, 3) was expected"),
    "sums": ("failed", "predict_proba returned rows that are no probabilities"),
    "negative": ("failed", "predict_proba returned rows that are no probabilities"),
    "nan": ("failed", "predict_proba returned NaN or infinite values"),
    "list": ("failed", "predict_proba returned list; an array was expected"),
    "text": ("failed", "numbers were expected"),
}
FUSIONS = {
    "raises": ("failed", "KeyError: 'this fusion always raises'"),
    "rows": ("failed", "transform returned shape (39, 7); (40, d) was expected"),
    "nan": ("failed", "transform returned NaN or infinite values"),
    "dict": ("failed", "transform returned dict; an array was expected"),
}
DECISIONS = {
    "raises": ("failed", "ValueError: this decision always raises"),
    "rows": ("failed", "predict_proba returned shape (39, 3); (40, 3) was expected"),
    "sums": ("failed", "predict_proba returned rows that are no probabilities"),
}

GOOD: dict[str, Any] = {
    "name": "zoo",
    "fusions": ["concat", "mean-probability"],
    "heads": ["logistic-regression"],
    "datasets": [{"use": "blobs", "n": 80}],
    "encoders": {"a": ["identity"], "b": ["identity"]},
    "split": {"folds": 2},
}
OTHER = {"use": "blobs", "name": "torn", "n": 80, "draw": 1}


def run(folder: Path, matrix: dict[str, Any], *options: object, **env: str) -> Ran:
    """Run a matrix by the command line, in a fresh store."""
    file = write_matrix(folder, matrix)
    where = ("--out", folder / "out", "--store", folder / "store", "--plugin", ZOO)
    process = subprocess.run(
        [*MMBENCH, "run", *map(str, (file, *where, *options))],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **env},
        timeout=300,
    )
    return process, folder / "out"


def logs(out: Path) -> str:
    return "\n".join(file.read_text(errors="replace") for file in (out / "logs").iterdir())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def alone(store: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What the good cells are where nobody misbehaves."""
    out = tmp_path_factory.mktemp("alone")
    matrix = {**GOOD, "datasets": [*GOOD["datasets"], {**OTHER}]}
    table = mmbench.run(matrix, plugins=[str(ZOO)], out=out, store=store, jobs=1)
    assert set(table["status"]) == {"ok"}
    return read_texts(out)


@pytest.fixture(scope="module")
def good(alone: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of the dataset without faults."""
    return alone[alone["dataset"] == "blobs"]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run bad encoders beside a good one."""
    bad = [{"use": "bad-encoder", "how": list(ENCODERS)}, "unimportable"]
    matrix = {**GOOD, "encoders": {"a": [*bad, "identity"], "b": ["identity"]}}
    folder = tmp_path_factory.mktemp("encoders")
    return run(folder, matrix, "--timeout", "8", "--jobs", 2)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run bad heads, fusions and datasets beside good ones."""
    matrix = {
        **GOOD,
        "heads": [{"use": "bad-head", "how": list(HEADS)}, "logistic-regression"],
        "fusions": [
            {"use": "bad-fusion", "how": list(FUSIONS)},
            {"use": "bad-decision", "how": list(DECISIONS)},
            *GOOD["fusions"],
        ],
        "datasets": [
            {"use": "collapsing"},
            {**OTHER, "torn": 7},
            *GOOD["datasets"],
        ],
        "exclude": [
            {"head": "bad-head", "fusion": ["bad-fusion", "bad-decision"]},
            {"dataset": "torn", "head": "bad-head"},
            {"dataset": "torn", "fusion": ["bad-fusion", "bad-decision"]},
        ],
    }
    return run(tmp_path_factory.mktemp("others"), matrix, "--jobs", 2)


def check(table: pd.DataFrame, label: str, expected: tuple[str, str]) -> None:
    """Every row has the status, and a reason that names the job and what was wrong."""
    status, reason = expected
    assert len(table)
    assert set(table["status"]) == {status}
    for told in table["reason"]:
        if status == "ok":
            assert told == ""
        else:
            assert told.startswith(f"{label}: ")
            assert reason in told
    if status != "ok":
        assert set(table["accuracy"]) == {""}


class TestEncoders:
    def test_each_costs_its_own_cells(self, encoders: Ran) -> None:
        table = read_texts(encoders[1])
        for how, expected in ENCODERS.items():
            own = table[table["params"].str.contains(f'"how": "{how}"', regex=False)]
            assert sorted(set(own["fusion"])) == ["concat", "mean-probability", "none"]
            check(own, "embed blobs.a with bad-encoder", expected)
        own = table[table["encoder_a"] == "unimportable"]
        check(own, "encoder.a", ("failed", "No module named 'a_library_that_nobody_has'"))

    def test_the_others_are_untouched(self, encoders: Ran, good: pd.DataFrame) -> None:
        kept = read_texts(encoders[1]).loc[good.index]
        pd.testing.assert_frame_equal(unranked(kept), unranked(good))

    def test_noise_changes_nothing(self, encoders: Ran, good: pd.DataFrame) -> None:
        table = read_texts(encoders[1])
        shown = ["modalities", "fusion", "fold", *good.loc[:, "accuracy":"ece"]]
        for how in ("loud", "mute"):
            own = table[table["params"].str.contains(f'"how": "{how}"')]
            with_a = good[good["encoder_a"] == "identity"]
            assert own[shown].values.tolist() == with_a[shown].values.tolist()

    def test_the_run_says_so_and_ends_with_status_1(self, encoders: Ran) -> None:
        process = encoders[0]
        assert process.returncode == 1
        assert "Traceback" not in process.stdout + process.stderr
        assert "this encoder always raises" in process.stderr
        assert "y" * 200 not in process.stdout + process.stderr

    def test_tracebacks_are_kept(self, encoders: Ran) -> None:
        kept = logs(encoders[1])
        assert "Traceback (most recent call last)" in kept
        assert 'raise ValueError("this encoder\\nalways raises")' in kept
        assert "No module named 'a_library_that_nobody_has'" in kept
        assert "embed blobs.a with bad-encoder" in kept
        assert "y" * 200 in kept
        assert "Fatal Python error: Segmentation fault" in kept

    def test_failed_cells_leave_no_predictions(self, encoders: Ran) -> None:
        table = read_texts(encoders[1])
        kept = {file.stem for file in (encoders[1] / "predictions").glob("*.parquet")}
        assert kept == set(table.index[table["status"] == "ok"])


class TestHeadsFusionsAndDatasets:
    @pytest.fixture
    def table(self, others: Ran) -> pd.DataFrame:
        table = read_texts(others[1])
        return table[table["status"] != "skipped"]

    def test_heads(self, table: pd.DataFrame) -> None:
        for how, expected in HEADS.items():
            own = table[(table["head"] == "bad-head") & table["params"].str.contains(f'"{how}"')]
            assert sorted(set(own["fusion"])) == ["concat", "mean-probability", "none"]
            check(own[own["modalities"] == "b"], "fit bad-head on blobs.b", expected)
            check(own[own["fusion"] == "concat"], "fit bad-head on blobs.a+b", expected)
            check(own[own["fusion"] == "mean-probability"], "fit bad-head on blobs.a", expected)

    def test_fusions(self, table: pd.DataFrame) -> None:
        for how, expected in FUSIONS.items():
            own = table[(table["fusion"] == "bad-fusion") & table["params"].str.contains(how)]
            check(own, "fit logistic-regression on blobs.a+b", expected)
        for how, expected in DECISIONS.items():
            own = table[(table["fusion"] == "bad-decision") & table["params"].str.contains(how)]
            check(own, "decide blobs with bad-decision", expected)

    def test_an_unreadable_item(self, table: pd.DataFrame, alone: pd.DataFrame) -> None:
        torn = table[table["dataset"] == "torn"]
        needs = torn["modalities"].str.contains("a")
        label = "embed torn.a with identity"
        check(torn[needs], label, ("failed", "OSError: item 7 cannot be read"))
        assert len(torn[~needs])
        others = alone.loc[torn.index[~needs]]
        pd.testing.assert_frame_equal(unranked(torn[~needs]), unranked(others))

    def test_a_dataset_that_collapses(self, others: Ran, table: pd.DataFrame) -> None:
        (row,) = table[table["dataset"] == "collapsing"].to_dict("records")
        assert row["status"] == "failed"
        assert "RuntimeError: this dataset always collapses" in row["reason"]
        assert 'raise RuntimeError("this dataset always collapses")' in logs(others[1])

    def test_the_others_are_untouched(self, others: Ran, good: pd.DataFrame) -> None:
        assert others[0].returncode == 1
        kept = read_texts(others[1]).loc[good.index]
        pd.testing.assert_frame_equal(unranked(kept), unranked(good))


class TestMetrics:
    @pytest.mark.parametrize(
        ("how", "status", "reason"),
        [
            ("raises", "failed", "metric 'bad-metric': ZeroDivisionError: this metric always"),
            ("text", "failed", "metric 'bad-metric': ValueError: could not convert"),
            ("sigkill", "crashed", "its process was killed by signal 9 (SIGKILL)"),
        ],
    )
    def test_the_metrics_of_other_plugins_are_there(
        self, how: str, status: str, reason: str, good: pd.DataFrame, store: Path
    ) -> None:
        matrix = {**GOOD, "metrics": [{"use": "bad-metric", "how": how}]}
        mmbench.run(matrix, plugins=[str(ZOO)], out="out", store=store, jobs=2)
        table = read_texts(Path("out"))
        assert set(table["status"]) == {status}
        for told in table["reason"]:
            assert told.startswith("score blobs by zoo.py: ")
            assert reason in told
        assert set(table["bad-metric"]) == {""}
        columns = [c for c in unranked(good) if c not in ("status", "reason")]
        pd.testing.assert_frame_equal(table.loc[good.index, columns], good[columns])


class TestEvents:
    @pytest.mark.parametrize("event", ["raises", "exits", "meddles"])
    def test_an_event_hook_cannot_spoil_a_run(
        self,
        event: str,
        good: pd.DataFrame,
        store: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("ZOO_EVENT", event)
        mmbench.run(GOOD, plugins=[str(ZOO)], out="out", store=store)
        pd.testing.assert_frame_equal(read_texts(Path("out")), good)
        told = capsys.readouterr().err
        assert "Traceback" not in told
        if event == "raises":
            assert "zoo.py" in told
            assert "RuntimeError: this event hook always raises" in told
