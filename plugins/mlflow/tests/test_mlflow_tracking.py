"""What MLflow's own store holds of runs, read back with MLflow's client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mmbench_mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_batch_log_data
from mmbench_mlflow import names, tracker

import mmbench

HERE = """
from sklearn.naive_bayes import GaussianNB

from mmbench import hookimpl
from mmbench.jobs import perform


class Here:
    slots = 1

    def __init__(self, context, slots, timeout):
        self.workshop, self.ended = context.open(), []

    def submit(self, job):
        if job.kind == "fit" and "interrupted" in job.label:
            raise KeyboardInterrupt
        self.ended.append((job, perform(job, self.workshop)))

    def wait(self, timeout=None):
        ended, self.ended = self.ended, []
        return ended

    def activity(self):
        return []

    def close(self):
        pass


class Bayes(GaussianNB):
    def __init__(self, note: str = "", var_smoothing: float = 1e-9):
        super().__init__(var_smoothing=var_smoothing)
        self.note = note


class Broken:
    def fit(self, features, labels):
        raise ValueError("it broke")


@hookimpl
def mmbench_register_runners(register):
    register("here", Here)


@hookimpl
def mmbench_register_heads(register):
    register("bayes", Bayes)
    register("broken", Broken)
    register("interrupted", Bayes)
"""
ASKED = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID")
HOSTILE = "../猫:<b>'\"%"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return where a database is; its tables take MLflow a second to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def asked(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """Ask for tracking, in an experiment of the test's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    return MlflowClient(store)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pd.DataFrame]:
    """Run a matrix over two clouds of points in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMBENCH_STORE", "store")
    (tmp_path / "here.py").write_text(HERE, encoding="utf-8")
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    points = pd.DataFrame(rng.normal(labels[:, None], 1, (40, 4)), columns=["a", "b", "c", "d"])
    points.assign(label=labels).to_csv("points.csv", index=False)
    parts = {HOSTILE: ["a", "b"], "right": ["c", "d"]}
    modalities = {m: {"columns": names, "kind": "vector"} for m, names in parts.items()}
    dataset = {"use": "manifest", "path": str(tmp_path / "points.csv"), "label": "label"}

    def call(**keys: Any) -> pd.DataFrame:
        content = {
            "name": "clouds",
            "heads": ["bayes"],
            "fusions": ["concat"],
            "datasets": [{**dataset, "modalities": modalities}],
            "encoders": {"vector": "identity"},
            "split": {"folds": 2},
            **keys,
        }
        return mmbench.run(content, out="run", runner="here", plugins=["here.py"])

    return call


def tracked(client: MlflowClient, tmp_path: Path) -> tuple[Run, list[Run]]:
    """Return the one run of an experiment that is nobody's child, and its children."""
    experiment = client.get_experiment_by_name(tmp_path.name)
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (r for r in runs if "mlflow.parentRunId" not in r.data.tags)
    children = [r for r in runs if r is not parent]
    assert {r.data.tags["mlflow.parentRunId"] for r in children} <= {parent.info.run_id}
    return parent, children


def test_nothing_heavy_is_imported_to_register() -> None:
    code = "import sys, mmbench_mlflow; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {*loaded.stdout.decode().split()} & {*("mlflow", "pandas", "sqlalchemy")}


