import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features.colour import ColourHistogram
from PIL import Image

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


def colourful(width=20, height=30, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("bins", [1, 3, 8])
def test_joint_bins_equal_numpys_histogram(bins):
    image = colourful()
    embedded = ColourHistogram(bins=bins).encode([image])
    assert embedded.dtype == np.float32
    counts, _ = np.histogramdd(np.asarray(image).reshape(-1, 3), bins=bins, range=[(0, 256)] * 3)
    np.testing.assert_allclose(embedded[0], counts.ravel() / (20 * 30), rtol=1e-6)


@pytest.mark.parametrize("bins", [1, 3, 8, 256])
def test_bins_per_channel_equal_numpys_histogram(bins):
    image = colourful()
    embedded = ColourHistogram(bins=bins, joint=False).encode([image])
    channels = np.asarray(image).reshape(-1, 3).T
    counts = [np.histogram(channel, bins=bins, range=(0, 256))[0] for channel in channels]
    np.testing.assert_allclose(embedded[0], np.concatenate(counts) / (3 * 20 * 30), rtol=1e-6)


def test_pure_colours_stand_in_their_bins():
    colours = ["black", "blue", "lime", "red", "white"]
    embedded = ColourHistogram(bins=2).encode([Image.new("RGB", (3, 2), c) for c in colours])
    assert embedded.argmax(axis=1).tolist() == [0, 1, 2, 4, 7]
    assert set(embedded.ravel()) == {0, 1}


def test_size_does_not_matter_but_shares_do():
    image = colourful()
    large = image.resize((40, 60), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(
        ColourHistogram().encode([image]), ColourHistogram().encode([large])
    )
    half = Image.new("RGB", (10, 4), "black")
    half.paste("white", (0, 0, 5, 4))
    assert ColourHistogram(bins=2).encode([half])[0].tolist() == [0.5, *[0] * 6, 0.5]


@pytest.mark.parametrize("hidden", ["black", "lime"])
def test_transparent_parts_are_white(hidden):
    image = Image.new("RGBA", (4, 4), hidden)
    image.putalpha(0)
    white = Image.new("RGB", (4, 4), "white")
    np.testing.assert_array_equal(
        ColourHistogram().encode([image]), ColourHistogram().encode([white])
    )


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_sixteen_bits_are_not_clipped(mode):
    grey = colourful().convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).convert(mode)
    np.testing.assert_array_equal(
        ColourHistogram().encode([deep]), ColourHistogram().encode([grey])
    )


@pytest.mark.parametrize("mode", ["LA", "RGB", "I", "F"])
def test_a_mode_that_keeps_the_grey_values_changes_nothing(mode):
    grey = colourful().convert("L")
    np.testing.assert_array_equal(
        ColourHistogram().encode([grey.convert(mode)]), ColourHistogram().encode([grey])
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(MODES),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 9),
)
def test_every_row_is_a_distribution(width, height, mode, bins, joint, seed):
    image = colourful(width, height, seed)
    image = image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
    embedded = ColourHistogram(bins=bins, joint=joint).encode([image, colourful()])
    assert embedded.shape == (2, bins**3 if joint else 3 * bins)
    assert embedded.min() >= 0
    np.testing.assert_allclose(embedded.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("bins", [0, 257])
def test_bins_out_of_range_are_refused(bins):
    with pytest.raises(ValueError, match=f"^bins = {bins}: 1 to 256 are possible$"):
        ColourHistogram(bins=bins).encode([colourful()])
