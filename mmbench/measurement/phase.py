"""Times what a run has evaluated, when nothing else is done, and writes the table of timings."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.cells import Cell
from mmbench.errors import DamagedArtefactError
from mmbench.jobs import Outcome
from mmbench.measurement.composition import compose
from mmbench.measurement.measure import left_out, no_network
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

Row = dict[str, Any]

Teller = Callable[[str, int, int], None]
"""Told what is timed now, how many were timed before it, and of how many."""


def time_run(run: Run, context: Context, timeout: float | None, chosen: Iterable[Cell]) -> None:
    """Time some of what a run has evaluated, and keep the logs of what could not be timed."""

    def tell(what: str, done: int, total: int) -> None:
        run.observer.timing(run, what, done, total)

    phase = TimingPhase(run.plan, run.store, run.folder, context, timeout, tell)
    try:
        phase.perform(run.rows, (cell.id for cell in chosen))
    finally:
        for key, outcome in phase.outcomes.items():
            if outcome.traceback:
                text = f"{outcome.reason}\n\n{outcome.traceback}"
                run.out.write_text(f"logs/time-{key[:12]}.log", text)


@dataclass
class TimingPhase:
    """The part of a run that times; its results are kept in the store like all others.

    Attributes
    ----------
    outcomes : dict of str to Outcome
        How the jobs that it did ended, by key.
    """

    plan: Plan
    store: Store
    folder: Path
    context: Context
    timeout: float | None
    teller: Teller

    def __post_init__(self) -> None:
        assert self.plan.source.matrix.timing is not None
        self.planned = TimingPlan(self.plan, self.plan.source.matrix.timing)
        self.every = self.planned.settings
        self.outcomes: dict[str, Outcome] = {}
        self._stored: dict[str, Row] = {}
        self._sums: dict[tuple[str, Settings], Row | None] = {}

    def perform(self, rows: dict[str, Row], chosen: Iterable[str]) -> None:
        """Time the parts of all finished combinations, and some combinations as a whole.

        Parameters
        ----------
        rows : dict
            The table's rows by cell; those of timed cells are given the timing columns.
        chosen : iterable of str
            Cells to work on; others have their figures where these are stored.

        Raises
        ------
        KeyboardInterrupt
            The user interrupted it; what had been timed is in the table.
        """
        wanted = set(chosen)
        combinations = self.planned.combinations(rows)
        mine = [c for c in combinations if any(cell.id in wanted for cell in c.cells)]
        interrupted = False
        try:
            self._time_parts(u for s in self.every for c in mine for u in self.planned.parts(c, s))
        except KeyboardInterrupt:
            interrupted = True
        first = {c.first.id: self._composed(c, self.every[0]) for c in combinations}
        known = {cell: row for cell, row in first.items() if row is not None}
        for combination in combinations:
            if figures := known.get(combination.first.id):
                for cell in combination.cells:
                    rows[cell.id] |= {name: figures.get(name) for name in CELL_COLUMNS}
                    ok = figures["status"] == "ok"
                    rows[cell.id]["timing"] = "composed" if ok else figures["status"]
        timed = [c for c in combinations if c.first.id in known]
        whole = worth_measuring(timed, known, rows, self.plan)
        ours = [c for c in whole if any(cell.id in wanted for cell in c.cells)]
        asked = [self.planned.whole(c, s) for s in self.every for c in ours]
        if not interrupted:
            try:
                self._time(unit for unit in asked if self._applies(unit))
            except KeyboardInterrupt:
                interrupted = True
        listed = self._listed(combinations, whole)
        self._keep_raw(listed)
        table = make_timings(listed.values())
        write_timings(with_imported(table, self.folder), self.folder)
        if interrupted:
            raise KeyboardInterrupt

    # --- doing ---------------------------------------------------------------------------------

    def _time_parts(self, units: Iterable[Unit]) -> None:
        """Time parts; those that a precision leaves as they are, without it."""
        asked = list({unit.key: unit for unit in units}.values())
        self._time(unit for unit in asked if unit.plain is None)
        self._time(unit for unit in asked if self._applies(unit))
        self._time(unit.plain for unit in asked if unit.plain and not self._applies(unit))

    def _applies(self, unit: Unit) -> bool:
        """Whether the settings make a difference to a part, as far as is known."""
        if unit.plain is None:
            return True
        plain, own = self._result(unit.plain), self._result(unit)
        if own is not None:
            return bool(own["status"] != "skipped")
        return plain is None or plain.get("parameters") is not None

    def _time(self, units: Iterable[Unit]) -> None:
        """Time what has not been timed, one after the other, each in a process of its own.

        Of several runs on a machine that share a store, one times at a time.
        """
        from filelock import FileLock

        left = {u.key: u for u in units if u.key not in self.outcomes and self._result(u) is None}
        if not left:
            return
        for key, values in self.plan.graph.arrays.items():
            self.store.put_array(key, values)
        with FileLock(self.store.folder / f"timing-{platform.node()}.lock"):
            for number, unit in enumerate(left.values()):
                self.teller(unit.label, number, len(left))
                self.outcomes[unit.key] = self._perform(unit)

    def _perform(self, unit: Unit) -> Outcome:
        """Have a part timed in a fresh process, and before that what it stands on in others."""
        schedule = Schedule(self.plan.graph, self.store)
        context = replace(self.context, device=unit.settings.device)
        for keys in (self.plan.graph.jobs[unit.key].inputs, [unit.key]):
            schedule.require(keys)
            runner = LocalRunner(context, 1, self.timeout)
            try:
                schedule.run(runner, lambda key: None, lambda: None)
            finally:
                runner.close()
        job, outcome = schedule.outcomes[unit.key]
        return replace(outcome, reason=f"{job.label}: {outcome.reason}")

    # --- reading -------------------------------------------------------------------------------

    def _result(self, unit: Unit) -> Row | None:
        """Return a stored row; None where there is none."""
        if unit.key not in self._stored and unit.key in self.store:
            try:
                self._stored[unit.key] = self.store.open(unit.key).meta["timing"]
            except DamagedArtefactError:
                return None
        return self._stored.get(unit.key)

    def _row(self, unit: Unit) -> Row | None:
        """Return the row of a part as it was asked for; None where it was never timed."""
        found = self._result(unit)
        if found is not None:
            return found
        if not self._applies(unit):
            return left_out(unit.settings, no_network(unit.settings))
        outcome = self.outcomes.get(unit.key)
        if outcome is None:
            return None
        return {**unit.settings.columns, "status": outcome.status, "reason": outcome.reason}

    def _composed(self, combination: Combination, settings: Settings) -> Row | None:
        """Return what the parts of a combination come to; None where one was never timed.

        A part that a precision leaves as it is stands in it as it is without.
        """
        asked = (combination.first.id, settings)
        if asked not in self._sums:
            self._sums[asked] = self._added(combination, settings)
        return self._sums[asked]

    def _added(self, combination: Combination, settings: Settings) -> Row | None:
        units = self.planned.parts(combination, settings)
        rows = [self._row(unit) for unit in units]
        if any(row is not None and row["status"] != "skipped" for row in rows):
            units = [
                unit.plain if unit.plain and row and row["status"] == "skipped" else unit
                for unit, row in zip(units, rows, strict=True)
            ]
            rows = [self._row(unit) for unit in units]
        known = [row for row in rows if row is not None]
        if not units or len(known) < len(units):
            return None
        timed = all(row["status"] == "ok" for row in known)
        raws = [self.store.open(unit.key).array("seconds") for unit in units] if timed else []
        return compose(known, raws, settings)

    def _listed(
        self, combinations: Iterable[Combination], whole: Sequence[Combination]
    ) -> dict[str, Row]:
        """Return the table's rows: of each combination its parts, what they come to, the whole."""
        listed: dict[str, Row] = {}

        def add(key: str, columns: Mapping[str, Any], row: Row | None) -> None:
            if row is not None:
                version = metadata.version("mmbench")
                listed.setdefault(key, {**columns, **row, "mmbench_version": version})

        chosen = {combination.first.id for combination in whole}
        for settings in self.every:
            for combination in combinations:
                for unit in self.planned.parts(combination, settings):
                    add(unit.key, unit.columns, self._row(unit))
                columns = {"unit": "composed", **combination.columns}
                key = f"{combination.first.id} {settings}"
                add(key, columns, self._composed(combination, settings))
                if combination.first.id in chosen:
                    unit = self.planned.whole(combination, settings)
                    add(unit.key, unit.columns, self._row(unit))
        return listed

    def _keep_raw(self, listed: Mapping[str, Row]) -> None:
        """Write the raw samples to the run's folder, and say where they are."""
        folder = self.folder / "timings"
        folder.mkdir(exist_ok=True)
        kept = set()
        for key, row in listed.items():
            if row["unit"] != "composed" and row["status"] == "ok":
                row["raw"] = f"{key[:16]}.npy"
                kept.add(row["raw"])
                if not (folder / row["raw"]).is_file():
                    np.save(folder / row["raw"], self.store.open(key).array("seconds"))
        for file in folder.glob("*.npy"):
            if file.name not in kept:
                file.unlink()
