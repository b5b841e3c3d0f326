"""What TensorBoard's own readers find of runs: training curves, and combinations."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmbench_tensorboard
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmbench_tensorboard import tracker
from mmbench_tensorboard.events import NAME_BYTES, folder_name
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from tensorboard.util import tensor_util

import mmbench

HERE = """
from sklearn.linear_model import LogisticRegression

from mmbench import hookimpl
from mmbench.jobs import perform


class Here:
    slots = 1

    def __init__(self, context, slots, timeout):
        self.workshop, self.ended = context.open(), []

    def submit(self, job):
        self.ended.append((job, perform(job, self.workshop)))

    def wait(self, timeout=None):
        ended, self.ended = self.ended, []
        return ended

    def activity(self):
        return []

    def close(self):
        pass


class Told(LogisticRegression):
    def __init__(self, first: float = 1.0):
        super().__init__()
        self.first = first

    def fit(self, features, labels):
        super().fit(features, labels)
        self.history_ = [
            {"epoch": i + 1, "loss": self.first / (i + 1) + abs(features).sum(), "seconds": 10.0}
            for i in range(4)
        ]
        return self


@hookimpl
def mmbench_register_runners(register):
    register("here", Here)


@hookimpl
def mmbench_register_heads(register):
    register("told", Told)
"""
NAME = "../猫 <b>:'"


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
    parts = {"left": ["a", "b"], "right": ["c", "d"]}

    def call(**keys: Any) -> pd.DataFrame:
        content = {
            "name": "clouds",
            "heads": [{"use": "told", "first": [1.0, 2.0]}],
            "fusions": ["concat", "learned-weighted-sum"],
            "datasets": [
                {
                    "use": "manifest",
                    "name": NAME,
                    "path": str(tmp_path / "points.csv"),
                    "label": "label",
                    "modalities": {m: {"columns": c, "kind": "vector"} for m, c in parts.items()},
                }
            ],
            "encoders": {"vector": "identity"},
            "split": {"folds": 2},
            **keys,
        }
        return mmbench.run(content, out="run", runner="here", plugins=["here.py"])

    return call


def read(folder: Path) -> dict[str, list[tuple[float, int, float]]]:
    """Return the scalars of a folder by tag: time, step and value."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [
            (e.wall_time, e.step, tensor_util.make_ndarray(e.tensor_proto).item())
            for e in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
        if tag != metadata.SESSION_START_INFO_TAG
    }


def plain(series: dict[str, list[tuple[float, int, float]]]) -> list[tuple[str, Any]]:
    """Return scalars without their times, in the order of their tags."""
    return sorted((tag, [(s, value) for _, s, value in told]) for tag, told in series.items())


def as_told(run: Path) -> dict[tuple[str, int, str], dict[str, list[tuple[int, float]]]]:
    """Return what ``fits/`` says, by label, fold and content: tags with steps and values."""
    told = {}
    for cell, fold in pd.read_csv(run / "cells.csv")[["cell", "fold"]].itertuples(index=False):
        for label, history in json.loads(
            (run / "fits" / f"{cell}.json").read_text("utf-8")
        ).items():
            series: dict[str, list[tuple[int, float]]] = {}
            for row in history:
                if "epoch" in row:
                    for name in ("loss", "seconds"):
                        series.setdefault(name, []).append(
                            (row["epoch"], np.float32(row[name]).item())
                        )
                else:
                    series[f"weight/{row['modality']}"] = [(0, np.float32(row["weight"]).item())]
            told[label, fold, json.dumps(history)] = series
    return told


def test_nothing_heavy_is_imported_to_register() -> None:
    code = "import sys, mmbench_tensorboard; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {*loaded.stdout.decode().split()} & {*("tensorboard", "pandas")}


