"""Pixels of images of any mode, brought to one range."""

from __future__ import annotations

import numpy as np
from PIL import Image


def grey(image: Image.Image) -> np.ndarray:
    """Return the image as grey values, float32 (height, width), transparent parts on white."""
    return np.asarray(_on_white(image).convert("F"))


def full_range(image: Image.Image, pixels: np.ndarray) -> float:
    """Return the grey value of white: 65535 for 16 bits, else 255.

    The modes ``I`` and ``F`` do not say how many bits they hold: 16 where a value exceeds 255.
    """
    return 65535.0 if image.mode.startswith("I;16") or pixels.max() > 255 else 255.0


def colours(image: Image.Image) -> np.ndarray:
    """Return the image as red, green and blue, uint8 (height, width, 3), on white."""
    if image.mode[0] in "IF":  # Pillow would clip 16 bits to 8
        values = grey(image)
        values = np.clip(values * (255 / full_range(image, values)), 0, 255)
        image = Image.fromarray(values.round().astype(np.uint8))
    return np.asarray(_on_white(image).convert("RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data or image.mode.startswith("I"):  # 16 bits fit no RGBA
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))
