"""How a run goes: a live view on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mmbench.execution import Run
from mmbench.jobs import Job, Outcome
from mmbench.observer import Observer

EVERY = 10.0
"""Seconds between two lines in a log."""


class Tally(Observer):
    """Counts what a run has done, and tells each reason of failure once."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.start = time.monotonic()
        self.jobs = 0
        self.todo = 0
        self.cells: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self._told: set[str] = set()
        self._timed = 0.0

    def started(self, run: Run) -> None:
        """Say what is ahead."""
        self.todo = run.jobs_left
        self.cells = {cell: str(row["status"]) for cell, row in run.rows.items()}
        self.say(f"{run.name}: {run.total} cells, {self.todo} jobs to do")
        for note in run.plan.notes:
            self.say(f"note: {note}")
        for row in run.rows.values():
            self._tell_failure(row)

    def runner(self, run: Run, about: str) -> None:
        """Say what the runner says of itself."""
        self.say(about)

    def job(self, run: Run, job: Job, outcome: Outcome) -> None:
        """Count a job and where its time went."""
        self.jobs = self.todo - run.jobs_left
        self.seconds[job.kind] = self.seconds.get(job.kind, 0.0) + outcome.seconds

    def cell(self, run: Run, row: Mapping[str, Any]) -> None:
        """Count a cell."""
        self.cells[row["cell"]] = str(row["status"])
        self._tell_failure(row)

    def timing(self, run: Run, what: str, done: int, total: int) -> None:
        """Say what is timed, now and then."""
        if done == 0 or time.monotonic() - self._timed >= EVERY:
            self._timed = time.monotonic()
            self.say(f"{run.name}: timing {what} ({done + 1} of {total})")

    def say(self, line: str) -> None:
        """Print one line as it is."""
        self.console.print(line, markup=False, soft_wrap=True)

    def state(self, run: Run) -> str:
        """Return how many cells are done, failed and left, and the time gone and left."""
        statuses = [status for status in self.cells.values() if status != "skipped"]
        done = statuses.count("ok")
        failed = len(statuses) - done
        left = max(0, run.total - done - failed)
        parts = [f"{done} of {run.total} cells done", f"{left} left"]
        if failed:
            parts.insert(1, f"{failed} failed")
        gone = time.monotonic() - self.start
        parts.append(f"{_clock(gone)} gone")
        if self.jobs and run.jobs_left:
            parts.append(f"about {_clock(gone / self.jobs * run.jobs_left)} left")
        return ", ".join(parts)

    def _tell_failure(self, row: Mapping[str, Any]) -> None:
        if row["status"] not in ("ok", "skipped") and row["reason"] not in self._told:
            self._told.add(row["reason"])
            self.say(f"{row['status']}: {row['reason']}")


class PlainProgress(Tally):
    """Prints a line every ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._last = self.start

    def tick(self, run: Run, activity: Sequence[tuple[Job, float | None]]) -> None:
        """Print a line now and then."""
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            self.say(f"{run.name}: {self.state(run)}; {run.jobs_left} jobs left")


class LiveProgress(Tally):
    """Keeps a view of the run at the foot of the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def started(self, run: Run) -> None:
        """Open the view."""
        super().started(run)
        self._live.start()

    def tick(self, run: Run, activity: Sequence[tuple[Job, float | None]]) -> None:
        """Draw the view anew, at most five times a second."""
        now = time.monotonic()
        if now - self._drawn < 0.2:
            return
        self._drawn = now
        self._live.update(self._view(run, activity), refresh=True)

    def finished(self, run: Run) -> None:
        """Close the view."""
        self._live.stop()

    def _view(self, run: Run, activity: Sequence[tuple[Job, float | None]]) -> RenderableType:
        width = max(20, min(self.console.width, 100) - 2)
        whole = Table.grid()
        whole.add_row(ProgressBar(total=max(1, self.todo), completed=self.jobs, width=width))
        working = Table.grid(padding=(0, 1))
        working.add_column(no_wrap=True, overflow="ellipsis", max_width=width - 22)
        working.add_column(width=20)
        for job, share in activity:
            bar = ProgressBar(total=1.0, completed=share, width=20) if share is not None else ""
            working.add_row(Text(job.label), bar)
        spent = [f"{kind} {_clock(s)}" for kind, s in self.seconds.items() if s >= 0.5]
        time_spent = Text(f"time: {', '.join(spent)}" if spent else "", style="dim")
        return Group(Text(self.state(run)), whole, working, time_spent)


def progress_for() -> Observer:
    """Return a live view, or plain lines, as the terminal allows."""
    return LiveProgress() if Console(stderr=True).is_terminal else PlainProgress()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}"
