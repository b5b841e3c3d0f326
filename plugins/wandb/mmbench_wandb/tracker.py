"""Follows one run and tells Weights & Biases of it."""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

IDENTITY = "wandb.json"
"""In the run's folder: the identifier of its run in Weights & Biases."""
FILES = (
    "matrix.toml", "environment.json", "cells.csv", "cells.parquet", "report.html", "report.md"
)  # fmt: skip
"""The files of the run's folder that the artifact holds."""
INTERRUPTED = 130


class Tracker:
    """Logs one run of mmbench as a run in Weights & Biases.

    A run that is continued in its folder continues the same run there.

    Parameters
    ----------
    run : the run that the events tell of
        Its ``name``, ``folder``, ``chosen`` cells and ``rows``, those taken over from before
        included, are used.

    Raises
    ------
    wandb.errors.Error
        The service cannot be used: nobody is logged in, or the network is not there.
    """

    def __init__(self, run: Any) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # unless the user says otherwise
        import wandb

        self.run = run
        self.folder: Path = run.folder
        done = [row["status"] for row in run.rows.values() if row["status"] != "skipped"]
        self.finished, self.failed = len(done), len(done) - done.count("ok")
        self.counting = True
        self.tracked = wandb.init(
            id=_identity(self.folder),
            name=os.environ.get("WANDB_NAME") or run.name,
            resume="allow",
            reinit="create_new",
            config=_origin(self.folder),
            allow_val_change=True,
            settings=wandb.Settings(console="off"),
        )
        self.tracked.define_metric("cells_failed", step_metric="cells_finished")

    def count(self, status: str) -> None:
        """Count a cell that has its row."""
        if status == "skipped":
            return
        self.finished += 1
        self.failed += status != "ok"
        if self.counting:
            self.counting = False  # where this fails, it is told once
            self.tracked.log({"cells_finished": self.finished, "cells_failed": self.failed})
            self.counting = True

    def finish(self, table: pd.DataFrame) -> None:
        """Log the summarised table and the files, and end the run there."""
        import wandb

        import mmbench

        summary = mmbench.summarise(table)
        values = summary.astype(object).where(summary.notna(), None)
        told = wandb.Table(
            columns=list(summary.columns), data=values.to_numpy().tolist(), allow_mixed_types=True
        )
        self.tracked.log({"combinations": told})
        artifact = wandb.Artifact(f"mmbench-{self.tracked.id}", type="mmbench-run")
        for name in FILES:
            if (file := self.folder / name).is_file():
                artifact.add_file(str(file))
        with artifact.new_file("summary.csv", encoding="utf-8") as made:
            summary.to_csv(made, index=False, lineterminator="\n")
        self.tracked.log_artifact(artifact)
        is_whole = all(cell.id in self.run.rows for cell in self.run.chosen)
        self.tracked.finish(0 if is_whole else INTERRUPTED)


def _identity(folder: Path) -> str:
    """Return what stands for the run in this folder, also where the folder is moved."""
    file = folder / IDENTITY
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return uuid.UUID(json.loads(file.read_text("utf-8"))["run"]).hex
    made = uuid.uuid4().hex
    file.write_text(json.dumps({"run": made}) + "\n", encoding="utf-8")
    return made


def _origin(folder: Path) -> dict[str, Any]:
    """Return the matrix as run, and what it was run with, as JSON knows them."""
    matrix = tomllib.loads((folder / "matrix.toml").read_text("utf-8"))
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    origin: dict[str, Any] = json.loads(
        json.dumps({"matrix": matrix, "environment": environment}, default=str)
    )
    return origin
