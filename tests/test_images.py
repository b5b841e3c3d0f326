"""Images of any mode as encoders want them: RGB, upright, on white."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmbench import rgb


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "RGBX", "RGBa", "LA", "PA", "CMYK", "YCbCr", "HSV", "I"]
)
def test_images_of_any_mode(mode):
    made = rgb(Image.new("RGB", (8, 6), "white").convert("LA" if mode == "PA" else "RGB"))
    image = made.convert("RGBA").convert(mode) if mode == "RGBa" else made
    image = made.convert("P").convert("PA") if mode == "PA" else image
    image = image if image.mode == mode else image.convert(mode)
    seen = rgb(image)
    assert (seen.mode, seen.size) == ("RGB", (8, 6))
    assert np.asarray(seen).min() >= 254


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bit_grey_is_scaled(dtype):
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=dtype)
    mode = {"<u2": "I;16", ">u2": "I;16B"}[dtype]
    seen = rgb(Image.frombytes(mode, (5, 1), values.tobytes()))
    assert np.asarray(seen)[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_transparent_parts_are_white():
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (200, 0, 0, 255))
    assert np.asarray(rgb(image)).tolist() == [[[255, 255, 255], [200, 0, 0]]]


def test_images_are_turned_upright(tmp_path):
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as photo:
        seen = np.asarray(rgb(photo))
    assert seen.shape == (4, 2, 3)
    assert seen[0, 1].tolist() == [255, 255, 255]