def test_nothing_unless_asked(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMBENCH_TENSORBOARD", "0")
    run(heads=["told"], fusions=["concat"])
    assert not mmbench_tensorboard._trackers
    assert not [*tmp_path.glob("run/**/*tfevents*")]
    # asked for later: what was done before is written, too
    monkeypatch.setenv("MMBENCH_TENSORBOARD", str(tmp_path / "boards"))
    run(heads=["told"], fusions=["concat"])
    curves = [*tmp_path.glob("boards/clouds/fits/*/*/events*")]
    assert len(curves) == len(as_told(tmp_path / "run")) > 0


def test_what_cannot_be_written_costs_a_line(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MMBENCH_TENSORBOARD", str(tmp_path / "points.csv"))
    assert set(run(heads=["told"], fusions=["concat"])["status"]) == {"ok"}
    (line,) = (r for r in capsys.readouterr().err.splitlines() if r.startswith("plugin"))
    assert line.startswith("plugin tensorboard: mmbench_run_started: ")
    # a folder that goes wrong later
    board = tmp_path / "boards"
    monkeypatch.setenv("MMBENCH_TENSORBOARD", str(board))
    written = tracker.write_events

    def then_full(folder: Path, events: Any) -> None:
        written(folder, events)
        shutil.rmtree(board)
        board.write_text("no folder")

    monkeypatch.setattr(tracker, "write_events", then_full)
    assert set(run(heads=[{"use": "told", "first": 3.0}])["status"]) == {"ok"}
    (line,) = (r for r in capsys.readouterr().err.splitlines() if r.startswith("plugin"))
    assert line.startswith("plugin tensorboard: mmbench_cell_finished: ")


def test_curves_and_combinations(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMBENCH_TENSORBOARD", "1")
    table = run()
    board = tmp_path / "run" / "tensorboard"
    told = as_told(tmp_path / "run")
    files = sorted(board.glob("fits/*/*/events*"))
    assert len(files) == len(told) == 18  # each once, however many cells share it
    found = [read(file.parent) for file in files]
    assert sorted(map(plain, found)) == sorted(map(sorted, (s.items() for s in told.values())))
    for loss in (series["loss"] for series in found if "loss" in series):
        # ten seconds lie between two epochs
        np.testing.assert_allclose(np.diff([at for at, _, _ in loss]), 10, atol=1e-3)
    assert {f.parents[1].parent.name for f in files} == {"fits"}
    assert {file.parent.name.rpartition(" ")[0] for file in files} == {
        "seed 0 fold 0",
        "seed 0 fold 1",
    }

    summary = mmbench.summarise(table)
    check_combinations(board, summary)
    # continued with fewer: the curves stay as they are, the combinations are those of the end
    table = run(fusions=["concat"])
    assert sorted(board.glob("fits/*/*/events*")) == files
    assert len(mmbench.summarise(table)) < len(summary)
    check_combinations(board, mmbench.summarise(table))


def check_combinations(board: Path, summary: pd.DataFrame) -> None:
    """Check that the page of hyperparameters shows each combination's options and figures."""
    folders = sorted((board / "combinations").iterdir())
    assert len(folders) == len(summary)
    shown = set()
    for folder in folders:
        events = EventAccumulator(str(folder))
        events.Reload()
        content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
        options = {
            name: value.string_value
            for name, value in metadata.parse_session_start_info_plugin_data(
                content
            ).hparams.items()
        }
        first = summary["params"].map(lambda text: json.loads(text)["head"]["first"])
        rows = summary[
            (summary["modalities"] == options["modalities"])
            & (summary["fusion"] == options["fusion"])
            & (first == float(options["head.first"]))
        ]
        (row,) = rows.to_dict("records")
        assert options["dataset"] == NAME
        figures = read(folder)
        assert {"accuracy", "accuracy_low", "accuracy_high", "rank", "fit_s"} <= figures.keys()
        for tag, ((_, step, value),) in figures.items():
            assert (step, value) == (0, pytest.approx(row[tag], rel=1e-6))
        shown.add(row["params"] + row["modalities"] + row["fusion"])
    assert len(shown) == len(summary)


@given(st.lists(st.text(max_size=120), min_size=2, max_size=2, unique=True))
def test_any_name_makes_a_folder(texts: list[str]) -> None:
    names = [folder_name(text) for text in texts]
    assert names[0] != names[1]
    for name in names:
        assert Path("a", name).parent == Path("a")
        assert name not in ("", ".", "..")
        assert len(name.encode()) <= NAME_BYTES + 9
        assert not set(name) & set('<>:"/\\|?*\0')
