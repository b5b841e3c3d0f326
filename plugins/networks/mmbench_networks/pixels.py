"""Images as pixels of one size, and their augmentation in training."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from mmbench import rgb

if TYPE_CHECKING:
    from torch import Tensor

LOOKED_AT = 1000
"""Images at most whose pixels are averaged for normalising."""


@dataclass(kw_only=True, eq=False)
class Pixels:
    """The options of images. A class inherits them, as a dataclass, beside its own.

    Parameters
    ----------
    resize : {"stretch", "crop"}, default "stretch"
        How an image becomes a square: stretched; or its shorter side scaled, its centre cut out.
    crop : int, default 0
        Training images are moved by up to so many pixels in either direction, what leaves the
        frame cut off and the rest black.
    flip : bool, default False
        Whether every second training image, at random, is mirrored left to right.
    jitter : float, default 0
        Training images change in brightness, contrast and saturation by a factor of up to
        1 ± ``jitter`` and in hue by up to a quarter of ``jitter``; 0 to 1.
    """

    resize: Literal["stretch", "crop"] = "stretch"
    crop: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.0

    def pixels(self, items: Sequence[Any], size: int, grey: bool) -> "list[Tensor]":
        """Return uint8 tensors (channels, size, size), of one channel or three."""
        import torch
        from PIL import Image, ImageOps

        found = []
        for item in items:
            image = rgb(item).convert("L") if grey else rgb(item)
            if self.resize == "crop":
                image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
            else:
                image = image.resize((size, size), Image.Resampling.BICUBIC)
            values = np.array(image, dtype=np.uint8).reshape(size, size, -1)
            found.append(torch.from_numpy(values).permute(2, 0, 1).contiguous())
        return found

    def channel_statistics(
        self, items: Sequence[Any], size: int, grey: bool
    ) -> dict[str, list[float]]:
        """Return mean and standard deviation of each channel, of values from 0 to 1."""
        import torch

        rows = np.unique(np.linspace(0, len(items) - 1, LOOKED_AT).astype(int))
        values = torch.stack(self.pixels([items[i] for i in rows], size, grey)).double() / 255
        mean, std = values.mean(dim=(0, 2, 3)), values.std(dim=(0, 2, 3)).clamp_min(1e-3)
        return {"mean": mean.tolist(), "std": std.tolist()}

    def augmented(self, images: "list[Tensor]") -> "Tensor":
        """Return uint8 images in one tensor, each changed at random by torch's generator."""
        import torch
        from torchvision.transforms import v2

        steps: list[Any] = []
        if self.crop:
            steps.append(v2.RandomCrop(images[0].shape[-2:], padding=self.crop))
        if self.flip:
            steps.append(v2.RandomHorizontalFlip())
        if self.jitter:
            bound = self.jitter
            steps.append(v2.ColorJitter(bound, bound, bound, bound / 4))
        if not steps:
            return torch.stack(images)
        change = v2.Compose(steps)
        return torch.stack([change(image) for image in images])


def normalised(images: "Tensor", mean: list[float], std: list[float]) -> "Tensor":
    """Return uint8 images (n, channels, size, size) as floats of mean 0 and deviation 1."""
    import torch

    shape = (1, -1, 1, 1)
    centre, scale = torch.tensor(mean).reshape(shape), torch.tensor(std).reshape(shape)
    return (images.float() / 255 - centre) / scale
