"""Plans which fits are given distances in place of vectors, and the jobs that measure them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmbench.choices import Choice
from mmbench.components import Components, Rows
from mmbench.graph import Shared
from mmbench.options import ON_TRIAL, build

STORED_BYTES = 2**28
"""The most that one modality's distances may take in the store."""

MOST_BYTES = 2**30
"""The most that a fit's distances may take in memory."""

Features = tuple[dict[str, Any], list[str]]
"""The spec of features, and the jobs that they are read from."""

Weights = dict[str, float]


class Measures(Components):
    """Adds the jobs that measure distances."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._weights: dict[tuple[Choice, tuple[str, ...]], Weights | None] = {}

    def measured(
        self,
        features: Features,
        encoders: tuple[Choice, ...],
        fusion: Choice | None,
        rows: Rows,
        others: Sequence[np.ndarray],
        *,
        shared: bool,
    ) -> Features:
        """Return the same as distances, where the data allow it, for a head that takes them.

        Embeddings must be dense, and the samples few enough for n². Distances are stored per
        modality where several fits share them: where these are embeddings as encoders made them,
        and the fusion tells how their distances add up. Else the fit measures the fused vectors
        itself.

        Parameters
        ----------
        features : tuple
            The spec of the features, and the jobs that it reads.
        encoders, fusion
            What they are made by.
        rows : Rows
            Whose training part the head is fitted to.
        others : sequence of ndarray of int
            Rows that it predicts.
        shared : bool
            Whether the features are embeddings of which other fits make use.
        """
        spec, needs = features
        asked = np.concatenate(others)
        size = 8 * len(rows.train) * (len(rows.train) + len(asked))
        if size > MOST_BYTES or any(encoder.entry.sparse for encoder in encoders):
            return features
        weights = None
        if shared and size <= STORED_BYTES and spec["impute"] and not spec["sequences"]:
            weights = self._of(fusion, tuple(part["modality"] for part in spec["parts"]))
        if weights is None:
            return Shared({**spec, "measured": []}), needs
        key = self.graph.array(asked)
        jobs, measured = [], []
        for part, encoder, need in zip(spec["parts"], encoders, needs, strict=True):
            modality = part["modality"]
            job = {**spec, "parts": [part], "fusion": None, "modality": modality, "others": key}
            label = f"measure {rows.samples.name}.{modality} with {encoder.name}"
            jobs.append(self.graph.add("distances", label, [need], job))
            measured.append([jobs[-1], weights[modality]])
        return Shared({**spec, "measured": measured, "others": key}), jobs

    def _of(self, fusion: Choice | None, modalities: tuple[str, ...]) -> Weights | None:
        """Return the weights of the modalities' vectors in the fused ones, where it tells them."""
        if fusion is None:
            return dict.fromkeys(modalities, 1.0)
        known = (fusion, modalities)
        if known not in self._weights:
            self._weights[known] = _told(fusion, modalities)
        return self._weights[known]


def _told(fusion: Choice, modalities: tuple[str, ...]) -> Weights | None:
    try:
        built = build(fusion.entry, fusion.params, ON_TRIAL)
        told = built.distance_weights(modalities) if hasattr(built, "distance_weights") else None
        weights = None if told is None else {m: float(told[m]) for m in modalities}
    except (Exception, SystemExit):  # it is given vectors, and tells its mistake of them
        return None
    if weights is None or not all(0 < w < math.inf for w in weights.values()):
        return None
    return weights
