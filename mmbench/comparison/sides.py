"""The two runs of a comparison: their tables, their predictions and the metric to compare by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.comparison.pairs import Predictions
from mmbench.contracts import Metric
from mmbench.errors import UserError, did_you_mean
from mmbench.report.content import Record, combination, read_record
from mmbench.results import (
    AXES,
    COUNTS,
    STATUS,
    metrics_of,
    predictions_file,
    read_predictions,
    read_results,
)

if TYPE_CHECKING:
    import pandas as pd


class Side:
    """One of the two runs.

    Parameters
    ----------
    path : path
        The run's folder, or a table of cells alone.

    Raises
    ------
    UserError
        There is no table of cells, or it is none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.table = read_results(path)
        self.folder = Path(self.table.attrs["folder"])
        lacking = [name for name in (*AXES, *STATUS, *COUNTS) if name not in self.table]
        if lacking:
            raise UserError(f"{path}: is no table of cells: the column {lacking[0]!r} is missing")
        twice = self.table["cell"][self.table["cell"].duplicated()]
        if len(twice):
            raise UserError(f"{path}: the cell {twice.iloc[0]} stands there twice")

    @cached_property
    def rows(self) -> dict[str, dict[str, Any]]:
        """The table's rows by cell, in its order."""
        return {row["cell"]: row for row in self.table.to_dict("records")}

    @cached_property
    def done(self) -> set[str]:
        """The cells that were evaluated."""
        return {cell for cell, row in self.rows.items() if row["status"] == "ok"}

    @cached_property
    def record(self) -> Record:
        """The environment and the matrix file that lie beside the table."""
        return read_record(self.table)

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics in the table."""
        return metrics_of(self.table)

    @cached_property
    def has_predictions(self) -> bool:
        """Whether predictions lie beside the table."""
        return any((self.folder / "predictions").glob("*.parquet"))

    def file(self, cell: str) -> Path:
        """Return the file of a cell's predictions, or raise `UserError` where it is missing."""
        file = predictions_file(self.folder, cell)
        if not file.is_file():
            raise UserError(f"{file}: is missing; the cell's status is ok")
        return file

    def predictions(self, cell: str) -> Predictions:
        """Read a cell's predictions, or raise `UserError` where they are damaged."""
        file = self.file(cell)
        try:
            table = read_predictions(self.folder, cell).sort_values("id", kind="stable")
            names = [name for name in table if name.startswith("p_")]
            return Predictions(
                table["id"].to_numpy(object),
                table["truth"].to_numpy(object),
                tuple(name.removeprefix("p_") for name in names),
                table[names].to_numpy(np.float64),
                table["group"].to_numpy(object) if "group" in table else None,
            )
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None

    def options(self, metric: str) -> Mapping[str, Any]:
        """Return the options that a metric was computed with."""
        try:
            record = json.loads((self.folder / "metrics.json").read_text("utf-8"))
            return dict(record.get(metric, {}))
        except (OSError, ValueError, AttributeError):
            return {}

    def timings(self) -> pd.DataFrame | None:
        """Return the table of timings, None where the run was not timed."""
        from mmbench.measurement.table import FILE, read_timings

        return read_timings(self.folder) if (self.folder / FILE).is_file() else None


def known_metric(name: str, a: Side, b: Side, plugins: Sequence[str]) -> Metric:
    """Build the metric to compare by.

    Raises
    ------
    UserError
        A table lacks it, its options differ, or no plugin has it.
    """
    from mmbench.catalogue import load_catalogue
    from mmbench.options import build

    for side in (a, b):
        if name not in side.metrics:
            hint = did_you_mean(name, side.metrics)
            raise UserError(f"--metric {name}: {side.path} has no such metric{hint}")
    options = a.options(name)
    if a.has_predictions and b.has_predictions and options != b.options(name):
        raise UserError(
            f"--metric {name}: its options are {json.dumps(options)} in {a.path} and "
            f"{json.dumps(b.options(name))} in {b.path}"
        )
    entries = load_catalogue(plugins).entries["metric"]
    if name not in entries:
        raise UserError(f"--metric {name}: no plugin has it; name its file with --plugin")
    built: Metric = build(entries[name], options, {"seed": 0, "threads": 1})
    return built


def place(row: Mapping[str, Any]) -> dict[str, str]:
    """Return which combination a row of the table of cells is of, in words."""
    named = str(combination(row)) if row["modalities"] else "the whole dataset"
    varied = [f"{axis} {row[axis]}" for axis in ("corruption", "train_size") if row[axis]]
    return {"dataset": row["dataset"], "combination": "; ".join([named, *varied])}
