"""Histograms of colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mmbench_features.images import Contrast, Preparation, colours, shades


class ColourHistogram:
    """How much of an image has which colour: shares of its pixels, in bins of equal width.

    An image of any mode becomes 8-bit RGB or grey, transparent parts laid on white.

    Parameters
    ----------
    bins : int, default 8
        Bins per channel, 1 to 256.
    joint : bool, default True
        Bins of red, green and blue together (``bins**3`` of them), or of each on its own.
    grey : bool, default False
        Count grey values, in ``bins`` bins, instead of colours.
    contrast : {"none", "minmax", "equalise"}, default "none"
        Each channel is stretched from black to white before, or its histogram made flat.

    References
    ----------
    Swain and Ballard, "Color indexing", International Journal of Computer Vision 7(1), 1991.
    """

    def __init__(
        self,
        *,
        bins: int = 8,
        joint: bool = True,
        grey: bool = False,
        contrast: Contrast = "none",
    ) -> None:
        self.bins = bins
        self.joint = joint
        self.grey = grey
        self.contrast = contrast

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d = bins**3`` where joint (red changes slowest), else ``3 * bins`` (red first);
            ``bins`` of grey. Every row sums to 1.

        Raises
        ------
        ValueError
            If ``bins`` is not in 1 to 256.
        """
        if not 1 <= self.bins <= 256:
            raise ValueError(f"bins = {self.bins}: 1 to 256 are possible")
        prepare = Preparation(0, "fit", self.contrast, "none")
        return np.stack([self._encode_one(image, prepare) for image in items])

    def _encode_one(self, image: Image.Image, prepare: Preparation) -> np.ndarray:
        bins = self.bins
        if self.grey or self.contrast != "none":
            pixels = shades(image)[..., None] if self.grey else colours(image) / np.float32(255)
            values = np.rint(prepare(pixels) * 255).astype(np.uint16)
        else:
            values = colours(image).astype(np.uint16)
        binned = values.reshape(-1, values.shape[-1]) * np.uint16(bins) // np.uint16(256)
        n, channels = binned.shape
        if self.joint:
            cells = np.ravel_multi_index(tuple(binned.T), (bins,) * channels)
            counts = np.bincount(cells, minlength=bins**channels)
        else:
            n *= channels
            counts = np.concatenate([np.bincount(part, minlength=bins) for part in binned.T])
        shares: np.ndarray = (counts / n).astype(np.float32)
        return shares
