"""Images as encoders want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def rgb(image: Image.Image) -> Image.Image:
    """Return an image of any mode as RGB: turned upright, transparent parts on white.

    Of 16-bit grey values the upper 8 bits are taken; other values beyond 255 are cut off.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode and size; it is turned as its EXIF orientation says.

    Returns
    -------
    PIL.Image.Image
        Of mode RGB.
    """
    import numpy as np
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
