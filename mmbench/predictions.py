"""Plans predictions of corrupted test samples: what is fitted, and all that is clean, is reused."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmbench.cells import Cell
from mmbench.components import Rows, drawn_by
from mmbench.corruption.model import Corruption
from mmbench.fits import Fits
from mmbench.graph import Shared
from mmbench.serving import embedding_keys, trained_parts


class Predictions(Fits):
    """Adds the jobs that embed corrupted items, and those that predict them."""

    def corrupted(self, fit: str, cell: Cell, modalities: tuple[str, ...], rows: Rows) -> str:
        """Return the job that predicts the test part as a cell's corruption leaves it.

        Where it touches none of these modalities, that is the fit job itself.

        Parameters
        ----------
        fit : str
            Key of the job that fits, and predicts the clean test part.
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
            part: dict[str, Any] = {"modality": modality}
            is_worse = modality in noise.modalities
            if is_worse and noise.takes_away:
                part["lost"] = self.graph.array(self.lost(rows.samples, noise, cell.seed))
            if modality in trained:
                told = dict(trained[modality]) | {k: v for k, v in part.items() if k == "lost"}
                if is_worse and not noise.takes_away:
                    told["corruption"] = drawn_by(noise, cell.seed)
                part = {"modality": modality, "items": told}
            elif is_worse and not noise.takes_away:
                part["from"] = self._embed_corrupted(embeds[modality], cell, noise)
                part["at"] = self.graph.array(np.searchsorted(cell.part.test, rows.test))
                inputs.append(part["from"])
            else:
                part |= {"from": embeds[modality], "at": self.graph.array(rows.test)}
            parts.append(part)
        spec = {
            "of": fit,
            "parts": parts,
            "test": self.graph.array(rows.test),
            "n_classes": len(rows.samples.classes),
        }
        what = f"{cell.dataset}.{'+'.join(modalities)}"
        return self.graph.add("predict", f"predict {what}, {noise}", inputs, spec, {"jobs": jobs})

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
