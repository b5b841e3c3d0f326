"""A report as headings, facts and tables of text, from which its plain forms are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from mmbench.metrics import bounds_of
from mmbench.report.across import across
from mmbench.report.content import FAILED, LEFT_OUT, Reason, combination, figure, reasons
from mmbench.report.grid import Column, Rows, columns_of, rows_of
from mmbench.report.headline import LATENCY, Fact, Headline, facts, headline
from mmbench.report.language import Language
from mmbench.report.trials import sheets
from mmbench.results import KEYS, predictions_file

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.report.gather import Part, Report

TIED = "†"
"""Marks the figure of what cannot be told from the best."""


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the report's own."""

    text: str
    level: int


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Best:
    """The best combination of a dataset, and what is told of it."""

    term: str
    name: str
    figure: str
    facts: list[Fact]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    title : str
        What it is of.
    columns : list of str
        Its headings.
    axes : int
        How many columns, from the left, are of names; the others are of figures.
    rows : list of list of str
        The fields.
    note : str
        What a reader has to know.
    strong : set of tuple of int
        Row and column of the fields that stand out, being the best.
    is_alone : bool
        Whether it is a part of its own: it has no heading but the one before it, and is worth to
        stand in another document.
    """

    title: str
    columns: list[str]
    axes: int
    rows: list[list[str]]
    note: str = ""
    strong: set[tuple[int, int]] = field(default_factory=set)
    is_alone: bool = False


@dataclass(frozen=True)
class Points:
    """A list."""

    items: list[str]


Block = Heading | Text | Best | Table | Points


def legible(value: object) -> str:
    """Return text on one line; what cannot be seen in it, or turns its direction, is a ``�``."""
    return _UNSEEN.sub("�", " ".join(str(value).split()))


_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def outline(report: Report, *, most: int, brief: bool) -> list[Block]:
    """Return a report's blocks in order.

    Parameters
    ----------
    report : Report
        One or several runs.
    most : int
        How many rows a table of combinations or methods shows; that there are more is told.
    brief : bool
        Whether such a table has the columns that a paper shows, instead of all metrics.
    """
    say = report.say
    blocks: list[Block] = [Heading(report.title, 1)]
    several = len(report.runs) > 1
    for run in report.runs:
        counted = _counts(run.table, say)
        blocks.append(Text(f"{run.label}: {counted}" if several else counted))
    for part in report.parts:
        told = headline(part)
        blocks += [Heading(part.title, 2), _best(told, say)]
        blocks += [_combinations(part, told, say, most, brief)] if len(part.rows) else []
        blocks += [
            Table(sheet.title, sheet.columns, 1, sheet.rows, sheet.note)
            for sheet in sheets(part.all_rows, part.metric, say)
        ]
    if len(report.parts) > 1:
        blocks += [Heading(say("Across datasets"), 2), _across(report, most)]
    for run in report.runs:
        titles = {FAILED: say("Failed"), LEFT_OUT: say("Left out")}
        for statuses, title in titles.items():
            if found := reasons(run.table, statuses, say):
                heading = f"{run.label}: {title}" if several else title
                blocks += [Heading(heading, 2), _reasons(found, most, say)]
    return blocks


def _reasons(found: list[Reason], most: int, say: Language) -> Points:
    told = [f"{each.n} × {each.status}: {each.reason}" for each in found[:most]]
    if len(found) > most:
        told.append(say("{n} more reasons, in cells.csv", n=len(found) - most))
    return Points(told)


def _counts(table: pd.DataFrame, say: Language) -> str:
    if not len(table):
        return say("No cells.")
    counts = table["status"].value_counts()
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    return say.count(len(table), "{n} cell: {counts}.", "{n} cells: {counts}.", counts=listed)


def _best(told: Headline, say: Language) -> Block:
    row, metric = told.answer.best, told.metric
    if row is None:
        return Text(say("No cell of this dataset was evaluated."))

    def named(row: Mapping[str, Any]) -> str:
        return combination(row, say).said(say)

    return Best(
        say("Best by mean {metric}", metric=metric),
        named(row),
        figure(row[metric], row[f"{metric}_std"]),
        facts(told, say, named),
    )


# --- tables ------------------------------------------------------------------------------------


def _combinations(part: Part, told: Headline, say: Language, most: int, brief: bool) -> Table:
    """Lay out the combinations of a dataset, best first."""
    rows = list(islice(rows_of(part, say), most))
    columns = [column for column in columns_of([part], rows, say) if not column.is_hidden]
    if brief:
        columns = _brief(columns, part.metric, rows)
    axes = sum(column.is_axis for column in columns)
    tied = {_key(row) for row in told.tied or ()}
    best = [_is_best(row, told) for row in rows]
    texts = [column.texts for column in columns]
    texts[axes] = [
        f"{text} {TIED}" if _key(row) in tied and not is_best else text
        for row, text, is_best in zip(rows, texts[axes], best, strict=True)
    ]
    return Table(
        part.title,
        [column.name for column in columns],
        axes,
        [list(fields) for fields in zip(*texts, strict=True)],
        _note(part, told, rows, say),
        {(i, j) for i, is_best in enumerate(best) if is_best for j in range(axes + 1)},
        is_alone=True,
    )


def _brief(columns: Sequence[Column], metric: str, rows: Rows) -> list[Column]:
    """Return the columns that a paper shows: one cost, and coverage where it is not whole."""
    is_timed = any(LATENCY in column.fields for column in columns)
    shown = {metric, bounds_of(metric)[0], "gain", LATENCY if is_timed else "cost_s"}
    if any(row["coverage"] < 1 for row in rows):
        shown.add("n")
    return [column for column in columns if column.is_axis or not shown.isdisjoint(column.fields)]


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in KEYS)


def _is_best(row: Mapping[str, Any], told: Headline) -> bool:
    best = told.answer.best
    if best is None:
        return False
    return bool(row[told.metric] == best[told.metric] and row["coverage"] >= best["coverage"])


def _note(part: Part, told: Headline, rows: Rows, say: Language) -> str:
    """Tell what is behind the figures: of how many predictions they are, and how it was tested."""
    notes = [say("Mean ± standard deviation over cells (seeds and folds); the best in bold.")]
    if n := sorted({int(row["n_test"]) for row in rows if row["n"]}):
        notes.append(
            say("n = {n} test predictions.", n=n[0])
            if len(n) == 1
            else say("n = {least} to {most} test predictions.", least=n[0], most=n[-1])
        )
    if told.best is not None and told.best.low == told.best.low:
        notes.append(say("Intervals are of 95 % confidence."))
    if told.tied is not None:
        notes.append(
            say(
                "{mark} cannot be told from the best ({test}, 5 %, corrected for all pairs by "
                "Holm's method).",
                mark=TIED,
                test=_test(part, told, say),
            )
        )
    if len(rows) < len(part.rows):
        notes.append(say("The best {n} of {all} combinations.", n=len(rows), all=len(part.rows)))
    return say(" ").join(notes)


def _test(part: Part, told: Headline, say: Language) -> str:
    """Name the test by which combinations were told apart (`mmbench.standings`)."""
    import pyarrow.parquet as pq

    best, cells, folder = told.answer.best, part.cells, part.run.folder
    assert best is not None
    for key in KEYS:
        cells = cells[cells[key] == best[key]]
    cells = cells[cells["status"] == "ok"]
    if part.metric == "accuracy" and cells["seed"].nunique() == 1 and folder is not None:
        try:
            names = pq.read_schema(predictions_file(folder, cells["cell"].iloc[0])).names
        except (OSError, ValueError):
            return say("a paired test")
        if "group" not in names:
            return say("McNemar's exact test")
    return say("t test of paired bootstrap differences")


def _across(report: Report, most: int) -> Table:
    """Lay out methods by datasets."""
    say, found = report.say, across(report.parts, report.say)
    methods = found.methods[:most]
    notes = [
        say(
            "By dataset, the metric of the best combination with that method. Mean rank: among the "
            "methods that all datasets have; 1 is the best."
        )
    ]
    if len(methods) < len(found.methods):
        notes.append(say("The best {n} of {all} methods.", n=len(methods), all=len(found.methods)))
    return Table(
        say("Across datasets"),
        [
            say("method"),
            *(f"{part.title} ({part.metric})" for part in found.parts),
            say("mean rank"),
        ],
        1,
        [
            [each.name, *map(figure, each.figures), f"{each.mean_rank:.2f}" * (each.mean_rank > 0)]
            for each in methods
        ],
        say(" ").join(notes),
        {
            (i, 1 + j)
            for i, each in enumerate(methods)
            for j, best in enumerate(found.best)
            if each.figures[j] == best
        },
        is_alone=True,
    )
