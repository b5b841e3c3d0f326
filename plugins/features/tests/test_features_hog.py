import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features.hog import Hog
from PIL import Image
from skimage.feature import hog

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


def grey_image(width=64, height=64, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    return Image.fromarray(pixels)


def leaf(width, height):
    """A white ellipse on black, tilted by a cut, with a black margin."""
    y, x = np.mgrid[:height, :width]
    inside = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2 < 0.16) & (
        x > y * width / height / 2
    )
    return Image.fromarray(np.uint8(255 * inside))


def test_equals_scikit_image_on_an_image_of_the_right_size():
    image = grey_image()
    expected = hog(
        np.asarray(image, dtype=float),
        orientations=9,
        pixels_per_cell=(8, 8),
        cells_per_block=(2, 2),
        block_norm="L2-Hys",
    )
    embedded = Hog().encode([image])
    assert embedded.dtype == np.float32
    assert embedded.shape == (1, 1764)
    np.testing.assert_allclose(embedded[0], expected, atol=1e-5)


def test_large_images_are_averaged_not_sampled():
    large = grey_image(512, 512).convert("F")
    small = large.resize((64, 64), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(Hog().encode([large]), Hog().encode([small]), atol=1e-5)


def test_parameters_reach_scikit_image():
    image = grey_image(48, 48)
    expected = hog(
        np.asarray(image, dtype=float),
        orientations=6,
        pixels_per_cell=(12, 12),
        cells_per_block=(3, 3),
    )
    embedded = Hog(size=48, orientations=6, cell=12, block=3).encode([image])
    np.testing.assert_allclose(embedded[0], expected, atol=1e-5)


def test_rows_belong_to_their_images():
    images = [grey_image(seed=seed) for seed in range(3)]
    together = Hog().encode(images)
    for row, image in zip(together, images, strict=True):
        np.testing.assert_array_equal(row, Hog().encode([image])[0])
    assert not np.allclose(together[0], together[1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 2), (40, 30)])
def test_every_mode_and_size_gives_finite_values_of_one_length(mode, size):
    embedded = Hog().encode([Image.new(mode, size), grey_image(*size).convert("RGB")])
    assert embedded.shape == (2, 1764)
    assert embedded.dtype == np.float32
    assert np.isfinite(embedded).all()


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA", "CMYK", "I", "F"])
def test_a_mode_that_keeps_the_grey_values_changes_nothing(mode):
    image = grey_image(50, 80)
    source = image.convert("RGB") if mode == "CMYK" else image
    np.testing.assert_allclose(
        Hog().encode([source.convert(mode)]), Hog().encode([image]), atol=2e-3
    )


def test_sixteen_bits_are_not_clipped():
    pixels = np.asarray(grey_image())
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    np.testing.assert_allclose(
        Hog().encode([deep]), Hog().encode([Image.fromarray(pixels)]), atol=1e-5
    )


def test_sixteen_bits_are_not_clipped_by_a_transparent_grey():
    deep = Image.fromarray(np.asarray(grey_image()).astype(np.uint16) * 257)
    expected = Hog().encode([deep])
    deep.info["transparency"] = 0
    np.testing.assert_array_equal(Hog().encode([deep]), expected)


@pytest.mark.parametrize("hidden", ["black", "white", "red"])
def test_what_transparency_hides_does_not_matter(hidden):
    shape = leaf(60, 60)
    black_on_white = Image.composite(
        Image.new("L", shape.size, 0), Image.new("L", shape.size, 255), shape
    )
    cut_out = Image.composite(
        Image.new("RGB", shape.size, "black"), Image.new("RGB", shape.size, hidden), shape
    )
    cut_out.putalpha(shape)
    np.testing.assert_allclose(Hog().encode([cut_out]), Hog().encode([black_on_white]), atol=1e-5)


def test_transparent_palettes_are_read():
    image = grey_image().convert("P")
    image.info["transparency"] = bytes([0] * 128 + [255] * 128)
    assert not np.allclose(Hog().encode([image]), Hog().encode([grey_image().convert("P")]))


def test_shape_is_kept_whatever_the_proportions_of_the_image():
    """A wide image equals the square one into which it was set by hand."""
    wide = leaf(128, 64)
    square = Image.new("L", (128, 128), 0)
    square.paste(wide, (0, 32))
    np.testing.assert_allclose(Hog().encode([wide]), Hog().encode([square]), atol=1e-4)
    stretched = wide.resize((64, 64))
    assert np.abs(Hog().encode([wide]) - Hog().encode([stretched])).max() > 0.1


def test_the_filling_adds_no_edge_to_a_plain_border():
    for background in (0, 90, 255):
        plain = Image.new("L", (100, 40), background)
        assert not Hog().encode([plain]).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(MODES), st.integers(0, 9))
def test_any_content_gives_finite_values(width, height, mode, seed):
    image = grey_image(width, height, seed)
    image = image.convert("RGB").convert(mode) if mode != "I;16" else image.convert("I;16")
    embedded = Hog(size=32).encode([image])
    assert embedded.shape == (1, 3 * 3 * 4 * 9)
    assert np.isfinite(embedded).all()


def test_a_square_smaller_than_a_block_is_refused():
    with pytest.raises(ValueError, match="too small"):
        Hog(size=8).encode([grey_image()])
