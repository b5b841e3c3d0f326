"""Histograms of oriented gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps
from skimage.feature import hog


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

    References
    ----------
    Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    """

    def __init__(
        self, *, size: int = 64, orientations: int = 9, cell: int = 8, block: int = 2
    ) -> None:
        self.size = size
        self.orientations = orientations
        self.cell = cell
        self.block = block

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
        histograms: np.ndarray = hog(
            _square(_grey(image), self.size),
            orientations=self.orientations,
            pixels_per_cell=(self.cell, self.cell),
            cells_per_block=(self.block, self.block),
        )
        return histograms


def _grey(image: Image.Image) -> Image.Image:
    """Return the image as float grey values, transparent parts on white."""
    if image.has_transparency_data and not image.mode.startswith("I"):  # 16 bits fit no RGBA
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("F")


def _square(grey: Image.Image, size: int) -> np.ndarray:
    """Scale an image into a square, its shape kept, the rest filled with its border's median."""
    pixels = np.asarray(grey)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = float(np.median(border))
    return np.asarray(ImageOps.pad(grey, (size, size), Image.Resampling.BILINEAR, color=fill))  # type: ignore[arg-type]
