"""Has jobs performed by Dask, which places them, and does those again whose worker was lost."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import dask
import numpy as np
from distributed import Client, Future, KilledWorker, LocalCluster

from mmbench.errors import one_line
from mmbench.jobs import Job, Outcome
from mmbench.store import store_at
from mmbench.workshop import Context
from mmbench_dask import worker

SETTINGS = {"distributed.worker.daemon": False, "distributed.scheduler.allowed-failures": 1}
"""Of Dask where it is started here: workers have processes of their own, and a job whose worker
is lost is done again once."""

HERE = {"memory_limit": 0, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
"""What a cluster that is started here is given: no limit of memory (it is the workers'
children that take it), and a log of level 50, critical."""

REACHED = 10.0
"""Seconds in which a scheduler is to answer."""


class DaskRunner:
    """Has each job performed as a Dask task.

    Parameters
    ----------
    context : Context
        What a worker needs.
    slots : int
        How many jobs at once on this machine.
    timeout : float or None
        Seconds that a job may take.
    address : str, optional
        Of a scheduler to join (``tcp://HOST:PORT``); by default the one that Dask's setting
        ``scheduler-address`` names. Without either, Dask is started on this machine.
    jobs : int, optional
        How many jobs a cluster is given at once; by default as many as its workers have threads
        for.
    resources : mapping of str to mapping, optional
        By kind of job the ``cpus``, ``gpus`` and ``memory_gb`` that its worker must have free.
        Heeded on a cluster whose workers declare them.
    """

    def __init__(
        self,
        context: Context,
        slots: int,
        timeout: float | None,
        *,
        address: str | None = None,
        jobs: int | None = None,
        resources: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.slots = slots
        self._address = address or dask.config.get("scheduler-address", None)
        self._most = jobs
        self._needs = (resources or {}) if self._address else {}
        self._setup = worker.Setup(uuid.uuid4().hex, context, timeout)
        self._running: dict[str, tuple[Job, Future[Outcome]]] = {}
        self._ended: queue.SimpleQueue[tuple[Job, Future[Outcome]]] = queue.SimpleQueue()

    def start(self) -> str:
        """Join the cluster, or start Dask here; say what it has.

        Raises
        ------
        OSError
            The scheduler cannot be reached, or a worker is not like this machine.
        ValueError
            Jobs need what no worker has.
        """
        store = store_at(self._setup.context.store)
        store.put_array(self._setup.run, np.zeros(0))
        with ExitStack() as opened:
            opened.callback(store.remove, self._setup.run)
            setup = replace(self._setup, has=worker.look(self._setup))
            where: Any = self._address
            if not where:
                opened.enter_context(dask.config.set(SETTINGS))
                where = opened.enter_context(LocalCluster(self.slots, 1, **HERE))  # type: ignore[no-untyped-call]
            client: Any = opened.enter_context(Client(where, timeout=REACHED, set_as_default=False))  # type: ignore[no-untyped-call]
            for address, has in client.run(worker.look, setup, on_error="return").items():
                if isinstance(has, BaseException):
                    raise OSError(f"worker {address}: {one_line(has)}")
                if missing := sorted(setup.has - has):
                    raise OSError(f"worker {address} has not {missing[0]}")
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
            amounts = [there["resources"] for there in workers]
            for kind, needs in self._needs.items():
                if not any(all(has.get(n, 0) >= needs[n] for n in needs) for has in amounts):
                    raise ValueError(f"[resources] {kind}: no worker has {dict(needs)}")
            threads = sum(there["nthreads"] for there in workers)
            if self._address:
                self.slots = self._most or max(1, threads // setup.context.threads)
            self._setup, self._client, self._opened = setup, client, opened.pop_all()
        return f"Dask: workers {len(workers)}, threads {threads}, {client.scheduler.address}"

    def submit(self, job: Job) -> None:
        """Hand a job to Dask."""
        key, needs = f"{job.kind}-{uuid.uuid4().hex}", self._needs.get(job.kind)
        future = self._client.submit(worker.perform, job, self._setup, key=key, resources=needs)
        self._running[job.key] = job, future
        future.add_done_callback(lambda future: self._ended.put((job, future)))

    def wait(self, timeout: float | None = None) -> Sequence[tuple[Job, Outcome]]:
        """Return a job that ended."""
        try:
            job, future = self._ended.get(timeout=timeout)
        except queue.Empty:
            return []
        del self._running[job.key]
        return [(job, _outcome(future))]

    def activity(self) -> Sequence[tuple[Job, float | None]]:
        """Return the jobs that were handed over and have not ended."""
        return [(job, None) for job, _ in self._running.values()]

    def close(self) -> None:
        """End what is at work, and leave the cluster or end the Dask of this machine."""
        with self._opened, suppress(OSError):  # the scheduler is lost
            self._client.cancel([future for _, future in self._running.values()])
            self._client.run(worker.leave, self._setup.run, on_error="ignore")


def _outcome(future: Future[Outcome]) -> Outcome:
    """Return how a job ended, or what Dask says became of it."""
    try:
        return future.result()
    except KilledWorker as error:
        return Outcome("crashed", f"its worker was lost {error.allowed_failures + 1} times")
    except Exception as error:  # of Dask, of what it cannot send, or of the worker
        return Outcome("failed", f"Dask could not have it performed: {one_line(error)}")
