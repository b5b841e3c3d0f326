"""Networks over sequences of unequal length. Imports torch: only for what trains."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

WIDEST = 64
"""Channels at most of a convolution."""


class ConvolutionsAndGru(nn.Module):
    """Convolutions over bands and time, and a recurrent layer over time.

    After every convolution what lies behind the end of a sound is set to 0, as what lies behind
    the end of the longest is, so that a row does not depend on its batch.

    Parameters
    ----------
    bands : int
        Of the spectrogram.
    channels : int
        Of the first convolution.
    layers : int
        Convolutions.
    width : int
        Columns of an embedding, two directions together.
    """

    def __init__(self, bands: int, channels: int, layers: int, width: int) -> None:
        super().__init__()
        self.convolutions, self.norms, self.pools = (nn.ModuleList() for _ in range(3))
        before = 1
        for layer in range(layers):
            after = min(channels * 2**layer, max(WIDEST, channels))
            self.convolutions.append(nn.Conv2d(before, after, 3, padding=1))
            self.norms.append(nn.BatchNorm2d(after))
            self.pools.append(nn.MaxPool2d((1 if layer else 2, 2), ceil_mode=True))
            before, bands = after, -(-bands // 2)
        self.gru = nn.GRU(before * bands, width // 2, batch_first=True, bidirectional=True)

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return embeddings (n, width) of padded spectrograms (n, windows, bands) and lengths."""
        spectrograms, lengths = inputs
        maps = spectrograms.unsqueeze(1)
        blocks = zip(self.convolutions, self.norms, self.pools, strict=True)
        for layer, (convolution, norm, pool) in enumerate(blocks):
            maps = torch.relu(norm(convolution(maps)))
            maps = pool(maps * _inside(lengths, maps.shape[2]))
            if layer == 0:
                lengths = (lengths + 1) // 2
        rows = maps.permute(0, 2, 1, 3).flatten(2)
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return torch.cat([last[0], last[1]], dim=1)


def _inside(lengths: Tensor, longest: int) -> Tensor:
    """Return 1 where a sequence goes on and 0 behind its end, (n, 1, longest, 1)."""
    steps = torch.arange(longest, device=lengths.device)
    return (steps < lengths[:, None]).float()[:, None, :, None]
