"""The runner on a Dask cluster of this machine: the same table, whatever is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import mmbench
from mmbench.errors import UserError
from mmbench.observer import Observer
from mmbench.testing import check_runner, planted
from mmbench.testing.trial import survivors

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

LIMIT = 120.0
"""Seconds after which nothing is waited for any more."""


def started(workers: int) -> Any:
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        resources={"gpus": 1},
        silence_logs=50,
    )


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start a cluster of two workers; return its address."""
    settings = {"distributed.worker.daemon": False, "distributed.scheduler.allowed-failures": 1}
    with dask.config.set(settings), started(2) as made:
        yield made.scheduler_address


def matrix(folder: Path, *ways: str, **tables: Any) -> dict[str, Any]:
    """Return a matrix with one encoder for each way that a job may go."""
    uses = [
        {"use": "planted", "how": how, "tag": tag, "folder": str(folder)}
        for tag, how in enumerate(ways)
    ]
    return {
        "name": "trial",
        "datasets": [{"use": "planted-blobs"}],
        "encoders": {"a": uses},
        "heads": ["planted-centroids"],
        "split": {"scheme": "holdout", "test": 0.25},
        **tables,
    }


def run(folder: Path, content: dict[str, Any], out: str, **options: Any) -> dict[str, bytes]:
    """Return what the run wrote: its table without times, and its predictions."""
    mmbench.run(
        content,
        out=folder / out,
        store=folder / f"store-of-{out}",
        plugins=["mmbench.testing.planted"],
        device="cpu",
        **{"runner": "dask", **options},
    )
    table = pd.read_csv(folder / out / "cells.csv", dtype=str, keep_default_na=False)
    table = table.drop(columns=list(mmbench.TIMING_COLUMNS))
    files = {file.name: file.read_bytes() for file in (folder / out / "predictions").iterdir()}
    return {"cells": table.to_csv().encode(), **files}


def statuses(folder: Path, out: str) -> pd.DataFrame:
    return pd.read_parquet(folder / out / "cells.parquet", columns=["status", "reason"])


def test_it_keeps_the_contract(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster)  # read where it is checked
    (verdict,) = check_runner("dask")
    assert {finding.status for finding in verdict.findings} == {"passed"}


class Losing(Observer):
    """Kills workers: that of the job that waits once, that of the job that hangs twice."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.killed: list[int] = []
        self.deadline = time.monotonic() + LIMIT

    def runner(self, run: Any, about: str) -> None:
        self.told = about

    def tick(self, run: Any, activity: Sequence[tuple[Any, float | None]]) -> None:
        assert time.monotonic() < self.deadline
        begun = planted.begun(self.folder)
        waiting, hanging = (
            [record for record in begun if record["how"] == how] for how in ("waits", "hangs")
        )
        if waiting and hanging and not self.killed:
            self.kill(waiting)
        elif len(waiting) == 2:
            (self.folder / planted.GATE).touch()
            if len(hanging) == len(self.killed) < 3:
                self.kill(hanging)

    def kill(self, records: list[dict[str, Any]]) -> None:
        """Kill the worker that has started the server from which the last process was forked."""
        forker = psutil.Process(records[-1]["pid"]).parent()
        worker = forker.parent() if forker is not None else None
        assert worker is not None
        assert worker.pid != psutil.Process().pid
        worker.kill()
        self.killed.append(worker.pid)


def test_what_is_lost_is_done_again_once(cluster: str, tmp_path: Path) -> None:
    content = matrix(tmp_path, "works", "hangs", "waits", "raises", "works")
    losing = Losing(tmp_path)
    run(tmp_path, content, "lost", address=cluster, observer=losing)
    assert losing.told == f"Dask: workers 2, threads 2, {cluster}"
    assert len(set(losing.killed)) == 3
    ended = statuses(tmp_path, "lost")
    assert list(ended["status"]) == ["ok", "crashed", "ok", "failed", "ok"]
    assert ended["reason"][1].endswith("its worker was lost 2 times")
    begun = planted.begun(tmp_path)
    assert Counter(record["tag"] for record in begun) == {0: 1, 1: 2, 2: 2, 3: 1, 4: 1}
    assert survivors(begun) == []

    del content["encoders"]["a"][1]
    there = run(tmp_path, content, "lost", address=cluster)
    assert there == run(tmp_path, content, "here", runner="local", jobs=1)


def test_dask_is_started_here_and_ended(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    content = matrix(tmp_path, "works", resources={"embed": {"gpus": 64}})
    run(tmp_path, content, "out", jobs=1)
    assert list(statuses(tmp_path, "out")["status"]) == ["ok"]
    left = psutil.Process().children(recursive=True)
    ours = [
        p for p in left if p.pid not in before and "resource_tracker" not in "".join(p.cmdline())
    ]
    assert psutil.wait_procs(ours, timeout=10)[1] == []


def test_what_no_worker_has_is_said(cluster: str, tmp_path: Path) -> None:
    needs = {"embed": {"gpus": 1.0}, "fit": {"gpus": 2.0}}
    with pytest.raises(UserError, match=r"\[resources\] fit: no worker has {'gpus': 2.0}"):
        run(tmp_path, matrix(tmp_path, "works", resources=needs), "out", address=cluster)
    assert planted.begun(tmp_path) == []


def test_a_worker_that_cannot_perform_jobs_is_said(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.worker.daemon": True}),
        started(1) as made,
        pytest.raises(UserError, match=r"worker tcp://127\S+ has not leave to start processes"),
    ):
        run(tmp_path, matrix(tmp_path, "works"), "out", address=made.scheduler_address)


def test_nobody_at_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmbench_dask.runner.REACHED", 0.5)
    with pytest.raises(UserError, match="--runner dask: "):
        run(tmp_path, matrix(tmp_path, "works"), "out", address="tcp://127.0.0.1:9")
