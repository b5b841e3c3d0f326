"""A runner on the bench: given planted jobs by hand, and small matrices as in any run."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mmbench.catalogue import Catalogue, Entry, register
from mmbench.execution import Run, run
from mmbench.jobs import Job, Outcome
from mmbench.observer import Observer
from mmbench.planning import make_plan
from mmbench.results import STANDING, TIMING_COLUMNS, predictions_file
from mmbench.store import Store
from mmbench.testing.kit import BrokenContractError
from mmbench.testing.planted import GATE, How, begun
from mmbench.testing.subject import Request, Subject
from mmbench.workshop import Context

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.contracts import Runner

SLOTS = 2
PATIENCE = 15.0
"""Seconds without news after which a runner is taken to have none."""

LIMIT = 90.0
"""Seconds that one small matrix may take."""

GATE_SECONDS = 5.0
"""Seconds without news after which jobs that wait may go on."""

GRACE = 10.0
"""Seconds that processes have to be gone, and `Runner.wait` to return when it was told to."""

PLANTED = "mmbench.testing.planted"

Ended = list[tuple[Job, Outcome]]


@dataclass(frozen=True)
class _RunnerEntry(Entry):
    """A runner that has been given, by place, what the harness gives it: none of it is an option.

    What is left of its parameters can only have defaults.
    """

    given: tuple[Any, ...] = ()

    def load(self) -> Callable[..., Any]:
        """Import the target, and give it what it is given."""
        return functools.partial(super().load(), *self.given)


class RunnerSubject(Subject):
    """A runner, and a folder in which its jobs leave their results and their traces."""

    def __init__(self, request: Request, entry: Entry, catalogue: Catalogue) -> None:
        super().__init__(request, entry, catalogue)
        self._temporary = tempfile.TemporaryDirectory(
            prefix="mmbench-check-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._temporary.name)
        self.store = Store(self.folder / "store")
        self._tags = itertools.count(1)
        _register_again(request)
        logs = self.folder / "logs"
        logs.mkdir()
        context = Context(self.store.folder, self._plugins, request.registrations, 1, "cpu", logs)
        known = {field.name: getattr(entry, field.name) for field in fields(Entry)}
        self.entry = _RunnerEntry(**known, given=(context, SLOTS, None))

    @property
    def _plugins(self) -> tuple[str, ...]:
        files = (str(Path(p).absolute()) if p.endswith(".py") else p for p in self.request.plugins)
        return (*files, PLANTED)

    # --- by hand -------------------------------------------------------------------------------

    def jobs(self, *ways: How) -> list[Job]:
        """Return embeddings that were never made, one for each way a job may go."""
        uses = [self._encoder(how, next(self._tags)) for how in ways]
        plan = make_plan(_matrix({"a": uses}), plugins=self._plugins)
        for key, values in plan.graph.arrays.items():
            self.store.put_array(key, values)
        found = {
            int(job.spec["encoder"]["params"]["tag"]): job
            for job in plan.graph.jobs.values()
            if job.kind == "embed"
        }
        return [found[use["tag"]] for use in uses]

    def _encoder(self, how: How, tag: int) -> dict[str, Any]:
        return {"use": "planted", "how": how, "tag": tag, "folder": str(self.folder)}

    def processes(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Return the processes that have taken up these jobs, one record for each time."""
        tags = {job.spec["encoder"]["params"]["tag"] for job in jobs}
        return [record for record in begun(self.folder) if record["tag"] in tags]

    def open_gate(self) -> None:
        """Let the jobs go on that wait."""
        (self.folder / GATE).touch()

    def shut_gate(self) -> None:
        """Have jobs wait that are told to."""
        (self.folder / GATE).unlink(missing_ok=True)

    @cached_property
    def handled(self) -> Handled:
        """What a runner has told of six jobs, of which one raises."""
        jobs = self.jobs("works", "works", "raises", "works", "works", "works")
        with Session(self) as session:
            waiting = list(jobs)
            while waiting or session.running:
                while waiting and session.running < session.slots:
                    session.submit(waiting.pop(0))
                if not session.news(PATIENCE):
                    break
            return Handled(jobs, session.ended, session.longest)

    # --- in a run ------------------------------------------------------------------------------

    @cached_property
    def reference(self) -> Result:
        """What the local runner makes of the matrix without faults, in one process."""
        return self.ran("reference", runner="local", jobs=1)

    @cached_property
    def result(self) -> Result:
        """What this runner makes of the same."""
        return self.ran("result")

    def ran(
        self,
        name: str,
        *bad: How,
        runner: str = "",
        jobs: int = SLOTS,
        store: str = "",
        timeout: float | None = None,
    ) -> Result:
        """Run a small matrix through the runner: what works, and bad encoders beside it.

        Parameters
        ----------
        name : str
            Of its folder and, where no other is given, of its store.
        *bad : str
            How these go; without any, two modalities are embedded and fused.
        runner, jobs, timeout
            As `mmbench.run` takes them; by default this runner.
        store : str
            The name of a run whose store is used again.

        Raises
        ------
        BrokenContractError
            The runner has no news for too long, or does not return from a call.
        """
        uses = [self._encoder(how, 0) for how in ("works", *bad)]
        encoders = {"a": uses} if bad else {"a": uses, "b": uses}
        observer, out = _Watch(self, (timeout or 0) + PATIENCE), self.folder / "runs" / name
        with within(LIMIT, "the run"):
            run(
                _matrix(encoders),
                out=out,
                store=self.folder / f"store-of-{store or name}",
                runner=runner or self.request.name,
                jobs=jobs,
                device="cpu",
                timeout=timeout,
                plugins=self._plugins,
                observer=observer,
            )
        return Result.read(out)


