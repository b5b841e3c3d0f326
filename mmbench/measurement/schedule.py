"""Which parts of a run's combinations are timed: each once, on the first seed and fold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbench.blocks import TimingBlock
from mmbench.cells import Cell
from mmbench.environment import machine
from mmbench.measurement.settings import SAMPLES, Settings, every
from mmbench.options import canonical
from mmbench.planning import Plan
from mmbench.results import KEYS
from mmbench.serving import embedding_keys, trained_parts
from mmbench.splits import Part


@dataclass(frozen=True)
class Unit:
    """One part of combinations, to be timed under one setting.

    Attributes
    ----------
    key : str
        Of the job that times it.
    columns : mapping
        What the table of timings says of it: ``unit``, ``name``, ...
    settings : Settings
    plain : Unit or None
        The same part as it is timed where it holds no network; None where it is that itself.
    """

    key: str
    columns: Mapping[str, Any]
    settings: Settings
    plain: Unit | None

    @property
    def label(self) -> str:
        """What is timed, for people."""
        return f"{self.columns['unit']} {self.columns['name']}"


@dataclass(frozen=True)
class Combination:
    """The cells that differ only in seed and fold, and the first of them that can be timed."""

    cells: tuple[Cell, ...]
    first: Cell

    @property
    def columns(self) -> dict[str, Any]:
        """What the table of timings says of it."""
        axes = self.first.axes
        steps = [choice.name for choice in (self.first.fusion, self.first.head) if choice]
        if self.first.trains_encoders:
            steps.append(f"finetune {self.first.finetune}")
        names = ("cell", "dataset", "modalities", "encoders", "params")
        return {"name": " ".join(steps), **{name: axes[name] for name in names}}


class TimingPlan:
    """Adds timing jobs to a plan's graph, each part once, and says of which a cell is made."""

    def __init__(self, plan: Plan, timing: TimingBlock) -> None:
        self.plan = plan
        self.timing = timing
        self.machine = canonical(machine())
        self._parts: dict[tuple[str, Settings], list[Unit]] = {}
        self._deciders: dict[str, Cell] = {}
        self._first: dict[str, Part] = {}
        for cell in plan.cells:
            self._first.setdefault(cell.dataset, cell.part)

    @property
    def settings(self) -> list[Settings]:
        """Under which everything is timed, in the file's order."""
        return every(self.timing, self.plan.device, self.plan.source.matrix.threads)

    def combinations(self, rows: Mapping[str, Mapping[str, Any]]) -> list[Combination]:
        """Return the combinations on clean items that have a finished cell, in table order."""
        groups: dict[str, list[Cell]] = {}
        for cell in self.plan.cells:
            if cell.corruption is None and rows.get(cell.id, {}).get("status") == "ok":
                identity = canonical([cell.axes.get(key) for key in KEYS])
                groups.setdefault(identity, []).append(cell)
                if cell.level == "decision":
                    self._deciders.setdefault(_decision(cell), cell)
        return [Combination(tuple(cells), cells[0]) for cells in groups.values()]

    def parts(self, combination: Combination, settings: Settings) -> list[Unit]:
        """Return the parts that a combination is made of: encoders, then what decides.

        There are none where no sample of the test part has all modalities.
        """
        known = (combination.first.id, settings)
        if known not in self._parts:
            self._parts[known] = self._made_of(combination.first, settings.for_parts())
        return self._parts[known]

    def _made_of(self, cell: Cell, asked: Settings) -> list[Unit]:
        jobs, wanted = self.plan.graph.jobs, self.plan.wanted[cell.id]
        final = wanted.final
        if not len(self._rows(cell, cell.modalities, wanted.test)):
            return []
        if trained_parts(jobs[final].spec):  # encoders and fusion are one network
            return [self._unit("end-to-end", final, cell, cell.modalities, asked)]
        made = [
            self._unit("encoder", key, cell, (modality,), asked)
            for modality, key in self._embeds(final).items()
        ]
        if jobs[final].kind != "decide":
            return [*made, self._unit("classifier", final, cell, cell.modalities, asked)]
        for modality, key in jobs[final].spec["probabilities"].items():
            made.append(self._unit("classifier", key, cell, (modality,), asked))
        decider = self._deciders[_decision(cell)]
        final = self.plan.wanted[decider.id].final
        return [*made, self._unit("decision", final, decider, cell.modalities, asked)]

    def whole(self, combination: Combination, settings: Settings) -> Unit:
        """Return the whole of a combination, from raw items to classes."""
        cell = combination.first
        final = self.plan.wanted[cell.id].final
        return self._unit("end-to-end", final, cell, cell.modalities, settings)

    def _embeds(self, final: str) -> dict[str, str]:
        jobs = {
            job.key: {"kind": job.kind, "spec": job.spec}
            for job in self.plan.graph.closure([final])
        }
        return embedding_keys(final, jobs)

    def _unit(
        self, unit: str, of: str, cell: Cell, modalities: tuple[str, ...], settings: Settings
    ) -> Unit:
        graph = self.plan.graph
        test = self.plan.wanted[cell.id].test
        if unit == "encoder":  # so that cells of all policies for what is missing share it
            trained = graph.jobs[of].spec["train"] is not None
            test = (cell.part if trained else self._first[cell.dataset]).test
        elif unit == "classifier":  # the samples that it was scored on: those with its modality
            test = graph.arrays[graph.jobs[of].spec["test"]]
        columns = _columns(unit, cell, modalities)
        if unit == "encoder" and graph.jobs[of].spec["sequences"]:
            columns["name"] += " as sequences"
        closure = list(graph.closure([of]))
        spec = {
            "unit": unit,
            "of": of,
            "modality": modalities[0],
            "rows": graph.array(self._rows(cell, modalities, test)),
            "test": graph.array(test),
            "device": self.plan.device,
            "settings": settings.to_dict(),
            "machine": self.machine,
        }
        hidden = {"jobs": {job.key: {"kind": job.kind, "spec": job.spec} for job in closure}}
        label = f"time {unit} {columns['name']}"
        key = graph.add("time", label, [job.key for job in closure], spec, hidden)
        plain = None
        if not settings.is_plain:
            plain = self._unit(unit, of, cell, modalities, settings.plain())
        return Unit(key, columns, settings, plain)

    def _rows(self, cell: Cell, modalities: tuple[str, ...], test: np.ndarray) -> np.ndarray:
        """Return the first samples of a test part that lack none of some modalities."""
        samples = self.plan.samples[cell.dataset]
        lacking = np.any([samples.missing(m) for m in modalities], axis=0)
        rows: np.ndarray = test[~lacking[test]][:SAMPLES]
        return rows


def _decision(cell: Cell) -> str:
    """Return what the cost of a decision-level fusion depends on: not on encoders and heads."""
    assert cell.fusion is not None
    return canonical([cell.dataset, cell.modalities, cell.fusion.identity])


def _columns(unit: str, cell: Cell, modalities: tuple[str, ...]) -> dict[str, Any]:
    """Return what the table says of a part: its own names and options, not the whole cell's."""
    if unit == "end-to-end":
        return {"unit": unit, **Combination((cell,), cell).columns}
    encoders = [f"encoder.{m}" for m in modalities] if unit != "decision" else []
    roles = {
        "encoder": encoders,
        "classifier": ["head"] if cell.level == "decision" else ["alignment", "fusion", "head"],
        "decision": ["fusion"],
    }[unit]
    choices = cell.choices
    given = json.loads(cell.params)
    told = {role: given[role] for role in dict.fromkeys([*encoders, *roles]) if role in given}
    return {
        "unit": unit,
        "name": " ".join(choices[role].name for role in roles if role in choices),
        "dataset": cell.dataset,
        "modalities": "+".join(modalities),
        "encoders": "+".join(choices[role].name for role in encoders),
        "params": canonical(told),
    }
