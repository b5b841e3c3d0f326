"""What every form of a report is made from: runs, and in each run its datasets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.report.content import Answer, Record, answer, read_record
from mmbench.report.language import ENGLISH, Language
from mmbench.report.trials import plain
from mmbench.results import summarise

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Run:
    """A run as reports read it.

    Attributes
    ----------
    label : str
        Its name; its folder's path, too, where another run of the report has the same name.
    record : Record
        What its folder says besides the table.
    table, summary : pandas.DataFrame
        Of its cells, and `mmbench.summarise` of them.
    """

    label: str
    record: Record
    table: pd.DataFrame
    summary: pd.DataFrame

    @property
    def folder(self) -> Path | None:
        """Where it lies; None of a table that was made otherwise."""
        folder = self.table.attrs.get("folder")
        return Path(folder) if folder else None

    @cached_property
    def timings(self) -> pd.DataFrame | None:
        """The table of timings; None where nothing was timed."""
        from mmbench.errors import UserError
        from mmbench.measurement.table import FILE, read_timings

        if self.folder is None or not (self.folder / FILE).is_file():
            return None
        try:
            return read_timings(self.folder)
        except UserError:
            return None


@dataclass(frozen=True, eq=False)
class Part:
    """One dataset of one run: what an answer, and most pictures, are of.

    Attributes
    ----------
    run : Run
        What it is a part of.
    dataset : str
        Its dataset.
    title : str
        What it is called: its dataset, its run's label before it where there are several runs.
    """

    run: Run
    dataset: str
    title: str

    @property
    def metric(self) -> str:
        """The metric that its run ranks by."""
        return self.run.record.metric

    @cached_property
    def all_cells(self) -> pd.DataFrame:
        """The rows of the table of cells, left-out cells and trials included."""
        table = self.run.table
        return table[table["dataset"] == self.dataset]

    @cached_property
    def all_rows(self) -> pd.DataFrame:
        """The rows of the summary, trials included."""
        summary = self.run.summary
        return summary[summary["dataset"] == self.dataset]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The cells of clean items and whole training parts."""
        return plain(self.all_cells)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The combinations on clean items and whole training parts."""
        return plain(self.all_rows)

    @cached_property
    def answer(self) -> Answer:
        """Which combination is best, and by how much."""
        return answer(self.rows, self.metric)


@dataclass(frozen=True, eq=False)
class Report:
    """One or several runs, as they are reported.

    Attributes
    ----------
    runs : tuple of Run
        In the order given.
    say : Language
        What its own words are said in.
    """

    runs: tuple[Run, ...]
    say: Language = ENGLISH

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The datasets of all runs."""
        return tuple(
            Part(run, dataset, self._title(run, dataset))
            for run in self.runs
            for dataset in (dict.fromkeys(run.summary["dataset"]) if len(run.summary) else ())
        )

    def _title(self, run: Run, dataset: str) -> str:
        is_clear = len(self.runs) == 1 or dataset == run.label
        return dataset if is_clear else f"{run.label}: {dataset}"

    @property
    def title(self) -> str:
        """The runs' labels."""
        return " · ".join(run.label for run in self.runs)


def gather(
    tables: Sequence[pd.DataFrame],
    summaries: Sequence[pd.DataFrame | None] | None = None,
    say: Language = ENGLISH,
) -> Report:
    """Gather runs for a report.

    Parameters
    ----------
    tables : sequence of pandas.DataFrame
        The tables of cells, as `mmbench.read_results` has them. What lies in their folders is told
        where it is there.
    summaries : sequence of pandas.DataFrame or None, optional
        `mmbench.summarise` of each, where it is known.
    say : Language, optional
        What the report's own words are said in.
    """
    records = [read_record(table) for table in tables]
    names = Counter(record.name for record in records)
    runs = []
    known = summaries or [None] * len(tables)
    for table, record, summary in zip(tables, records, known, strict=True):
        folder = table.attrs.get("folder", "")
        label = record.name if names[record.name] == 1 else f"{record.name} ({folder})"
        made = summarise(table) if summary is None else summary
        runs.append(Run(label, record, table, made))
    return Report(tuple(runs), say)
