"""Cells to jobs: which jobs a cell needs, named so that cells share what they have in common."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mmbench.cells import Cell
from mmbench.choices import Choice, adjusted
from mmbench.components import Rows
from mmbench.corruption.model import ADDITIVE
from mmbench.data import Samples
from mmbench.errors import TooFewSamplesError
from mmbench.fits import Chain
from mmbench.graph import Shared
from mmbench.predictions import Predictions

NOT_TUNED: Mapping[str, str] = MappingProxyType({})


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage in what grows and has none, as a plan does."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@dataclass(frozen=True, eq=False, slots=True)
class CellJobs:
    """Where a cell's results come from."""

    final: str
    """Key of the job that makes its probabilities."""
    scores: tuple[str, ...]
    """Keys of the jobs that make its metrics."""
    train: np.ndarray
    test: np.ndarray
    tuned: Mapping[str, str]
    """Keys of the jobs that tuned it, by modality; "" for the one of the cell as a whole."""

    @property
    def fingerprint(self) -> str:
        """Hash of the keys of all its jobs (a key covers those of its inputs)."""
        return hashlib.sha256(" ".join((self.final, *self.scores)).encode()).hexdigest()[:16]


class Planner(Predictions):
    """Turns cells into the jobs that they share."""

    def __init__(self, metrics: Sequence[Choice], device: str) -> None:
        super().__init__(metrics, device)
        self._rows: dict[tuple[Any, ...], Rows] = {}
        self._having: dict[tuple[Rows, str], tuple[Rows, Shared]] = {}
        self._metrics: dict[tuple[int, int], dict[str, Shared]] = {}

    def cell(self, cell: Cell, samples: Samples) -> CellJobs:
        """Add a cell's jobs.

        Raises
        ------
        TooFewSamplesError
            Too few samples are left to train or test on.
        """
        rows = self._rows_of(cell, samples)
        projected = cell.corruption is not None and cell.corruption.name == ADDITIVE
        if cell.level == "decision":
            final = self._decide(cell, rows)
            if projected:
                final = self.corrupted(final, cell, cell.modalities, rows)
        else:
            head = None if cell.level == "joint" else cell.head
            fit = self.fit(self._chain(cell), head, rows)
            final = self.corrupted(fit, cell, cell.modalities, rows)
        scores = self._scores(cell, final, rows)
        tuned = NOT_TUNED if cell.tuning is None else self._tuned(final)
        return CellJobs(final, scores, rows.train, rows.test, tuned)

    def _rows_of(self, cell: Cell, samples: Samples) -> Rows:
        """Return the samples of a cell that its policy for missing modalities leaves."""
        leaves_out = cell.missing in ("skip", "drop-modality")
        policy = (cell.missing, cell.modalities, cell.trained_on, cell.seed)
        known = (cell.part, *(policy if leaves_out else ()))
        if known not in self._rows:
            self._rows[known] = self._left(cell, samples)
        return self._rows[known]

    def _left(self, cell: Cell, samples: Samples) -> Rows:
        part = cell.part
        rows = Rows(samples, part.train, part.validation, part.test)
        absent = [self.missing(samples, m, cell) for m in cell.modalities]
        if cell.missing == "skip":
            rows = rows.where(~np.any(absent, axis=0))
        elif cell.missing == "drop-modality":
            rows = rows.where(~np.all(absent, axis=0))
        if not len(rows.train) or not len(rows.test):
            raise TooFewSamplesError("no sample has all of its modalities")
        for modality, missing in zip(cell.modalities, absent, strict=True):
            if cell.missing == "drop-modality" and missing[rows.train].all():
                raise TooFewSamplesError(f"no training sample has {modality}")
        return rows

    def _tuned(self, final: str) -> dict[str, str]:
        """Return the jobs that tuned a cell by modality; "" for that of the cell as a whole."""
        spec = self._fitted(final)
        heads = {m: self._fitted(key) for m, key in spec.get("probabilities", {}).items()}
        found = {modality: of.get("tuned") for modality, of in {**heads, "": spec}.items()}
        return {modality: key for modality, key in found.items() if key is not None}

    def _fitted(self, key: str) -> Mapping[str, Any]:
        """Return the spec of the job that fits what a job predicts with."""
        job = self.graph.jobs[key]
        return self.graph.jobs[job.spec["of"]].spec if job.kind == "predict" else job.spec

    @staticmethod
    def _chain(cell: Cell) -> Chain:
        return Chain(cell, cell.modalities, cell.encoders, cell.alignment, cell.fusion)

    def _decide(self, cell: Cell, rows: Rows) -> str:
        fusion, head = cell.fusion, cell.head
        assert fusion is not None
        assert head is not None
        probabilities, held_out, parts, tested = {}, {}, {}, {}
        for modality, encoder in zip(cell.modalities, cell.encoders, strict=True):
            chain, having = Chain(cell, (modality,), (encoder,)), rows
            left = having
            if cell.missing == "drop-modality":
                having, parts[modality] = self._with_modality(modality, rows, cell)
                left = self._keeping(modality, having, cell)
                where = np.flatnonzero(np.isin(rows.test, left.test))
                tested[modality] = parts[modality] | {"test": self.graph.array(where)}
            fit = self.fit(chain, head, having)
            probabilities[modality] = self._after(fit, cell, modality, left)
            if fusion.entry.trained or cell.tuning is not None:
                candidates = self.candidates(chain, head)
                held_out[modality] = self.cross_fit(
                    candidates, having, self.tune(candidates, having)
                )
        drawn = self.drawn(cell, ["fusion"])
        variants = [
            {"fusion": self.component(choice, cell, "fusion", cell.part.fold)}
            for choice in (adjusted(fusion, each.get("fusion", {})) for each in drawn)
        ]
        shared = {"labels": self.labels(rows, rows.train), "parts": parts or None}
        tuned = None
        if cell.tuning is not None:
            tried = [
                {"values": values, **variant}
                for values, variant in zip(drawn, variants, strict=True)
            ]
            spec: dict[str, Any] = {
                **shared,
                "metric": self.tuning_metric(cell),
                "out_of_fold": held_out,
                "trained": fusion.entry.trained,
                "candidates": tried,
                "groups": self.groups(rows),
            }
            label = f"tune {fusion.name} on {cell.dataset}"
            tuned = self.graph.add("tune", label, list(held_out.values()), spec)
        given = held_out if fusion.entry.trained else {}
        spec = {
            "labels": shared["labels"],
            "parts": tested or None,
            "probabilities": probabilities,
            "out_of_fold": given or None,
            "n_test": len(rows.test),
            "n_classes": len(rows.samples.classes),
        }
        label = f"decide {cell.dataset} with {fusion.name}"
        inputs = [*probabilities.values(), *given.values()]
        return self.add_tuned("decide", label, inputs, spec, variants, tuned)

    def _after(self, fit: str, cell: Cell, modality: str, rows: Rows) -> str:
        """Return what one modality's head makes of the test part as a corruption leaves it."""
        if cell.corruption is not None and cell.corruption.name == ADDITIVE:
            return fit  # of the decision, not of the heads
        return self.corrupted(fit, cell, (modality,), rows)

    def _keeping(self, modality: str, rows: Rows, cell: Cell) -> Rows:
        """Return the rows that have a modality still as a cell's corruption leaves it."""
        noise = cell.corruption
        if noise is None or not noise.takes_away or modality not in noise.modalities:
            return rows
        return rows.where(~self.lost(rows.samples, noise, cell.seed))

    def _with_modality(self, modality: str, rows: Rows, cell: Cell) -> tuple[Rows, Shared]:
        """Return the rows that have a modality, and where they stand among all."""
        if (rows, modality) not in self._having:
            having = rows.where(~self.missing(rows.samples, modality, cell))
            part = {
                "train": self.graph.array(np.flatnonzero(np.isin(rows.train, having.train))),
                "labels": self.labels(rows, having.train),
            }
            self._having[rows, modality] = having, Shared(part)
        return self._having[rows, modality]

    def _metrics_by_plugin(self, cell: Cell) -> dict[str, Shared]:
        known = (cell.seed, cell.part.fold)
        if known not in self._metrics:
            by_plugin: dict[str, dict[str, Any]] = {}
            for metric in self.metrics:
                component = self.component(metric, cell, "metric", cell.part.fold)
                by_plugin.setdefault(metric.entry.plugin.name, {})[metric.name] = component
            self._metrics[known] = {plugin: Shared(used) for plugin, used in by_plugin.items()}
        return self._metrics[known]

    def _scores(self, cell: Cell, final: str, rows: Rows) -> tuple[str, ...]:
        """Add one job per plugin of metrics, so that one plugin's mistake spares the others."""
        return tuple(
            self.graph.add(
                "score",
                f"score {cell.dataset} by {plugin}",
                [final],
                {
                    "probabilities": final,
                    "labels": self.labels(rows, rows.test),
                    "groups": self._test_groups(rows),
                    "metrics": metrics,
                },
            )
            for plugin, metrics in self._metrics_by_plugin(cell).items()
        )

    def _test_groups(self, rows: Rows) -> str | None:
        """Return the array of the test part's groups, where there are any."""
        groups = rows.samples.groups
        if groups is None:
            return None
        return self.graph.array(np.unique(groups[rows.test], return_inverse=True)[1])
