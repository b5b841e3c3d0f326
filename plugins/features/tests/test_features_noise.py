import subprocess
import sys

import numpy as np
import pytest
from mmbench_features.hog import Hog
from mmbench_features.images import Preparation, full_range, grey
from PIL import Image
from skimage.feature import hog


def picture(side=64, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8))


def noise_of(image, strength, monkeypatch):
    """Return what was added to the grey pixels before the histograms were taken."""
    seen = []
    monkeypatch.setattr(Preparation, "__call__", lambda _, pixels, white: seen.append(pixels))
    monkeypatch.setattr("skimage.feature.hog", lambda *_, **__: np.zeros(1))
    Hog(noise=strength).encode([image])
    return seen[0] - grey(image)


@pytest.mark.parametrize("strength", [0.05, 0.4])
def test_noise_is_gaussian_with_a_share_of_the_range(strength, monkeypatch):
    noise = noise_of(picture(200), strength, monkeypatch) / (255 * strength)
    assert abs(noise.mean()) < 0.02
    np.testing.assert_allclose(noise.std(), 1, rtol=0.02)
    np.testing.assert_allclose((np.abs(noise) < 1).mean(), 0.6827, atol=0.01)
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_strengths_share_their_noise_and_images_do_not(monkeypatch):
    weak, strong = (noise_of(picture(), s, monkeypatch) for s in (0.1, 0.3))
    np.testing.assert_allclose(strong, 3 * weak, rtol=1e-3, atol=1e-3)
    other = noise_of(picture(seed=1), 0.1, monkeypatch)
    assert abs(np.corrcoef(weak.ravel(), other.ravel())[0, 1]) < 0.1


def test_histograms_are_taken_of_the_noised_image(monkeypatch):
    image = picture()
    with monkeypatch.context() as patched:
        noised = grey(image) + noise_of(image, 0.5, patched)
    expected = hog(noised, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
    np.testing.assert_allclose(Hog(noise=0.5).encode([image])[0], expected, atol=1e-5)
    assert np.abs(expected - Hog().encode([image])[0]).max() > 0.1


def test_noise_is_added_to_the_images_own_pixels():
    """So that the noise of a large image is averaged away as it shrinks."""
    small = picture()
    large = small.resize((1024, 1024), Image.Resampling.NEAREST)
    change = [np.abs(Hog(noise=0.1).encode([i]) - Hog().encode([i])).mean() for i in (small, large)]
    assert change[1] < 0.5 * change[0]


def test_noise_does_not_depend_on_order_batch_or_process():
    images = [picture(seed=seed) for seed in range(3)]
    together = Hog(noise=0.3).encode(images)
    turned = Hog(noise=0.3).encode(images[::-1])[::-1]
    np.testing.assert_array_equal(together, turned)
    np.testing.assert_array_equal(together[1], Hog(noise=0.3).encode([images[1]])[0])
    script = (
        "import numpy as np; from PIL import Image; from mmbench_features.hog import Hog\n"
        "pixels = np.random.default_rng(1).integers(0, 256, (64, 64), np.uint8)\n"
        "print(Hog(noise=0.3).encode([Image.fromarray(pixels)]).tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == together[1].tobytes().hex(), done.stderr


@pytest.mark.parametrize("shape", [(64, 64), (32, 128)])
def test_the_same_bytes_in_another_shape_are_another_image(shape, monkeypatch):
    pixels = np.zeros(shape, np.uint8)
    noise = noise_of(Image.fromarray(pixels), 0.1, monkeypatch)
    square = noise_of(Image.new("L", (64, 64)), 0.1, monkeypatch)
    assert (noise.ravel() == square.ravel()).all() == (shape == (64, 64))


@pytest.mark.parametrize("mode", ["L", "RGB", "I", "F", "1"])
def test_white_is_255(mode):
    image = Image.new("L", (2, 2), 255).convert(mode)
    assert full_range(image, grey(image)) == grey(image).max() == 255


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_white_of_sixteen_bits_is_65535(mode):
    image = Image.fromarray(np.full((2, 2), 65535, np.uint16)).convert(mode)
    assert full_range(image, grey(image)) == grey(image).max() == 65535
