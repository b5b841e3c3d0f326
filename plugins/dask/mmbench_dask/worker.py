"""What is done in Dask's workers: they are looked at, and jobs are performed."""

from __future__ import annotations

import atexit
import multiprocessing
import socket
import sys
import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from distributed import get_worker

from mmbench.catalogue import load_catalogue
from mmbench.jobs import Job, Outcome
from mmbench.runners.local import LocalRunner
from mmbench.store import Store, store_at
from mmbench.workshop import Context

EVERY = 0.25
"""Seconds between two looks at whether a job is still wanted."""


@dataclass(frozen=True)
class Setup:
    """What performing the jobs of a run takes; small and picklable."""

    run: str
    """A name that no other run has; while it goes on, its store has something under it."""
    context: Context
    timeout: float | None
    has: frozenset[str] = frozenset()
    """What `look` tells where the run was planned."""


def look(setup: Setup) -> frozenset[str]:
    """Tell what this process has: Python, the parts of each plugin's identity, and the store."""
    catalogue = load_catalogue(setup.context.plugins, setup.context.registrations)
    has = {"Python {}.{}".format(*sys.version_info)}
    for plugin in catalogue.plugins:
        has |= {f"{plugin.name}: {p}" for p in (plugin.failure or plugin.identity).split("; ")}
    if setup.run in store_at(setup.context.store):
        has.add(f"the run's store in {setup.context.store}")
    if not multiprocessing.current_process().daemon:
        has.add("leave to start processes (DASK_DISTRIBUTED__WORKER__DAEMON=False)")
    return frozenset(has)


_runners: dict[tuple[str, int], LocalRunner] = {}
"""By run and thread: each performs one job after another, in a child process that it keeps."""


@cache
def _store(location: str | Path) -> Store:
    return store_at(location)


def perform(job: Job, setup: Setup) -> Outcome:
    """Perform a job as the local runner does (the body of a Dask task)."""
    worker, mine = get_worker(), (setup.run, threading.get_native_id())
    if mine not in _runners:
        if missing := sorted(setup.has - look(setup)):  # a worker that came later
            return Outcome("failed", f"worker {worker.address} has not {missing[0]}")
        for old in [known for known in _runners if known[1] == mine[1]]:
            _runners.pop(old).close()
        logs = setup.context.logs / f"{socket.gethostname()}-{mine[1]}"
        logs.mkdir(parents=True, exist_ok=True)
        _runners[mine] = LocalRunner(replace(setup.context, logs=logs), 1, setup.timeout)
        atexit.register(_runners[mine].close)
    if (meta := _store(setup.context.store).meta(job.key)) is not None:
        return Outcome("ok", seconds=sum(meta["seconds"].values()))  # its worker was lost then
    runner, task = _runners[mine], worker.state.tasks[worker.get_current_task()]
    runner.submit(job)
    while not (ended := runner.wait(EVERY)):
        if task.state != "executing":  # cancelled, or the run's own process is gone
            runner.close()
            return Outcome("crashed", "it was given up")
    return ended[0][1]


def leave(run: str) -> None:
    """End the idle processes of a run."""
    for (owner, _), runner in list(_runners.items()):
        if owner == run and not runner.activity():
            runner.close()
