"""A run's summarised table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmbench.metrics import bounds_of
from mmbench.report import content
from mmbench.report.gather import Part, gather
from mmbench.report.headline import headline
from mmbench.results import telling_axes

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("f1_macro", "log_loss")
ROOMY = 96
"""Columns of a terminal from which intervals and groups of ranks are shown, where known."""
WIDE = 110
"""Columns from which a combination's parts stand apart."""
FULL = 140
"""Columns from which further figures are shown beside the headline metric and its interval."""


def print_run(table: pd.DataFrame) -> None:
    """Print the summary per dataset, the best combination, the failures, where the run lies."""
    console = Console(highlight=False, markup=False, emoji=False)
    report = gather([table])
    for part in report.parts:
        if len(part.rows):
            console.print(_render(part, console.width))
        if part.answer.best is not None:
            console.print(f"Best: {_best(part)}\n")
    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    console.print(f"{len(table)} cells: {counts}")
    for reason in content.reasons(table, content.FAILED):
        console.print(f"{reason.n} {reason.status}: {reason.reason}")
    console.print(f"The run lies in {table.attrs['folder']}", soft_wrap=True)


def _best(part: Part) -> str:
    told = headline(part)
    assert told.answer.best is not None
    assert told.best is not None
    text = f"{content.combination(told.answer.best)}: {part.metric} {told.best.value:.3f}"
    if told.best.low == told.best.low:
        text += f" ({told.best.low:.3f} to {told.best.high:.3f})"
    if told.tied:
        others = "others" if len(told.tied) > 1 else "other"
        text += f"; it cannot be told from {len(told.tied)} {others}"
    return text


def _render(part: Part, width: int) -> Table:
    """Lay out one dataset's combinations, best first.

    A narrow terminal has a combination in one column, a wide one its parts in several. Encoders and
    options are named where they tell combinations apart.
    """
    rows, metric = content.ranked(part.rows, part.metric), part.metric
    wide = width >= WIDE
    figures = [metric]
    with_interval, with_group = (
        width >= ROOMY and name in rows and bool(rows[name].notna().any())
        for name in (bounds_of(metric)[0], "rank_group")
    )
    if width >= FULL or (wide and not (with_interval or with_group)):
        figures += [name for name in FIGURES if name != metric and rows[name].notna().any()]
    laid = Table(title=Text(part.dataset), box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("modalities", "fusion", "head") if wide else ("combination",):
        laid.add_column(name)
    timed = "latency_ms_p50" in rows
    headings = [metric, *["95 %"] * with_interval, *["group"] * with_group, *figures[1:], "cells"]
    for name in headings + ["p50 ms"] * timed:
        laid.add_column(name, justify="right", no_wrap=True)
    with_encoders = "encoders" in telling_axes(rows)
    options = content.telling_options(rows)
    for given, row in zip(options, rows.to_dict("records"), strict=True):
        parts = [_modalities(row, with_encoders), row["fusion"], row["head"]]
        if not wide:
            parts = [", ".join(part for part in parts if part not in ("", "none"))]
        cells = [Text(part) for part in parts]
        if given:
            cells[0].append("\n" + "; ".join(given), style="dim")
        values = [content.figure(row[name], row[f"{name}_std"]) for name in figures]
        values[1:1] = [_between(row, metric)] * with_interval + [_group(row)] * with_group
        latency = [content.seconds(row["latency_ms_p50"])] if timed else []
        laid.add_row(*cells, *values, str(row["n"]), *latency)
    return laid


def _between(row: Mapping[str, Any], metric: str) -> str:
    low, high = (content.figure(row[bound]) for bound in bounds_of(metric))
    return f"{low} to {high}" if low else ""


def _group(row: Mapping[str, Any]) -> str:
    import pandas as pd

    return "" if pd.isna(row["rank_group"]) else str(row["rank_group"])


def _modalities(row: Mapping[str, Any], with_encoders: bool) -> str:
    names = content.encoder_names(row).items()
    return " + ".join(
        f"{modality} by {name}" if with_encoders else modality for modality, name in names
    )
