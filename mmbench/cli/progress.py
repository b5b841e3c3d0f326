"""How a run goes, as plain lines on stderr."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from mmbench.execution import Observer, Run
from mmbench.jobs import Job

EVERY = 10.0
"""Seconds between two lines."""


class PlainProgress(Observer):
    """Prints a line when work starts, every ten seconds, for each failure, and at the end."""

    def __init__(self) -> None:
        self._start = self._last = 0.0
        self._jobs = self._todo = 0
        self._told: set[str] = set()

    def started(self, run: Run) -> None:
        """Say what is ahead."""
        self._start = self._last = time.monotonic()
        self._todo = run.jobs_left
        click.echo(f"{run.name}: {run.total} cells, {self._todo} jobs to do", err=True)
        for note in run.plan.notes:
            click.echo(f"note: {note}", err=True)

    def job(self, run: Run, job: Job) -> None:
        """Count a job, and say so now and then."""
        self._jobs += 1
        now = time.monotonic()
        if now - self._last >= EVERY:
            self._last = now
            done = sum(row["status"] != "skipped" for row in run.rows.values())
            click.echo(
                f"{run.name}: {done} of {run.total} cells, {run.jobs_left} jobs left, "
                f"{now - self._start:.0f} s",
                err=True,
            )

    def cell(self, run: Run, row: Mapping[str, Any]) -> None:
        """Tell each reason of failure once."""
        if row["status"] not in ("ok", "skipped") and row["reason"] not in self._told:
            self._told.add(row["reason"])
            click.echo(f"{row['status']}: {row['reason']}", err=True)
