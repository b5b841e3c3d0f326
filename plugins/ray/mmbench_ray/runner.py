"""Has jobs performed by Ray, which places them, and does those again whose node was lost."""

from __future__ import annotations

import math
import os
import queue
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_task_oom_retries", "1")  # Ray's own number is no limit

import ray
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from mmbench.errors import one_line
from mmbench.jobs import Job, Outcome
from mmbench.workshop import Context
from mmbench_ray import node
from mmbench_ray.board import Board
from mmbench_ray.cluster import Nodes, check, join

RETRIES = 1
"""How often a job is done again whose node or Ray worker was lost."""

FRESH = 0.5
"""Seconds for which what was heard of the jobs at work is taken to be so."""

COUNTED = 5.0
"""Seconds for which the number of a cluster's processors is."""


class RayRunner:
    """Has each job performed as a Ray task, on a node that has what it needs.

    Parameters
    ----------
    context : Context
        What a worker needs.
    slots : int
        How many jobs at once on this machine.
    timeout : float or None
        Seconds that a job may take.
    address : str, optional
        Of a Ray cluster to join (``auto``, ``HOST:PORT``, ``ray://HOST:PORT``); by default the
        one that ``RAY_ADDRESS`` names. Without either, Ray is started on this machine.
    jobs : int, optional
        How many jobs a cluster is given at once; by default as many as its processors can work
        on, which may change while it runs.
    resources : mapping of str to mapping, optional
        By kind of job the ``cpus``, ``gpus`` and ``memory_gb`` of each.
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
        self._context = context
        self._timeout = timeout
        self._address = address or os.environ.get("RAY_ADDRESS") or None
        self._needs = resources or {}
        self._most = jobs if self._address else slots
        self._counted = (-math.inf, 0.0)
        self._gpus = 0.0
        self._tasks: dict[str, Any] = {}
        self._running: dict[str, tuple[Job, Any]] = {}
        self._ended: queue.SimpleQueue[tuple[Job, Future[Outcome]]] = queue.SimpleQueue()
        self._shares: dict[str, float | None] = {}
        self._heard = -math.inf

    def start(self) -> str:
        """Join the cluster, or start Ray here; say what it has.

        Raises
        ------
        OSError
            The cluster cannot be joined, or a node is not like this machine.
        ValueError
            Jobs need what this machine does not have, or a GPU and no node has one.
        """
        cpus = (self._most or 1) * self._context.threads
        most = max((needs.get("cpus", 0) for needs in self._needs.values()), default=0)
        dashboard = join(self._address, math.ceil(max(cpus, most)))
        try:
            return self._prepare() + (f"; dashboard http://{dashboard}" if dashboard else "")
        except BaseException:
            ray.shutdown()
            raise

    def _prepare(self) -> str:
        setup = node.Setup(
            run=uuid.uuid4().hex,
            context=self._context,
            timeout=self._timeout,
            identities=node.identities(self._context),
            variables={k: v for k, v in os.environ.items() if k.startswith("MMBENCH_")},
        )
        nodes = Nodes()
        if self._address:
            check(nodes, setup)
        if self._context.device == "cuda":
            self._gpus = min(1.0, nodes.gpus_per_cpu * self._context.threads)
        about = f"Ray: {nodes}"
        for kind, needs in self._needs.items():
            if not nodes.suit(needs):
                if not self._address:
                    raise ValueError(f"[resources] {kind}: more than there is here: {nodes}")
                about += f"; jobs of kind {kind} wait for a node with what they need"
        self._board: Any = ray.remote(num_cpus=0, max_restarts=-1)(Board).remote()
        self._setup = ray.put(replace(setup, board=self._board))
        return about

    @property
    def slots(self) -> int:
        """How many jobs it is given at once."""
        if self._most is not None:
            return self._most
        when, cpus = self._counted
        if time.monotonic() - when > COUNTED:
            has: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
            cpus = has.get("CPU", 0.0)
            self._counted = time.monotonic(), cpus
        return max(1, int(cpus / self._context.threads))

    def submit(self, job: Job) -> None:
        """Hand a job to Ray."""
        if job.kind not in self._tasks:
            self._tasks[job.kind] = self._task(job.kind)
        ref = self._tasks[job.kind].remote(job, self._setup)
        self._running[job.key] = job, ref
        ref.future().add_done_callback(lambda future: self._ended.put((job, future)))

    def wait(self, timeout: float | None = None) -> Sequence[tuple[Job, Outcome]]:
        """Return the jobs that ended."""
        ended = []
        with suppress(queue.Empty):
            ended.append(self._ended.get(timeout=timeout))
            while True:
                ended.append(self._ended.get_nowait())
        for job, _ in ended:
            del self._running[job.key]
        return [(job, _outcome(future)) for job, future in ended]

    def activity(self) -> Sequence[tuple[Job, float | None]]:
        """Return the jobs at work for some time, with the share that is done where one tells it."""
        if time.monotonic() - self._heard > FRESH:
            with suppress(GetTimeoutError, RayActorError):
                self._shares = ray.get(self._board.shares.remote(), timeout=1.0)
            self._heard = time.monotonic()
        running = self._running.items()
        return [(job, self._shares[key]) for key, (job, _) in running if key in self._shares]

    def close(self) -> None:
        """End what is at work, and leave the cluster or end the Ray of this machine."""
        for _, ref in self._running.values():
            ray.cancel(ref, force=True)
        ray.shutdown()

    def _task(self, kind: str) -> Any:
        """Return the Ray task that performs a job of that kind."""
        needs = self._needs.get(kind, {})
        return ray.remote(
            num_cpus=needs.get("cpus", self._context.threads),
            num_gpus=needs.get("gpus", self._gpus),
            memory=needs.get("memory_gb", 0) * 10**9,
            max_retries=RETRIES,
            max_calls=0,  # a worker process is kept, also one with a GPU
        )(node.perform)


def _outcome(future: Future[Outcome]) -> Outcome:
    """Return how a job ended, or what Ray says became of it."""
    try:
        return future.result()
    except OutOfMemoryError as error:
        return Outcome("oom", f"Ray ended it to save its node's memory: {one_line(error, 240)}")
    except RayTaskError as error:
        reason = one_line(error.cause) if error.cause is not None else str(error).splitlines()[-1]
        return Outcome("failed", f"a Ray worker could not perform it: {reason}", str(error))
    except RayError as error:
        return Outcome("crashed", f"its node or Ray worker was lost twice: {one_line(error)}")
