"""From a matrix file to a plan: what a run is to do, what of it is stored, what is left out."""

from __future__ import annotations

import hashlib
import itertools
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import matrix, splits
from mmbench.catalogue import Catalogue, load_catalogue, notebook_registrations
from mmbench.cells import Cell
from mmbench.choices import Choice, choices
from mmbench.config import Source, Use, read_matrix
from mmbench.corruption.model import check_corruption
from mmbench.data import DatasetSpec, Samples, load_samples, specify
from mmbench.environment import gpus
from mmbench.errors import TooFewSamplesError, UserError, did_you_mean, one_line
from mmbench.graph import JobGraph
from mmbench.jobs import Job
from mmbench.planner import CellJobs, Planner, uncollected
from mmbench.results import AXES, METRICS
from mmbench.searchspace import described
from mmbench.store import Store

REMOTE_CODE = "trust_remote_code"
"""The option by which the field's libraries are told to run code that a model brings along."""


@dataclass(frozen=True)
class BrokenDataset:
    """A dataset whose plugin failed: one failed row stands for its cells."""

    name: str
    reason: str
    traceback: str = ""

    @property
    def id(self) -> str:
        """The row's ``cell``."""
        return hashlib.sha256(f"dataset {self.name}".encode()).hexdigest()[:16]


@dataclass
class Plan:
    """All that a run is to do; nothing in it has been done."""

    source: Source
    catalogue: Catalogue
    plugins: tuple[str, ...]
    registrations: bytes
    device: str
    limit: int | None
    cells: list[Cell]
    """In the table's order, left-out ones included."""
    wanted: dict[str, CellJobs]
    """By cell id, for the cells that can be evaluated."""
    graph: JobGraph
    specs: list[DatasetSpec]
    samples: dict[str, Samples]
    """By dataset name, for the datasets that could be loaded."""
    broken_datasets: list[BrokenDataset]
    metrics: list[Choice]
    notes: list[str]
    """Warnings about data and splits."""
    products: list[str]
    """What is crossed, a line per dataset."""

    @property
    def name(self) -> str:
        """The run's name, ``--limit`` included."""
        return self.source.name(self.limit)

    @cached_property
    def left_out(self) -> dict[str, int]:
        """How many cells are left out, by reason."""
        return _counted(cell.skipped for cell in self.cells)

    @cached_property
    def broken(self) -> dict[str, int]:
        """How many cells a plugin's mistake prevents, by reason."""
        cells = _counted(cell.broken for cell in self.cells if not cell.skipped)
        return cells | {broken.reason: 1 for broken in self.broken_datasets}

    def jobs(self) -> list[Job]:
        """Return the jobs in an order that has inputs before what needs them."""
        return list(self.graph.jobs.values())

    def stored(self, store: Store) -> int:
        """Count the jobs whose result is in the store."""
        return len(store.present(self.graph.jobs))

    def to_dict(self, store: Store) -> dict[str, Any]:
        """Return what ``mmbench plan --json`` prints."""
        left_out = [{"cells": n, "reason": reason} for reason, n in self.left_out.items()]
        left_out += [{"cells": n, "reason": reason} for reason, n in self.broken.items()]
        by_kind = _counted(job.kind for job in self.graph.jobs.values())
        return {
            "name": self.name,
            "cells": len(self.wanted),
            "jobs": {
                "total": len(self.graph.jobs),
                "stored": self.stored(store),
                "by_kind": by_kind,
            },
            "left_out": left_out,
            "datasets": [samples.describe() for samples in self.samples.values()],
            "estimate": self.estimate(store),
            "notes": self.notes,
        }

    def estimate(self, store: Store) -> dict[str, Any]:
        """Estimate what is still to be done, from like jobs in the store.

        Returns
        -------
        dict
            ``seconds`` of work on one core and ``bytes`` on disk, for the ``jobs_known`` whose
            like (same label) has been measured; ``jobs_unknown`` counts the others.
        """
        stored = store.present(self.graph.jobs)
        missing = [job for key, job in self.graph.jobs.items() if key not in stored]
        measured: dict[str, list[tuple[float, int]]] = {}
        for key in store if missing else ():
            meta = store.meta(key)
            if meta is not None and "seconds" in meta:
                cost = (sum(meta["seconds"].values()), store.size(key))
                measured.setdefault(meta["label"], []).append(cost)
        costs = {label: np.mean(values, axis=0) for label, values in measured.items()}
        known = [costs[job.label] for job in missing if job.label in costs]
        seconds, size = np.sum(known, axis=0) if known else (0.0, 0)
        return {
            "seconds": round(float(seconds), 3),
            "bytes": int(size),
            "jobs_known": len(known),
            "jobs_unknown": len(missing) - len(known),
        }


