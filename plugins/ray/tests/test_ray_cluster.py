"""The runner on a cluster of this machine's processes: the same table, whatever is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mmbench_fusions
import pandas as pd
import psutil
import pytest
import ray

import mmbench
from mmbench.errors import UserError
from mmbench.observer import Observer
from mmbench.results import STANDING
from mmbench.store import Store
from mmbench.testing import planted
from mmbench.testing.trial import survivors

pytestmark = pytest.mark.ray

LIMIT = 120.0
"""Seconds after which nothing is waited for any more."""


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


def run(folder: Path, content: dict[str, Any], out: str = "out", **options: Any) -> pd.DataFrame:
    return mmbench.run(
        content,
        out=folder / out,
        store=folder / f"store-of-{out}",
        plugins=["mmbench.testing.planted"],
        **{"runner": "ray", "device": "cpu", **options},
    )


def texts(folder: Path, out: str = "out") -> pd.DataFrame:
    """Return the table as it is written, without times."""
    table = pd.read_csv(folder / out / "cells.csv", dtype=str, keep_default_na=False)
    return table.drop(columns=list(mmbench.TIMING_COLUMNS))


def predictions(folder: Path, out: str = "out") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / out / "predictions").iterdir()}


def times_begun(folder: Path) -> Counter[int]:
    """Return how often the job of each encoder was begun."""
    return Counter(record["tag"] for record in planted.begun(folder))


class Once(Observer):
    """Does something once, as soon as it can be done while a run goes on."""

    def __init__(self, what: Callable[[], bool]) -> None:
        self.what = what
        self.done = False
        self.shares: set[float | None] = set()
        self.deadline = time.monotonic() + LIMIT

    def runner(self, run: Any, about: str) -> None:
        self.told = about

    def tick(self, run: Any, activity: Sequence[tuple[Any, float | None]]) -> None:
        assert time.monotonic() < self.deadline
        self.shares |= {share for _, share in activity}
        self.done = self.done or self.what()


def test_two_nodes_give_the_table_of_one_process(cluster: Any, tmp_path: Path) -> None:
    content = matrix(tmp_path, "works", "raises", "works", "exits", "exits-well", "killed", "hangs")
    run(tmp_path, content, "here", runner="local", jobs=1, timeout=4)
    content["resources"] = {"tune": {"gpus": 64}}
    listener = Once(lambda: True)
    run(tmp_path, content, "there", address=cluster.address, timeout=4, observer=listener)
    assert listener.told.startswith("Ray: 2 nodes, 2 CPUs, 2 GPUs, ")
    assert listener.told.endswith("; jobs of kind tune wait for a node with what they need")

    there = texts(tmp_path, "there")
    pd.testing.assert_frame_equal(there, texts(tmp_path, "here"))
    assert predictions(tmp_path, "there") == predictions(tmp_path, "here")
    assert Counter(there["status"]) == {"ok": 2, "failed": 1, "crashed": 3, "timeout": 1}
    assert len({log.parent for log in (tmp_path / "there" / "logs").glob("*/worker-*.log")}) == 2
    assert survivors(planted.begun(tmp_path)) == []


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder from which a third node imports what is there."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def third(cluster: Any, elsewhere: Path) -> Any:
    return cluster.add("--num-gpus=1", PYTHONPATH=str(elsewhere))


def test_a_node_that_is_unlike_is_told_of(
    cluster: Any, third: Any, elsewhere: Path, tmp_path: Path
) -> None:
    other = elsewhere / "mmbench_fusions"
    other.mkdir()
    source = Path(mmbench_fusions.__file__).read_text(encoding="utf-8")
    (other / "__init__.py").write_text(source + "# another version\n", encoding="utf-8")
    try:
        with pytest.raises(UserError) as told:
            run(tmp_path, matrix(tmp_path, "works"), address=cluster.address)
    finally:
        shutil.rmtree(other)
    address = cluster.address.partition(":")[0]
    assert str(told.value).startswith(f"--runner ray: node {address}: fusions: mmbench-fusions")
    assert str(told.value).endswith(" where the run was planned")
    assert planted.begun(tmp_path) == []
    assert not [key for key in Store(tmp_path / "store-of-out") if key.startswith("seen-")]


def test_what_is_lost_is_done_again_once(cluster: Any, third: Any, tmp_path: Path) -> None:
    ways = ["works", "hangs", *["waits"] * 4]
    content = matrix(tmp_path, *ways, resources={"embed": {"memory_gb": 0.25}})
    used: dict[str, float] = {}
    lost: list[int] = []

    def lose() -> bool:
        begun = planted.begun(tmp_path)
        if len(begun) < 4:  # one has worked, and each of three nodes has one that does not end
            return False
        if not lost:
            total, free = ray.cluster_resources(), ray.available_resources()
            used.update({name: total[name] - free.get(name, 0) for name in ("GPU", "memory")})
            if used["GPU"] < 3:  # what is free is told late
                return False
            cluster.kill(third)
            while len(alive := set(survivors(begun, 0))) > 2:  # the job dies with its worker
                time.sleep(0.05)
            lost.extend(r["tag"] for r in begun if r["pid"] not in alive and r["tag"] > 0)
            (tmp_path / planted.GATE).touch()
        hanging = [record for record in begun if record["how"] == "hangs"]
        if len(hanging) > lost.count(1):
            forker = psutil.Process(hanging[-1]["pid"]).parent()
            worker = forker.parent() if forker is not None else None
            assert worker is not None
            assert worker.cmdline()[0].startswith("ray::")
            worker.kill()
            lost.append(1)
        return lost.count(1) == 2

    losing = Once(lose)
    table = run(tmp_path, content, address=cluster.address, device="cuda", observer=losing)
    assert used == {"GPU": 3, "memory": pytest.approx(0.75e9)}  # a GPU for each processor
    assert 0.0 in losing.shares  # told by the job: nothing of it is done
    assert list(table["status"]) == ["ok", "crashed", *["ok"] * 4]
    assert "lost twice" in table["reason"][1]
    assert times_begun(tmp_path) == Counter({*range(6)}) + Counter({*lost})
    assert survivors(planted.begun(tmp_path)) == []

    del content["encoders"]["a"][1]
    run(tmp_path, content, "here", runner="local", jobs=1)
    there = texts(tmp_path).drop(index=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(
        there.drop(columns=list(STANDING)), texts(tmp_path, "here").drop(columns=list(STANDING))
    )


def test_a_run_whose_own_process_is_killed_goes_on(cluster: Any, tmp_path: Path) -> None:
    content = matrix(tmp_path, "works", "works", "waits", "waits", "works")
    (tmp_path / "trial.json").write_text(json.dumps(content))
    script = (
        "import json, sys, mmbench, pathlib\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "mmbench.run(json.loads((folder / 'trial.json').read_text()), out=folder / 'out',\n"
        "    store=folder / 'store-of-out', runner='ray', address=sys.argv[2], device='cpu',\n"
        "    plugins=['mmbench.testing.planted'])\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", script, tmp_path, cluster.address])
    deadline = time.monotonic() + LIMIT
    while len(planted.begun(tmp_path)) < 4:  # two have worked, two wait
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    driver.kill()
    driver.wait()
    assert survivors(planted.begun(tmp_path)) == []

    (tmp_path / planted.GATE).touch()
    table = run(tmp_path, content, address=cluster.address)
    assert list(table["status"]) == ["ok"] * 5
    assert times_begun(tmp_path) == {0: 1, 1: 1, 2: 2, 3: 2, 4: 1}
