"""Histograms of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mmbench_features.images import colours


class ColourHistogram:
    """How much of an image has which colour: shares of its pixels, in bins of equal width.

    An image of any mode becomes 8-bit RGB, transparent parts laid on white.

    Parameters
    ----------
    bins : int, default 8
        Bins per channel, 1 to 256.
    joint : bool, default True
        Bins of red, green and blue together (``bins**3`` of them), or of each on its own.

    References
    ----------
    Swain and Ballard, "Color indexing", International Journal of Computer Vision 7(1), 1991.
    """

    def __init__(self, *, bins: int = 8, joint: bool = True) -> None:
        self.bins = bins
        self.joint = joint

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d = bins**3`` where joint (red changes slowest), else ``3 * bins`` (red first); every
            row sums to 1.

        Raises
        ------
        ValueError
            If ``bins`` is not in 1 to 256.
        """
        if not 1 <= self.bins <= 256:
            raise ValueError(f"bins = {self.bins}: 1 to 256 are possible")
        return np.stack([self._encode_one(image) for image in items])

    def _encode_one(self, image: Image.Image) -> np.ndarray:
        bins = self.bins
        binned = colours(image).reshape(-1, 3).astype(np.int64) * bins // 256
        cells: np.ndarray
        if self.joint:
            cells, width = binned @ np.array([bins**2, bins, 1]), bins**3
        else:
            cells, width = (binned + bins * np.arange(3)).ravel(), 3 * bins
        return (np.bincount(cells, minlength=width) / len(cells)).astype(np.float32)