def make_plan(
    file: str | Path | Mapping[str, Any] | Source,
    *,
    overrides: Iterable[str] = (),
    plugins: Iterable[str] = (),
    limit: int | None = None,
    device: str = "cpu",
) -> Plan:
    """Read a matrix and work out its cells and jobs. Runs nothing.

    Parameters
    ----------
    file : path, mapping or Source
        The matrix file, or its content; or what was read of it, overrides applied.
    overrides : iterable of str
        ``key=value``, as ``--set``.
    plugins : iterable of str
        Files and modules to load, besides what is installed and what the file names.
    limit : int, optional
        A stratified sample of that many per dataset.
    device : {"cpu", "cuda"}
        What plugins that ask for a device are given.

    Returns
    -------
    Plan

    Raises
    ------
    UserError
        Anything in the file or the data that is wrong.
    """
    source = file if isinstance(file, Source) else read_matrix(file, overrides)
    timing = source.matrix.timing
    if timing is not None and "cuda" in (timing.devices or []) and not gpus():
        raise UserError(f"{source.label}: timing.devices: the driver lists no NVIDIA GPU")
    extra = tuple(_plugin_path(name, source) for name in source.matrix.plugins)
    given = [str(Path(name).absolute()) if name.endswith(".py") else name for name in plugins]
    extra = tuple(dict.fromkeys((*given, *extra)))
    registrations = notebook_registrations()
    catalogue = load_catalogue(extra, registrations)
    catalogue.check()
    try:
        return _Draft(source, catalogue, limit, device).plan(extra, registrations)
    except UserError as error:
        if str(error).startswith(source.label):
            raise
        raise UserError(f"{source.label}: {error}") from error


def _plugin_path(name: str, source: Source) -> str:
    if not name.endswith(".py"):
        return name
    path = source.folder / name
    if not path.is_file():
        raise UserError(f"{source.label}: plugins: {name}: no such file")
    return str(path)