def _register_again(request: Request) -> None:
    """Register here what was registered in a notebook, for `run` to find."""
    if request.registrations:
        import cloudpickle

        for sort, name, target, flags in cloudpickle.loads(request.registrations):
            register(sort, name, target, **flags)


def _matrix(encoders: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "check",
        "datasets": [{"use": "planted-blobs", "name": "blobs"}],
        "encoders": dict(encoders),
        "fusions": ["planted-concat"] if len(encoders) > 1 else [],
        "heads": ["planted-centroids"],
        "split": {"scheme": "holdout", "test": 0.25},
    }


@dataclass(frozen=True)
class Handled:
    """Jobs, what was told of them, and the most seconds that went by before one was told of."""

    jobs: list[Job]
    ended: Ended
    seconds: float


@dataclass(frozen=True)
class Result:
    """A run's table without the columns that may differ, every field a text, and predictions."""

    table: pd.DataFrame
    predictions: Mapping[str, bytes]

    @classmethod
    def read(cls, out: Path) -> Self:
        """Read what a run has left in its folder."""
        import pandas as pd

        table = pd.read_csv(out / "cells.csv", dtype=str, keep_default_na=False)
        table = table.drop(columns=[*TIMING_COLUMNS, *STANDING]).set_index("cell")
        files = {cell: predictions_file(out, str(cell)) for cell in table.index}
        return cls(
            table, {cell: file.read_bytes() for cell, file in files.items() if file.exists()}
        )

    def going(self, how: How) -> pd.DataFrame:
        """Return the cells whose encoder goes that way."""
        ways = [json.loads(params)["encoder.a"]["how"] for params in self.table["params"]]
        return self.table[[way == how for way in ways]]

    def differs(self, other: Result) -> str:
        """Say where these cells differ from the same in another run; empty where nowhere."""
        for cell, row in self.table.iterrows():
            if cell not in other.table.index:
                return f"cell {cell} is not there"
            theirs = other.table.loc[cell]
            for column in self.table.columns:
                if row[column] != theirs[column]:
                    return f"{column} is {theirs[column]!r} where {row[column]!r} was expected"
            if self.predictions.get(str(cell)) != other.predictions.get(str(cell)):
                return f"cell {cell} has other predictions"
        return ""


