"""Times what a run has evaluated, when nothing else is done, and writes the table of timings."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.jobs import Outcome
from mmbench.measurement.composition import compose
from mmbench.measurement.schedule import Combination, TimingPlan, Unit
from mmbench.measurement.selection import worth_measuring
from mmbench.measurement.settings import Settings
from mmbench.measurement.table import make_timings, with_imported, write_timings
from mmbench.planning import Plan
from mmbench.runners.local import LocalRunner
from mmbench.schedule import Schedule
from mmbench.store import Store
from mmbench.workshop import Context

if TYPE_CHECKING:
    from mmbench.execution import Run

CELL_COLUMNS = (
    "latency_ms_p50", "latency_ms_p90", "latency_ms_p99", "throughput", "batch_size", "device",
    "precision", "peak_memory_mb", "peak_gpu_memory_mb", "energy_j_per_sample", "parameters",
)  # fmt: skip

Teller = Callable[[str, int, int], None]
"""Told what is timed now, how many were timed before it, and of how many."""


def time_run(run: Run, context: Context, timeout: float | None) -> None:
    """Time what a run has evaluated, and keep the logs of what could not be timed."""

    def tell(what: str, done: int, total: int) -> None:
        run.observer.timing(run, what, done, total)

    phase = TimingPhase(run.plan, run.store, run.folder, context, timeout, tell)
    phase.perform(run.rows, (cell.id for cell in run.chosen))
    for number, outcome in enumerate(phase.outcomes.values()):
        if outcome.traceback:
            text = f"{outcome.reason}\n\n{outcome.traceback}"
            run.out.write_text(f"logs/time-{number}.log", text)


@dataclass
class Found:
    """What timing one part gave: rows of the table, and seconds by the row's ``raw``."""

    rows: list[dict[str, Any]]
    raw: dict[str, np.ndarray]


