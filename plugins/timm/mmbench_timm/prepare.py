"""Images to the batches that a network takes: timm's preparation, for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
from PIL import Image

from mmbench import rgb


class Preparation:
    """What timm does with images for a network outside training.

    They are resized and cropped by timm's own steps, one by one, and normalised as a batch.

    Parameters
    ----------
    network : torch.nn.Module
        Of timm's.
    image_size : int, optional
        Height and width in pixels, instead of the network's own.
    layout : torch.memory_format
        Of the batches.
    """

    def __init__(
        self, network: torch.nn.Module, image_size: int | None, layout: torch.memory_format
    ) -> None:
        data: Any = timm.data  # untyped
        wanted = {} if image_size is None else {"input_size": (3, image_size, image_size)}
        config = data.resolve_data_config(wanted, model=network)
        self._steps = data.create_transform(**config, is_training=False, use_prefetcher=True)
        self._layout = layout
        self._mean, self._std = (
            255 * torch.tensor(config[name]).view(-1, 1, 1) for name in ("mean", "std")
        )

    def __call__(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Prepare images of any size and mode.

        Returns
        -------
        Tensor of float32, shape (n, 3, height, width)
        """
        pixels = [self._steps(rgb(image)) for image in images]
        batch = torch.empty((len(pixels), *pixels[0].shape), memory_format=self._layout)
        for row, one in zip(batch, pixels, strict=True):
            row.copy_(one)
        return batch.sub_(self._mean).div_(self._std)
