"""A runner that performs jobs in the process that asks for them, with no workers to wait for."""

from __future__ import annotations

from collections.abc import Sequence

from mmbench.jobs import Job, Outcome, perform
from mmbench.workshop import Context


class Here:
    """A runner; a test that registers it patches `mmbench.catalogue._notebook` to forget it."""

    slots = 1

    def __init__(self, context: Context, slots: int, timeout: float | None) -> None:
        self._workshop = context.open()
        self._ended: list[tuple[Job, Outcome]] = []

    def submit(self, job: Job) -> None:
        """Perform a job at once."""
        self._ended.append((job, perform(job, self._workshop)))

    def wait(self, timeout: float | None = None) -> Sequence[tuple[Job, Outcome]]:
        """Return the jobs performed since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def activity(self) -> Sequence[tuple[Job, float | None]]:
        """Return none: nothing is under way between two calls."""
        return []

    def close(self) -> None:
        """Do nothing: there is nothing to stop."""