class TimingPhase:
    """The part of a run that times; its results are kept in the store like all others."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        folder: Path,
        context: Context,
        timeout: float | None,
        teller: Teller,
    ) -> None:
        assert plan.source.matrix.timing is not None
        self.planned = TimingPlan(plan, plan.source.matrix.timing)
        self.plan = plan
        self.store = store
        self.folder = folder
        self.context = context
        self.timeout = timeout
        self.teller = teller
        self.outcomes: dict[str, Outcome] = {}

    def perform(self, rows: dict[str, dict[str, Any]], chosen: Iterable[str]) -> None:
        """Time the parts of all finished combinations, and some combinations as a whole.

        Parameters
        ----------
        rows : dict
            The table's rows by cell; those of timed cells are given the timing columns.
        chosen : iterable of str
            Cells to work on; others have their figures where these are stored.
        """
        wanted = set(chosen)
        combinations = self.planned.combinations(rows)
        mine = [c for c in combinations if any(cell.id in wanted for cell in c.cells)]
        every = list(self.planned.settings())
        self._time(unit for s in every for c in mine for unit in self.planned.parts(c.first, s))
        table: dict[tuple[str, str], list[dict[str, Any]]] = {}
        composed: dict[str, dict[str, Any]] = {}
        for settings in every:
            for combination in combinations:
                made = self._compose(combination, settings, table)
                if made and settings == every[0]:
                    composed[combination.first.id] = {**made[0], "unit": "composed"}
        for combination in combinations:
            if figures := composed.get(combination.first.id):
                for cell in combination.cells:
                    rows[cell.id] |= {name: figures.get(name) for name in CELL_COLUMNS}
                    rows[cell.id]["timing"] = figures["unit"]
        whole = worth_measuring(mine, composed, rows, self.plan)
        self._wholes(whole, every, table)
        listed = [row for group in table.values() for row in group]
        write_timings(with_imported(make_timings(listed), self.folder), self.folder)
        self._keep_raw(listed)

    # --- doing ---------------------------------------------------------------------------------

    def _time(self, units: Iterable[Unit]) -> None:
        """Time what has not been timed, one after the other, each in a process of its own."""
        from filelock import FileLock

        left = {unit.key: unit for unit in units if unit.key not in self.store}
        if not left:
            return
        for key, values in self.plan.graph.arrays.items():
            self.store.put_array(key, values)
        with FileLock(Path(tempfile.gettempdir()) / "mmbench-timing.lock"):
            for number, unit in enumerate(left.values()):
                self.teller(f"{unit.unit} {unit.name}", number, len(left))
                self.outcomes[unit.key] = self._perform(unit)

    def _perform(self, unit: Unit) -> Outcome:
        schedule = Schedule(self.plan.graph, self.store)
        schedule.require([unit.key])
        context = replace(self.context, device=unit.settings.device)
        runner = LocalRunner(context, 1, self.timeout)
        try:
            schedule.run(runner, lambda key: None, lambda: None)
        finally:
            runner.close()
        job, outcome = schedule.outcomes[unit.key]
        if outcome.status != "ok":
            return replace(outcome, reason=f"{job.label}: {outcome.reason}")
        return outcome

    # --- reading -------------------------------------------------------------------------------

    def _found(self, unit: Unit) -> Found | None:
        """Return a part's figures; None where it was never timed."""
        if unit.key in self.store:
            artefact = self.store.open(unit.key)
            rows: list[dict[str, Any]] = artefact.meta["timings"]
            return Found(rows, {r["raw"]: artefact.array(r["raw"]) for r in rows if r.get("raw")})
        outcome = self.outcomes.get(unit.key)
        if outcome is None:
            return None
        asked = unit.settings
        rows = [
            {
                "scenario": scenario,
                "batch_size": size,
                "device": asked.device,
                "precision": asked.precision,
                "compile": asked.compile,
                "status": outcome.status,
                "reason": outcome.reason,
            }
            for scenario, size in asked.runs
        ]
        return Found(rows, {})

    def _compose(
        self,
        combination: Combination,
        settings: Settings,
        table: dict[tuple[str, str], list[dict[str, Any]]],
    ) -> list[dict[str, Any]]:
        """Note the parts of a combination, and what they come to."""
        cell = combination.first
        units = self.planned.parts(cell, settings)
        found = [self._found(unit) for unit in units]
        if not units or any(one is None for one in found):
            return []
        known = [one for one in found if one is not None]
        for unit, one in zip(units, known, strict=True):
            if ("", unit.key) not in table:
                table["", unit.key] = [self._row(unit, row, whole=False) for row in one.rows]
        made = compose([one.rows for one in known], [one.raw for one in known], settings)
        name = " ".join(filter(None, (str(cell.axes["fusion"]), str(cell.axes["head"]))))
        unit = Unit("", "composed", name, cell, settings)
        key = (cell.id, repr(settings))
        table[key] = [self._row(unit, row, whole=True) for row in made]
        return made

    def _wholes(
        self,
        combinations: Iterable[Combination],
        every: Iterable[Settings],
        table: dict[tuple[str, str], list[dict[str, Any]]],
    ) -> None:
        units = [
            unit
            for settings in every
            for combination in combinations
            if (unit := self.planned.whole(combination.first, settings)) is not None
        ]
        self._time(units)
        for unit in units:
            found = self._found(unit)
            if found is not None:
                table[unit.cell.id, unit.key] = [
                    self._row(unit, row, whole=True) for row in found.rows
                ]

    def _row(self, unit: Unit, figures: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
        axes = unit.cell.axes
        raw = figures.get("raw")
        return {
            "unit": unit.unit,
            "name": unit.name,
            "cell": unit.cell.id if whole else None,
            "dataset": axes["dataset"],
            "modalities": axes["modalities"],
            "params": axes["params"] if whole else None,
            "mmbench_version": metadata.version("mmbench"),
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **figures,
            "raw": f"{unit.key[:16]}-{raw}.npy" if raw else None,
            "_key": unit.key,
            "_raw": raw,
        }

    def _keep_raw(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the raw samples to the run's folder."""
        folder = self.folder / "timings"
        folder.mkdir(exist_ok=True)
        kept = set()
        for row in rows:
            if row["raw"]:
                kept.add(row["raw"])
                if not (folder / row["raw"]).is_file():
                    np.save(folder / row["raw"], self.store.open(row["_key"]).array(row["_raw"]))
        for file in folder.glob("*.npy"):
            if file.name not in kept:
                file.unlink()
