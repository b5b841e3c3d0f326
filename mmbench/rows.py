"""A cell's row: read from the store and the plan once its jobs have ended."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np

from mmbench.cells import Cell
from mmbench.errors import printable
from mmbench.folder import RunFolder
from mmbench.options import canonical
from mmbench.planner import CellJobs
from mmbench.planning import BrokenDataset, Plan
from mmbench.results import write_predictions
from mmbench.store import Store

PHASES = {"embed": "embed_s", "fit": "fit_s", "predict": "predict_s"}


class RowMaker:
    """Makes the rows of one plan."""

    def __init__(self, plan: Plan, store: Store, out: RunFolder) -> None:
        self.plan = plan
        self.store = store
        self.out = out
        self._read: dict[str, Mapping[str, Any] | None] = {}
        self.uses = _count_uses(plan)

    def figures(self, cell: Cell, wanted: CellJobs, scored: Collection[str]) -> dict[str, Any]:
        """Read a cell's figures from the store, and write its predictions and curves to the folder.

        ``scored`` are the keys of the scores that were made. Raises `DamagedArtefactError`.
        """
        store, samples = self.store, self.plan.samples[cell.dataset]
        probabilities = np.asarray(store.open(wanted.final).array("probabilities"))
        metrics: dict[str, Any] = {}
        for key in wanted.scores:
            if key in scored:
                metrics |= store.open(key).meta["metrics"]
        write_predictions(
            self.out.path,
            cell.id,
            [samples.ids[i] for i in wanted.test],
            samples.labels[wanted.test],
            probabilities,
            samples.classes,
            None if samples.groups is None else samples.groups[wanted.test],
        )
        self._write_history(cell, wanted)
        return metrics | self._costs(wanted) | self._tuned(wanted)

    def _tuned(self, wanted: CellJobs) -> dict[str, Any]:
        """Return the values that tuning chose, by role, and the score that they had."""
        values: dict[str, Any] = {}
        score = None
        for modality, key in wanted.tuned.items():
            found = self.store.open(key).meta["tuning"]
            for role, chosen in found["values"].items():
                values[f"{role}.{modality}" if modality else role] = chosen
            if not modality:
                score = found["score"]
        return {"tuned": canonical(values) if values else "", "inner_score": score}

    def _costs(self, wanted: CellJobs) -> dict[str, float | None]:
        phases = dict.fromkeys(PHASES.values(), 0.0)
        shared = 0.0
        for job in self.plan.graph.closure((wanted.final, *wanted.scores)):
            told = self._told(job.key)
            if told is None:  # its result was pruned: nobody knows any more
                return dict.fromkeys([*PHASES.values(), "cost_s_shared"])
            seconds = told["seconds"]
            for phase, value in seconds.items():
                phases[PHASES[phase]] += value
            shared += sum(seconds.values()) / self.uses[job.key]
        return {**phases, "cost_s_shared": shared}

    def _write_history(self, cell: Cell, wanted: CellJobs) -> None:
        curves = {}
        for job in self.plan.graph.closure([wanted.final]):
            told = self._told(job.key)
            if told is not None and "history" in told:
                curves[job.label] = told["history"]
        if curves:
            self.out.write_json(f"fits/{cell.id}.json", curves)

    def _told(self, key: str) -> Mapping[str, Any] | None:
        """Return a job's seconds and history, read once; None where its result is not there."""
        if key not in self._read:
            meta = self.store.meta(key) or {}
            told: dict[str, Any] = {n: meta[n] for n in ("seconds", "history") if n in meta}
            self._read[key] = told or None
        return self._read[key]

    def row(self, cell: Cell, status: str, reason: str) -> dict[str, Any]:
        """Return a row without figures."""
        wanted = self.plan.wanted.get(cell.id)
        return {
            **cell.axes,
            "status": status,
            "reason": printable(" ".join(reason.split())),
            "n_train": len(wanted.train) if wanted else None,
            "n_test": len(wanted.test) if wanted else None,
            "n_classes": len(self.plan.samples[cell.dataset].classes),
            **_origin(),
        }

    @staticmethod
    def broken(dataset: BrokenDataset) -> dict[str, Any]:
        """Return the row of a dataset that could not be loaded."""
        return {
            "cell": dataset.id,
            "dataset": dataset.name,
            "status": "failed",
            "reason": dataset.reason,
            **_origin(),
        }


def _count_uses(plan: Plan) -> dict[str, int]:
    """Count, for each job, the cells that it serves."""
    uses: dict[str, int] = {}
    for wanted in plan.wanted.values():
        for job in plan.graph.closure((wanted.final, *wanted.scores)):
            uses[job.key] = uses.get(job.key, 0) + 1
    return uses


def _origin() -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"mmbench_version": _version(), "started": now}


@cache
def _version() -> str:
    """Read the version once: it takes a fifth of a millisecond, and every row has it."""
    return metadata.version("mmbench")
