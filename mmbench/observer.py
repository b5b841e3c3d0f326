"""What a run tells of itself while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmbench.jobs import Job, Outcome

if TYPE_CHECKING:
    from mmbench.execution import Run


class Observer:
    """Is told how a run goes; does nothing itself."""

    def started(self, run: Run) -> None:
        """Tell that jobs begin; ``run.counts`` says how many cells there are."""

    def runner(self, run: Run, about: str) -> None:
        """Tell, in a line, what the runner says of itself."""

    def cell(self, run: Run, row: Mapping[str, Any]) -> None:
        """Tell that a cell has its row."""

    def job(self, run: Run, job: Job, outcome: Outcome) -> None:
        """Tell that a job has ended, or was stored."""

    def tick(self, run: Run, activity: Sequence[tuple[Job, float | None]]) -> None:
        """Tell, twice a second or more often, which jobs are under way and how far each is."""

    def finished(self, run: Run) -> None:
        """Tell that no more jobs are done."""

    def timing(self, run: Run, what: str, done: int, total: int) -> None:
        """Tell what is timed now, how many were before it, and of how many."""