@dataclass
class _Draft:
    source: Source
    catalogue: Catalogue
    limit: int | None
    device: str
    samples: dict[str, Samples] = field(default_factory=dict)
    broken: list[BrokenDataset] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    products: list[str] = field(default_factory=list)

    @uncollected()
    def plan(self, plugins: tuple[str, ...], registrations: bytes) -> Plan:
        source, matrix_file = self.source, self.source.matrix
        specs = [
            specify(block, source, self.catalogue, index)
            for index, block in enumerate(matrix_file.datasets)
        ]
        _check_unique([spec.name for spec in specs])
        metrics = self._metrics()
        for spec in specs:
            self._load(spec)
        loaded = list(self.samples.values())
        found = {s.name: matrix.candidates(source, s, self.catalogue) for s in loaded}
        if not self.broken:
            matrix.check_encoder_keys(source, loaded)
            matrix.check_subsets(source, loaded)
            check_corruption(source, [samples.modalities for samples in loaded])
            fusions = [fusion for each in found.values() for fusion in each.fusions]
            matrix.check_finetune(source, self.catalogue, fusions)
        encoder_columns = [f"encoder_{m}" for s in loaded for m in s.modalities]
        matrix.check_exclude(source, [*AXES, *encoder_columns])
        planner = Planner(metrics, self.device)
        cells: list[Cell] = []
        wanted: dict[str, CellJobs] = {}
        given_up = False
        for samples in loaded:
            for cell in self._cells(samples, found[samples.name]):
                if not cell.skipped and not cell.broken:
                    try:
                        wanted[cell.id] = planner.cell(cell, samples)
                    except TooFewSamplesError as error:
                        cell = matrix.skip(cell, str(error))
                        given_up = True
                cells.append(cell)
        if given_up:  # some jobs may have been for cells that are left out after all
            planner.graph.keep(k for jobs in wanted.values() for k in (jobs.final, *jobs.scores))
        self._note_code(found.values())
        for each in found.values():
            told = described(matrix_file.tuning, matrix_file.metric, each.fusions, each.heads)
            self.products += [told] if told and told not in self.products else []
        return Plan(
            source, self.catalogue, plugins, registrations, self.device, self.limit, cells, wanted,
            planner.graph, specs, self.samples, self.broken, metrics, self.notes, self.products,
        )  # fmt: skip

    def _load(self, spec: DatasetSpec) -> None:
        try:
            samples = load_samples(spec, self.source, self.limit, self.source.matrix.threads)
            for modality in samples.modalities:
                samples.fingerprint(modality)
                samples.missing(modality)
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException as error:
            reason = f"dataset: {one_line(error)}"
            self.broken.append(BrokenDataset(spec.name, reason, traceback.format_exc()))
            return
        self.samples[spec.name] = samples

    def _metrics(self) -> list[Choice]:
        """Choose the metrics: the table's own where installed, and those that the file adds."""
        matrix_file, known = self.source.matrix, self.catalogue.entries["metric"]
        listed = matrix_file.metrics
        _check_unique([use.use for use in listed], "metrics")
        names = {use.use for use in listed}
        standard = [Use(use=name) for name in METRICS if name in known and name not in names]
        wanted = {"metric": matrix_file.metric} if "metric" in matrix_file.model_fields_set else {}
        if matrix_file.tuning is not None:
            wanted["tuning.metric"] = matrix_file.tuning.metric or matrix_file.metric
        for key, name in wanted.items():
            if name not in {use.use for use in (*standard, *listed)}:
                self.catalogue.find("metric", name, f"{self.source.label}: {key}")
                listed = [*listed, Use(use=name)]
        return [
            choice
            for uses in (standard, listed)
            for choice in choices(uses, "metric", "metrics", self.source, self.catalogue)
        ]

    def _cells(self, samples: Samples, found: matrix.Candidates) -> list[Cell]:
        source, split = self.source, self.source.matrix.split
        if not found.encoders:
            raise UserError(f"dataset {samples.name!r}: no modality has an encoder")
        unused = [m for m in samples.modalities if m not in found.encoders]
        if unused:
            self.notes.append(f"{samples.name}: {', '.join(unused)} unused: no encoder")
        parts = splits.parts(samples, split, source.matrix.seeds)
        scheme = "given" if parts[0].seed is None else split.scheme or "kfold"
        self._warn(samples, scheme, parts)
        identity: tuple[Any, ...] = (scheme, self.limit)
        if scheme == "kfold":
            identity += (split.folds,)
        elif scheme == "holdout":
            identity += (split.test, split.validation)
        cells = list(matrix.cells(source, samples, found, parts, identity))
        self.products.append(matrix.product(source, samples, found, cells))
        return cells

    def _note_code(self, found: Iterable[matrix.Candidates]) -> None:
        """Say which entries will run code that a model brings along."""
        for each in found:
            encoders = itertools.chain.from_iterable(each.encoders.values())
            for choice in (*encoders, *each.alignments, *each.fusions, *each.heads):
                if choice is None or not choice.complete.get(REMOTE_CODE):
                    continue
                shown = {k: v for k, v in choice.params.items() if k != REMOTE_CODE}
                options = ", ".join(f"{k} = {str(v)!r}" for k, v in shown.items())
                note = (
                    f"{choice.entry.sort} {choice.name!r} ({options}): {REMOTE_CODE} is set, so "
                    "the model's own code will be executed"
                )
                if note not in self.notes:
                    self.notes.append(note)

    def _warn(self, samples: Samples, scheme: str, parts: Sequence[splits.Part]) -> None:
        n_folds = self.source.matrix.split.folds
        counts = np.bincount(samples.labels, minlength=len(samples.classes))
        small = [samples.classes[i] for i in np.flatnonzero((counts > 0) & (counts < n_folds))]
        if scheme == "kfold" and small:
            self.notes.append(
                f"{samples.name}: {len(small)} classes have fewer samples than the {n_folds} "
                f"folds ({small[0]!r} first): some test parts lack them"
            )
        if scheme == "given" and samples.groups is not None:
            cut = {
                group
                for part in parts
                for group in np.intersect1d(samples.groups[part.train], samples.groups[part.test])
            }
            if cut:
                self.notes.append(
                    f"{samples.name}: the given split cuts through {len(cut)} groups: "
                    "samples of one group stand in both training and test"
                )


def _check_unique(names: Sequence[str], key: str = "datasets") -> None:
    for name in names:
        if names.count(name) > 1:
            advice = "; give each a name = ..." if key == "datasets" else ""
            raise UserError(f"{key}: {name!r} stands there twice{advice}")


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(Counter(reason for reason in reasons if reason))


def select(plan: Plan, only: Iterable[str], exclude: Iterable[str]) -> list[Cell]:
    """Return the cells that ``--only`` and ``--exclude`` leave: ``K=V``, the same K joined by or.

    Raises
    ------
    UserError
        A pair is malformed or names no axis.
    """
    wanted, unwanted = _filters("--only", only, plan), _filters("--exclude", exclude, plan)

    def matches(axes: Mapping[str, Any], key: str, values: set[str]) -> bool:
        return str(axes.get(key, "")) in values

    if not wanted and not unwanted:
        return list(plan.cells)
    return [
        cell
        for cell, axes in ((cell, cell.axes) for cell in plan.cells)
        if all(matches(axes, key, values) for key, values in wanted.items())
        and not any(matches(axes, key, values) for key, values in unwanted.items())
    ]


def _filters(option: str, pairs: Iterable[str], plan: Plan) -> dict[str, set[str]]:
    encoders = [f"encoder_{m}" for s in plan.samples.values() for m in s.modalities]
    known = [*AXES, *encoders]
    filters: dict[str, set[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"{option} {pair}: expected column=value")
        if key not in known:
            raise UserError(f"{option} {pair}: unknown column {key!r}{did_you_mean(key, known)}")
        filters.setdefault(key, set()).add(value)
    return filters
