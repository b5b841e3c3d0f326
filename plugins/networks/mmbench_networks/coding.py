"""Autoencoders. Imports torch: only for what trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


class Coding(nn.Module):
    """A coder and what undoes it.

    Parameters
    ----------
    coder, decoder : Module
        Inputs to codes (n, width), and back.
    noise : float
        Standard deviation of what is added to inputs in training.
    """

    def __init__(self, coder: nn.Module, decoder: nn.Module, noise: float) -> None:
        super().__init__()
        self.coder = coder
        self.decoder = decoder
        self.noise = noise

    def embed(self, inputs: Tensor) -> Tensor:
        """Return codes (n, width)."""
        return cast(Tensor, self.coder(inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what is rebuilt of the inputs."""
        if self.training and self.noise:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        return cast(Tensor, self.decoder(self.embed(inputs)))


class Cut(nn.Module):
    """Cuts maps (n, channels, height, width) to a height and width."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, maps: Tensor) -> Tensor:
        """Return the upper left part."""
        return maps[:, :, : self.height, : self.width]


def of_vectors(columns: int, hidden: int, width: int, noise: float) -> Coding:
    """Return an autoencoder of vectors (n, columns) with one hidden layer on either side."""
    coder = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, width))
    decoder = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, columns))
    return Coding(coder, decoder, noise)


def of_grids(shape: Sequence[int], channels: int, width: int, noise: float) -> Coding:
    """Return a convolutional autoencoder of inputs (n, channels, height, width)."""
    depth, high, wide = shape
    inner = (2 * channels, -(-high // 4), -(-wide // 4))
    flat = inner[0] * inner[1] * inner[2]
    coder = nn.Sequential(
        nn.Conv2d(depth, channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(flat, width),
    )
    decoder = nn.Sequential(
        nn.Linear(width, flat),
        nn.ReLU(),
        nn.Unflatten(1, inner),
        nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(channels, depth, 4, stride=2, padding=1),
        Cut(high, wide),
    )
    return Coding(coder, decoder, noise)
