from fractions import Fraction
from math import prod
from statistics import median as exact_median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.decision import (
    LearnedWeightedMean,
    MeanProbability,
    WeightedMean,
    max_rule,
    median,
    min_rule,
    product_rule,
)
from mmbench_fusions.weights import learned
from sklearn.datasets import load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier


def by_modality(*parts):
    return {f"m{i}": np.array(part, dtype=float) for i, part in enumerate(parts)}


@st.composite
def probabilities(draw, low=0):
    """Exact probabilities: whole numbers over their sum, many of them 0."""
    m, n, k = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(2, 5))
    row = st.lists(st.integers(low, 9), min_size=k, max_size=k).filter(any)
    counts = draw(st.lists(st.lists(row, min_size=n, max_size=n), min_size=m, max_size=m))
    return [[[Fraction(c, sum(row)) for c in row] for row in part] for part in counts]


@pytest.mark.parametrize(
    ("rule", "formula", "low"),
    [(product_rule, prod, 1), (max_rule, max, 0), (min_rule, min, 0), (median, exact_median, 0)],
)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rules_equal_exact_arithmetic(rule, formula, low, data):
    parts = data.draw(probabilities(low))
    fused = rule().predict_proba(by_modality(*parts))
    for i, got in enumerate(fused):
        scores = [formula([part[i][c] for part in parts]) for c in range(len(got))]
        if not any(scores):  # min-rule and median: then the mean
            scores = [sum(part[i][c] for part in parts) for c in range(len(got))]
        expected = [float(score / sum(scores)) for score in scores]
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_class_that_one_modality_rules_out_is_out():
    fused = product_rule().predict_proba(
        by_modality([[0.0, 0.1, 0.9]], [[0.98, 0.01, 0.01]], [[1.0, 0.0, 0.0]])
    )
    np.testing.assert_allclose(fused.sum(), 1)
    left = product_rule().predict_proba(by_modality([[0.0, 0.4, 0.6]], [[0.9, 0.06, 0.04]]))
    np.testing.assert_allclose(left, [[0, 0.5, 0.5]], atol=1e-12)


def test_where_every_class_is_ruled_out_the_rest_decides():
    contradiction = [[1.0, 0.0]], [[0.0, 1.0]]
    np.testing.assert_allclose(product_rule().predict_proba(by_modality(*contradiction)), 0.5)
    decided = product_rule().predict_proba(by_modality(*contradiction, [[0.3, 0.7]]))
    np.testing.assert_allclose(decided, [[0.3, 0.7]])


def test_many_small_probabilities_do_not_underflow():
    parts = [[[1e-200, 1 - 1e-200]], [[1 - 1e-200, 1e-200]], [[1e-200, 1.0]], [[1.0, 1e-200]]]
    np.testing.assert_allclose(product_rule().predict_proba(by_modality(*parts)), 0.5)


def test_weighted_mean_equals_weighted_soft_voting():
    X, y = load_wine(return_X_y=True)
    heads = [("a", GaussianNB()), ("b", KNeighborsClassifier())]
    weights = [0.7, 0.3]
    voting = VotingClassifier(heads, voting="soft", weights=weights).fit(X[::2], y[::2])
    parts = {name: head.fit(X[::2], y[::2]).predict_proba(X[1::2]) for name, head in heads}
    fused = WeightedMean(weights=[7, 3]).predict_proba(parts)
    np.testing.assert_allclose(fused, voting.predict_proba(X[1::2]), rtol=1e-12)
    equal = MeanProbability().predict_proba(parts)
    np.testing.assert_allclose(WeightedMean().predict_proba(parts), equal, rtol=1e-12)
    assert np.abs(fused - equal).max() > 0.01


def test_learned_weighted_mean_equals_soft_voting_with_the_weights_it_found():
    X, y = load_wine(return_X_y=True)
    heads = [("a", GaussianNB()), ("b", KNeighborsClassifier())]
    out_of_fold = {
        name: cross_val_predict(head, X[::2], y[::2], method="predict_proba")
        for name, head in heads
    }
    fusion = LearnedWeightedMean().fit(out_of_fold, y[::2])
    weights = learned(out_of_fold, y[::2])
    assert weights.max() > 0.6
    assert fusion.weights_ == dict(zip("ab", weights, strict=True))
    assert fusion.history_ == [{"modality": m, "weight": w} for m, w in fusion.weights_.items()]
    voting = VotingClassifier(heads, voting="soft", weights=weights).fit(X[::2], y[::2])
    parts = {name: head.fit(X[::2], y[::2]).predict_proba(X[1::2]) for name, head in heads}
    expected = voting.predict_proba(X[1::2])
    np.testing.assert_allclose(fusion.predict_proba(parts), expected, rtol=1e-9)
    turned = fusion.predict_proba(dict(reversed(parts.items())))
    np.testing.assert_allclose(turned, expected, rtol=1e-9)


def test_where_min_and_median_are_all_0_the_mean_stands_in():
    two = by_modality([[1.0, 0.0, 0.0]], [[0.0, 0.6, 0.4]])
    np.testing.assert_allclose(min_rule().predict_proba(two), [[0.5, 0.3, 0.2]])
    three = by_modality([[1.0, 0, 0, 0]], [[0, 0.6, 0.4, 0]], [[0, 0, 0, 1.0]])
    np.testing.assert_allclose(median().predict_proba(three), np.array([[1, 0.6, 0.4, 1]]) / 3)