def test_nothing_unless_asked(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ASKED:
        monkeypatch.delenv(name, raising=False)
    run()
    assert not mmbench_mlflow._trackers
    assert {f.name for f in tmp_path.iterdir()} == {"here.py", "points.csv", "run", "store"}
    assert not (tmp_path / "run" / "mlflow.json").exists()


def test_a_run_and_its_continuation(
    run: Callable, asked: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    long = "x" * 7000
    table = run(heads=["bayes", {"use": "bayes", "note": long}, "broken"])
    parent, children = tracked(asked, tmp_path)
    assert "plugin mlflow" not in capsys.readouterr().err
    assert (parent.info.run_name, parent.info.status) == ("clouds", "FINISHED")
    folder = tmp_path / "run"
    told = json.loads((folder / "environment.json").read_text("utf-8"))
    tags = parent.data.tags
    assert tags["mmbench.matrix"] == "clouds"
    assert tags["versions.numpy"] == np.__version__
    assert tags["machine.processor"] == told["machine"]["processor"]

    # progress: every cell is a step, in the order in which they finished
    evaluated = table[table["status"] != "skipped"]
    finished = asked.get_metric_history(parent.info.run_id, "cells_finished")
    assert [(m.step, m.value) for m in finished] == [(i + 1, i + 1) for i in range(len(evaluated))]
    failed = asked.get_metric_history(parent.info.run_id, "cells_failed")
    assert failed[-1].value == (evaluated["status"] == "failed").sum() > 0
    rises = np.diff([0, *(m.value for m in failed)])
    assert set(rises) == {0, 1}

    # artifacts: the files themselves
    copies = Path(asked.download_artifacts(parent.info.run_id, "", str(tmp_path / "copies")))
    for name in ("matrix.toml", "environment.json", "cells.csv", "report.html", "report.md"):
        assert (copies / name).read_bytes() == (folder / name).read_bytes()
    summary = mmbench.summarise(table)
    whole = pd.read_csv(copies / "summary.csv")
    assert whole["params"].tolist() == summary["params"].tolist()
    assert any(long in params for params in whole["params"])

    # combinations: each a nested run, its figures those of the summary
    assert len(children) == len(summary)
    hidden = names.key(f"encoder_{HOSTILE}")
    for _, row in summary.iterrows():
        (child,) = (
            r
            for r in children
            if r.data.params["modalities"] == row["modalities"]
            and r.data.params["head"] == row["head"]
            and r.data.params["fusion"] == row["fusion"]
            and ("head.note" in r.data.params) == (long in row["params"])
        )
        assert child.info.status == ("FINISHED" if row["n"] else "FAILED")
        assert child.info.end_time >= child.info.start_time
        assert ("it broke" in child.data.tags.get("mmbench.reason", "")) == (row["n"] == 0)
        assert (hidden in child.data.params) == (HOSTILE in row["modalities"])
        if "head.note" in child.data.params:
            assert len(child.data.params["head.note"]) == 6000
        known = {n: v for n, v in row.items() if n in child.data.metrics}
        assert child.data.metrics == pytest.approx(known, nan_ok=False)
        figures = {"accuracy", "accuracy_low", "accuracy_high", "rank", "fit_s", "coverage"}
        assert figures <= {*known} or row["n"] == 0
        assert "roc_auc" not in known or not np.isnan(row["roc_auc"])

    # continued: the same run, what has left the matrix deleted, the rest as it was or new
    before = {r.data.tags["mmbench.combination"]: r.info.run_id for r in children}
    own = asked.create_run(
        parent.info.experiment_id, tags={"mlflow.parentRunId": parent.info.run_id}
    ).info.run_id
    table = run(heads=["bayes", "naive-bayes"])
    assert asked.get_run(own).info.lifecycle_stage == "active"
    asked.delete_run(own)
    again, children = tracked(asked, tmp_path)
    assert again.info.run_id == parent.info.run_id
    assert len(children) == len(mmbench.summarise(table))
    kept = {r.data.tags["mmbench.combination"]: r.info.run_id for r in children}
    stayed = kept.keys() & before.keys()
    assert [kept[k] for k in stayed] == [before[k] for k in stayed]
    heads = [r.data.params["head"] for r in children]
    assert heads.count("bayes") == heads.count("naive-bayes") == len(stayed) > 0
    assert again.data.metrics["cells_failed"] == 0
    assert again.data.metrics["cells_finished"] == (table["status"] != "skipped").sum()
    # ranked among others, a combination that stayed has new figures
    summary = mmbench.summarise(table)
    ranks = {
        (r.data.params["modalities"], r.data.params["head"]): r.data.metrics["rank"]
        for r in children
    }
    assert ranks == {(r["modalities"], r["head"]): r["rank"] for _, r in summary.iterrows()}


def test_an_interrupted_run_is_told_as_killed(
    run: Callable, asked: MlflowClient, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match="interrupted"):
        run(heads=["bayes", "interrupted"])
    parent, _ = tracked(asked, tmp_path)
    assert parent.info.status == "KILLED"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MLFLOW_EXPERIMENT_ID", "987654"), ("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")],
)
def test_what_cannot_be_tracked_costs_a_line(
    run: Callable,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv(variable, value)
    table = run()
    assert set(table["status"]) == {"ok"}
    (line,) = (r for r in capsys.readouterr().err.splitlines() if r.startswith("plugin"))
    assert line.startswith("plugin mlflow: mmbench_run_started: ")
    assert value in line


def test_counts_that_could_not_be_sent_are_sent_at_the_end(
    run: Callable, asked: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = run()
    parent, _ = tracked(asked, tmp_path)
    monkeypatch.setattr(tracker, "SECONDS", 0)
    same = SimpleNamespace(name="clouds", folder=tmp_path / "run", rows={}, chosen=[])
    follower = tracker.Tracker(same)
    assert follower.id == parent.info.run_id
    follower.count("ok")
    asked.delete_run(follower.id)  # MLflow refuses what is sent from now on
    with pytest.raises(MlflowException):
        follower.count("failed")
    follower.count("ok")
    asked.restore_run(follower.id)
    follower.count("skipped")
    follower.count("ok")
    assert asked.get_run(follower.id).data.metrics["cells_failed"] == 0
    follower.finish(table)
    metrics = asked.get_run(follower.id).data.metrics
    assert (metrics["cells_finished"], metrics["cells_failed"]) == (4, 1)
    sent = asked.get_metric_history(follower.id, "cells_failed")[len(table) :]
    assert [point.value for point in sent] == [0, 0, 1, 1, 1]


@given(st.lists(st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_any_name_and_value_is_taken(texts: list[str]) -> None:
    keys, values = [names.key(f"x{t}") for t in texts], [names.text(t, 100) for t in texts]
    assert keys[0] != keys[1]
    assert values[0] != values[1]
    assert all(len(v) <= 100 for v in values)
    _validate_batch_log_data(
        [Metric(k, 1.0, 0, 0) for k in keys],
        [Param(k, v) for k, v in zip(keys, values, strict=True)],
        [RunTag(k, v) for k, v in zip(keys, values, strict=True)],
    )
    json.dumps([keys, values]).encode("utf-8")


def test_plain_names_stay() -> None:
    plain = ["accuracy_low", "encoder.image.model", "猫", "latency_ms_p50"]
    assert [names.key(name) for name in plain] == plain
    assert names.text("as it is") == "as it is"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