class _Watch(Observer):
    """Opens the gate when a job has crashed, and gives up on a run of which nothing is heard."""

    def __init__(self, subject: RunnerSubject, patience: float) -> None:
        self._subject = subject
        self._patience = patience
        self._last = time.monotonic()

    def job(self, run: Run, job: Job, outcome: Outcome) -> None:
        """Note that there is news."""
        self._last = time.monotonic()
        if outcome.status == "crashed":
            self._subject.open_gate()

    def tick(self, run: Run, activity: Sequence[tuple[Job, float | None]]) -> None:
        """Raise where there has been none for long."""
        quiet = time.monotonic() - self._last
        if quiet > GATE_SECONDS:  # with one slot, nothing crashes while another job waits
            self._subject.open_gate()
        if quiet > self._patience:
            raise BrokenContractError(
                f"for {self._patience:.0f} s it has told of no job that ended, though "
                f"{run.jobs_left} are left"
            )


class Session:
    """A runner that is given jobs by hand; closed at the end, whatever happens."""

    def __init__(self, subject: RunnerSubject) -> None:
        self.runner: Runner = subject.build()
        with within(LIMIT, "start"):
            getattr(self.runner, "start", lambda: None)()
        self.ended: Ended = []
        self.longest = 0.0
        """The most seconds from a job's being submitted to its end's being told."""
        self._submitted: dict[str, float] = {}
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:
                raise

    @property
    def slots(self) -> int:
        """How many jobs it is given at once: as many as it wants, within reason."""
        return max(1, min(self.runner.slots, 4))

    @property
    def running(self) -> int:
        """How many jobs were submitted of which no end was told."""
        return len(self._submitted.keys() - {job.key for job, _ in self.ended})

    def submit(self, job: Job) -> None:
        """Give it a job."""
        with within(LIMIT, "submit"):
            self._submitted[job.key] = time.monotonic()
            self.runner.submit(job)

    def wait(self, seconds: float) -> None:
        """Note what ends within some seconds."""
        with within(seconds + GRACE, f"wait(timeout={seconds:g})"):
            told = self.runner.wait(seconds)
        if not isinstance(told, Sequence) or not all(map(_is_pair, told)):
            raise BrokenContractError(
                f"wait returned {told!r}; a list of pairs of a Job and its Outcome was expected"
            )
        self.ended += told
        for job, _ in told:
            waited = time.monotonic() - self._submitted.get(job.key, float("inf"))
            self.longest = max(self.longest, waited)

    def news(self, seconds: float) -> bool:
        """Wait until something ends; return whether anything did."""
        known = len(self.ended)
        return self.until(lambda: len(self.ended) > known, seconds)

    def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; return whether it does in the end."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            self.wait(0.1)
        return True

    def close(self) -> None:
        """Close it, once."""
        if not self._closed:
            self._closed = True
            with within(LIMIT, "close"):
                self.runner.close()


def _is_pair(told: object) -> bool:
    return (
        isinstance(told, tuple)
        and len(told) == 2
        and isinstance(told[0], Job)
        and isinstance(told[1], Outcome)
    )


@contextlib.contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """Raise `BrokenContractError` in a call that takes longer, where signals can do that."""

    def late(*_: object) -> None:
        raise BrokenContractError(f"{what} had not returned after {seconds:.0f} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def survivors(processes: Sequence[Mapping[str, Any]], seconds: float = GRACE) -> list[int]:
    """Return which of these processes are still there after some seconds, by id."""
    import psutil

    deadline = time.monotonic() + seconds
    while True:
        left = []
        for record in processes:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(record["pid"])
                same = process.create_time() == record["created"]
                if same and process.status() != psutil.STATUS_ZOMBIE:
                    left.append(record["pid"])
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)
