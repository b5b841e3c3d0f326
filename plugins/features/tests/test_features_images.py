"""What is done to images before their features are taken, seen in the pixels themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features.colour import ColourHistogram
from mmbench_features.hog import Hog
from mmbench_features.pixels import RawPixels
from mmbench_features.texture import CoOccurrence, LocalBinaryPatterns
from PIL import Image
from skimage import exposure
from skimage.feature import hog

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


def noise(*shape, low=0, high=256, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape, dtype=np.uint8)


def raw(pixels, size=32, **options):
    """Return the pixels that are taken of an image, as a picture of the range 0 to 255."""
    grey = pixels.ndim == 2
    embedded = RawPixels(size=size, grey=grey, **options).encode([Image.fromarray(pixels)])
    assert embedded.dtype == np.float32
    return 255 * embedded[0].reshape(size, size, *pixels.shape[2:])


@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 3)])
@pytest.mark.parametrize("resize", ["fit", "stretch", "crop"])
def test_an_image_of_the_right_size_keeps_its_pixels(shape, resize):
    pixels = noise(*shape)
    np.testing.assert_allclose(raw(pixels, resize=resize), pixels, atol=1e-4)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_what_does_not_fit_is_filled_up_or_cut_off(channels):
    pixels = noise(16, 32, *channels)
    pixels[0], pixels[-1] = 90, 90
    fitted = raw(pixels)
    np.testing.assert_allclose(fitted[8:24], pixels, atol=1e-4)
    np.testing.assert_allclose(fitted[:8], 90, atol=1e-4)
    np.testing.assert_allclose(fitted[24:], 90, atol=1e-4)
    cut = raw(pixels, size=16, resize="crop")
    np.testing.assert_allclose(cut, pixels[:, 8:24], atol=1e-4)


def test_stretching_fills_the_square_and_averages():
    pixels = np.repeat(noise(8, 8), 4, axis=1)
    stretched = raw(pixels, size=8, resize="stretch")
    by_hand = Image.fromarray(pixels).convert("F").resize((8, 8), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(stretched, by_hand, atol=1e-3)


def test_minmax_stretches_each_channel():
    pixels = noise(32, 32, 3, low=40, high=120)
    low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
    expected = (pixels.astype(float) - low) / (high - low) * 255
    np.testing.assert_allclose(raw(pixels, contrast="minmax"), expected, atol=1e-3)


def test_equalising_makes_the_histogram_flat():
    pixels = (255 * np.random.default_rng(0).beta(1, 6, (64, 64))).astype(np.uint8)
    equalised = raw(pixels, size=64, contrast="equalise")
    assert (np.diff(equalised.ravel()[np.argsort(pixels, axis=None)]) >= 0).all()
    shares, _ = np.histogram(equalised, bins=8, range=(0, 256))
    np.testing.assert_allclose(shares / pixels.size, 1 / 8, atol=0.04)
    assert np.histogram(pixels, bins=8, range=(0, 256))[0].max() > pixels.size / 2


def test_otsus_threshold_parts_the_values_with_the_least_variance():
    rng = np.random.default_rng(0)
    pixels = np.where(rng.random((32, 32)) < 0.3, rng.normal(170, 25, (32, 32)), 60)
    pixels = np.clip(pixels + rng.normal(0, 15, (32, 32)), 0, 255).astype(np.uint8)
    levels = np.unique(pixels)[:-1]
    within = [
        sum(part.size * part.var() for part in (pixels[pixels <= t], pixels[pixels > t]))
        for t in levels
    ]
    expected = 255.0 * (pixels > levels[np.argmin(within)])
    different = (raw(pixels, binarise="otsu") != expected).mean()
    assert different < 0.01  # scikit-image looks at 256 bins of the range that occurs


def test_a_threshold_is_a_share_of_the_range():
    pixels = noise(32, 32)
    np.testing.assert_array_equal(raw(pixels, binarise=0.2), 255.0 * (pixels > 51))
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    np.testing.assert_array_equal(
        RawPixels(binarise=0.2).encode([deep]),
        RawPixels(binarise=0.2).encode([Image.fromarray(pixels)]),
    )


def test_hog_is_taken_of_the_prepared_square():
    pixels = noise(64, 128, low=30, high=90)
    middle = pixels[:, 32:96].astype(float)
    flat = exposure.equalize_hist(middle)
    for options, prepared in [
        ({}, middle),
        ({"contrast": "equalise"}, flat),
        ({"contrast": "equalise", "binarise": 0.6}, flat > 0.6),
        ({"contrast": "minmax", "binarise": 0.6}, (middle - 30) / 59 > 0.6),
    ]:
        embedded = Hog(resize="crop", **options).encode([Image.fromarray(pixels)])
        expected = hog(255.0 * prepared, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
        np.testing.assert_allclose(embedded[0], expected, atol=1e-4)


def test_grey_levels_are_counted_after_their_contrast():
    pixels = noise(20, 30, low=50, high=100)
    image = Image.fromarray(pixels)
    counts, _ = np.histogram(pixels, bins=16, range=(0, 256))
    embedded = ColourHistogram(bins=16, grey=True).encode([image, image.convert("RGB")])
    np.testing.assert_allclose(embedded, [counts / 600] * 2, rtol=1e-6)
    stretched = np.rint((pixels - 50.0) / 49 * 255)
    counts, _ = np.histogram(stretched, bins=16, range=(0, 256))
    embedded = ColourHistogram(bins=16, grey=True, contrast="minmax").encode([image])
    np.testing.assert_allclose(embedded[0], counts / 600, atol=2 / 600)
    colours = ColourHistogram(bins=2, contrast="minmax").encode([image.convert("RGB")])
    assert colours[0, [0, 7]].sum() == 1


ENTRIES = [
    RawPixels,
    Hog,
    LocalBinaryPatterns,
    CoOccurrence,
]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(MODES),
    st.sampled_from(ENTRIES),
    st.sampled_from(["fit", "stretch", "crop"]),
    st.sampled_from(["none", "minmax", "equalise"]),
    st.sampled_from(["none", "otsu", 0.3]),
    st.booleans(),
)
def test_every_image_is_prepared_to_finite_values_of_one_length(
    width, height, mode, entry, resize, contrast, binarise, plain
):
    pixels = np.full((height, width), 77, np.uint8) if plain else noise(height, width)
    grey = Image.fromarray(pixels)
    image = grey.convert("I").convert(mode) if mode == "I;16" else grey.convert("RGB").convert(mode)
    encoder = entry(size=16, resize=resize, contrast=contrast, binarise=binarise)
    embedded = encoder.encode([image, Image.fromarray(noise(20, 30))])
    assert embedded.dtype == np.float32
    assert embedded.ndim == len(embedded) == 2
    assert np.isfinite(embedded).all()


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (RawPixels(size=0), "^size = 0: at least one pixel is needed$"),
        (RawPixels(binarise=1.5), r"^binarise = 1.5: a threshold lies in 0 to 1$"),
        (CoOccurrence(size=-1), r"^size = -1: 0 \(as it is\) or more pixels are possible$"),
        (CoOccurrence(levels=257), "^levels = 257: 2 to 256 are possible$"),
        (CoOccurrence(distances=(0, 1)), r"^distances = \[0, 1\], angles = .* positive$"),
        (LocalBinaryPatterns(grid=0), "grid = 0: all must be positive$"),
    ],
)
def test_options_out_of_range_are_refused(encoder, message):
    with pytest.raises(ValueError, match=message):
        encoder.encode([Image.new("L", (4, 4))])
