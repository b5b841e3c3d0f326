"""What is learnt on vectors and pixels without labels, against linear algebra and ranks."""

import numpy as np
import pandas as pd
import pytest
from mmbench_features.pixels import PixelsPca, RawPixels
from mmbench_features.vectors import OneHot, Pca, Quantile
from PIL import Image
from scipy import stats


def rows(n, d=6, seed=0):
    rng = np.random.default_rng([seed, n])
    mixing = np.random.default_rng(3).normal(size=(d, d)) * np.arange(1, d + 1)
    return 5 + rng.normal(size=(n, d)) @ mixing


def scores(train, test, k):
    """Return the components of ``test`` by the eigenvectors of the covariance of ``train``."""
    values, vectors = np.linalg.eigh(np.cov(train, rowvar=False))
    order = np.argsort(values)[::-1][:k]
    return (test - train.mean(axis=0)) @ vectors[:, order], values[order]


def assert_equal_up_to_sign(found, expected):
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scale", [True, False])
def test_components_are_the_training_parts_eigenvectors(scale):
    train, test = rows(40), rows(11)
    encoder = Pca(components=3, scale=scale).fit(list(train))
    if scale:
        mean, spread = train.mean(axis=0), train.std(axis=0)
        train, test = (train - mean) / spread, (test - mean) / spread
    given = test if not scale else test * spread + mean
    assert_equal_up_to_sign(encoder.encode(list(given)), scores(train, test, 3)[0])


def test_whitened_components_have_variance_one():
    train, test = rows(40), rows(11)
    found = Pca(components=3, whiten=True, scale=False).fit(list(train)).encode(list(test))
    expected, variances = scores(train, test, 3)
    assert_equal_up_to_sign(found, expected / np.sqrt(variances))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_share_of_the_variance_takes_as_few_components_as_hold_it(share):
    train = rows(40)
    held = np.cumsum(scores(train, train, 6)[1])
    expected = 1 + int((held / held[-1] < share).sum())
    found = Pca(components=share, scale=False).fit(list(train)).encode(list(train))
    assert found.shape == (40, expected)


@pytest.mark.parametrize("whiten", [True, False])
def test_directions_without_variance_are_left_out(whiten):
    """Doubled and constant columns, fewer vectors than asked for: nothing is made of noise."""
    base = rows(5, 3)
    train = np.hstack([base, 2 * base, np.full((5, 1), 7.0)])
    encoder = Pca(components=7, whiten=whiten).fit(list(train))
    assert encoder.encode(list(train)).shape == (5, 3)
    far = np.abs(encoder.encode([train[0] + np.arange(7)])).max()
    assert far < 100
    wide = Pca(components=20).fit(list(rows(4, 9)))
    assert wide.encode(list(rows(8, 9))).shape == (8, 3)


@pytest.mark.parametrize("components", [0, -1, 1.0, 0.0, 2.5])
def test_impossible_numbers_of_components_are_refused(components):
    with pytest.raises(ValueError, match=f"^components = {components}: expected a number"):
        Pca(components=components).fit(list(rows(9)))


def test_equal_training_vectors_have_no_components():
    with pytest.raises(ValueError, match=r"^all 4 training items are equal: there is no variance$"):
        Pca().fit([np.arange(3.0)] * 4)


def test_components_of_pixels_are_those_of_the_raw_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (14, 10, 10, 3), dtype=np.uint8)
    images = [Image.fromarray(p) for p in pixels]
    options = {"size": 4, "grey": False, "contrast": "minmax"}
    raw = RawPixels(**options).encode(images)
    encoder = PixelsPca(components=5, **options).fit(images[:10])
    expected, _ = scores(raw[:10], raw[10:], 5)
    assert_equal_up_to_sign(encoder.encode(images[10:]), expected)


def test_quantiles_are_the_shares_of_training_values_below():
    train = np.exp(rows(50, 3))
    encoder = Quantile().fit(list(train))
    ranks = (stats.rankdata(train, axis=0) - 1) / 49
    np.testing.assert_allclose(encoder.encode(list(train)), ranks, atol=1e-6)
    beyond = [train.min(axis=0) - 1, train.max(axis=0) * 1e6]
    np.testing.assert_allclose(encoder.encode(beyond), [[0] * 3, [1] * 3], atol=1e-6)
    normal = Quantile(distribution="normal").fit(list(train)).encode(list(train))
    inside = (ranks > 0) & (ranks < 1)
    np.testing.assert_allclose(normal[inside], stats.norm.ppf(ranks[inside]), rtol=1e-4)
    coarse = Quantile(quantiles=3).fit(list(train)).encode([np.median(train, axis=0)])
    np.testing.assert_allclose(coarse, 0.5, atol=1e-6)


def table(n, seed=0):
    """Return size, colour (0 to 3), weight and grade (-1 or 2) of some things."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n), np.arange(n) % 4, rng.normal(size=n), 3 * (np.arange(n) % 2) - 1]
    return np.stack(columns, axis=1).astype(float)


def dummies(values, columns):
    frame = pd.DataFrame(values)
    return pd.get_dummies(frame, columns=columns, dtype=float).to_numpy()


def test_columns_of_few_whole_numbers_become_indicators():
    train, test = table(24), table(12, seed=1)
    encoder = OneHot().fit(list(train))
    assert encoder.columns_ == [1, 3]
    np.testing.assert_allclose(encoder.encode(list(test)), dummies(test, [1, 3]), rtol=1e-6)
    assert OneHot(max_categories=3).fit(list(train)).columns_ == [3]
    assert OneHot(max_categories=1).fit(list(train)).columns_ == []
    plain = OneHot(max_categories=1).fit(list(train)).encode(list(test))
    np.testing.assert_array_equal(plain, test.astype(np.float32))


def test_named_columns_become_indicators_and_no_others():
    train = table(24)
    encoder = OneHot(columns=(3,)).fit(list(train))
    np.testing.assert_allclose(encoder.encode(list(train)), dummies(train, [3]), rtol=1e-6)
    with pytest.raises(ValueError, match=r"^columns: there is no column 4; the vectors have 0 to"):
        OneHot(columns=(0, 4)).fit(list(train))


def test_an_unknown_category_has_no_indicator():
    encoder = OneHot().fit(list(table(24)))
    (found,) = encoder.encode([np.array([0.5, 9, 0.25, 2])])
    np.testing.assert_array_equal(found, [0.5, 0.25, 0, 0, 0, 0, 0, 1])
