import inspect
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmbench_heads import boosting, classifiers, forests
from mmbench_heads.wrapper import Head, balanced_rows
from scipy import sparse
from sklearn.base import clone
from sklearn.svm import SVC

HEADS = {
    "svm": classifiers.svm,
    "random-forest": forests.random_forest,
    "extra-trees": forests.extra_trees,
    "gradient-boosting": boosting.gradient_boosting,
    "logistic-regression": classifiers.logistic_regression,
    "ridge": classifiers.ridge,
    "k-nearest": classifiers.k_nearest,
    "naive-bayes": classifiers.naive_bayes,
    "mlp": classifiers.mlp,
    "xgboost": boosting.xgboost,
    "lightgbm": boosting.lightgbm,
}
FEW = {"n_estimators": 5, "max_iter": 30}


def build(name, **parameters):
    """Build a small one, with the seed and threads that it asks for."""
    asks = inspect.signature(HEADS[name]).parameters
    given = {"seed": 1, "threads": 1} | (FEW if name != "logistic-regression" else {})
    return HEADS[name](**{k: v for k, v in given.items() if k in asks}, **parameters)


def decisions(head, X):
    offers = hasattr(head, "predict_proba")
    return head.predict_proba(X) if offers else head.decision_function(X)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [60, 23, 4]))
    X = rng.normal(size=(len(y), 5)) + np.eye(3, 5)[y]
    return X, y, rng.normal(size=(50, 5))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_every_class_becomes_as_large_as_the_largest(labels):
    y = np.array(labels)
    rows = balanced_rows(y)
    np.testing.assert_array_equal(rows[: len(y)], np.arange(len(y)))
    assert set(Counter(y[rows].tolist()).values()) == {max(Counter(labels).values())}
    for label in set(labels):
        times = Counter(rows[y[rows] == label].tolist())
        assert max(times.values()) - min(times.values()) <= 1
        repeated_more = [row for row in sorted(times) if times[row] == max(times.values())]
        assert repeated_more == sorted(times)[: len(repeated_more)]  # the first ones


def test_a_worked_example():
    assert balanced_rows(np.array([1, 0, 0, 1, 0, 0, 0])).tolist() == [*range(7), 0, 3, 0]


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_fitted_on_the_repeated_rows(data, name):
    X, y, X_test = data
    rows = list(range(len(y)))
    for label in (0, 1, 2):
        own = np.flatnonzero(y == label)
        rows += [own[i % len(own)] for i in range(60 - len(own))]
    by_hand = decisions(build(name).fit(X[rows], y[rows]), X_test)
    over = build(name, oversample=True).fit(X, y)
    np.testing.assert_array_equal(decisions(over, X_test), by_hand)
    np.testing.assert_array_equal(over.classes_, [0, 1, 2])
    plain = decisions(build(name).fit(X, y), X_test)
    assert not np.array_equal(plain, by_hand)


def test_over_sampling_finds_more_of_the_smallest_class(data):
    X, y, _ = data
    rng = np.random.default_rng(1)
    X_test = rng.normal(size=(300, 5)) + np.eye(3, 5)[2]
    plain = classifiers.logistic_regression().fit(X, y).predict(X_test)
    over = classifiers.logistic_regression(oversample=True).fit(X, y).predict(X_test)
    assert (over == 2).mean() > (plain == 2).mean() + 0.2


def test_sparse_rows_are_repeated_too(data):
    X, y, X_test = data
    head = classifiers.svm(kernel="linear", oversample=True)
    dense = head.fit(X, y).decision_function(X_test)
    from_sparse = head.fit(sparse.csr_matrix(X), y).decision_function(sparse.csr_matrix(X_test))
    np.testing.assert_allclose(from_sparse, dense, atol=1e-6)


def test_a_wrapped_head_offers_what_its_classifier_does(data):
    X, y, _ = data
    assert not hasattr(classifiers.svm(oversample=True), "predict_proba")
    assert not hasattr(classifiers.ridge(oversample=True), "predict_proba")
    assert not hasattr(classifiers.mlp(seed=0, oversample=True), "decision_function")
    fitted = classifiers.mlp(seed=0, oversample=True, max_iter=3).fit(X, y)
    assert len(fitted.history_) == 3
    assert not hasattr(classifiers.ridge(oversample=True).fit(X, y), "history_")


def test_a_wrapped_head_can_be_cloned_and_leaves_its_classifier_as_it_was(data):
    X, y, X_test = data
    head = Head(SVC(C=3.0), oversample=True).fit(X, y)
    assert not hasattr(head.classifier, "support_")
    again = clone(head)
    assert again.get_params()["classifier__C"] == 3.0
    np.testing.assert_array_equal(again.fit(X, y).predict(X_test), head.predict(X_test))
