"""The report in HTML: one file that needs nothing else, neither network nor other files."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.report import content, pictures
from mmbench.report.classes import ClassFigures, by_class
from mmbench.report.gather import Part, Report
from mmbench.report.trials import Sheet, plain, sheets
from mmbench.results import telling_axes

if TYPE_CHECKING:
    import pandas as pd

AXES = (
    "modalities", "encoders", "alignment", "fusion", "head", "finetune", "params", "missing",
    "tuned",
)  # fmt: skip
CHOSEN = ("dataset", "modalities", "alignment", "fusion", "head", "finetune", "missing")
"""The axes whose values a reader chooses from a list."""


def render(report: Report) -> str:
    """Return a report as a page that needs nothing else."""
    run = report.runs[0]
    table, summary, record = run.table, run.summary, run.record
    templates = _templates()
    script = _source(templates, "report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text: str = templates.get_template("report.html.j2").render(
        record=record,
        metric=record.metric,
        counts=_counts(table),
        last=max(table["started"], default=""),
        datasets=[_dataset(part) for part in report.parts],
        grid=_grid(plain(summary), record.metric) if report.parts else None,
        spent=table["cost_s_shared"].sum(),
        alone=table[list(pictures.PHASES)].sum().sum(),
        failed=content.reasons(table, content.FAILED),
        left_out=content.reasons(table, content.LEFT_OUT),
        command=_command(record),
        stops=[pictures.cividis(t / 8)[0] for t in range(9)],
        style=_source(templates, "report.css"),
        script=script,
        script_digest=digest,
    )
    return text


def _templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    made = Environment(
        loader=PackageLoader("mmbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "combination": content.combination,
        "figure": content.figure,
        "seconds": content.seconds,
        "breakable": lambda text: Markup(str(escape(text)).replace("+", "+<wbr>")),
    }
    return made


def _source(templates: Any, name: str) -> Any:
    """Return a style sheet or script as it is written, to be inlined."""
    from markupsafe import Markup

    return Markup(templates.loader.get_source(templates, name)[0])


def _counts(table: pd.DataFrame) -> dict[str, int]:
    statuses = table["status"]
    return {
        "cells": len(table),
        "ok": int((statuses == "ok").sum()),
        "failed": int(statuses.isin(content.FAILED).sum()),
        "left_out": int(statuses.isin(content.LEFT_OUT).sum()),
    }


def _command(record: content.Record) -> str:
    """Return how it was called on the command line, empty where it was called from Python."""
    call = [str(part) for part in record.environment.get("command", ())]
    if len(call) > 1 and Path(call[0]).name in ("mmbench", "__main__.py"):
        return shlex.join(["mmbench", *call[1:]])
    return ""


# --- a dataset's answer and pictures -----------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """What is told of one dataset."""

    name: str
    answer: content.Answer
    classes: list[ClassFigures]
    """Of the best combination."""
    heat: tuple[pictures.Scale, list[pictures.HeatMap]] | None
    bars: list[pictures.Bar]
    scatter: pictures.Scatter | None
    trials: list[Sheet]
    """On corrupted items and smaller training parts."""


def _dataset(part: Part) -> Dataset:
    rows, metric, answer = part.rows, part.metric, part.answer
    return Dataset(
        part.dataset,
        answer,
        by_class(part.run.table, answer.best) if answer.best else [],
        pictures.heat_maps(rows, metric),
        pictures.bars(rows, part.cells, metric),
        pictures.scatter(rows, metric),
        sheets(part.all_rows, metric),
    )


# --- the table ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column of the table."""

    name: str
    numeric: bool = False
    descending: bool = False
    """Whether the first click on its header puts the largest first."""
    choices: tuple[str, ...] = ()
    """What a reader can choose rows by."""
    sorted: str = ""
    """How the table stands sorted by it at first: ``ascending``, ``descending`` or not at all."""


@dataclass(frozen=True)
class Field:
    """A field of the table: what is read, and what is sorted by (empty: always last)."""

    text: str
    value: str
    layout: str = "n"
    """Its class in the style sheet."""


@dataclass(frozen=True)
class Grid:
    """The summarised table."""

    columns: list[Column]
    rows: list[list[tuple[Column, Field]]]


def _grid(summary: pd.DataFrame, metric: str) -> Grid:
    """Lay out the summary by dataset, and each dataset's combinations best first."""
    by_dataset = [rows for _, rows in summary.groupby("dataset", sort=False)]
    telling = {axis for rows in by_dataset for axis in telling_axes(rows)}
    several = len(by_dataset) > 1
    axes = ["dataset"] * several + [axis for axis in AXES if axis in telling]
    metrics = content.shown_metrics(summary, metric)
    columns = []
    for axis in axes:
        values = tuple(dict.fromkeys(summary[axis])) if axis in CHOSEN else ()
        columns.append(Column(axis, choices=values if len(values) > 1 else ()))
    for name in metrics:
        descending = content.higher_is_better(name)
        order = "descending" if descending else "ascending"
        at_first = name == metric and not several
        columns.append(Column(name, True, descending, sorted=order if at_first else ""))
    columns.append(Column("cells", True, True))
    columns.append(Column("cost s", True))
    served = {name: label for name, label in content.SERVED.items() if name in summary}
    columns += [Column(label, True, name == "throughput") for name, label in served.items()]
    rows = []
    for of_dataset in by_dataset:
        for row in content.ranked(of_dataset, metric).to_dict("records"):
            named = {**row, "encoders": "+".join(content.encoder_names(row).values())}
            fields = [_name(axis, named[axis]) for axis in axes]
            fields += [
                Field(content.figure(row[name], row[f"{name}_std"]), _number(row[name]))
                for name in metrics
            ]
            planned = round(row["n"] / row["coverage"]) if row["n"] else 0
            fields.append(Field(f"{row['n']} of {planned}" if planned else "0", str(row["n"])))
            cost = pictures.cost(row)
            fields.append(Field(content.seconds(cost), _number(cost)))
            fields += [Field(content.seconds(row[name]), _number(row[name])) for name in served]
            rows.append(list(zip(columns, fields, strict=True)))
    return Grid(columns, rows)


def _name(axis: str, value: str) -> Field:
    """Lay out a name: short ones stay on their line, endless words are broken anywhere."""
    text = "; ".join(content.options(value)) if axis in ("params", "tuned") else value
    layout = "step" if axis in ("fusion", "head") else "axis"
    if any(len(word) > 32 for word in re.split(r"[\s+]", text)):
        layout = "long"
    return Field(text, value, layout)


def _number(value: float) -> str:
    return "" if value != value else repr(float(value))
