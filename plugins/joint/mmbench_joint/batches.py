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
        values, there = zip(*map(padded, zip(*given, strict=True)), strict=True)
        batch: Batch = {"values": list(values), "there": list(there)}
        if not training:
            return batch
        has = torch.stack([each.any(dim=1) for each in there], dim=1)
        batch |= drawn(has, self.drop, self.mixup)
        alter(batch, self.fill)
        return batch


def drawn(has: Tensor, drop: float, mixup: float) -> Batch:
    """Draw what is dropped, and who is mixed with whom.

    Parameters
    ----------
    has : Tensor of bool, shape (n, modalities)
        Which modalities a sample has; one that would lose all that it has keeps them.
    drop, mixup : float
        As of `Batches`.

    Returns
    -------
    dict of str to Tensor
        ``kept``, bool (n, modalities), where something may be dropped; ``partner`` and ``share``,
        (n,), where samples are mixed.
    """
    made: Batch = {}
    if drop:
        kept = torch.rand(has.shape) >= drop
        made["kept"] = kept | ~(kept & has).any(dim=1, keepdim=True)
    if mixup:
        made["partner"] = torch.randperm(len(has))
        made["share"] = torch.distributions.Beta(mixup, mixup).sample((len(has),))
    return made


def alter(batch: Batch, fill: list[Tensor] | None) -> None:
    """Drop and mix what was `drawn`, in place; of sequences, position by position."""
    if "kept" in batch:
        for m, there in enumerate(batch["there"]):
            keep = batch["kept"][:, m, None]
            if fill is None:
                batch["there"][m] = there & keep
                batch["values"][m] = batch["values"][m] * keep[:, :, None]
            else:
                batch["values"][m] = torch.where(keep[:, :, None], batch["values"][m], fill[m])
    if "partner" in batch:
        partner, part = batch["partner"], batch["share"][:, None, None]
        batch["values"] = [part * v + (1 - part) * v[partner] for v in batch["values"]]
        batch["there"] = [there | there[partner] for there in batch["there"]]


def padded(parts: tuple[np.ndarray, ...]) -> tuple[Tensor, Tensor]:
    """Return vectors (n, t, d) and where they are, (n, t), t at least 1."""
    lengths = np.array([len(part) for part in parts])
    there = np.arange(max(1, lengths.max())) < lengths[:, None]
    values = np.zeros((*there.shape, parts[0].shape[1]), np.float32)
    values[there] = np.concatenate(parts)
    return torch.from_numpy(values), torch.from_numpy(there)
