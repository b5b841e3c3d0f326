"""How the Ray runner scales over nodes, and what a job costs that goes through it.

Run as ``python -m benchmarks.cluster.scaling``, it writes ``results/speed/ray-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.cluster.nodes import Cluster
from benchmarks.speed.tables import write

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.jobs import Job
    from mmbench.workshop import Context

BATCH = 1_000
"""Jobs of each way, by turns."""

TARGETS = {2: 1.8, 4: 3.4}
"""How many times as fast as one node."""

MOST = 5.0
"""Milliseconds that the runner may add to a job."""

TEXT = """\
*Nodes*: the seconds of a whole `mmbench.run` of 300 s of waiting (12 embeddings of 6 s, 60 fits \
of 3.8 s: two cores are then no limit), through Ray clusters of this machine with one processor a \
node, each node the processes of its own `ray start`; joining the cluster, looking at its nodes, \
starting its workers and writing the table are in it. All tables are the same, byte for byte, \
times aside. *Jobs*: {tasks:,} tiny embeddings on a Ray of two processors, in batches by turns: \
the milliseconds of one (the median over batches of {batch:,}) of Ray's bare tasks, submitted all \
at once, that do nothing; of such that perform the job in Ray's own worker; and of the runner, \
which keeps two submitted and has each performed in a child process. `above_ms`: above the bare \
tasks that do nothing, and above those that perform the job. Load when it began: {load}."""

Row = dict[str, Any]


def matrix(scale: float) -> dict[str, Any]:
    """Return the matrix that waits; ``scale`` is 1 for 300 s."""
    encoder = {"use": "waiting", "power": list(range(1, 13)), "seconds": 6 * scale}
    return {
        "name": "waiting",
        "plugins": ["benchmarks.cluster.waiting", "mmbench.testing.planted"],
        "datasets": [{"use": "planted-blobs"}],
        "encoders": {"a": encoder},
        "heads": [{"use": "waiting", "seconds": 3.8 * scale}],
        "split": {"scheme": "kfold", "folds": 5},
    }


def scaling(counts: Iterable[int], scale: float, folder: Path) -> list[Row]:
    """Run the matrix on clusters of so many nodes, the first of them of one."""
    import pandas as pd

    import mmbench

    rows: list[Row] = []
    for count in counts:
        cluster = Cluster()
        try:
            for _ in range(count - 1):
                cluster.add()
            begun = time.perf_counter()
            out = folder / f"nodes-{count}"
            mmbench.run(
                matrix(scale),
                out=out,
                store=folder / f"store-{count}",
                runner="ray",
                address=cluster.address,
                device="cpu",
            )
            seconds = time.perf_counter() - begun
        finally:
            cluster.close()
        table = pd.read_csv(out / "cells.csv", dtype=str, keep_default_na=False)
        table = table.drop(columns=list(mmbench.TIMING_COLUMNS))
        if not rows:
            first, one = table, seconds
        pd.testing.assert_frame_equal(table, first)
        assert set(table["status"]) == {"ok"}
        rows.append(
            {
                "what": f"{count} nodes" if count > 1 else "1 node",
                "seconds": seconds,
                "speedup": one / seconds,
                "target": TARGETS.get(count),
            }
        )
        print(rows[-1], flush=True)
    return rows


def costs(tasks: int, folder: Path) -> list[Row]:
    """Have tiny jobs done in three ways by turns."""
    import numpy as np
    import ray
    from mmbench_ray.runner import RayRunner

    from mmbench.planning import make_plan
    from mmbench.store import Store
    from mmbench.workshop import Context

    content = matrix(0.0) | {"encoders": {"a": {"use": "waiting", "seconds": 0.0}}}
    plan = make_plan(content)
    store = Store(folder / "store")
    for key, values in plan.graph.arrays.items():
        store.put_array(key, values)
    (pattern,) = [job for job in plan.graph.jobs.values() if job.kind == "embed"]
    (folder / "logs").mkdir()
    context = Context(store.folder, plan.plugins, plan.registrations, 1, "cpu", folder / "logs")

    def jobs(count: int) -> list[Job]:
        return [dataclasses.replace(pattern, key=uuid.uuid4().hex + "0" * 8) for _ in range(count)]

    runner = RayRunner(context, 2, None)
    print(runner.start(), flush=True)
    nothing = ray.remote(_nothing)
    performing = ray.remote(_perform)

    def empty(some: list[Job]) -> None:
        ray.get([nothing.remote(job) for job in some])

    def bare(some: list[Job]) -> None:
        ended = ray.get([performing.remote(job, context) for job in some])
        assert set(ended) == {"ok"}

    def ours(some: list[Job]) -> None:
        waiting, ended = list(some), []
        while len(ended) < len(some):
            while waiting and len(some) - len(waiting) - len(ended) < runner.slots:
                runner.submit(waiting.pop())
            ended += [outcome.status for _, outcome in runner.wait()]
            runner.activity()
        assert set(ended) == {"ok"}

    ways: dict[str, Callable[[list[Job]], None]] = {
        "bare Ray task": empty,
        "bare Ray task that performs the job": bare,
        "job through the runner": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    try:
        for way in ways.values():
            way(jobs(20))  # workers are started
        for _ in range(max(1, tasks // BATCH)):
            for name, way in ways.items():
                some = jobs(min(tasks, BATCH))
                begun = time.perf_counter()
                way(some)
                seconds[name].append((time.perf_counter() - begun) / len(some))
    finally:
        runner.close()
    each = {name: float(np.median(values)) for name, values in seconds.items()}
    rows: list[Row] = [{"what": name, "ms": 1e3 * value} for name, value in each.items()]
    through = each["job through the runner"]
    for name in list(each)[:2]:
        above = 1e3 * (through - each[name])
        rows.append({"what": f"runner, above a {name}", "above_ms": above, "target": MOST})
    return rows


def _nothing(job: Job) -> None:
    """Do nothing (the body of a Ray task)."""


def _perform(job: Job, context: Context) -> str:
    """Perform a job in Ray's own worker (the body of a Ray task)."""
    from mmbench.jobs import perform

    if context not in _opened:
        _opened[context] = context.open()
    return perform(job, _opened[context]).status


_opened: dict[Any, Any] = {}


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--scale", type=float, default=1.0, help="of the seconds that are waited")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args(arguments)

    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex
    load = f"{os.getloadavg()[0]:.1f}"
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        rows = scaling(given.nodes, given.scale, Path(folder))
        rows += costs(given.tasks, Path(folder)) if given.tasks else []
    table = _table(rows)
    text = TEXT.format(tasks=given.tasks, batch=BATCH, load=load)
    write("ray", "cpu", table, table, text, given.out)


def _table(rows: list[Row]) -> pd.DataFrame:
    import pandas as pd

    columns = ["what", "seconds", "speedup", "ms", "above_ms", "target"]
    return pd.DataFrame(rows).reindex(columns=columns)


if __name__ == "__main__":
    main()
