"""Pixels themselves, and their principal components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from PIL import Image

from mmbench_features.images import Binarise, Contrast, Preparation, Resize, colours, shades
from mmbench_features.principal import PrincipalComponents


class RawPixels:
    """The pixels of the scaled image, from 0 (black) to 1 (white).

    An image of any mode becomes grey or RGB, transparent parts laid on white.

    Parameters
    ----------
    size : int, default 32
        Side of the square into which the image is scaled, in pixels.
    grey : bool, default True
        Grey values, or red, green and blue.
    resize, contrast, binarise
        How the image is prepared, see `mmbench_features.images.Preparation`.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        grey: bool = True,
        resize: Resize = "fit",
        contrast: Contrast = "none",
        binarise: Binarise = "none",
    ) -> None:
        self.size = size
        self.grey = grey
        self.resize = resize
        self.contrast = contrast
        self.binarise = binarise

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d = size**2``, or ``3 * size**2`` of colours; row by row, red, green and blue of a
            pixel side by side.

        Raises
        ------
        ValueError
            If ``size`` is not positive.
        """
        if self.size < 1:
            raise ValueError(f"size = {self.size}: at least one pixel is needed")
        prepare = Preparation(self.size, self.resize, self.contrast, self.binarise)
        return np.stack([prepare(self._pixels(image)).ravel() for image in items])

    def _pixels(self, image: Image.Image) -> np.ndarray:
        return shades(image) if self.grey else colours(image) / np.float32(255)


class PixelsPca(RawPixels):
    """Principal components of the pixels, learnt on the training images ("eigenfaces").

    Parameters
    ----------
    components : int or float, default 32
        How many, the first; or the share of the variance that they must hold, in 0 to 1. Fewer
        where the training images do not have as many.
    whiten : bool, default False
        Whether each component is scaled to variance 1.
    size : int, default 32
        Side of the square into which the image is scaled, in pixels.
    grey : bool, default True
        Grey values, or red, green and blue.
    resize, contrast, binarise
        How the image is prepared, see `mmbench_features.images.Preparation`.

    Attributes
    ----------
    components_ : PrincipalComponents
        The fitted components.

    References
    ----------
    Turk and Pentland, "Eigenfaces for recognition", Journal of Cognitive Neuroscience 3(1), 1991.
    """

    def __init__(
        self,
        *,
        components: int | float = 32,
        whiten: bool = False,
        size: int = 32,
        grey: bool = True,
        resize: Resize = "fit",
        contrast: Contrast = "none",
        binarise: Binarise = "none",
    ) -> None:
        super().__init__(size=size, grey=grey, resize=resize, contrast=contrast, binarise=binarise)
        self.components = components
        self.whiten = whiten

    def fit(
        self,
        items: Sequence[Image.Image],
        labels: np.ndarray | None = None,
        *,
        validation: tuple[Sequence[Image.Image], np.ndarray | None] | None = None,
    ) -> Self:
        """Learn the components of the training images; nothing else is used.

        Raises
        ------
        ValueError
            If all training images are equal, or an option is out of range.
        """
        pixels = super().encode(items)
        self.components_ = PrincipalComponents(self.components, self.whiten).fit(pixels)
        return self

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` is at most ``components``; those of the largest variance first.
        """
        return self.components_.transform(super().encode(items))
