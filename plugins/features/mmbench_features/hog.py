"""Histograms of oriented gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image
from skimage import feature

from mmbench_features.images import Binarise, Contrast, Preparation, Resize, full_range, grey


class Hog:
    """Histograms of oriented gradients, normalised in overlapping blocks.

    An image of any mode becomes grey, transparent parts laid on white, and is prepared. The range
    of the grey values does not matter, as blocks are normalised (L2-Hys).

    Parameters
    ----------
    size : int, default 64
        Side of the square, in pixels; at least ``cell * block``.
    orientations : int, default 9
        Bins of a histogram, over 180 degrees.
    cell : int, default 8
        Side of a cell, the area of one histogram, in pixels.
    block : int, default 2
        Side of a block, in cells.
    noise : float, default 0.0
        Makes images hard to read: the standard deviation of Gaussian noise, as a share of the
        range from black to white, that is added to the grey image's own pixels. Drawn from a hash
        of these pixels, so that it depends on nothing else: an image has the same noise in any
        order, batch and process, and twice the noise at twice the strength.
    resize : {"fit", "stretch", "crop"}, default "fit"
        How the image is scaled: its shape kept, and what is left of the square filled with the
        median grey of the image's border; or made square; or its shape kept and cut off.
    contrast : {"none", "minmax", "equalise"}, default "none"
        Grey values stretched from black to white, or their histogram made flat.
    binarise : {"none", "otsu"} or float, default "none"
        Pixels brighter than Otsu's threshold, or this share of the range, become white, others
        black.

    See Also
    --------
    mmbench_features.images.Preparation : What the last three do, in this order, to the square.

    References
    ----------
    Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """

    def __init__(
        self,
        *,
        size: int = 64,
        orientations: int = 9,
        cell: int = 8,
        block: int = 2,
        noise: float = 0.0,
        resize: Resize = "fit",
        contrast: Contrast = "none",
        binarise: Binarise = "none",
    ) -> None:
        self.size = size
        self.orientations = orientations
        self.cell = cell
        self.block = block
        self.noise = noise
        self.resize = resize
        self.contrast = contrast
        self.binarise = binarise

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d = (size // cell - block + 1)**2 * block**2 * orientations``; all values finite.

        Raises
        ------
        ValueError
            If ``size`` is smaller than a block.
        """
        if self.size < self.cell * self.block:
            raise ValueError(
                f"size = {self.size}: too small for a block of {self.cell * self.block} pixels"
            )
        prepare = Preparation(self.size, self.resize, self.contrast, self.binarise)
        return np.stack([self._encode_one(image, prepare) for image in items]).astype(np.float32)

    def _encode_one(self, image: Image.Image, prepare: Preparation) -> np.ndarray:
        pixels = grey(image)
        white = full_range(image, pixels)
        if self.noise:
            pixels = pixels + self.noise * white * _noise(pixels)
        histograms: np.ndarray = feature.hog(
            prepare(pixels, white),
            orientations=self.orientations,
            pixels_per_cell=(self.cell, self.cell),
            cells_per_block=(self.block, self.block),
        )
        return histograms


def _noise(pixels: np.ndarray) -> np.ndarray:
    """Draw standard normal noise, the same whenever these pixels are given."""
    digest = hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16)
    rng = np.random.default_rng(int.from_bytes(digest.digest(), "little"))
    return rng.standard_normal(pixels.shape, dtype=np.float32)
