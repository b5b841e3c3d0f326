"""Training curves and combinations in TensorBoard, where ``MMBENCH_TENSORBOARD`` asks for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench import hookimpl

if TYPE_CHECKING:
    import pandas as pd

    from mmbench_tensorboard.tracker import Tracker

_trackers: dict[Path, Tracker] = {}
"""By the run's folder, from the start of a run to its end."""


@hookimpl
def mmbench_run_started(run: Any) -> None:
    """Write the curves that are there."""
    _trackers.pop(run.folder, None)
    asked = os.environ.get("MMBENCH_TENSORBOARD", "0")
    if asked not in ("", "0"):
        from mmbench_tensorboard.tracker import Tracker

        into = run.folder / "tensorboard" if asked == "1" else Path(asked).expanduser() / run.name
        tracker = Tracker(run.folder, into)
        for row in run.rows.values():
            tracker.add(row)
        _trackers[run.folder] = tracker


@hookimpl
def mmbench_cell_finished(run: Any, row: Mapping[str, Any]) -> None:
    """Write the curves of what a cell has trained."""
    if (tracker := _trackers.pop(run.folder, None)) is not None:
        tracker.add(row)
        _trackers[run.folder] = tracker  # what fails, as on a full disk, is told once


@hookimpl
def mmbench_run_finished(run: Any, table: pd.DataFrame) -> None:
    """Write the figures of all combinations."""
    if (tracker := _trackers.pop(run.folder, None)) is not None:
        tracker.finish(table)
