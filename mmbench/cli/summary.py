"""A run's summarised table on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmbench.report import content
from mmbench.report.trials import plain
from mmbench.results import summarise, telling_axes

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("f1_macro", "log_loss")
WIDE = 110
"""Columns of a terminal from which further figures are shown beside the headline metric."""


def print_run(table: pd.DataFrame) -> None:
    """Print the summary per dataset, the best combination, the failures, where the run lies."""
    console = Console(highlight=False, markup=False, emoji=False)
    summary = summarise(table)
    metric = content.read_record(table).metric
    for dataset in dict.fromkeys(summary["dataset"]) if len(summary) else ():
        rows = content.ranked(plain(summary[summary["dataset"] == dataset]), metric)
        if len(rows):
            console.print(_render(rows, str(dataset), metric, console.width))
        best = content.answer(rows, metric).best
        if best is not None:
            console.print(f"Best: {content.combination(best)}: {metric} {best[metric]:.3f}\n")
    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    console.print(f"{len(table)} cells: {counts}")
    for reason in content.reasons(table, content.FAILED):
        console.print(f"{reason.n} {reason.status}: {reason.reason}")
    console.print(f"The run lies in {table.attrs['folder']}", soft_wrap=True)


def _render(rows: pd.DataFrame, dataset: str, metric: str, width: int) -> Table:
    """Lay out one dataset's combinations, best first.

    A narrow terminal has a combination in one column, a wide one its parts in several. Encoders and
    options are named where they tell combinations apart.
    """
    wide = width >= WIDE
    figures = [metric]
    if wide:
        figures += [name for name in FIGURES if name != metric and rows[name].notna().any()]
    laid = Table(title=Text(dataset), box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("modalities", "fusion", "head") if wide else ("combination",):
        laid.add_column(name)
    for name in figures:
        laid.add_column(name, justify="right", no_wrap=True)
    laid.add_column("cells", justify="right", no_wrap=True)
    timed = "latency_ms_p50" in rows
    if timed:
        laid.add_column("p50 ms", justify="right", no_wrap=True)
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
        latency = [content.seconds(row["latency_ms_p50"])] if timed else []
        laid.add_row(*cells, *values, str(row["n"]), *latency)
    return laid


def _modalities(row: Mapping[str, Any], with_encoders: bool) -> str:
    names = content.encoder_names(row).items()
    return " + ".join(
        f"{modality} by {name}" if with_encoders else modality for modality, name in names
    )
