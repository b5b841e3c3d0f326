"""Images to the batches that a network takes: timm's preparation, for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize, v2

from mmbench import rgb

NATIVE = (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
"""Filters that torchvision has vector code for on 8-bit pixels."""


class Preparation:
    """What timm does with images for a network outside training.

    They are resized and cropped as 8-bit pixels and normalised as a batch. Where timm resizes by
    one of `NATIVE` and crops the centre, torchvision does it on tensors, by Pillow's filter and
    some four times as fast: a few pixels in a hundred differ by one or two of the 256 levels.

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
        steps = data.create_transform(**config, is_training=False, use_prefetcher=True).transforms
        if all(_is_native(step) for step in steps[:-1]):
            steps = [v2.PILToTensor(), *map(_on_tensors, steps[:-1])]
        self._steps = v2.Compose(steps)
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


def _is_native(step: Any) -> bool:
    if isinstance(step, Resize):
        return step.interpolation in NATIVE and step.antialias is True
    return isinstance(step, CenterCrop)


def _on_tensors(step: Any) -> Any:
    if isinstance(step, Resize):
        return v2.Resize(step.size, step.interpolation, step.max_size, antialias=True)
    return step
