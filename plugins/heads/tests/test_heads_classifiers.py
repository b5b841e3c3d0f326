import pkgutil

import mmbench_heads
import numpy as np
import pytest
from mmbench_heads.classifiers import logistic_regression, random_forest, svm
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

GIVEN = {"seed": 3, "threads": 1}
HEADS = {
    "svm": svm,
    "random-forest": lambda: random_forest(**GIVEN, n_estimators=20),
    "logistic-regression": logistic_regression,
}


@pytest.fixture(scope="module")
def data():
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    few = np.flatnonzero((y != 3) | (np.arange(len(y)) % 7 == 0))  # one class is small
    return X[few][:400], y[few][:400], X[-300:]


def test_registered_names_build_these_heads():
    targets = {}
    mmbench_heads.mmbench_register_heads(lambda name, target, **_: targets.update({name: target}))
    assert {name: pkgutil.resolve_name(target) for name, target in targets.items()} == {
        "svm": svm,
        "random-forest": random_forest,
        "logistic-regression": logistic_regression,
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"C": 10.0, "gamma": 0.001},
        {"kernel": "linear"},
        {"kernel": "poly", "degree": 2, "gamma": "auto"},
        {"class_weight": "balanced"},
    ],
)
def test_svm_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    head = svm(**parameters).fit(X, y)
    expected = SVC(break_ties=True, **parameters).fit(X, y)
    np.testing.assert_array_equal(
        head.decision_function(X_test), expected.decision_function(X_test)
    )
    np.testing.assert_array_equal(head.predict(X_test), expected.predict(X_test))


def test_svm_leaves_calibration_to_the_harness(data):
    X, y, X_test = data
    head = svm().fit(X, y)
    assert not hasattr(head, "predict_proba")
    np.testing.assert_array_equal(
        head.predict(X_test), head.decision_function(X_test).argmax(axis=1)
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"C": 0.01},
        {"class_weight": "balanced"},
    ],
)
def test_logistic_regression_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    expected = LogisticRegression(max_iter=1000, **parameters).fit(X, y).predict_proba(X_test)
    np.testing.assert_array_equal(
        logistic_regression(**parameters).fit(X, y).predict_proba(X_test), expected
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_features": 0.5, "max_depth": 4},
        {"max_features": None, "min_samples_leaf": 5},
        {"class_weight": "balanced"},
    ],
)
def test_random_forest_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    head = random_forest(**GIVEN, n_estimators=20, **parameters).fit(X, y)
    expected = RandomForestClassifier(n_estimators=20, random_state=3, **parameters).fit(X, y)
    np.testing.assert_array_equal(head.predict_proba(X_test), expected.predict_proba(X_test))
    np.testing.assert_array_equal(head.predict(X_test), expected.predict(X_test))


def test_random_forest_has_100_trees_and_depends_on_the_seed_only(data):
    X, y, X_test = data
    assert random_forest(**GIVEN).n_estimators == 100

    def probabilities(seed, threads):
        head = random_forest(seed=seed, threads=threads, n_estimators=60, min_samples_leaf=3).fit(
            X, y
        )
        return [head.predict_proba(X_test) for _ in range(5)]

    first, *others = [*probabilities(0, 1), *probabilities(0, 4)]
    for other in others:
        np.testing.assert_array_equal(other, first)
    assert not np.array_equal(probabilities(1, 1)[0], first)


def test_random_forest_grows_with_the_threads_it_is_given(data):
    head = random_forest(seed=0, threads=2, n_estimators=5)
    assert head.n_jobs == 2
    head.fit(*data[:2]).predict_proba(data[2])
    assert head.n_jobs == 2


@pytest.mark.parametrize("name", HEADS)
def test_sparse_features_give_the_same_decisions(data, name):
    X, y, X_test = data
    X, X_test = X * (X > 0.5), X_test * (X_test > 0.5)
    dense = HEADS[name]().fit(X, y).predict(X_test)
    from_sparse = HEADS[name]().fit(sparse.csr_matrix(X), y).predict(sparse.csr_matrix(X_test))
    assert (dense == from_sparse).mean() > 0.99


@pytest.mark.parametrize("name", HEADS)
def test_heads_can_be_cloned(data, name):
    X, y, X_test = data
    head = HEADS[name]().fit(X, y)
    np.testing.assert_array_equal(clone(head).fit(X, y).predict(X_test), head.predict(X_test))
