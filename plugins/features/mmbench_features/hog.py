"""Histograms of oriented gradients."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps
from skimage.feature import hog

from mmbench_features.images import full_range, grey


class Hog:
    """Histograms of oriented gradients, normalised in overlapping blocks.

    An image becomes grey and is scaled, its shape kept, into a square of ``size`` pixels; what is
    left of the square is filled with the median grey of the image's border. Transparent parts are
    laid on white. The range of the grey values does not matter, as blocks are normalised (L2-Hys).

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
    ) -> None:
        self.size = size
        self.orientations = orientations
        self.cell = cell
        self.block = block
        self.noise = noise

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
        return np.stack([self._encode_one(image) for image in items]).astype(np.float32)

    def _encode_one(self, image: Image.Image) -> np.ndarray:
        pixels = grey(image)
        if self.noise:
            pixels = pixels + self.noise * full_range(image, pixels) * _noise(pixels)
        histograms: np.ndarray = hog(
            _square(pixels, self.size),
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


def _square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scale an image into a square, its shape kept, the rest filled with its border's median."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = float(np.median(border))
    fitted = ImageOps.pad(
        Image.fromarray(pixels),
        (size, size),
        Image.Resampling.BILINEAR,
        color=fill,  # type: ignore[arg-type]
    )
    return np.asarray(fitted)
