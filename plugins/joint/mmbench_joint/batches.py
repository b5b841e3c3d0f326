"""Samples of several modalities as padded batches, dropped out and mixed in training.

Imports torch: only for what trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbench import Sequences

Sample = tuple[np.ndarray, ...]
"""A sample's vectors by modality, (t, d) each; none where it lacks the modality."""

Batch = dict[str, Any]
"""``values``: by modality (n, t, d), zeros behind the end of a sequence. ``there``: by modality
bool (n, t). Where samples are mixed, ``partner`` (n,) and ``share`` (n,), of the sample itself."""


def samples(features: list[np.ndarray | Sequences]) -> list[Sample]:
    """Return features by modality, vectors (n, d) or sequences, sample by sample in float32."""
    parts = [f if isinstance(f, Sequences) else Sequences.of_rows(f) for f in features]
    return list(zip(*parts, strict=True))


@dataclass
class Batches:
    """Makes batches of samples.

    Parameters
    ----------
    drop : float
        Chance of each modality of a sample to be dropped in training.
    mixup : float
        Parameter of the beta distribution of the shares; 0 mixes nothing.
    fill : list of Tensor (d,), optional
        What takes the place of a dropped vector, by modality; without it there is none.
    """

    drop: float = 0.0
    mixup: float = 0.0
    fill: list[Tensor] | None = None

    def __call__(self, given: list[Sample], training: bool) -> Batch:
        """Return a batch; what is random is drawn from torch's generator, in training alone."""
        values, there = zip(*map(_padded, zip(*given, strict=True)), strict=True)
        batch: Batch = {"values": list(values), "there": list(there)}
        if training and self.drop:
            self._drop(batch)
        if training and self.mixup:
            self._mix(batch)
        return batch

    def _drop(self, batch: Batch) -> None:
        """Drop modalities; a sample that would lose all that it has keeps them."""
        has = torch.stack([there.any(dim=1) for there in batch["there"]], dim=1)
        kept = torch.rand(has.shape) >= self.drop
        kept |= ~(kept & has).any(dim=1, keepdim=True)
        for m, there in enumerate(batch["there"]):
            keep = kept[:, m, None]
            if self.fill is None:
                batch["there"][m] = there & keep
                batch["values"][m] = batch["values"][m] * keep[:, :, None]
            else:
                batch["values"][m] = torch.where(keep[:, :, None], batch["values"][m], self.fill[m])

    def _mix(self, batch: Batch) -> None:
        """Mix each sample with another; of sequences, position by position."""
        n = len(batch["there"][0])
        partner = torch.randperm(n)
        share = torch.distributions.Beta(self.mixup, self.mixup).sample((n,))
        part = share[:, None, None]
        batch["values"] = [part * v + (1 - part) * v[partner] for v in batch["values"]]
        batch["there"] = [there | there[partner] for there in batch["there"]]
        batch |= {"partner": partner, "share": share}


def _padded(parts: tuple[np.ndarray, ...]) -> tuple[Tensor, Tensor]:
    """Return vectors (n, t, d) and where they are, (n, t), t at least 1."""
    lengths = np.array([len(part) for part in parts])
    there = np.arange(max(1, lengths.max())) < lengths[:, None]
    values = np.zeros((*there.shape, parts[0].shape[1]), np.float32)
    values[there] = np.concatenate(parts)
    return torch.from_numpy(values), torch.from_numpy(there)
