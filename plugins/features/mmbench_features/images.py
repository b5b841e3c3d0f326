"""Pixels of images of any mode, brought to one range, and prepared for features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from skimage import exposure, filters

Resize = Literal["fit", "stretch", "crop"]
Contrast = Literal["none", "minmax", "equalise"]
Binarise = Literal["none", "otsu"] | float


@dataclass(frozen=True)
class Preparation:
    """What is done to an image before its features are taken, in the order of the parameters.

    Each channel of a colour image is treated on its own.

    Parameters
    ----------
    size : int
        Side of the square into which the image is scaled (bilinear; what shrinks is averaged), in
        pixels; 0: it stays as it is.
    resize : {"fit", "stretch", "crop"}
        ``fit``: the shape is kept, what is left of the square is filled with the median of the
        image's border. ``stretch``: the shape becomes square. ``crop``: the shape is kept, what
        reaches beyond the square on both sides is cut off.
    contrast : {"none", "minmax", "equalise"}
        ``minmax``: the darkest pixel becomes black, the brightest white. ``equalise``: the
        histogram is made flat.
    binarise : {"none", "otsu"} or float
        Pixels brighter than a threshold become white, all others black. The threshold is a share
        of the range from black to white, or Otsu's, which parts the image's values into the two
        groups of least variance.

    Raises
    ------
    ValueError
        If ``size`` is negative, or a threshold is not in 0 to 1.

    References
    ----------
    Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
    Man, and Cybernetics 9(1), 1979.
    """

    size: int
    resize: Resize
    contrast: Contrast
    binarise: Binarise

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"size = {self.size}: 0 (as it is) or more pixels are possible")
        if not isinstance(self.binarise, str) and not 0 <= self.binarise <= 1:
            raise ValueError(f"binarise = {self.binarise}: a threshold lies in 0 to 1")

    def __call__(self, pixels: np.ndarray, white: float = 1.0) -> np.ndarray:
        """Prepare pixels, (height, width) or (height, width, channels), black being 0."""
        if pixels.ndim == 3:
            channels = np.moveaxis(pixels, -1, 0)
            return np.stack([self(channel, white) for channel in channels], axis=-1)
        if self.size:
            pixels = _square(pixels, self.size, self.resize)
        if self.contrast == "minmax":
            pixels = exposure.rescale_intensity(pixels, out_range=(0.0, white))  # type: ignore[no-untyped-call]
        elif self.contrast == "equalise":
            pixels = exposure.equalize_hist(pixels) * white  # type: ignore[no-untyped-call]
        if self.binarise == "otsu":
            pixels = white * (pixels > filters.threshold_otsu(pixels))  # type: ignore[no-untyped-call]
        elif self.binarise != "none":
            pixels = white * (pixels > self.binarise * white)
        return np.asarray(pixels, dtype=np.float32)


def grey(image: Image.Image) -> np.ndarray:
    """Return the image as grey values, float32 (height, width), transparent parts on white."""
    return np.asarray(_on_white(image).convert("F"))


def full_range(image: Image.Image, pixels: np.ndarray) -> float:
    """Return the grey value of white: 65535 for 16 bits, else 255.

    The modes ``I`` and ``F`` do not say how many bits they hold: 16 where a value exceeds 255.
    """
    return 65535.0 if image.mode.startswith("I;16") or pixels.max() > 255 else 255.0


def shades(image: Image.Image) -> np.ndarray:
    """Return the image as grey values from 0 (black) to 1 (white), float32 (height, width)."""
    values = grey(image)
    return np.clip(values / np.float32(full_range(image, values)), 0, 1)


def colours(image: Image.Image) -> np.ndarray:
    """Return the image as red, green and blue, uint8 (height, width, 3), on white."""
    if image.mode[0] in "IF":  # Pillow would clip 16 bits to 8
        image = Image.fromarray((shades(image) * 255).round().astype(np.uint8))
    return np.asarray(_on_white(image).convert("RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data or image.mode.startswith("I"):  # 16 bits fit no RGBA
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))


def _square(pixels: np.ndarray, size: int, resize: Resize) -> np.ndarray:
    """Scale an image of one channel into a square."""
    image, square = Image.fromarray(pixels), (size, size)
    if resize == "stretch":
        return np.asarray(image.resize(square, Image.Resampling.BILINEAR))
    if resize == "crop":
        return np.asarray(ImageOps.fit(image, square, Image.Resampling.BILINEAR))
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    fill = float(np.median(border))
    fitted = ImageOps.pad(
        image,
        square,
        Image.Resampling.BILINEAR,
        color=fill,  # type: ignore[arg-type]
    )
    return np.asarray(fitted)
