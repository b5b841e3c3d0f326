"""What jobs are told to work on: plugins with their options, rows, labels and embeddings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import splits
from mmbench.cells import Cell
from mmbench.choices import NONE, Choice
from mmbench.corruption.items import lost
from mmbench.corruption.model import Corruption
from mmbench.data import Samples
from mmbench.graph import JobGraph, Shared
from mmbench.options import canonical
from mmbench.splits import derive_seed


def drawn_by(noise: Corruption, seed: int) -> dict[str, Any]:
    """Return what a worker makes noise from; without the seed where it draws nothing."""
    return {**noise.spec, "seed": seed if noise.drawn else 0}


@dataclass(frozen=True, eq=False)
class Rows:
    """A part of a dataset as the jobs see it: positions of samples."""

    samples: Samples
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @cached_property
    def groups(self) -> np.ndarray | None:
        """The groups of the training part."""
        return None if self.samples.groups is None else self.samples.groups[self.train]

    @cached_property
    def validating(self) -> Rows | None:
        """With what of the validation part is of classes trained on as the test part."""
        labels = self.samples.labels
        known = self.validation[np.isin(labels[self.validation], labels[self.train])]
        return replace(self, test=known) if len(known) else None

    def where(self, keep: np.ndarray) -> Rows:
        """Return the rows of the samples for which ``keep``, bool over the dataset, is true."""
        return Rows(self.samples, *(r[keep[r]] for r in (self.train, self.validation, self.test)))

    def inner(self) -> list[Rows]:
        """Return the inner folds; the test part is the training part's held-out fold."""
        pairs = splits.folds(self.samples.labels[self.train], self.groups)
        return [
            Rows(self.samples, self.train[train], self.validation, self.train[test])
            for train, test in pairs
        ]


