"""Jobs in processes of this machine, each of which can be killed and blamed by itself.

Every worker has a pipe of its own, so that one that dies, hangs or is killed takes its one job
with it and nothing else. (A shared pool cannot promise that: pebble 5.2 waits for ever for a job
whose process ended with status 0, and gives the whole pool up when an idle process dies.)
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from typing import Any

from mmbench import processes
from mmbench.errors import one_line
from mmbench.jobs import Job, Outcome, death, perform
from mmbench.workshop import Context, listen

START_GRACE = 120.0
"""Seconds that a new process may take to load the plugins before a job's time counts."""

ENDING_GRACE = 1.0
"""Seconds that a process has to end when it is asked to."""

CLOSING_GRACE = 10.0
"""Seconds that a process may live on after it has closed its pipe."""

STARTED = "started"


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    deadline: float | None = None
    share: float | None = None
    begun: bool = False
    """Whether it has taken up its job."""
    used: bool = False
    """Whether it has ended a job before."""

    def kill(self) -> None:
        """End the process and whatever it started: asked first, so that it can clean up."""
        processes.end(self.process, ENDING_GRACE)
        self.pipe.close()


class LocalRunner:
    """Runs jobs in worker processes of this machine."""

    def __init__(self, context: Context, slots: int, timeout: float | None) -> None:
        self.slots = slots
        self._context = context
        self._timeout = timeout
        self._workers: list[_Worker] = []
        self._started = 0

    def submit(self, job: Job) -> None:
        """Give a job to an idle worker, starting one where there is none."""
        worker = self._idle() or self._start()
        worker.job, worker.share, worker.begun = job, None, False
        if self._timeout is not None:
            worker.deadline = time.monotonic() + self._timeout + START_GRACE
        try:
            worker.pipe.send(job)
        except OSError:  # it died while idle: not this job's doing
            self._discard(worker)
            self.submit(job)

    def wait(self, timeout: float | None = None) -> Sequence[tuple[Job, Outcome]]:
        """Return the jobs that ended; those past their time are killed with their process."""
        ended: list[tuple[Job, Outcome]] = []
        until = None if timeout is None else time.monotonic() + timeout
        while not ended:
            busy = [w for w in self._workers if w.job is not None]
            told: dict[Any, _Worker] = {w.pipe: w for w in busy} | {
                w.process.sentinel: w for w in busy
            }
            ready = wait(list(told), self._patience(busy, until))
            for worker in {id(told[r]): told[r] for r in ready}.values():
                outcome = self._receive(worker)
                if outcome is not None:
                    assert worker.job is not None
                    ended.append((worker.job, outcome))
                    worker.job = worker.deadline = None
                    worker.used = True
            ended += self._overdue()
            if until is not None and time.monotonic() >= until:
                break
        return ended

    def activity(self) -> Sequence[tuple[Job, float | None]]:
        """Return the jobs under way, with the share that is done where a job tells it."""
        return [(worker.job, worker.share) for worker in self._workers if worker.job is not None]

    def close(self) -> None:
        """Let idle workers end, and kill those at work."""
        idle = [worker for worker in self._workers if worker.job is None]
        for worker in idle:
            worker.pipe.close()
        until = time.monotonic() + CLOSING_GRACE
        for worker in idle:
            worker.process.join(max(0.0, until - time.monotonic()))
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _idle(self) -> _Worker | None:
        for worker in [w for w in self._workers if w.job is None]:
            if worker.process.is_alive():
                return worker
            self._discard(worker)
        return None

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.kill()

    def _start(self) -> _Worker:
        ours, theirs = Pipe()
        self._started += 1
        process = processes.start(
            _work,
            self._context,
            theirs,
            name=f"mmbench-{self._started}",
            log=self._context.logs / f"worker-{self._started}.log",
        )
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _patience(self, busy: Iterable[_Worker], until: float | None) -> float | None:
        times = [w.deadline for w in busy if w.deadline is not None]
        times += [until] if until is not None else []
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _receive(self, worker: _Worker) -> Outcome | None:
        """Read one message; None where the job has only started or tells how far it is."""
        try:
            if not worker.pipe.poll():  # the process has ended, but a child of its holds the pipe
                raise EOFError
            message = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(CLOSING_GRACE)
            self._discard(worker)
            if worker.used and not worker.begun:  # an earlier job's doing
                assert worker.job is not None
                self.submit(worker.job)
                return None
            return death(worker.process.exitcode)
        if message == STARTED:
            worker.begun = True
            if self._timeout is not None:
                worker.deadline = time.monotonic() + self._timeout
            return None
        if isinstance(message, float):
            worker.share = message
            return None
        assert isinstance(message, Outcome)
        return message

    def _overdue(self) -> list[tuple[Job, Outcome]]:
        now, ended = time.monotonic(), []
        for worker in list(self._workers):
            if worker.job is not None and worker.deadline is not None and now > worker.deadline:
                self._discard(worker)
                outcome = Outcome("timeout", f"it took longer than {self._timeout:g} s")
                ended.append((worker.job, outcome))
        return ended


def _work(context: Context, pipe: Connection) -> None:
    """Perform jobs from a pipe until it closes (the body of a worker process)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    faulthandler.enable()
    listen(_throttled(pipe.send))
    workshop, failure = None, None
    try:
        workshop = context.open()
    except BaseException as error:
        failure = Outcome("failed", f"a worker could not load the plugins: {one_line(error)}")
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(STARTED)
        if workshop is None:
            assert failure is not None
            pipe.send(failure)
            continue
        outcome = perform(job, workshop)
        if _asked_to_leave.is_set():
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:  # a plugin closed them: the next job shall have a process in order
            pipe.send(outcome)
            return
        pipe.send(outcome)


_asked_to_leave = threading.Event()


def _leave(signal_number: int, frame: object) -> None:
    """End as Python programs end, so that nothing is left behind."""
    _asked_to_leave.set()
    raise SystemExit(128 + signal_number)


def _throttled(send: Callable[[float], None]) -> Callable[[float], None]:
    """Pass on at most four values a second."""
    last = 0.0

    def pass_on(share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 0.25:
            last = now
            send(float(share))

    return pass_on
