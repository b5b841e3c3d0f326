"""What reads texts, given as numbers of words. Imports torch: only for what trains."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from mmbench_networks.vocabulary import PADDING


class Reader(nn.Module):
    """Word vectors, for something that makes one embedding of those of a text.

    Texts are numbers of words, int64 (n, t), each with one word at least and padded behind.

    Parameters
    ----------
    words : int
        Numbers of words, those of padding and of the unknown included.
    width : int
        Numbers per word.
    size : int
        Columns of an embedding.
    dropout : float
        Share of the word vectors' values set to 0 in training.
    """

    def __init__(self, words: int, width: int, size: int, dropout: float) -> None:
        super().__init__()
        self.size = size
        self.vectors = nn.Embedding(words, width, padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)


class RecurrentReader(Reader):
    """LSTM or GRU over the words, of which padding is no step.

    Parameters
    ----------
    cell : {"LSTM", "GRU"}
    words, width, dropout
        As of `Reader`; dropout between layers too.
    hidden : int
        Units of each layer, in each direction.
    layers : int
    bidirectional : bool
    pooling : {"last", "mean", "max"}
        The state after a text's last word (read backwards: the first), or the mean or maximum of
        the last layer's states at all words.
    """

    def __init__(
        self,
        cell: Literal["LSTM", "GRU"],
        words: int,
        width: int,
        *,
        hidden: int,
        layers: int,
        bidirectional: bool,
        pooling: Literal["last", "mean", "max"],
        dropout: float,
    ) -> None:
        directions = 2 if bidirectional else 1
        super().__init__(words, width, directions * hidden, dropout)
        self.directions = directions
        self.pooling = pooling
        self.recurrent = getattr(nn, cell)(
            width,
            hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if layers > 1 else 0.0,  # torch warns of it where it has no effect
        )

    def forward(self, numbers: Tensor) -> Tensor:
        """Embed texts, (n, t) to (n, directions * hidden)."""
        lengths = (numbers != PADDING).sum(dim=1)
        vectors = self.dropout(self.vectors(numbers))
        packed = pack_padded_sequence(
            vectors, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states, last = self.recurrent(packed)
        if self.pooling == "last":
            hidden: Tensor = last[0] if isinstance(last, tuple) else last
            return hidden[-self.directions :].transpose(0, 1).flatten(1)
        lowest = 0.0 if self.pooling == "mean" else -math.inf
        padded, _ = pad_packed_sequence(states, batch_first=True, padding_value=lowest)
        return padded.sum(dim=1) / lengths[:, None] if self.pooling == "mean" else padded.amax(1)


class AttentiveReader(Reader):
    """Layers of self-attention and feed-forward networks over the words, normalised before each.

    Parameters
    ----------
    words, width, dropout
        As of `Reader`; dropout within the layers too.
    layers, heads : int
        ``heads`` divides ``width``.
    feedforward : int
        Units between the two linear maps of a layer.
    positions : {"sinusoidal", "learnt"}
    pooling : {"mean", "cls"}
        The mean over the words, or the last state of a learnt vector put before them.
    length : int
        Words of the longest text.
    """

    def __init__(
        self,
        words: int,
        width: int,
        *,
        layers: int,
        heads: int,
        feedforward: int,
        positions: Literal["sinusoidal", "learnt"],
        pooling: Literal["mean", "cls"],
        length: int,
        dropout: float,
    ) -> None:
        super().__init__(words, width, width, dropout)
        self.first = nn.Parameter(0.02 * torch.randn(width)) if pooling == "cls" else None
        self.positions: Tensor
        if positions == "learnt":
            self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        else:
            self.register_buffer("positions", sinusoids(length, width), persistent=False)
        layer = nn.TransformerEncoderLayer(
            width, heads, feedforward, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        for weight in self.layers.parameters():  # they are copies of one layer, weights and all
            if weight.ndim > 1:
                nn.init.xavier_uniform_(weight)

    def forward(self, numbers: Tensor) -> Tensor:
        """Embed texts, (n, t) to (n, width)."""
        padding = numbers == PADDING
        vectors = self.vectors(numbers) + self.positions[: numbers.shape[1]]
        if self.first is not None:
            vectors = torch.cat([self.first.expand(len(vectors), 1, -1), vectors], dim=1)
            padding = nn.functional.pad(padding, (1, 0), value=False)
        states: Tensor = self.layers(self.dropout(vectors), src_key_padding_mask=padding)
        if self.first is not None:
            return states[:, 0]
        read = ~padding[:, :, None]
        return (states * read).sum(dim=1) / read.sum(dim=1)


def sinusoids(length: int, width: int) -> Tensor:
    """Return position embeddings (length, width): sines and cosines by turns.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    """
    column = torch.arange(width)
    angle = torch.arange(length)[:, None] / 10_000 ** (2 * (column // 2) / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
