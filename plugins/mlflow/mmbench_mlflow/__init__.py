"""Runs in MLflow, where MLflow's own environment variables ask for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench import hookimpl

if TYPE_CHECKING:
    import pandas as pd

    from mmbench_mlflow.tracker import Tracker

ASKED = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID")
"""Without any of them nothing is tracked."""

_trackers: dict[Path, Tracker] = {}
"""By the run's folder, from the start of a run to its end."""


@hookimpl
def mmbench_run_started(run: Any) -> None:
    """Begin to track a run, or go on with the same one."""
    _trackers.pop(run.folder, None)
    if any(os.environ.get(name) for name in ASKED):
        from mmbench_mlflow.tracker import Tracker

        _trackers[run.folder] = Tracker(run)


@hookimpl
def mmbench_cell_finished(run: Any, row: Mapping[str, Any]) -> None:
    """Count a cell."""
    if (tracker := _trackers.get(run.folder)) is not None:
        tracker.count(row["status"])


@hookimpl
def mmbench_run_finished(run: Any, table: pd.DataFrame) -> None:
    """Log what the run has found."""
    if (tracker := _trackers.pop(run.folder, None)) is not None:
        tracker.finish(table)
