import numpy as np
import pytest
from mmbench_heads.forests import extra_trees, random_forest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

FORESTS = {
    random_forest: RandomForestClassifier,
    extra_trees: ExtraTreesClassifier,
}


@pytest.fixture(scope="module")
def data():
    X, y = load_digits(return_X_y=True)
    few = np.flatnonzero((y != 3) | (np.arange(len(y)) % 7 == 0))  # one class is small
    return X[few][:400], y[few][:400], X[-300:]


@pytest.mark.parametrize("build", FORESTS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_features": 0.5, "max_depth": 4},
        {"max_features": None, "min_samples_leaf": 5},
        {"class_weight": "balanced"},
    ],
)
def test_forests_equal_scikit_learn(data, build, parameters):
    X, y, X_test = data
    head = build(seed=3, threads=1, n_estimators=20, **parameters).fit(X, y)
    expected = FORESTS[build](n_estimators=20, random_state=3, **parameters).fit(X, y)
    np.testing.assert_array_equal(head.predict_proba(X_test), expected.predict_proba(X_test))
    np.testing.assert_array_equal(head.predict(X_test), expected.predict(X_test))


@pytest.mark.parametrize("build", FORESTS)
def test_balanced_weights_are_inverse_class_sizes(data, build):
    X, y, X_test = data
    weights = len(y) / (10 * np.bincount(y)[y])
    by_hand = FORESTS[build](n_estimators=20, random_state=3).fit(X, y, sample_weight=weights)
    head = build(seed=3, threads=1, n_estimators=20, class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(head.predict_proba(X_test), by_hand.predict_proba(X_test))


@pytest.mark.parametrize("build", FORESTS)
def test_forests_have_100_trees_and_depend_on_the_seed_only(data, build):
    X, y, X_test = data
    assert build(seed=0, threads=1).n_estimators == 100

    def probabilities(seed, threads):
        head = build(seed=seed, threads=threads, n_estimators=60, min_samples_leaf=3).fit(X, y)
        return [head.predict_proba(X_test) for _ in range(5)]

    first, *others = [*probabilities(0, 1), *probabilities(0, 4)]
    for other in others:
        np.testing.assert_array_equal(other, first)
    assert not np.array_equal(probabilities(1, 1)[0], first)


@pytest.mark.parametrize("build", FORESTS)
def test_forests_grow_with_the_threads_they_are_given(data, build):
    head = build(seed=0, threads=2, n_estimators=5)
    assert head.n_jobs == 2
    head.fit(*data[:2]).predict_proba(data[2])
    assert head.n_jobs == 2
    assert clone(head).n_jobs == 2
