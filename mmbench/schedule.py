"""Which job is next, and what a failure means for the others; where jobs run is the runner's."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from mmbench.contracts import Runner
from mmbench.graph import JobGraph
from mmbench.jobs import Job, Outcome
from mmbench.store import Store

OK = Outcome("ok")
MAX_REPAIRS = 3
TICK = 0.5
"""Seconds."""

Listener = Callable[[str], None]


class Schedule:
    """Brings about the results that are asked for, doing only what is not stored.

    Attributes
    ----------
    outcomes : dict of str to (Job, Outcome)
        By key: how each settled job ended. A job whose inputs failed has the outcome of the job
        that failed, of several the first in the plan's order: not in time, which is chance.
    """

    def __init__(self, graph: JobGraph, store: Store) -> None:
        self.outcomes: dict[str, tuple[Job, Outcome]] = {}
        self._graph = graph
        self._store = store
        self._rank = {key: rank for rank, key in enumerate(graph.jobs)}
        self._unmet: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        self._blamed: dict[str, tuple[Job, Outcome]] = {}
        self._ready: list[tuple[int, str]] = []
        self._repairs: dict[tuple[str, str], int] = {}

    @property
    def left(self) -> int:
        """How many jobs are still to be done."""
        return len(self._unmet)

    def require(self, keys: Iterable[str]) -> None:
        """Ask for results; those in the store are settled at once, their inputs not needed."""
        stack, new = list(keys), []
        while stack:
            key = stack.pop()
            if key in self._unmet or key in self.outcomes:
                continue
            job = self._graph.jobs[key]
            if key in self._store:
                self.outcomes[key] = (job, OK)
                continue
            self._unmet[key] = set()
            new.append(job)
            stack.extend(job.inputs)
        for job in new:
            self._admit(job)

    def _admit(self, job: Job) -> None:
        """Note which inputs a job still needs; where none, it is ready."""
        unmet = {key for key in job.inputs if key not in self.outcomes}
        self._unmet[job.key] = unmet
        for key in unmet:
            self._dependents.setdefault(key, []).append(job.key)
        if not unmet:
            heapq.heappush(self._ready, (self._rank[job.key], job.key))

    def again(self, key: str) -> None:
        """Ask anew for a result (or one of the plan's arrays) that turned out damaged."""
        if key in self._graph.arrays:
            self._store.put_array(key, self._graph.arrays[key])
        else:
            self.outcomes.pop(key, None)
            self.require([key])

    def run(self, runner: Runner, settled: Listener, tick: Callable[[], None]) -> None:
        """Do all that is required.

        ``settled`` is told the key of every job that ended; ``tick`` is called twice a second or
        more often.
        """
        running, ended = 0, list[str]()
        while self._ready or running or ended:
            while self._ready and running < runner.slots:
                key = heapq.heappop(self._ready)[1]
                runner.submit(self._graph.jobs[key])
                running += 1
            for key in ended:  # workers have their next jobs meanwhile
                settled(key)
            tick()
            ended = []
            for job, outcome in runner.wait(TICK) if running else ():
                running -= 1
                if outcome.status == "damaged" and self._repair(job, outcome.reason):
                    continue
                ended += self._settle(job, outcome)

    def _settle(self, job: Job, outcome: Outcome) -> list[str]:
        """Record an outcome, a failure for all that needs it too; return the keys settled."""
        if outcome.status == "damaged":
            outcome = Outcome("failed", f"its stored input {outcome.reason} is damaged each time")
        stack, settled = [(job.key, job, outcome)], []
        while stack:
            key, origin, ended = stack.pop()
            if self._unmet.pop(key, None) is None:
                continue
            self.outcomes[key] = (origin, ended)
            settled.append(key)
            for dependent in self._dependents.pop(key, []):
                unmet = self._unmet.get(dependent)
                if unmet is None or key not in unmet:
                    continue
                unmet.remove(key)
                if ended.status != "ok":
                    self._blame(dependent, origin, ended)
                if not unmet and dependent in self._blamed:
                    stack.append((dependent, *self._blamed.pop(dependent)))
                elif not unmet:
                    heapq.heappush(self._ready, (self._rank[dependent], dependent))
        return settled

    def _blame(self, key: str, failed: Job, outcome: Outcome) -> None:
        """Note that a job cannot be done, and which is the first in the plan to prevent it."""
        known = self._blamed.get(key)
        if known is None or self._rank[failed.key] < self._rank[known[0].key]:
            self._blamed[key] = (failed, outcome)

    def _repair(self, job: Job, damaged: str) -> bool:
        """Have a damaged input made anew and the job done after it; False where that is no use."""
        tried = (job.key, damaged)
        self._repairs[tried] = self._repairs.get(tried, 0) + 1
        if self._repairs[tried] > MAX_REPAIRS:
            return False
        self.again(damaged)
        self._admit(job)  # even where another run has stored it by now: its end must be told
        return True
