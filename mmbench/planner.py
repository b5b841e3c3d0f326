"""Cells to jobs: which jobs a cell needs, named so that cells share what they have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import splits
from mmbench.choices import Choice
from mmbench.data import Samples
from mmbench.graph import JobGraph
from mmbench.matrix import Cell
from mmbench.options import build, canonical
from mmbench.pipeline import is_calibrated
from mmbench.splits import derive_seed


@dataclass(frozen=True)
class CellJobs:
    """Where a cell's results come from."""

    final: str
    """Key of the job that makes its probabilities."""
    scores: tuple[str, ...]
    """Keys of the jobs that make its metrics."""
    train: np.ndarray
    test: np.ndarray

    @property
    def fingerprint(self) -> str:
        """Hash of the keys of all its jobs (a key covers those of its inputs)."""
        return hashlib.sha256(" ".join((self.final, *self.scores)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Rows:
    """A part of a dataset as the jobs see it: positions, and keys of the arrays that hold them."""

    samples: Samples
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def groups(self) -> np.ndarray | None:
        """The groups of the training part."""
        return None if self.samples.groups is None else self.samples.groups[self.train]

    def inner(self) -> list[Rows]:
        """Return the inner folds; the test part is the training part's held-out fold."""
        pairs = splits.folds(self.samples.labels[self.train], self.groups)
        return [
            Rows(self.samples, self.train[train], self.validation, self.train[test])
            for train, test in pairs
        ]


@dataclass(frozen=True)
class Chain:
    """The steps before a head, for some modalities of one cell."""

    cell: Cell
    modalities: tuple[str, ...]
    encoders: tuple[Choice, ...]
    alignment: Choice | None = None
    fusion: Choice | None = None

    @property
    def supervised(self) -> bool:
        """Whether features are fitted with labels, so that a head over them would be too sure."""
        steps = [*self.encoders, self.alignment, self.fusion]
        return any(s is not None and s.entry.supervised for s in steps)


class Planner:
    """Turns cells into the jobs that they share."""

    def __init__(self, metrics: Sequence[Choice], device: str) -> None:
        self.graph = JobGraph()
        self.metrics = metrics
        self.device = device
        self._fingerprints: dict[tuple[str, str], str] = {}
        self._inner: dict[tuple[str, str], list[Rows]] = {}
        self._calibrated: dict[Choice, bool] = {}

    def cell(self, cell: Cell, samples: Samples) -> CellJobs | None:
        """Add a cell's jobs; None where no sample is left to train or test on."""
        part = cell.part
        rows = Rows(samples, part.train, part.validation, part.test)
        if cell.missing == "skip":
            gone = np.any([samples.missing(m) for m in cell.modalities], axis=0)
            rows = Rows(samples, *(r[~gone[r]] for r in (rows.train, rows.validation, rows.test)))
        if not len(rows.train) or not len(rows.test):
            return None
        if cell.level == "decision":
            final = self._decide(cell, rows)
        elif cell.level == "joint":
            final = self._fit(self._chain(cell), None, rows)
        else:
            final = self._fit(self._chain(cell), cell.head, rows)
        return CellJobs(final, self._scores(cell, final, rows), rows.train, rows.test)

    @staticmethod
    def _chain(cell: Cell) -> Chain:
        return Chain(cell, cell.modalities, cell.encoders, cell.alignment, cell.fusion)

    def _component(self, choice: Choice, cell: Cell, role: str, fold: int | None) -> dict[str, Any]:
        seed = derive_seed(cell.seed, fold, role) if "seed" in choice.asks else None
        device = self.device if "device" in choice.asks else None
        options = {k: v.name if isinstance(v, Path) else v for k, v in choice.complete.items()}
        identity = [choice.entry.plugin.identity, choice.weights, options, device]
        return {
            "sort": choice.entry.sort,
            "name": choice.name,
            "params": json.loads(canonical(choice.chosen)),
            "seed": seed,
            "sparse": choice.entry.sparse,
            "identity": hashlib.sha256(canonical(identity).encode()).hexdigest()[:16],
        }

    def _labels(self, rows: Rows, positions: np.ndarray) -> str:
        return self.graph.array(rows.samples.labels[positions])

    def _groups(self, rows: Rows) -> str | None:
        if rows.groups is None:
            return None
        return self.graph.array(np.unique(rows.groups, return_inverse=True)[1])

    def _inner_folds(self, rows: Rows) -> list[Rows]:
        known = (rows.samples.name, self.graph.array(rows.train))
        if known not in self._inner:
            self._inner[known] = rows.inner()
        return self._inner[known]

    # --- steps ---------------------------------------------------------------------------------

    def _embed(self, choice: Choice, modality: str, cell: Cell, rows: Rows) -> str:
        samples, entry = rows.samples, choice.entry
        label = f"embed {samples.name}.{modality} with {choice.name}"
        fold = cell.part.fold if entry.trained else None
        spec: dict[str, Any] = {
            "fingerprint": self._fingerprint(samples, modality),
            "ids": samples.ids_hash,
            "modality": modality,
            "encoder": self._component(choice, cell, f"encoder.{modality}", fold),
            "train": None,
            "validation": None,
            "supervised": entry.supervised,
            "sparse": entry.sparse,
        }
        if entry.trained:
            for name in ("train", "validation"):
                positions = getattr(rows, name)
                if len(positions):
                    spec[name] = self.graph.array(positions)
                    if entry.supervised:
                        spec[f"{name}_labels"] = self._labels(rows, positions)
        missing = samples.missing(modality)
        hidden = {
            "dataset": {
                "use": samples.spec.entry.name,
                "name": samples.name,
                "params": json.loads(canonical(samples.spec.params)),
            },
            "rows": self.graph.array(samples.rows),
            "missing": self.graph.array(missing) if missing.any() else None,
        }
        return self.graph.add("embed", label, [], spec, hidden)

    def _fingerprint(self, samples: Samples, modality: str) -> str:
        known = (samples.name, modality)
        if known not in self._fingerprints:
            plugin = samples.spec.entry.plugin.identity
            content = samples.dataset.fingerprint(modality)
            self._fingerprints[known] = canonical([plugin, samples.modalities[modality], content])
        return self._fingerprints[known]

    def _features(
        self, chain: Chain, rows: Rows, head: Choice | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Return what gives a chain's features, and the jobs it reads.

        Steps that are fitted are jobs of their own; a fusion that is not is applied by the reader.
        """
        cell, fusion = chain.cell, chain.fusion
        inputs = [
            self._embed(encoder, modality, cell, rows)
            for modality, encoder in zip(chain.modalities, chain.encoders, strict=True)
        ]
        keeps_missing = fusion is not None and fusion.entry.handles_missing
        spec: dict[str, Any] = {
            "parts": [
                {"modality": m, "from": key, "array": "values", "standardise": e.standardise}
                for m, e, key in zip(chain.modalities, chain.encoders, inputs, strict=True)
            ],
            "missing": cell.missing or "mean",
            "impute": chain.alignment is not None or not keeps_missing,
            "fusion": None,
            "train": self.graph.array(rows.train),
        }
        if chain.alignment is not None:
            key = self._align(chain.alignment, cell, spec, inputs, rows)
            spec["parts"] = [
                {"modality": m, "from": key, "array": m, "standardise": False}
                for m in chain.modalities
            ]
            inputs = [key]
        if fusion is None or fusion.entry.level != "feature":
            return spec, inputs
        component = self._component(fusion, cell, "fusion", cell.part.fold)
        if not fusion.entry.trained:
            return {**spec, "fusion": component}, inputs
        key = self._fuse(chain, component, spec, inputs, rows, head)
        part = {"modality": "fused", "from": key, "array": "values", "standardise": False}
        return {**spec, "parts": [part], "impute": True}, [key]

    def _align(
        self, alignment: Choice, cell: Cell, spec: dict[str, Any], inputs: list[str], rows: Rows
    ) -> str:
        aligned = {
            **spec,
            "alignment": self._component(alignment, cell, "alignment", cell.part.fold),
            "labels": self._labels(rows, rows.train) if alignment.entry.supervised else None,
        }
        label = f"align {cell.dataset} with {alignment.name}"
        return self.graph.add("align", label, inputs, aligned)

    def _fuse(
        self,
        chain: Chain,
        component: dict[str, Any],
        spec: dict[str, Any],
        inputs: list[str],
        rows: Rows,
        head: Choice | None,
    ) -> str:
        fusion, cell = chain.fusion, chain.cell
        assert fusion is not None
        held_out = None
        if fusion.entry.out_of_fold:
            assert head is not None
            held_out = {
                m: self._cross_fit(Chain(cell, (m,), (e,)), head, rows)
                for m, e in zip(chain.modalities, chain.encoders, strict=True)
            }
        fused = {
            **spec,
            "trained_fusion": component,
            "labels": self._labels(rows, rows.train) if fusion.entry.supervised else None,
            "out_of_fold": held_out,
        }
        needs = [*inputs, *(held_out or {}).values()]
        return self.graph.add("fuse", f"fuse {cell.dataset} with {fusion.name}", needs, fused)

    # --- fits ----------------------------------------------------------------------------------

    def _fit(self, chain: Chain, head: Choice | None, rows: Rows) -> str:
        cell, samples = chain.cell, rows.samples
        features, inputs = self._features(chain, rows, head)
        calibrated = False
        if head is not None and (chain.supervised or rows.groups is not None):
            calibrated = self._needs_calibration(head)
        pooled = None
        on_validation = np.isin(samples.labels[rows.validation], samples.labels[rows.train]).any()
        if head is not None and calibrated and chain.supervised and not on_validation:
            pooled = self._cross_fit(chain, head, rows)
        joint = chain.fusion if head is None else None
        fold = cell.part.fold
        spec = {
            "features": features,
            "head": self._component(head, cell, "head", fold) if head else None,
            "joint": self._component(joint, cell, "fusion", fold) if joint else None,
            "labels": self._labels(rows, rows.train),
            "groups": self._groups(rows) if calibrated else None,
            "test": self.graph.array(rows.test),
            "validation": None,
            "pooled": pooled,
            "n_classes": len(samples.classes),
        }
        if len(rows.validation):
            spec["validation"] = self.graph.array(rows.validation)
            spec["validation_labels"] = self._labels(rows, rows.validation)
        what = "+".join(chain.modalities)
        name = (head or joint or chain.encoders[0]).name
        label = f"fit {name} on {samples.name}.{what}"
        return self.graph.add("fit", label, [*inputs, pooled], spec)

    def _needs_calibration(self, head: Choice) -> bool:
        if head not in self._calibrated:
            given = {"seed": 0, "threads": 1, "device": "cpu", "n_classes": 2}
            try:
                self._calibrated[head] = not is_calibrated(build(head.entry, head.params, given))
            except (Exception, SystemExit):  # it will fail again, and be told, where it is fitted
                self._calibrated[head] = False
        return self._calibrated[head]

    def _cross_fit(self, chain: Chain, head: Choice, rows: Rows) -> str:
        """Add the out-of-fold probabilities of a head, all that was fitted refitted per fold."""
        folds, inputs = [], []
        for inner in self._inner_folds(rows):
            features, needs = self._features(chain, inner, head)
            folds.append(features)
            inputs += needs
        spec = {
            "folds": folds,
            "head": self._component(head, chain.cell, "head", chain.cell.part.fold),
            "train": self.graph.array(rows.train),
            "labels": self._labels(rows, rows.train),
            "groups": self._groups(rows),
            "nested": not chain.supervised,
        }
        what = "+".join(chain.modalities)
        label = f"cross-fit {head.name} on {rows.samples.name}.{what}"
        return self.graph.add("cross_fit", label, inputs, spec)

    def _decide(self, cell: Cell, rows: Rows) -> str:
        fusion, head = cell.fusion, cell.head
        assert fusion is not None
        assert head is not None
        chains = {
            m: Chain(cell, (m,), (e,)) for m, e in zip(cell.modalities, cell.encoders, strict=True)
        }
        fits = {m: self._fit(chain, head, rows) for m, chain in chains.items()}
        held_out = None
        if fusion.entry.trained:
            held_out = {m: self._cross_fit(chain, head, rows) for m, chain in chains.items()}
        spec = {
            "fusion": self._component(fusion, cell, "fusion", cell.part.fold),
            "probabilities": fits,
            "out_of_fold": held_out,
            "labels": self._labels(rows, rows.train),
            "n_classes": len(rows.samples.classes),
        }
        label = f"decide {cell.dataset} with {fusion.name}"
        return self.graph.add("decide", label, [*fits.values(), *(held_out or {}).values()], spec)

    def _scores(self, cell: Cell, final: str, rows: Rows) -> tuple[str, ...]:
        """Add one job per plugin of metrics, so that one plugin's mistake spares the others."""
        by_plugin: dict[str, dict[str, Any]] = {}
        for metric in self.metrics:
            component = self._component(metric, cell, "metric", cell.part.fold)
            by_plugin.setdefault(metric.entry.plugin.name, {})[metric.name] = component
        return tuple(
            self.graph.add(
                "score",
                f"score {cell.dataset} by {plugin}",
                [final],
                {
                    "probabilities": final,
                    "labels": self._labels(rows, rows.test),
                    "metrics": metrics,
                },
            )
            for plugin, metrics in by_plugin.items()
        )
