"""A run's summarised table on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mmbench.results import summarise, telling_axes

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("accuracy", "f1_macro", "log_loss")
WIDE = 110
"""Columns of a terminal from which all figures are shown."""


def print_run(table: pd.DataFrame) -> None:
    """Print the summary per dataset, the failures, and where the run lies."""
    console = Console()
    summary = summarise(table)
    for dataset in dict.fromkeys(summary["dataset"]) if len(summary) else ():
        rows = summary[summary["dataset"] == dataset]
        console.print(_render(rows, str(dataset), console.width))
    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    console.print(f"{len(table)} cells: {counts}", highlight=False)
    failed = table[~table["status"].isin(["ok", "skipped"])]
    for (status, reason), rows in failed.groupby(["status", "reason"], sort=False):
        console.print(f"{len(rows)} {status}: {escape(str(reason))}", highlight=False)
    console.print(
        f"The run lies in {escape(table.attrs['folder'])}", highlight=False, soft_wrap=True
    )


def _render(rows: pd.DataFrame, dataset: str, width: int) -> Table:
    """Lay out one dataset's combinations, best first; columns that say nothing are left out."""
    ranked = rows.sort_values("accuracy", ascending=False, kind="stable", na_position="last")
    figures = [name for name in FIGURES if ranked[name].notna().any()]
    if width < WIDE:
        figures = figures[:1]
    laid = Table(title=escape(dataset), box=box.SIMPLE_HEAD, title_justify="left")
    axes = telling_axes(ranked)
    for axis in axes:
        laid.add_column(axis, overflow="fold", no_wrap=axis in ("fusion", "head"))
    for name in figures:
        laid.add_column(name, justify="right", no_wrap=True)
    laid.add_column("cells", justify="right", no_wrap=True)
    for _, row in ranked.iterrows():
        values = [escape(str(row[axis]).replace("+", " + ")) for axis in axes]
        values += [_figure(row[name], row[f"{name}_std"]) for name in figures]
        laid.add_row(*values, str(row["n"]))
    return laid


def _figure(mean: float, std: float) -> str:
    if mean != mean:
        return ""
    return f"{mean:.3f}" if std != std else f"{mean:.3f}±{std:.3f}"
