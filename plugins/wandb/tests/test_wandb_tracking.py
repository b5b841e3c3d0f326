"""What Weights & Biases writes of runs without a network, read back from its own files."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mmbench_wandb
import numpy as np
import pandas as pd
import pytest
import wandb
from wandb.proto import wandb_internal_pb2 as records

import mmbench

HERE = """
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


class Broken:
    def fit(self, features, labels):
        raise ValueError("it broke")


@hookimpl
def mmbench_register_runners(register):
    register("here", Here)


@hookimpl
def mmbench_register_heads(register):
    register("broken", Broken)
    register("interrupted", Broken)
"""
NAME = "../猫 <b>'\"%"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep all that Weights & Biases reads and writes in the test's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMBENCH_STORE", "store")
    for name in (*mmbench_wandb.ASKED, "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield tmp_path
    wandb.teardown()


@pytest.fixture
def run(here: Path) -> Callable[..., pd.DataFrame]:
    """Run a matrix over two clouds of points in this process."""
    (here / "here.py").write_text(HERE, encoding="utf-8")
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    points = pd.DataFrame(rng.normal(labels[:, None], 1, (40, 4)), columns=["a", "b", "c", "d"])
    points.assign(label=labels).to_csv("points.csv", index=False)
    parts = {"left": ["a", "b"], "right": ["c", "d"]}

    def call(**keys: Any) -> pd.DataFrame:
        content = {
            "name": "clouds",
            "heads": ["naive-bayes"],
            "fusions": ["concat"],
            "datasets": [
                {
                    "use": "manifest",
                    "name": NAME,
                    "path": str(here / "points.csv"),
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


def read(folder: Path) -> tuple[Path, dict[str, list[Any]]]:
    """Return a run's file and its records by sort.

    It is in LevelDB's log format, in blocks of 32 KiB, after 7 bytes.
    """
    wandb.teardown()  # waits until all is written
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    found: dict[str, list[Any]] = {}
    content, at, gathered = file.read_bytes(), 7, b""
    assert content[:4] == b":W&B"
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        gathered += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = records.Record.FromString(gathered)
            sort, gathered = record.WhichOneof("record_type"), b""
            found.setdefault(sort, []).append(getattr(record, sort))
    return file, found


def values(items: Any) -> dict[str, Any]:
    """Return what a record says, by name."""
    return {".".join([i.key, *i.nested_key]).strip("."): json.loads(i.value_json) for i in items}


def test_nothing_heavy_is_imported_to_register() -> None:
    code = "import sys, mmbench_wandb; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not {*loaded.stdout.decode().split()} & {*("wandb", "pandas")}


@pytest.mark.parametrize("mode", ["", "disabled"])
def test_nothing_unless_asked(
    run: Callable, here: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    run()
    assert {f.name for f in here.iterdir()} == {"here.py", "points.csv", "run", "store"}
    assert not (here / "run" / "wandb.json").exists()


def test_a_run_and_its_continuation(
    run: Callable, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    table = run(heads=["naive-bayes", "broken"])
    file, found = read(here)
    (begun,) = {r.run_id: r for r in found["run"]}.values()
    assert begun.display_name == "clouds"
    config = values(begun.config.update)
    assert config["matrix"]["heads"] == ["naive-bayes", "broken"]
    assert config["matrix"]["datasets"][0]["name"] == NAME
    assert config["environment"]["versions"]["numpy"] == np.__version__

    evaluated = table[table["status"] != "skipped"]
    told = [values(r.item) for r in found["history"]]
    counts = [(t["cells_finished"], t["cells_failed"]) for t in told if "cells_finished" in t]
    assert [finished for finished, _ in counts] == [*range(1, len(evaluated) + 1)]
    assert counts[-1][1] == (evaluated["status"] == "failed").sum() > 0

    summary = mmbench.summarise(table)
    (media,) = file.parent.glob("files/media/table/*.json")
    shown = json.loads(media.read_text("utf-8"))
    assert shown["columns"] == list(summary.columns)
    expected = summary.astype(object).where(summary.notna(), None).to_numpy().tolist()
    assert shown["data"] == expected
    assert NAME in shown["data"][0]

    (artifact,) = (a for a in found["artifact"] if a.type == "mmbench-run")
    entries = {e.path: Path(e.local_path) for e in artifact.manifest.contents}
    copied = {"matrix.toml", "environment.json", "cells.csv", "cells.parquet"}
    copied |= {"report.html", "report.md"}
    assert entries.keys() == {*copied, "summary.csv"}
    for name in copied:
        assert entries[name].read_bytes() == (here / "run" / name).read_bytes()
    assert pd.read_csv(entries["summary.csv"])["head"].tolist() == summary["head"].tolist()
    assert found["exit"][0].exit_code == 0

    # continued, and interrupted: the same run
    (here / "later").mkdir()
    monkeypatch.setenv("WANDB_DIR", str(here / "later"))
    with pytest.raises(Exception, match="interrupted"):
        run(heads=["naive-bayes", "interrupted"])
    assert not mmbench_wandb._trackers
    _, found = read(here / "later")
    assert {r.run_id for r in found["run"]} == {begun.run_id}
    assert found["exit"][0].exit_code == 130


def test_what_cannot_be_tracked_costs_a_line(
    run: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "clouds")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    table = run()
    assert set(table["status"]) == {"ok"}
    (line,) = (r for r in capsys.readouterr().err.splitlines() if r.startswith("plugin"))
    assert line.startswith("plugin wandb: mmbench_run_started: ")
