import numpy as np
import pytest
from mmbench_features.colour import ColourHistogram
from mmbench_features.texture import CoOccurrence, LocalBinaryPatterns
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def noise(height=24, width=24, high=256, seed=0):
    return np.random.default_rng(seed).integers(0, high, (height, width), dtype=np.uint8)


def lbp(*pixels, **options):
    options = {"grid": 1, "size": 0, **options}
    return LocalBinaryPatterns(**options).encode([Image.fromarray(p) for p in pixels])


def four_neighbours(pixels):
    """Count uniform patterns of the four pixels beside each, by how many are as bright."""
    padded = np.pad(pixels.astype(int), 1, mode="edge")
    around = [padded[1:-1, 2:], padded[:-2, 1:-1], padded[1:-1, :-2], padded[2:, 1:-1]]
    signs = np.stack([neighbour >= pixels for neighbour in around])
    changes = (signs != np.roll(signs, 1, axis=0)).sum(axis=0)
    patterns = np.where(changes <= 2, signs.sum(axis=0), 5)
    return np.bincount(patterns.ravel(), minlength=6) / pixels.size


def test_patterns_of_four_neighbours_equal_those_counted_by_hand():
    pixels = noise(17, 23)
    expected = four_neighbours(pixels)
    np.testing.assert_allclose(lbp(pixels, points=4)[0], expected, rtol=1e-6)


def test_cells_stand_row_by_row_and_each_sums_to_one():
    pixels = noise()
    pixels[:12, 12:] = 50
    embedded = lbp(pixels, grid=2, points=4).reshape(4, 6)
    np.testing.assert_allclose(embedded.sum(axis=1), 1, rtol=1e-6)
    assert embedded[1, 4] > 0.8 > embedded[[0, 2, 3], 4].max()
    tiny = lbp(noise(2, 1), grid=3)
    assert tiny.shape == (1, 90)
    assert tiny.sum() == 2


def test_brightness_and_contrast_change_no_pattern():
    pixels = noise(high=100)
    np.testing.assert_array_equal(*lbp(pixels, 2 * pixels + 40))
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    deep_row = LocalBinaryPatterns(grid=1, size=0).encode([deep])
    np.testing.assert_array_equal(deep_row, lbp(pixels))


def test_turning_the_image_changes_only_what_is_not_invariant():
    steps = np.random.default_rng(0).integers(0, 2_000, (24, 24))  # 16 bits: none are equal
    image = np.cumsum(steps, axis=1).astype(np.uint16)
    turned = np.ascontiguousarray(np.rot90(image))
    np.testing.assert_allclose(*lbp(image, turned), atol=1e-6)
    fixed = lbp(image, turned, rotation_invariant=False)
    assert fixed.shape == (2, 8 * 7 + 3)
    assert np.abs(fixed[0] - fixed[1]).max() > 0.1


def statistics(levels, dx, dy):
    """Return contrast, dissimilarity, homogeneity, energy and correlation, by their formulas."""
    height, width = levels.shape
    pairs = np.zeros((256, 256))
    for y in range(height):
        for x in range(width):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                a, b = levels[y, x], levels[y + dy, x + dx]
                pairs[a, b] += 1
                pairs[b, a] += 1
    p = pairs / pairs.sum()
    i, j = np.indices(p.shape)
    mean = (p * i).sum()
    variance = (p * (i - mean) ** 2).sum()
    return [
        (p * (i - j) ** 2).sum(),
        (p * abs(i - j)).sum(),
        (p / (1 + (i - j) ** 2)).sum(),
        np.sqrt((p**2).sum()),
        (p * (i - mean) * (j - mean)).sum() / variance,
    ]


def test_co_occurrence_equals_its_formulas():
    pixels = noise(9, 12)
    encoder = CoOccurrence(distances=(1, 2), angles=(0, 90), levels=8, size=0)
    embedded = encoder.encode([Image.fromarray(pixels)]).reshape(5, 2, 2)
    levels = pixels // 32
    expected = [[statistics(levels, d, 0), statistics(levels, 0, -d)] for d in (1, 2)]
    np.testing.assert_allclose(embedded, np.moveaxis(expected, 2, 0), rtol=1e-5)


def test_the_average_over_angles_does_not_see_a_turn():
    image = np.cumsum(noise(high=9), axis=1).astype(np.uint8)
    images = [Image.fromarray(image), Image.fromarray(np.ascontiguousarray(np.rot90(image)))]
    each = CoOccurrence(size=0).encode(images).reshape(2, 5, 3, 4)
    assert np.abs(each[0] - each[1]).max() > 0.1
    average = CoOccurrence(size=0, average=True).encode(images)
    np.testing.assert_allclose(average, each.mean(axis=3).reshape(2, 15), rtol=1e-5)
    np.testing.assert_allclose(average[0], average[1], rtol=1e-4)


def texture(kind, seed):
    """Return stripes, checks or noise of the same two grey values in equal parts, displaced."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((48, 48)) + rng.integers(0, 8, size=(2, 1, 1))
    bright = [x // 3 % 2, (x // 3 + y // 3) % 2, rng.permuted(x % 2)][kind]
    pixels = 90 + 60 * bright + rng.normal(0, 9, x.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("entry", [LocalBinaryPatterns, CoOccurrence])
def test_planted_textures_are_told_apart_where_grey_values_tell_nothing(entry):
    kinds = np.arange(36) % 3
    images = [texture(kind, seed) for seed, kind in enumerate(kinds)]
    classifier = make_pipeline(StandardScaler(), LogisticRegression())

    def accuracy(encoder):
        rows = encoder.encode(images)
        return classifier.fit(rows[:18], kinds[:18]).score(rows[18:], kinds[18:])

    assert accuracy(entry(size=48)) == 1
    assert accuracy(ColourHistogram()) < 0.7
