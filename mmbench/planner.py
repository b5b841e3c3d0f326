"""Cells to jobs: which jobs a cell needs, named so that cells share what they have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmbench.choices import adjusted
from mmbench.components import Rows
from mmbench.data import Samples
from mmbench.errors import TooFewSamplesError
from mmbench.fits import Chain, Fits
from mmbench.matrix import Cell


@dataclass(frozen=True)
class CellJobs:
    """Where a cell's results come from."""

    final: str
    """Key of the job that makes its probabilities."""
    scores: tuple[str, ...]
    """Keys of the jobs that make its metrics."""
    train: np.ndarray
    test: np.ndarray
    tuned: Mapping[str, str] = field(default_factory=dict)
    """Keys of the jobs that tuned it, by modality; "" for the one of the cell as a whole."""

    @property
    def fingerprint(self) -> str:
        """Hash of the keys of all its jobs (a key covers those of its inputs)."""
        return hashlib.sha256(" ".join((self.final, *self.scores)).encode()).hexdigest()[:16]


class Planner(Fits):
    """Turns cells into the jobs that they share."""

    def cell(self, cell: Cell, samples: Samples) -> CellJobs:
        """Add a cell's jobs.

        Raises
        ------
        TooFewSamplesError
            Too few samples are left to train or test on.
        """
        part = cell.part
        rows = Rows(samples, part.train, part.validation, part.test)
        absent = [samples.missing(m) for m in cell.modalities]
        if cell.missing == "skip":
            rows = rows.where(~np.any(absent, axis=0))
        elif cell.missing == "drop-modality":
            rows = rows.where(~np.all(absent, axis=0))
        if not len(rows.train) or not len(rows.test):
            raise TooFewSamplesError("no sample has all of its modalities")
        for modality, missing in zip(cell.modalities, absent, strict=True):
            if cell.missing == "drop-modality" and missing[rows.train].all():
                raise TooFewSamplesError(f"no training sample has {modality}")
        if cell.level == "decision":
            final = self._decide(cell, rows)
        else:
            head = None if cell.level == "joint" else cell.head
            final = self.fit(self._chain(cell), head, rows)
        scores = self._scores(cell, final, rows)
        return CellJobs(final, scores, rows.train, rows.test, self._tuned(final))

    def _tuned(self, final: str) -> dict[str, str]:
        """Return the jobs that tuned a cell by modality; "" for that of the cell as a whole."""
        spec = self.graph.jobs[final].spec
        heads = (
            {modality: self.graph.jobs[key].spec for modality, key in spec["probabilities"].items()}
            if "probabilities" in spec
            else {}
        )
        found = {modality: of.get("tuned") for modality, of in {**heads, "": spec}.items()}
        return {modality: key for modality, key in found.items() if key is not None}

    @staticmethod
    def _chain(cell: Cell) -> Chain:
        return Chain(cell, cell.modalities, cell.encoders, cell.alignment, cell.fusion)

    def _decide(self, cell: Cell, rows: Rows) -> str:
        fusion, head = cell.fusion, cell.head
        assert fusion is not None
        assert head is not None
        fits, held_out, parts = {}, {}, {}
        for modality, encoder in zip(cell.modalities, cell.encoders, strict=True):
            chain, having = Chain(cell, (modality,), (encoder,)), rows
            if cell.missing == "drop-modality":
                having = rows.where(~rows.samples.missing(modality))
                parts[modality] = {
                    "train": self.graph.array(np.flatnonzero(np.isin(rows.train, having.train))),
                    "test": self.graph.array(np.flatnonzero(np.isin(rows.test, having.test))),
                    "labels": self.labels(rows, having.train),
                }
            fits[modality] = self.fit(chain, head, having)
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
            **shared,
            "probabilities": fits,
            "out_of_fold": given or None,
            "n_test": len(rows.test),
            "n_classes": len(rows.samples.classes),
        }
        label = f"decide {cell.dataset} with {fusion.name}"
        inputs = [*fits.values(), *given.values()]
        return self.add_tuned("decide", label, inputs, spec, variants, tuned)

    def _scores(self, cell: Cell, final: str, rows: Rows) -> tuple[str, ...]:
        """Add one job per plugin of metrics, so that one plugin's mistake spares the others."""
        by_plugin: dict[str, dict[str, Any]] = {}
        for metric in self.metrics:
            component = self.component(metric, cell, "metric", cell.part.fold)
            by_plugin.setdefault(metric.entry.plugin.name, {})[metric.name] = component
        return tuple(
            self.graph.add(
                "score",
                f"score {cell.dataset} by {plugin}",
                [final],
                {
                    "probabilities": final,
                    "labels": self.labels(rows, rows.test),
                    "metrics": metrics,
                },
            )
            for plugin, metrics in by_plugin.items()
        )