class Components:
    """Names, in the specs of a graph's jobs, what they stand on."""

    def __init__(self, device: str) -> None:
        self.graph = JobGraph()
        self.device = device
        self._fingerprints: dict[tuple[str, str], str] = {}
        self._inner: dict[tuple[str, str], list[Rows]] = {}
        self._components: dict[tuple[Any, ...], Shared] = {}
        self._labels: dict[tuple[Samples, int], tuple[np.ndarray, str]] = {}
        self._groups: dict[Rows, str] = {}
        self._embeds: dict[tuple[Any, ...], str] = {}
        self._lost: dict[tuple[Any, ...], np.ndarray] = {}

    def component(self, choice: Choice, cell: Cell, role: str, fold: int | None) -> dict[str, Any]:
        """Return what a worker builds a plugin from, and what identifies its results."""
        drawn = (cell.seed, fold, role) if "seed" in choice.asks else None
        given = {"finetune": cell.finetune} if "finetune" in choice.asks else {}
        known = (choice, drawn, *given.values())
        if known not in self._components:
            seed = None if drawn is None else derive_seed(*drawn)
            self._components[known] = Shared(self._component(choice, seed) | given)
        return self._components[known]

    def _component(self, choice: Choice, seed: int | None) -> dict[str, Any]:
        device = self.device if "device" in choice.asks else None
        options = {k: v.name if isinstance(v, Path) else v for k, v in choice.complete.items()}
        calibrate = {"calibrate": choice.calibrate} if choice.calibrate != NONE else {}
        identity = [choice.entry.plugin.identity, choice.weights, options, device]
        return {
            "sort": choice.entry.sort,
            "name": choice.name,
            "params": json.loads(canonical(choice.chosen)),
            "seed": seed,
            "sparse": choice.entry.sparse,
            "over_time": choice.over_time,
            **calibrate,
            "identity": hashlib.sha256(canonical(identity).encode()).hexdigest()[:16],
        }

    def labels(self, rows: Rows, positions: np.ndarray) -> str:
        """Return the array of some samples' labels."""
        known = (rows.samples, id(positions))
        if known not in self._labels:  # the array is kept, so that its id stays its own
            self._labels[known] = positions, self.graph.array(rows.samples.labels[positions])
        return self._labels[known][1]

    def groups(self, rows: Rows) -> str | None:
        """Return the array of the training part's groups, where there are any."""
        if rows.groups is None:
            return None
        if rows not in self._groups:
            codes = np.unique(rows.groups, return_inverse=True)[1]
            self._groups[rows] = self.graph.array(codes)
        return self._groups[rows]

    def inner_folds(self, rows: Rows) -> list[Rows]:
        """Return the inner folds of a training part."""
        known = (rows.samples.name, self.graph.array(rows.train))
        if known not in self._inner:
            self._inner[known] = rows.inner()
        return self._inner[known]

    def missing(self, samples: Samples, modality: str, cell: Cell) -> np.ndarray:
        """Return which samples lack a modality where a cell is trained, a bool array (n,)."""
        native, corruption = samples.missing(modality), cell.trained_on
        if corruption is None or not corruption.takes_away:
            return native
        if modality not in corruption.modalities:
            return native
        missing: np.ndarray = native | self.lost(samples, corruption, cell.seed)
        return missing

    def lost(self, samples: Samples, corruption: Corruption, seed: int) -> np.ndarray:
        """Return which samples lose a corruption's modalities, a bool array (n,)."""
        known = (samples.name, corruption, seed)
        if known not in self._lost:
            self._lost[known] = lost(corruption, samples.ids, seed)
        return self._lost[known]

    def embed(
        self, choice: Choice, modality: str, cell: Cell, rows: Rows, *, sequences: bool = False
    ) -> str:
        """Add the job that embeds a modality; a trained encoder is fitted on the training part."""
        of = rows if choice.entry.trained else rows.samples
        known = (choice, modality, sequences, of, cell.seed, cell.part.fold, cell.trained_on)
        if known not in self._embeds:
            self._embeds[known] = self._embed(choice, modality, cell, rows, sequences)
        return self._embeds[known]

    def _embed(self, choice: Choice, modality: str, cell: Cell, rows: Rows, sequences: bool) -> str:
        samples, entry = rows.samples, choice.entry
        if sequences and choice.over_time:
            choice = replace(choice, over_time="mean")  # sequences are the same for any pooling
        what = f"{samples.name}.{modality}" + (" as sequences" if sequences else "")
        label = f"embed {what} with {choice.name}"
        fold = cell.part.fold if entry.trained else None
        spec: dict[str, Any] = {
            "fingerprint": self.fingerprint(samples, modality),
            "ids": samples.ids_hash,
            "modality": modality,
            "encoder": self.component(choice, cell, f"encoder.{modality}", fold),
            "train": None,
            "validation": None,
            "supervised": entry.supervised,
            "sparse": entry.sparse,
            "sequences": sequences,
        }
        if entry.trained:
            for name in ("train", "validation"):
                positions = getattr(rows, name)
                if len(positions):
                    spec[name] = self.graph.array(positions)
                    if entry.supervised:
                        spec[f"{name}_labels"] = self.labels(rows, positions)
        worse = self._trained_on(samples, modality, cell)
        if worse:
            label = f"{label}, {cell.trained_on}"
        missing = self.missing(samples, modality, cell)
        hidden = {
            **self._source(samples),
            "missing": self.graph.array(missing) if missing.any() else None,
        }
        return self.graph.add("embed", label, [], spec | worse, hidden)

    def _trained_on(self, samples: Samples, modality: str, cell: Cell) -> dict[str, Any]:
        """Return how a cell's items of a modality are corrupted where it is trained."""
        corruption = cell.trained_on
        if corruption is None or modality not in corruption.modalities:
            return {}
        if corruption.takes_away:
            return {"lost": self.graph.array(self.lost(samples, corruption, cell.seed))}
        return {"corruption": drawn_by(corruption, cell.seed)}

    def items(self, choice: Choice, modality: str, cell: Cell, samples: Samples) -> dict[str, Any]:
        """Return what gives a modality's items to a fusion that trains its encoder."""
        return {
            "encoder": self.component(choice, cell, f"encoder.{modality}", None),
            **self._trained_on(samples, modality, cell),
            "samples": {
                "identity": [self.fingerprint(samples, modality), samples.ids_hash],
                "params": self._source(samples),
            },
        }

    def _source(self, samples: Samples) -> dict[str, Any]:
        """Return where a worker finds samples: the dataset, and which of its rows."""
        return {
            "dataset": {
                "use": samples.spec.entry.name,
                "name": samples.name,
                "params": json.loads(canonical(samples.spec.params)),
            },
            "rows": self.graph.array(samples.rows),
        }

    def fingerprint(self, samples: Samples, modality: str) -> str:
        """Return what changes with a modality's content."""
        known = (samples.name, modality)
        if known not in self._fingerprints:
            plugin = samples.spec.entry.plugin.identity
            content = samples.fingerprint(modality)
            self._fingerprints[known] = canonical([plugin, samples.modalities[modality], content])
        return self._fingerprints[known]
