"""A matrix run in a process of its own, and where its time went."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.speed.sidebyside import processor_seconds


@dataclass
class Told:
    """What one run took.

    Attributes
    ----------
    seconds : float
        From the start of its process to its end.
    cpu : float
        Seconds of processor time, of its worker processes as well.
    phases : dict of str to float
        Seconds: ``start`` of the process, ``plan``, ``first`` (until a worker has begun the first
        job), by kind what jobs take, ``between`` them, ``close`` (table and reports) and ``end``.
    jobs : dict of str to int
        How many jobs were done, by kind.
    """

    seconds: float = 0.0
    cpu: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)


def run_apart(
    matrix: Mapping[str, Any],
    folder: Path,
    *,
    jobs: int = 1,
    limit: int | None = None,
    plugins: Sequence[str] = (),
) -> Told:
    """Run a matrix in a new process, with the store and the run's folder in an empty folder."""
    began = time.perf_counter()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        told = pool.submit(
            _run, matrix, folder, began, jobs=jobs, limit=limit, plugins=plugins
        ).result()
        returned = time.perf_counter()
    ended = time.perf_counter()
    told.phases["end"] = ended - returned
    told.seconds = ended - began
    return told


def _run(matrix: Mapping[str, Any], folder: Path, began: float, *, jobs: int, **given: Any) -> Told:
    laps = [time.perf_counter()]

    import mmbench
    from mmbench.observer import Observer

    told, kinds, done = Told(), Counter[str](), Counter[str]()

    class Watch(Observer):
        def started(self, run: Any) -> None:
            laps.append(time.perf_counter())

        def job(self, run: Any, job: Any, outcome: Any) -> None:
            if len(laps) == 2:
                laps.append(time.perf_counter() - outcome.seconds)
            done[job.kind] += 1
            if outcome.seconds:
                kinds[job.kind] += outcome.seconds

        def finished(self, run: Any) -> None:
            laps.append(time.perf_counter())

    mmbench.run(
        dict(matrix), out=folder / "run", store=folder / "store", jobs=jobs,
        observer=Watch(), **given,
    )  # fmt: skip
    laps.append(time.perf_counter())
    start, started, first, finished, closed = laps
    told.phases = {
        "start": start - began,
        "plan": started - start,
        "first": first - started,
        **kinds,
        "between": finished - first - sum(kinds.values()) / jobs,
        "close": closed - finished,
    }
    told.jobs = dict(done)
    told.cpu = processor_seconds()
    return told
