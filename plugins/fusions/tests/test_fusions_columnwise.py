import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.feature import LearnedWeightedSum, WeightedSum, maximum, mean, product

FORMULAS = {
    "mean": (mean, lambda column: sum(column) / len(column)),
    "max": (maximum, max),
    "product": (product, np.prod),
    "gated product": (lambda: product(offset=1), lambda column: np.prod([1 + x for x in column])),
}


def embeddings(widths, n=6, seed=0):
    rng = np.random.default_rng(seed)
    return {f"m{i}": rng.normal(size=(n, width)) for i, width in enumerate(widths)}


def columns(features, row, j):
    """Return what the modalities that have column j hold in it, by their position."""
    return {i: part[row, j] for i, part in enumerate(features.values()) if j < part.shape[1]}


@pytest.mark.parametrize("name", FORMULAS)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 1000))
def test_a_column_is_combined_from_the_modalities_that_have_it(name, widths, seed):
    build, formula = FORMULAS[name]
    features = embeddings(widths, seed=seed)
    fused = build().transform(features)
    assert fused.shape == (6, max(widths))
    for row, j in itertools.product(range(6), range(max(widths))):
        expected = formula(list(columns(features, row, j).values()))
        np.testing.assert_allclose(fused[row, j], expected, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.floats(0.001, 100)), min_size=1, max_size=4),
    st.integers(0, 1000),
)
def test_weights_are_scaled_to_sum_to_one_and_stay_where_a_column_is_not(parts, seed):
    widths, weights = zip(*parts, strict=True)
    features = embeddings(widths, seed=seed)
    fused = WeightedSum(weights=list(weights)).transform(features)
    for row, j in itertools.product(range(6), range(max(widths))):
        expected = sum(weights[i] * x for i, x in columns(features, row, j).items()) / sum(weights)
        np.testing.assert_allclose(fused[row, j], expected, rtol=1e-9, atol=1e-12)


def test_equal_widths_by_hand():
    x, y = embeddings([3, 3]).values()
    features = {"x": x, "y": y}
    np.testing.assert_allclose(product().transform(features), x * y)
    np.testing.assert_allclose(product(offset=1).transform(features), 1 + x + y + x * y)
    np.testing.assert_allclose(maximum().transform(features), np.maximum(x, y))
    np.testing.assert_allclose(mean().transform(features), (x + y) / 2)
    np.testing.assert_allclose(WeightedSum().transform(features), (x + y) / 2)
    weighted = WeightedSum(weights=[3, 1]).transform(features)
    np.testing.assert_allclose(weighted, 0.75 * x + 0.25 * y)


def test_inputs_are_left_as_they_were():
    features = embeddings([2, 4])
    before = {m: part.copy() for m, part in features.items()}
    for build in (mean, maximum, product, WeightedSum):
        build().transform(features)
    for m, part in features.items():
        np.testing.assert_array_equal(part, before[m])


def test_learned_weights_are_those_of_a_weighted_sum():
    rng = np.random.default_rng(0)
    features = embeddings([3, 2], n=200)
    labels = rng.integers(0, 3, 200)
    out_of_fold = {
        "m0": rng.dirichlet(np.ones(3), 200) * 0.4 + 0.6 * np.eye(3)[labels],
        "m1": rng.dirichlet(np.ones(3), 200),
    }
    fusion = LearnedWeightedSum().fit(features, labels, out_of_fold=out_of_fold)
    assert fusion.weights_["m0"] > 0.9
    np.testing.assert_allclose(sum(fusion.weights_.values()), 1)
    assert fusion.history_ == [{"modality": m, "weight": w} for m, w in fusion.weights_.items()]
    expected = WeightedSum(weights=list(fusion.weights_.values())).transform(features)
    np.testing.assert_allclose(fusion.transform(features), expected, rtol=1e-12)
    turned = fusion.transform(dict(reversed(features.items())))
    np.testing.assert_allclose(turned, expected, rtol=1e-12)
