"""Layers that several networks share. Imports torch: only for what trains."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn


class Classifier(nn.Module):
    """A body that embeds, dropout, and a linear layer to the classes.

    Parameters
    ----------
    body : Module
        Inputs to embeddings (n, width).
    width : int
        Columns of an embedding.
    classes : int
        How many classes there are.
    dropout : float
        Share of an embedding's values set to 0 in training.
    """

    def __init__(self, body: nn.Module, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def embed(self, inputs: Any) -> Tensor:
        """Return embeddings (n, width)."""
        return cast(Tensor, self.body(inputs))

    def forward(self, inputs: Any) -> Tensor:
        """Return logits (n, classes)."""
        return cast(Tensor, self.head(self.dropout(self.embed(inputs))))
