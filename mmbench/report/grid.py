"""The table of combinations as a page shows it: columns of texts, and the figures behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmbench.metrics import bounds_of
from mmbench.report import content
from mmbench.report.content import figure, seconds
from mmbench.report.headline import LATENCY, PHASES, cost
from mmbench.report.language import Language
from mmbench.results import KEYS, telling_axes

if TYPE_CHECKING:
    from mmbench.report.gather import Part, Report

AXES = (
    "modalities", "encoders", "alignment", "fusion", "head", "finetune", "params", "missing",
    "tuned",
)  # fmt: skip
CHOSEN = ("run", "dataset", "modalities", "alignment", "fusion", "head", "finetune", "missing")
"""The axes whose values a reader chooses from a list."""
ENDLESS = 32
"""A name with a word longer than this is broken anywhere."""

Value = float | int | str | None
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    name : str
        Its heading.
    fields : dict of str to list
        What it is downloaded as: columns of the summary, unrounded, None where unknown. It is
        sorted by the first of them, unless it is an axis.
    texts : list of str
        What is read, row by row.
    is_axis : bool
        Whether it names something; else it holds figures.
    descending : bool
        Whether the first click on its header puts the largest first.
    choices : tuple of str
        What a reader can choose rows by.
    order : str
        How the table stands sorted by it at first: ``ascending``, ``descending`` or not at all.
    is_hidden : bool
        Whether it is shown only to those who ask for it.
    layout : str
        Its class in the style sheet.
    """

    name: str
    fields: dict[str, list[Value]]
    texts: list[str]
    is_axis: bool = False
    descending: bool = False
    choices: tuple[str, ...] = ()
    order: str = ""
    is_hidden: bool = False
    layout: str = "n"

    @property
    def values(self) -> list[Value]:
        """What it is sorted by."""
        return next(iter(self.fields.values()))

    def packed(self) -> dict[str, Any]:
        """Return it as data of the page; names, which come again and again, are told once."""
        told: dict[str, Any] = {"name": self.name, "fields": list(self.fields)}
        told |= {"layout": self.layout, "first": "descending" if self.descending else "ascending"}
        if not self.is_axis:
            return told | {"texts": self.texts, "values": list(self.fields.values())}
        pairs = list(zip(self.texts, self.values, strict=True))
        place = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
        return told | {"names": list(place), "at": [place[pair] for pair in pairs]}


@dataclass(frozen=True)
class Grid:
    """The table of combinations.

    Attributes
    ----------
    columns : list of Column
        From left to right.
    n : int
        How many rows there are.
    metric : str
        The headline of the first run.
    short : list of int
        The rows of combinations some of whose cells failed.
    """

    columns: list[Column]
    n: int
    metric: str
    short: list[int] = field(default_factory=list)


def grid(report: Report) -> Grid | None:
    """Lay out the combinations of a report: part by part, and each one's best first.

    It is None where no combination was planned.
    """
    parts = [part for part in report.parts if len(part.rows)]
    if not parts:
        return None
    metric = parts[0].metric
    rows = [row for part in parts for row in rows_of(part, report.say)]
    return Grid(
        columns_of(parts, rows, report.say),
        len(rows),
        metric,
        [i for i, row in enumerate(rows) if row["n"] < row["planned"]],
    )


def columns_of(parts: Sequence[Part], rows: Rows, say: Language) -> list[Column]:
    """Return the columns of some rows of some parts, from left to right."""
    metric = parts[0].metric
    metrics = dict.fromkeys([metric])
    for part in parts:
        metrics |= dict.fromkeys(content.shown_metrics(part.rows, part.metric))
    columns = list(_axes(parts, rows))
    for name in metrics:
        order = name == metric and len(parts) == 1
        columns += _figures(name, rows, say, is_headline=name == metric, is_sorted=order)
        columns += _standing(rows, say) if name == metric else []
    return columns + _costs(rows, say)


def rows_of(part: Part, say: Language) -> Iterable[dict[str, Any]]:
    """Return the combinations of a part, best first: rows of the summary with some more fields."""
    spent = part.cells[part.cells["status"] == "ok"].groupby(KEYS, sort=False)["cost_s_shared"]
    shared = spent.mean().to_dict()
    for row in content.ranked(part.rows, part.metric).to_dict("records"):
        yield {
            **row,
            "run": part.run.label,
            "encoders": "+".join(content.encoder_names(row, say).values()),
            "planned": round(row["n"] / row["coverage"]) if row["n"] else 0,
            "cost_s": cost(row),
            "cost_s_shared": shared.get(tuple(row[key] for key in KEYS)),
        }


