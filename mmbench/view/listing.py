"""One run as a reader meets it: how far it is, and what was best."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmbench.errors import printable
from mmbench.folder import PROGRESS, RunFolder
from mmbench.pooled import Pool
from mmbench.report import content
from mmbench.results import metrics_of, read_results, summarise
from mmbench.standings import headline_metric
from mmbench.view.folders import CELLS
from mmbench.view.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

NEWEST = 100
"""How many of the finished cells of a run are shown while it goes on."""


@dataclass(frozen=True)
class Best:
    """The best combination of one dataset."""

    dataset: str
    combination: str
    metric: str
    figure: str
    """Its mean ± standard deviation over cells."""
    corrected: str
    """What it is worth, corrected for its having been chosen; empty where that is not known."""


@dataclass(frozen=True)
class Listed:
    """A run as it is listed.

    Attributes
    ----------
    place : str
        Where it lies below the results; empty for the results' folder itself.
    state : {"running", "finished", "stopped", "unreadable"}
        What is ``stopped`` was interrupted or killed before its end.
    when : str
        When its last cell was finished; of a run without an end, when it noted how far it was.
    statuses : Counter of str
        How many cells there are of each status.
    cells : int or None
        How many there will be; None where nothing tells.
    reason : str
        Why it is unreadable.
    """

    place: str
    name: str
    state: Literal["running", "finished", "stopped", "unreadable"]
    when: str = ""
    statuses: Counter[str] = field(default_factory=Counter)
    cells: int | None = None
    best: tuple[Best, ...] = ()
    reason: str = ""

    @property
    def done(self) -> int:
        """How many cells were evaluated."""
        return self.statuses["ok"]

    @property
    def failed(self) -> int:
        """How many cells have failed."""
        return sum(self.statuses[status] for status in content.FAILED)

    @property
    def left_out(self) -> int:
        """How many cells the plan has left out."""
        return sum(self.statuses[status] for status in content.LEFT_OUT)

    @property
    def planned(self) -> int | None:
        """How many cells are to be evaluated; None where nothing tells."""
        return None if self.cells is None else self.cells - self.left_out


@dataclass(frozen=True)
class Finished:
    """A cell that has a row."""

    dataset: str
    combination: str
    seed: str
    fold: str
    status: str
    figure: str


@dataclass(frozen=True)
class Unfinished:
    """A run that has no report: it goes on, or has stopped before there was a table."""

    listed: Listed
    metric: str
    newest: list[Finished]
    """The newest first."""
    more: int
    """How many others there are."""
    failures: list[tuple[tuple[str, str], int]]
    """Status and reason, and how many cells, the most frequent first."""


def read_table(folder: Path) -> pd.DataFrame:
    """Read a run's table of cells; what a file says of plugins to be loaded is not heeded."""
    table = read_results(folder)
    table.attrs = {"folder": str(folder)}
    return table


def name_of(folder: Path) -> str:
    """Return a run's name, or its folder's where it does not say."""
    return printable(RunFolder(folder).name or folder.name)


def settled(place: str, folder: Path) -> Listed:
    """List a run that does not go on; raises what reading its files raises."""
    if not (folder / CELLS).exists():
        return followed(place, Progress(folder), "stopped")
    table = read_table(folder)
    told = best(table)
    if (folder / PROGRESS).exists():
        return followed(place, Progress(folder), "stopped", told)
    statuses = Counter(table["status"])
    when = max(table["started"], default="")
    return Listed(place, name_of(folder), "finished", when, statuses, len(table), told)


def followed(
    place: str,
    progress: Progress,
    state: Literal["running", "stopped"],
    best: tuple[Best, ...] = (),
) -> Listed:
    """List a run by its progress, which is updated."""
    progress.update()
    return Listed(
        place,
        name_of(progress.folder),
        state,
        progress.when,
        progress.statuses,
        progress.cells,
        best,
    )


def unfinished(listed: Listed, progress: Progress) -> Unfinished:
    """Tell more of a run by its progress."""
    metric = _metric(progress.folder)
    rows = list(progress.rows.values())
    failures = Counter(
        (row["status"], str(row.get("reason", "")))
        for row in rows
        if row["status"] in content.FAILED
    )
    newest = [_finished(row, metric) for row in reversed(rows[-NEWEST:])]
    more = listed.done + listed.failed - len(newest)
    return Unfinished(listed, metric, newest, more, failures.most_common())


def best(table: pd.DataFrame) -> tuple[Best, ...]:
    """Return the best combination of each dataset that has any; no predictions are read."""
    from mmbench.report.gather import gather

    pool = Pool(None, (), metrics_of(table), headline_metric(table))
    parts = gather([table], [summarise(table, pool=pool)]).parts
    return tuple(
        _best(part.dataset, part.answer, part.metric) for part in parts if part.answer.best
    )


def _best(dataset: str, answer: content.Answer, metric: str) -> Best:
    row, corrected = answer.best, answer.corrected
    assert row is not None
    told = ""
    if corrected is not None:
        bounds = [content.figure(corrected[name]) for name in ("estimate", "low", "high")]
        told = "{} ({} to {})".format(*bounds)
    named = str(content.combination(row))
    return Best(dataset, named, metric, content.figure(row[metric], row[f"{metric}_std"]), told)


def _finished(row: Mapping[str, Any], metric: str) -> Finished:
    value = row.get(metric)
    return Finished(
        str(row.get("dataset", "")),
        str(content.combination(row)) if row.get("modalities") else "the whole dataset",
        str(row.get("seed", "")),
        str(row.get("fold", "")),
        row["status"],
        "" if value is None else content.figure(float(value)),
    )


def _metric(folder: Path) -> str:
    try:
        matrix = (folder / "matrix.toml").read_text("utf-8")
        return str(tomllib.loads(matrix).get("metric", "accuracy"))
    except (OSError, ValueError):
        return "accuracy"
