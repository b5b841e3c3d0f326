"""Plans predictions of corrupted test samples: what is fitted, and all that is clean, is reused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmbench.cells import Cell
from mmbench.choices import Choice
from mmbench.components import Rows, drawn_by
from mmbench.corruption.items import partners
from mmbench.corruption.model import ADDITIVE, PERMUTED, Corruption
from mmbench.fits import Fits
from mmbench.graph import Shared
from mmbench.serving import embedding_keys, trained_parts


class Predictions(Fits):
    """Adds the jobs that embed corrupted items, and those that predict them."""

    def __init__(self, metrics: Sequence[Choice], device: str) -> None:
        super().__init__(metrics, device)
        self._closures: dict[str, dict[str, Any]] = {}
        self._partners: dict[tuple[Rows, str, int], np.ndarray] = {}

    def corrupted(self, fit: str, cell: Cell, modalities: tuple[str, ...], rows: Rows) -> str:
        """Return the job that predicts the test part as a cell's corruption leaves it.

        Of an additive projection, that of what the job predicts.

        Where it touches none of these modalities, that is the fit job itself.

        Parameters
        ----------
        fit : str
            Key of the job that predicts the clean test part: it fits a head or a joint fusion, or
            (for an additive projection) decides.
        cell : Cell
            Its corruption is of the test part alone.
        modalities : tuple of str
            Those that the job has been fitted on.
        rows : Rows
            Whose test part is predicted.
        """
        noise = cell.corruption
        if noise is None or noise.training or set(modalities).isdisjoint(noise.modalities):
            return fit
        jobs = self._jobs(fit)
        embeds = embedding_keys(fit, jobs)
        trained = trained_parts(jobs[fit]["spec"])
        parts, inputs = [], [*jobs]
        for modality in modalities:
            part: dict[str, Any] = {"modality": modality, "at": self.graph.array(rows.test)}
            told: dict[str, Any] = {}
            is_worse = modality in noise.modalities
            if is_worse and noise.takes_away:
                told["lost"] = self.graph.array(self.lost(rows.samples, noise, cell.seed))
            elif is_worse and noise.name == PERMUTED:
                part["at"] = self._permuted(modality, rows, cell.seed)
            if modality in trained:
                if is_worse and noise.is_noise:
                    told["corruption"] = drawn_by(noise, cell.seed)
                parts.append(part | {"items": {**trained[modality], **told}})
                continue
            part |= {"from": embeds[modality], **told}
            if is_worse and noise.is_noise:
                part["from"] = self._embed_corrupted(embeds[modality], cell, noise)
                part["at"] = self.graph.array(np.searchsorted(cell.part.test, rows.test))
                inputs.append(part["from"])
            parts.append(part)
        spec = {
            "of": fit,
            "parts": parts,
            "test": self.graph.array(rows.test),
            "n_classes": len(rows.samples.classes),
            "additive": noise.name == ADDITIVE,
        }
        what = f"{cell.dataset}.{'+'.join(modalities)}"
        return self.graph.add("predict", f"predict {what}, {noise}", inputs, spec, {"jobs": jobs})

    def _permuted(self, modality: str, rows: Rows, seed: int) -> str:
        """Return the array of the test samples whose items of a modality others have."""
        known = (rows, modality, seed)
        if known not in self._partners:
            ids = [rows.samples.ids[row] for row in rows.test]
            self._partners[known] = rows.test[partners(ids, modality, seed)]
        return self.graph.array(self._partners[known])

    def _jobs(self, fit: str) -> dict[str, Any]:
        """Return all that a fit stands on, itself included, as a worker is told it."""
        if fit not in self._closures:
            self._closures[fit] = {
                job.key: {"kind": job.kind, "spec": job.spec} for job in self.graph.closure([fit])
            }
        return self._closures[fit]

    def _embed_corrupted(self, clean: str, cell: Cell, noise: Corruption) -> str:
        """Add the job that embeds the test part of a modality as noise leaves it."""
        job = self.graph.jobs[clean]
        spec = {
            "of": clean,
            "corruption": Shared(drawn_by(noise, cell.seed)),
            "test": self.graph.array(cell.part.test),
        }
        label = f"{job.label}, {noise}"
        return self.graph.add("corrupt", label, [clean], spec, {"clean": job.spec})
