"""What a job is, and how one is performed: by any process, on any machine, through `perform`.

A job reads what other jobs left in the store, computes one thing and stores it; it never talks to
another job. What the kinds of job do is in `steps`.
"""

from __future__ import annotations

import signal
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmbench.errors import DamagedArtefactError, PluginError, one_line
from mmbench.pipeline import Clock
from mmbench.steps import STEPS
from mmbench.workshop import Workshop

VERSIONS = {
    "embed": 1,
    "align": 1,
    "fuse": 1,
    "distances": 1,
    "fit": 1,
    "cross_fit": 1,
    "corrupt": 1,
    "predict": 1,
    "decide": 1,
    "score": 2,
    "tune": 1,
    "time": 1,
}
"""Raised where a kind of job comes to give other results."""


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """One piece of work. Cells that need the same share it, by its key."""

    key: str
    kind: str
    spec: Mapping[str, Any]
    """Plain values: what to do, and the keys of the arrays to do it on."""
    inputs: tuple[str, ...]
    """Keys of the jobs whose results it reads."""
    label: str

    def __repr__(self) -> str:
        return f"Job({self.kind}: {self.label}, {self.key[:8]})"


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    ``status`` is ok, failed, timeout, oom or crashed, or ``damaged``: an input was not what had
    been stored and ``reason`` is its key.
    """

    status: str
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0
    """What it took, as its clock has it."""


def perform(job: Job, workshop: Workshop) -> Outcome:
    """Do a job and store its result; whatever goes wrong is the outcome, not an exception."""
    try:
        with workshop.store.create(job.key) as writer:
            clock = Clock()
            STEPS[job.kind](job.spec, workshop, writer, clock)
            writer.meta |= {"kind": job.kind, "label": job.label, "seconds": clock.seconds}
    except DamagedArtefactError as error:
        return Outcome("damaged", error.key)
    except PluginError as error:
        return Outcome("failed", str(error), traceback.format_exc())
    except SystemExit as error:
        return Outcome("failed", f"it called sys.exit({error.code!r})", traceback.format_exc())
    except BaseException as error:  # a worker outlives whatever a plugin raises
        return Outcome(status_of(error), one_line(error), traceback.format_exc())
    return Outcome("ok", seconds=sum(clock.seconds.values()))


def status_of(error: BaseException) -> str:
    """Return ``"oom"`` where memory was short, the processor's or a GPU's, else ``"failed"``."""
    short = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return "oom" if short else "failed"


def death(exitcode: int | None) -> Outcome:
    """Return the outcome of a job whose process died."""
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = "unknown"
        hint = "; perhaps out of memory" if name == "SIGKILL" else ""
        return Outcome("crashed", f"its process was killed by signal {-exitcode} ({name}){hint}")
    return Outcome("crashed", f"its process ended with exit status {exitcode}")
