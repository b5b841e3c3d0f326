"""Runners, each with one defect that its name tells and otherwise right, for `mmbench check`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

from mmbench import hookimpl
from mmbench.jobs import Job, Outcome, perform
from mmbench.runners.local import LocalRunner

RUNNERS: list[tuple[str, Any]] = []

Ended = Sequence[tuple[Job, Outcome]]


def runner(name: str) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        RUNNERS.append((name, target))
        return target

    return keep


@hookimpl
def mmbench_register_runners(register: Any) -> None:
    for name, target in RUNNERS:
        register(name, target, summary=(inspect.getdoc(target) or "").partition("\n")[0])


@runner("no-slots")
class NoSlots(LocalRunner):
    """It does not say how many jobs it works on."""

    def __init__(self, context: Any, slots: int, timeout: float | None) -> None:
        super().__init__(context, slots, timeout)
        self.slots = None  # type: ignore[assignment]


@runner("blocks")
class Blocks(LocalRunner):
    """It waits until something has ended, however long that takes."""

    def wait(self, timeout: float | None = None) -> Ended:
        return super().wait()


@runner("bare-outcomes")
class BareOutcomes(LocalRunner):
    """It returns outcomes without saying whose."""

    def wait(self, timeout: float | None = None) -> Any:
        return [outcome for _, outcome in super().wait(timeout)]


@runner("forgets")
class Forgets(LocalRunner):
    """It does not tell of the end of a job that failed."""

    def wait(self, timeout: float | None = None) -> Ended:
        return [(job, outcome) for job, outcome in super().wait(timeout) if outcome.status == "ok"]


@runner("tells-twice")
class TellsTwice(LocalRunner):
    """It tells of each end twice."""

    def wait(self, timeout: float | None = None) -> Ended:
        return [pair for pair in super().wait(timeout) for _ in range(2)]


@runner("performs-nothing")
class PerformsNothing:
    """It says of all jobs that they are done."""

    def __init__(self, context: Any, slots: int, timeout: float | None) -> None:
        self.slots = slots
        self.started = time.monotonic()
        self.jobs: list[Job] = []
        self.local = LocalRunner(context, slots, timeout)

    def submit(self, job: Job) -> None:
        if job.spec["encoder"]["params"].get("how") == "waits":
            self.local.submit(job)
        else:
            self.jobs.append(job)

    def wait(self, timeout: float | None = None) -> Ended:
        told = [(job, Outcome("ok")) for job in self.jobs] or list(self.local.wait(timeout))
        self.jobs.clear()
        return told

    def activity(self) -> Any:
        return self.local.activity()

    def close(self) -> None:
        self.local.close()


@runner("hides-failures")
class HidesFailures(LocalRunner):
    """It says of jobs that raised that they are done."""

    def wait(self, timeout: float | None = None) -> Ended:
        return [(job, Outcome("ok")) for job, _ in super().wait(timeout)]


@runner("one-by-one")
class OneByOne(LocalRunner):
    """It works on one job at a time, and says two."""

    def __init__(self, context: Any, slots: int, timeout: float | None) -> None:
        super().__init__(context, slots, timeout)
        self.queue: list[Job] = []

    def submit(self, job: Job) -> None:
        self.queue.append(job)

    def wait(self, timeout: float | None = None) -> Ended:
        if self.queue and not super().activity():
            super().submit(self.queue.pop(0))
        return super().wait(timeout)


@runner("shows-nothing")
class ShowsNothing(LocalRunner):
    """It does not show what is under way."""

    def activity(self) -> Any:
        return []


@runner("leaves-processes")
class LeavesProcesses(LocalRunner):
    """It does not end the processes that are at work."""

    def close(self) -> None:
        _LEFT.extend(worker for worker in self._workers if worker.job is not None)
        self._workers = [worker for worker in self._workers if worker.job is None]
        super().close()


_LEFT: list[Any] = []


@runner("tampers")
class Tampers(LocalRunner):
    """It has heads fitted on features that are not standardised."""

    def submit(self, job: Job) -> None:
        if job.kind == "fit":
            features = job.spec["features"]
            parts = [{**part, "standardise": False} for part in features["parts"]]
            job = replace(job, spec={**job.spec, "features": {**features, "parts": parts}})
        super().submit(job)


@runner("no-reasons")
class NoReasons(LocalRunner):
    """It says that jobs failed, and not why."""

    def wait(self, timeout: float | None = None) -> Ended:
        return [
            (job, replace(outcome, reason="") if outcome.status == "failed" else outcome)
            for job, outcome in super().wait(timeout)
        ]


@runner("loses-crashes")
class LosesCrashes(LocalRunner):
    """It waits for ever for the job of a process that died."""

    def wait(self, timeout: float | None = None) -> Ended:
        return [
            (job, outcome) for job, outcome in super().wait(timeout) if outcome.status != "crashed"
        ]


@runner("all-for-one")
class AllForOne(LocalRunner):
    """Where one process dies, it gives up all jobs under way."""

    def wait(self, timeout: float | None = None) -> Ended:
        ended = list(super().wait(timeout))
        if any(outcome.status == "crashed" for _, outcome in ended):
            for worker in [worker for worker in self._workers if worker.job is not None]:
                ended.append((worker.job, Outcome("crashed", "the pool is broken")))  # type: ignore[arg-type]
                self._discard(worker)
        return ended


@runner("threads")
class Threads:
    """It performs jobs in threads of one process."""

    def __init__(self, context: Any, slots: int, timeout: float | None) -> None:
        self.slots = slots
        self.context = context
        self.pool = ThreadPoolExecutor(slots)
        self.jobs: dict[Future[Outcome], Job] = {}

    def submit(self, job: Job) -> None:
        self.jobs[self.pool.submit(perform, job, self.context.open())] = job

    def wait(self, timeout: float | None = None) -> Ended:
        done = wait(self.jobs, timeout, FIRST_COMPLETED).done
        return [(self.jobs.pop(future), future.result()) for future in done]

    def activity(self) -> Any:
        return [(job, None) for job in self.jobs.values()]

    def close(self) -> None:
        self.pool.shutdown(wait=False, cancel_futures=True)


@runner("no-timeout")
class NoTimeout(LocalRunner):
    """It does not look at the time."""

    def __init__(self, context: Any, slots: int, timeout: float | None) -> None:
        super().__init__(context, slots, None)


@runner("lets-them-hang")
class LetsThemHang(LocalRunner):
    """It gives up a job that takes too long, and lets its process go on."""

    def _discard(self, worker: Any) -> None:
        self._workers.remove(worker)
        _LEFT.append(worker)


# --- unusual, and right -------------------------------------------------------------------------


@runner("good-one-slot")
class GoodOneSlot(LocalRunner):
    """It works on one job at a time, and says so."""

    def __init__(self, context: Any, slots: int, timeout: float | None) -> None:
        super().__init__(context, 1, timeout)


@runner("good-other-names")
class GoodOtherNames(LocalRunner):
    """It calls what it is given by other names, tells no progress, and takes one thing more.

    Parameters
    ----------
    patience : float
        Not used.
    """

    def __init__(self, where, how_many, limit, patience: float = 1.0):  # type: ignore[no-untyped-def]
        super().__init__(where, how_many, limit)

    def activity(self) -> Any:
        return tuple((job, None) for job, _ in super().activity())

    def wait(self, timeout: float | None = None) -> Ended:
        return tuple(super().wait(timeout))
