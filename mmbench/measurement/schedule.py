"""Which parts of a run's combinations are timed: each once, on the first seed and fold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmbench.config import TimingBlock
from mmbench.environment import machine
from mmbench.matrix import Cell
from mmbench.measurement.settings import SAMPLES, Settings
from mmbench.options import canonical
from mmbench.planner import CellJobs
from mmbench.planning import Plan
from mmbench.results import KEYS
from mmbench.serving import embedding_keys


@dataclass(frozen=True)
class Unit:
    """One part of combinations, to be timed under one setting.

    Attributes
    ----------
    key : str
        Of the job that times it.
    unit : str
        One of `mmbench.measurement.work.UNITS`.
    name : str
        What it is, for people.
    cell : Cell
        The cell on whose fit it is timed.
    settings : Settings
    """

    key: str
    unit: str
    name: str
    cell: Cell
    settings: Settings


@dataclass(frozen=True)
class Combination:
    """The cells that differ only in seed and fold, and the first of them that can be timed."""

    cells: tuple[Cell, ...]
    first: Cell


class TimingPlan:
    """Adds timing jobs to a plan's graph, each part once, and says of which a cell is made."""

    def __init__(self, plan: Plan, timing: TimingBlock) -> None:
        self.plan = plan
        self.timing = timing
        self.machine = canonical(machine())

    def settings(self) -> Iterator[Settings]:
        """Return the devices × precisions × ways to compile, in the file's order."""
        timing = self.timing
        devices: Sequence[str] = timing.devices or [self.plan.device]
        rate = None if timing.server_rate == "search" else timing.server_rate
        for device, precision, way in itertools.product(devices, timing.precisions, timing.compile):
            yield Settings(
                scenarios=tuple(timing.scenarios),
                batch_sizes=tuple(timing.batch_sizes),
                device=device,
                precision=precision,
                compile=way,
                min_repeats=timing.min_repeats,
                min_seconds=timing.min_seconds,
                max_seconds=timing.max_seconds,
                warmup=timing.warmup,
                stages=timing.stages,
                server_rate=rate,
                p99_bound_ms=timing.p99_bound_ms,
            )

    def combinations(self, rows: Mapping[str, Mapping[str, Any]]) -> list[Combination]:
        """Return the combinations that have a finished cell, in the table's order."""
        groups: dict[str, list[Cell]] = {}
        for cell in self.plan.cells:
            if rows.get(cell.id, {}).get("status") == "ok":
                identity = canonical([cell.axes.get(key) for key in KEYS])
                groups.setdefault(identity, []).append(cell)
        return [Combination(tuple(cells), cells[0]) for cells in groups.values()]

    def parts(self, cell: Cell, settings: Settings) -> list[Unit]:
        """Return the parts that a cell is made of: encoders, then what decides."""
        wanted = self.plan.wanted[cell.id]
        jobs = self.plan.graph.jobs
        asked = settings.for_parts()
        specs = {key: {"kind": job.kind, "spec": job.spec} for key, job in jobs.items()}
        plain = replace(asked, precision="fp32", compile="none")
        encoders = dict(zip(cell.modalities, cell.encoders, strict=True))
        made = []
        for modality, key in embedding_keys(wanted.final, specs).items():
            name = encoders[modality].name
            made.append(self._unit("encoder", key, name, cell, asked, modality=modality))
        final = jobs[wanted.final]
        heads = [wanted.final]
        if final.kind == "decide":
            heads = list(final.spec["probabilities"].values())
        for key in heads:
            name = jobs[key].label.removeprefix("fit ")
            made.append(self._unit("classifier", key, name, cell, plain))
        if final.kind == "decide":
            name = str(cell.axes["fusion"])
            made.append(self._unit("decision", wanted.final, name, cell, plain))
        return [unit for unit in made if unit is not None]

    def whole(self, cell: Cell, settings: Settings) -> Unit | None:
        """Return the whole of a cell, from raw items to classes."""
        wanted = self.plan.wanted[cell.id]
        name = " ".join(filter(None, (cell.axes["fusion"], cell.axes["head"])))
        return self._unit("end-to-end", wanted.final, name, cell, settings)

    def _unit(
        self,
        unit: str,
        of: str,
        name: str,
        cell: Cell,
        settings: Settings,
        modality: str | None = None,
    ) -> Unit | None:
        graph, wanted = self.plan.graph, self.plan.wanted[cell.id]
        rows = self._rows(cell, wanted)
        if not len(rows):
            return None
        closure = list(graph.closure([of]))
        spec = {
            "unit": unit,
            "of": of,
            "modality": modality,
            "rows": graph.array(rows),
            "test": graph.array(wanted.test),
            "settings": settings.to_dict(),
            "machine": self.machine,
        }
        hidden = {"jobs": {job.key: {"kind": job.kind, "spec": job.spec} for job in closure}}
        inputs = [of, *(job.key for job in closure)]
        key = graph.add("time", f"time {unit} {name}", inputs, spec, hidden)
        return Unit(key, unit, name, cell, settings)

    def _rows(self, cell: Cell, wanted: CellJobs) -> np.ndarray:
        """Return the first samples of the test part that lack nothing."""
        samples = self.plan.samples[cell.dataset]
        lacking = np.any([samples.missing(m) for m in cell.modalities], axis=0)
        rows: np.ndarray = wanted.test[~lacking[wanted.test]][:SAMPLES]
        return rows