def _axes(parts: Sequence[Part], rows: Rows) -> Iterable[Column]:
    telling = {axis for part in parts for axis in telling_axes(part.rows)}
    named = [axis for axis in ("run", "dataset") if len({row[axis] for row in rows}) > 1]
    for axis in (*named, *(axis for axis in AXES if axis in telling)):
        raw: list[Value] = [str(row.get(axis, "")) for row in rows]
        texts = [_named(axis, str(value)) for value in raw]
        choices = tuple(dict.fromkeys(texts)) if axis in CHOSEN else ()
        yield Column(
            axis,
            {axis: raw},
            texts,
            is_axis=True,
            choices=choices if len(choices) > 1 else (),
            layout="step" if axis in ("fusion", "head") else "axis",
        )


def _named(axis: str, value: str) -> str:
    return "; ".join(content.options(value)) if axis in ("params", "tuned") else value


def is_endless(name: str) -> bool:
    """Whether a name has a word so long that it has to be broken anywhere."""
    return any(len(word) > ENDLESS for word in re.split(r"[\s+]", name))


def _figures(
    name: str, rows: Rows, say: Language, *, is_headline: bool, is_sorted: bool
) -> Iterable[Column]:
    """Lay out a metric and its interval."""
    descending = content.higher_is_better(name)
    order = "descending" if descending else "ascending"
    yield Column(
        name,
        _fields(rows, name, f"{name}_std"),
        [figure(_known(row, name), _known(row, f"{name}_std")) for row in rows],
        descending=descending,
        order=order if is_sorted else "",
    )
    bounds = _fields(rows, *bounds_of(name))
    texts = [_between(low, high, say) for low, high in zip(*bounds.values(), strict=True)]
    if any(texts):
        heading = f"{name} 95 %"
        yield Column(heading, bounds, texts, descending=descending, is_hidden=not is_headline)


def _standing(rows: Rows, say: Language) -> Iterable[Column]:
    """Lay out what combinations are among those of their dataset, where it is known."""
    for name, heading in (("rank", "rank"), ("rank_group", "group")):
        places = _fields(rows, name)[name]
        whole: list[Value] = [None if value is None else int(value) for value in places]
        if any(whole):
            yield Column(heading, {name: whole}, ["" if v is None else str(v) for v in whole])
    gains = _fields(rows, "gain", "gain_low", "gain_high")
    texts = [_gain(*of_row, say=say) for of_row in zip(*gains.values(), strict=True)]
    if any(texts):
        yield Column("gain", gains, texts, descending=True)


def _gain(value: Value, low: Value, high: Value, *, say: Language) -> str:
    if value is None:
        return ""
    between = _between(low, high, say, "+")
    return f"{value:+.3f} ({between})" if between else f"{value:+.3f}"


def _costs(rows: Rows, say: Language) -> list[Column]:
    """Lay out how many cells there are, and what a cell and a call cost."""
    columns = [
        Column(
            "cells",
            {name: [int(row[name]) for row in rows] for name in ("n", "planned")},
            [
                say("{n} of {all}", n=row["n"], all=row["planned"]) if row["planned"] else "0"
                for row in rows
            ],
            descending=True,
        ),
        _seconds("cost s", rows, "cost_s"),
    ]
    columns += [_seconds(name.replace("_", " "), rows, name, is_hidden=True) for name in PHASES]
    columns.append(_seconds("spent s", rows, "cost_s_shared", is_hidden=True))
    for name, heading in content.SERVED.items():
        if any(_known(row, name) == _known(row, name) for row in rows):
            is_extra = name not in (LATENCY, "throughput")
            columns.append(
                _seconds(heading, rows, name, descending=name == "throughput", is_hidden=is_extra)
            )
    return columns


def _seconds(
    heading: str,
    rows: Rows,
    name: str,
    *,
    descending: bool = False,
    is_hidden: bool = False,
) -> Column:
    texts = [seconds(_known(row, name)) for row in rows]
    return Column(heading, _fields(rows, name), texts, descending=descending, is_hidden=is_hidden)


def _fields(rows: Rows, *names: str) -> dict[str, list[Value]]:
    found: dict[str, list[Value]] = {}
    for name in names:
        values = [_known(row, name) for row in rows]
        found[name] = [None if value != value else value for value in values]
    return found


def _known(row: Mapping[str, Any], name: str) -> float:
    """Return a figure of a row, NaN where it has none."""
    import pandas as pd

    value = row.get(name)
    return float("nan") if value is None or pd.isna(value) else float(value)


def _between(low: Value, high: Value, say: Language, sign: str = "") -> str:
    if low is None or high is None:
        return ""
    return say("{low} to {high}", low=f"{low:{sign}.3f}", high=f"{high:{sign}.3f}")
