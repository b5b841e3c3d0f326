"""Follows one run and tells MLflow of it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench_mlflow.combinations import Combination, combinations
from mmbench_mlflow.names import KEY_LENGTH, key, text

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run

DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Unless the user says otherwise: its makers are sent no data, a run does not wait for minutes, and
no addresses stand between what mmbench prints."""

IDENTITY = "mlflow.json"
"""In the run's folder: by what its run in MLflow is found again."""
AT_START = ("matrix.toml", "environment.json")
AT_END = ("cells.csv", "report.html", "report.md")
"""The files of the run's folder that become artifacts."""
SECONDS, CELLS = 5, 400
"""How long counts of cells are gathered, and for how many cells at most, before they are sent."""
BATCH = 100
"""How many parameters or tags MLflow takes at once."""


class Tracker:
    """Logs one run of mmbench as a run in MLflow, with a nested run for each combination.

    A run that is continued in its folder continues the same run in MLflow, found by a tag.

    Parameters
    ----------
    run : the run that the events tell of
        Its ``name``, ``folder``, ``chosen`` cells and ``rows``, those taken over from before
        included, are used.

    Raises
    ------
    mlflow.exceptions.MlflowException
        The store or the experiment cannot be used.
    """

    def __init__(self, run: Any) -> None:
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self.run = run
        self.folder: Path = run.folder
        self.client = MlflowClient()
        self.experiment = _experiment(self.client)
        self.id = self._begin(run.name)
        self._log(self.id, tags=_origin(self.folder))
        self._log_files(AT_START)
        done = [row["status"] for row in run.rows.values() if row["status"] != "skipped"]
        self.finished, self.failed = len(done), len(done) - done.count("ok")
        self.counts: list[tuple[int, int, int, int]] = []
        history = self.client.get_metric_history(self.id, "cells_finished")
        self.step = max((point.step for point in history), default=0)
        if history or done:
            self._note()
        self.sent = time.monotonic()
        self.sending = True

    def _begin(self, name: str) -> str:
        """Return the identifier of the run in MLflow, made where there is none yet."""
        identity = _identity(self.folder)
        found = self.client.search_runs(
            [self.experiment], f"tags.`mmbench.run` = '{identity}'", max_results=1
        )
        if found:
            self.client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
        tags = {"mmbench.run": identity, "mlflow.source.name": "mmbench"}
        with contextlib.suppress(KeyError, OSError):  # where nobody knows the user
            tags["mlflow.user"] = getpass.getuser()
        made = self.client.create_run(self.experiment, tags=tags, run_name=text(name, KEY_LENGTH))
        return str(made.info.run_id)

    # --- while ---------------------------------------------------------------------------------

    def count(self, status: str) -> None:
        """Count a cell that has its row, and send the counts now and then."""
        if status == "skipped":
            return
        self.finished += 1
        self.failed += status != "ok"
        self._note()
        if self.sending and (len(self.counts) >= CELLS or time.monotonic() - self.sent >= SECONDS):
            self.sending = False  # where this fails, it is told once and tried again at the end
            self._send()
            self.sending = True

    def _note(self) -> None:
        self.step += 1
        self.counts.append((self.step, _now(), self.finished, self.failed))

    def _send(self) -> None:
        from mlflow.entities import Metric

        for first in range(0, len(self.counts), CELLS):
            metrics = []
            for step, at, finished, failed in self.counts[first : first + CELLS]:
                metrics.append(Metric("cells_finished", finished, at, step))
                metrics.append(Metric("cells_failed", failed, at, step))
            self.client.log_batch(self.id, metrics=metrics)
        self.counts = []
        self.sent = time.monotonic()

    # --- after ---------------------------------------------------------------------------------

    def finish(self, table: pd.DataFrame) -> None:
        """Log the counts, the combinations and the files, and end the run in MLflow."""
        import mmbench

        self._send()
        summary = mmbench.summarise(table)
        known = self._combinations()
        for combination in combinations(summary, table):
            self._log_combination(combination, known.pop(combination.identity, None))
        for left in known.values():
            self.client.delete_run(left.info.run_id)
        self._log_files(AT_END)
        self.client.log_text(self.id, summary.to_csv(index=False), "summary.csv")
        is_whole = all(cell.id in self.run.rows for cell in self.run.chosen)
        self.client.set_terminated(self.id, "FINISHED" if is_whole else "KILLED")

    def _combinations(self) -> dict[str, Run]:
        """Return the nested runs that an earlier end has logged, by the combination's identity."""
        known = {}
        page = None
        while page != "":
            found = self.client.search_runs(
                [self.experiment], f"tags.`mlflow.parentRunId` = '{self.id}'", page_token=page
            )
            for child in found:
                if "mmbench.combination" in child.data.tags:  # the others are the user's own
                    known[child.data.tags["mmbench.combination"]] = child
            page = found.token or ""
        return known

    def _log_combination(self, combination: Combination, before: Run | None) -> None:
        """Log a nested run, or what has changed in one: parameters cannot, they are its name."""
        metrics = combination.metrics
        if before is None:
            tags = {"mlflow.parentRunId": self.id, "mlflow.source.name": "mmbench"}
            child = self.client.create_run(
                self.experiment, tags=tags, run_name=combination.name
            ).info.run_id
            self._log(child, metrics, combination.params, combination.tags)
        else:
            child = before.info.run_id
            earlier = before.data.metrics
            gone = dict.fromkeys(earlier.keys() - metrics.keys(), float("nan"))
            changed = {n: v for n, v in metrics.items() if earlier.get(n) != v}
            self._log(child, changed | gone, tags=combination.tags)
        self.client.set_terminated(child, "FINISHED" if combination.evaluated else "FAILED")

    def _log(
        self,
        run: str,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        values = [Metric(name, value, _now(), 0) for name, value in (metrics or {}).items()]
        settings = [Param(name, value) for name, value in (params or {}).items()]
        labels = [RunTag(name, value) for name, value in (tags or {}).items()]
        for first in range(0, max(len(values), len(settings), len(labels)), BATCH):
            batch = slice(first, first + BATCH)
            self.client.log_batch(run, values[batch], settings[batch], labels[batch])

    def _log_files(self, names: Sequence[str]) -> None:
        for name in names:
            if (file := self.folder / name).is_file():
                self.client.log_artifact(self.id, str(file))


def _now() -> int:
    """Return the time as MLflow takes it, in milliseconds since 1970."""
    return int(time.time() * 1000)


def _experiment(client: MlflowClient) -> str:
    """Return the identifier of the experiment that the environment names, made where it is new."""
    if number := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return str(client.get_experiment(number).experiment_id)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _identity(folder: Path) -> str:
    """Return what stands for the run in this folder, also where the folder is moved."""
    file = folder / IDENTITY
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return uuid.UUID(json.loads(file.read_text("utf-8"))["run"]).hex
    made = uuid.uuid4().hex
    file.write_text(json.dumps({"run": made}) + "\n", encoding="utf-8")
    return made


def _origin(folder: Path) -> dict[str, str]:
    """Return what a run was made with, from its ``environment.json``."""
    record = json.loads((folder / "environment.json").read_text("utf-8"))
    tags = {"mmbench.matrix": record.pop("run")}
    for topic, said in record.items():
        for part, value in said.items() if isinstance(said, dict) else [("", said)]:
            told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            tags[f"{topic}.{part}" if part else topic] = told
    return {key(tag): text(value) for tag, value in tags.items()}
