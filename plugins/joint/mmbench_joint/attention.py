"""Networks on the tokens of several modalities. Imports torch: only for what trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mmbench_joint.batches import Batch
from mmbench_joint.layers import perceptron


class Block(nn.Module):
    """Attention and a feed-forward network, each normalised before and added to its input.

    Parameters
    ----------
    width : int
    heads : int
        A divisor of ``width``.
    dropout : float
    nothing : bool, default False
        Whether there is a learnt token beside those attended to, for where there are none.
    """

    def __init__(self, width: int, heads: int, dropout: float, nothing: bool = False) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            width, heads, dropout, add_bias_kv=nothing, batch_first=True
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.feedforward = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, others: Tensor, there: Tensor) -> Tensor:
        """Return tokens (n, t, width) that have attended to others (n, s, width).

        ``there``, bool (n, s), says which of the others there are.
        """
        normed = self.norms[0](others)
        attended, _ = self.attention(
            self.norms[0](tokens), normed, normed, key_padding_mask=~there, need_weights=False
        )
        tokens = tokens + self.dropout(attended)
        return tokens + cast(Tensor, self.dropout(self.feedforward(self.norms[1](tokens))))


class SelfAttention(nn.Module):
    """Blocks of self-attention over the tokens of all modalities and a class token.

    A linear map of its own brings each modality's tokens to ``width``. The class token's last
    state goes to the classes.
    """

    def __init__(
        self,
        widths: Sequence[int],
        classes: int,
        *,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(columns, width) for columns in widths)
        self.first = nn.Parameter(0.02 * torch.randn(width))
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (n, classes)."""
        first = self.first.expand(len(batch["values"][0]), 1, -1)
        projected = [w(x) for w, x in zip(self.projections, batch["values"], strict=True)]
        tokens = torch.cat([first, *projected], dim=1)
        there = nn.functional.pad(torch.cat(batch["there"], dim=1), (1, 0), value=True)
        for block in self.blocks:
            tokens = block(tokens, tokens, there)
        return cast(Tensor, self.head(self.norm(tokens[:, 0])))


class CrossAttention(nn.Module):
    """Every modality's tokens attend to those of each other one, then to themselves.

    What a modality has learnt of each other one is put side by side and brought back to ``width``.
    The means over the tokens of each modality, side by side, pass a hidden layer to the classes.
    """

    def __init__(
        self,
        widths: Sequence[int],
        classes: int,
        *,
        width: int,
        heads: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        count = len(widths)
        pairs = [(to, of) for to in range(count) for of in range(count) if to != of or count == 1]
        self.projections = nn.ModuleList(nn.Linear(columns, width) for columns in widths)
        self.crossing = nn.ModuleDict(
            {
                f"{to}-{of}": nn.ModuleList(
                    Block(width, heads, dropout, nothing=True) for _ in range(layers)
                )
                for to, of in pairs
            }
        )
        self.pairs = pairs
        self.joining = nn.ModuleList(nn.Linear(max(1, count - 1) * width, width) for _ in widths)
        self.own = nn.ModuleList(Block(width, heads, dropout, nothing=True) for _ in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in widths)
        self.hidden = perceptron(count * width, width, 1, dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (n, classes)."""
        tokens = [w(x) for w, x in zip(self.projections, batch["values"], strict=True)]
        crossed: list[list[Tensor]] = [[] for _ in tokens]
        for to, of in self.pairs:
            states = tokens[to]
            for block in cast(nn.ModuleList, self.crossing[f"{to}-{of}"]):
                states = block(states, tokens[of], batch["there"][of])
            crossed[to].append(states)
        means = []
        for states_of, there, join, own, norm in zip(
            crossed, batch["there"], self.joining, self.own, self.norms, strict=True
        ):
            joined = join(torch.cat(states_of, dim=2))
            states = norm(own(joined, joined, there)) * there[:, :, None]
            means.append(states.sum(dim=1) / there.sum(dim=1, keepdim=True).clamp(min=1))
        return cast(Tensor, self.head(self.hidden(torch.cat(means, dim=1))))
