"""Networks on one vector per modality. Imports torch: only for what trains.

A body is called with the modalities' vectors, (n, d) each, and returns (n, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mmbench_joint.batches import Batch


def perceptron(columns: int, width: int, layers: int, dropout: float) -> nn.Sequential:
    """Return hidden layers, each linear with ReLU and dropout."""
    parts: list[nn.Module] = []
    for before in [columns, *[width] * (layers - 1)]:
        parts += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*parts)


class Classifier(nn.Module):
    """A body on one vector per modality, and a linear layer to the classes.

    Parameters
    ----------
    body : Module
    width : int
        Columns that the body returns.
    classes : int
    dropout : float, default 0
        Between the two.
    """

    def __init__(self, body: nn.Module, width: int, classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, batch: Batch) -> Tensor:
        """Return logits (n, classes)."""
        vectors = [values[:, 0] for values in batch["values"]]
        return cast(Tensor, self.head(self.dropout(self.body(vectors))))


class SideBySide(nn.Module):
    """Hidden layers on the concatenated vectors."""

    def __init__(self, widths: Sequence[int], width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.hidden = perceptron(sum(widths), width, layers, dropout)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return the last hidden layer (n, width)."""
        return cast(Tensor, self.hidden(torch.cat(vectors, dim=1)))


class GatedUnit(nn.Module):
    """The gated multimodal unit: hᵢ = tanh(Wᵢxᵢ), zᵢ = σ(Vᵢ[x₁, ...]), h = Σ zᵢ·hᵢ.

    Of two modalities there is one gate: h = z·h₁ + (1 - z)·h₂.
    """

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        gates = 1 if len(widths) == 2 else len(widths)
        self.hidden = nn.ModuleList(nn.Linear(columns, width) for columns in widths)
        self.gates = nn.Linear(sum(widths), gates * width)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return the gated sum (n, width)."""
        hidden = torch.stack([torch.tanh(w(x)) for w, x in zip(self.hidden, vectors, strict=True)])
        gates = torch.sigmoid(self.gates(torch.cat(vectors, dim=1)))
        gates = gates.reshape(len(gates), -1, hidden.shape[2]).transpose(0, 1)
        if len(vectors) == 2:
            gates = torch.cat([gates, 1 - gates])
        return (gates * hidden).sum(dim=0)


class EachFirst(nn.Module):
    """A hidden layer of each modality's own, before a body on what they return."""

    def __init__(self, widths: Sequence[int], hidden: int, body: nn.Module, dropout: float) -> None:
        super().__init__()
        self.each = nn.ModuleList(perceptron(columns, hidden, 1, dropout) for columns in widths)
        self.body = body

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return what the body makes of the hidden layers."""
        hidden = [layer(x) for layer, x in zip(self.each, vectors, strict=True)]
        return cast(Tensor, self.body(hidden))


class LowRankProduct(nn.Module):
    """Tensor fusion by a tensor of low rank: Σᵣ Πₘ Wₘᵣ[xₘ, 1], the products value by value."""

    def __init__(self, widths: Sequence[int], width: int, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self.factors = nn.ModuleList(nn.Linear(columns, rank * width) for columns in widths)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return the fused vectors (n, width)."""
        factors = [w(x) for w, x in zip(self.factors, vectors, strict=True)]
        product = torch.stack(factors).prod(dim=0)
        return product.reshape(len(product), self.rank, -1).sum(dim=1)


class StackedConvolution(nn.Module):
    """Modalities brought to one width by a linear map each, stacked as channels, convolved.

    Every convolution is followed by ReLU, dropout and a maximum over two neighbours.
    """

    def __init__(
        self,
        widths: Sequence[int],
        width: int,
        *,
        channels: int,
        kernel: int,
        layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Linear(columns, width) for columns in widths)
        parts: list[nn.Module] = []
        for before in [len(widths), *[channels] * (layers - 1)]:
            convolution = nn.Conv1d(before, channels, kernel, padding="same")
            pool = nn.MaxPool1d(2, ceil_mode=True)
            parts += [convolution, nn.ReLU(), nn.Dropout(dropout), pool]
        self.convolutions = nn.Sequential(*parts)
        self.columns = channels * -(-width // 2**layers)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return all channels side by side (n, columns)."""
        rows = [w(x) for w, x in zip(self.projections, vectors, strict=True)]
        return cast(Tensor, self.convolutions(torch.stack(rows, dim=1)).flatten(1))


class Modulated(nn.Module):
    """Residual blocks whose layers one modality scales and shifts: h + ReLU(γ·norm(Wg(h)) + β).

    Parameters
    ----------
    widths : sequence of int
    condition : int
        Which modality γ and β are linear functions of; h begins with the others.
    width, blocks : int
    dropout : float
        After the first layer, and after every block.
    """

    def __init__(
        self, widths: Sequence[int], condition: int, width: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.condition = condition
        self.first = perceptron(sum(widths) - widths[condition], width, 1, dropout)
        self.maps = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, width),
                nn.ReLU(),
                nn.Linear(width, width),
                nn.LayerNorm(width, elementwise_affine=False),
            )
            for _ in range(blocks)
        )
        self.scales = nn.ModuleList(nn.Linear(widths[condition], 2 * width) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: list[Tensor]) -> Tensor:
        """Return the last block's output (n, width)."""
        condition = vectors[self.condition]
        others = [x for m, x in enumerate(vectors) if m != self.condition]
        hidden: Tensor = self.first(torch.cat(others, dim=1))
        for block, scale in zip(self.maps, self.scales, strict=True):
            gamma, beta = scale(condition).chunk(2, dim=1)
            modulated = (1 + gamma) * block(hidden) + beta
            hidden = hidden + self.dropout(torch.relu(modulated))
        return hidden
