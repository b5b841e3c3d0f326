"""What the harness may rely on, of every head."""

import inspect
import pkgutil

import mmbench_heads
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from mmbench.testing import check_head

ENTRIES = {}
mmbench_heads.mmbench_register_heads(
    lambda name, target, **flags: ENTRIES.update({name: (pkgutil.resolve_name(target), flags)})
)
FEW = {
    "random-forest": {"n_estimators": 5},
    "extra-trees": {"n_estimators": 5},
    "gradient-boosting": {"max_iter": 2},
    "mlp": {"max_iter": 4},
    "xgboost": {"n_estimators": 2},
    "lightgbm": {"n_estimators": 2},
}


def build(name, *, seed=1, threads=1, **parameters):
    """Build a small one, with the seed and threads that it asks for."""
    factory, _ = ENTRIES[name]
    asks = inspect.signature(factory).parameters
    given = {k: v for k, v in {"seed": seed, "threads": threads}.items() if k in asks}
    return factory(**given, **FEW.get(name, {}), **parameters)


def decisions(head, X):
    """Return probabilities, or decision values where it has only those."""
    offers = hasattr(head, "predict_proba")
    return head.predict_proba(X) if offers else head.decision_function(X)


def made(k, d, per_class, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(k), per_class))
    return rng.normal(size=(len(y), d)) + 3 * rng.normal(size=(k, d))[y], y


def assert_valid(values, n, k, head):
    assert np.isfinite(values).all()
    if not hasattr(head, "predict_proba"):
        assert values.shape == ((n,) if k == 2 else (n, k))
        return
    assert values.shape == (n, k)
    assert (values >= 0).all()
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_conformance_kit_passes(name):
    check_head(name)


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize(
    ("k", "d", "per_class"),
    [(2, 1, 3), (2, 10_000, 3), (3, 4, 2), (40, 30, 2), (1000, 1, 2)],
)
def test_few_and_many_classes_and_columns(name, k, d, per_class):
    """Inputs cannot be written to: a head that tried would fail."""
    X, y = made(k, d, per_class)
    X.setflags(write=False)
    y.setflags(write=False)
    head = build(name).fit(X, y)
    one = X[:1]
    assert_valid(decisions(head, one), 1, k, head)
    np.testing.assert_array_equal(head.classes_, np.arange(k))


@pytest.mark.parametrize("name", ENTRIES)
def test_columns_are_in_the_order_of_the_labels(name):
    X, y = made(4, 3, 40)
    head = build(name, **({"learning_rate_init": 0.1} if name == "mlp" else {})).fit(X, y)
    values = decisions(head, X)
    assert_valid(values, len(X), 4, head)
    assert (values.argmax(axis=1) == y).mean() > 0.8
    np.testing.assert_array_equal(head.predict(X), values.argmax(axis=1))


@pytest.mark.parametrize("name", ENTRIES)
def test_constant_features(name):
    X, y = made(3, 5, 10)
    X[:, [1, 3]] = 0.0, 0.1
    head = build(name).fit(X, y)
    assert_valid(decisions(head, X[:7]), 7, 3, head)
    nothing = np.zeros((30, 4))
    if name == "naive-bayes":
        with pytest.raises(ValueError, match="every feature is constant"):
            build(name).fit(nothing, y)
    else:
        head = build(name).fit(nothing, y)
        assert_valid(decisions(head, nothing[:7]), 7, 3, head)


@pytest.mark.parametrize("name", ENTRIES)
def test_of_one_class_a_head_has_one_column_or_raises(name):
    X, y = made(1, 3, 20)
    head = build(name)
    if name in ("random-forest", "extra-trees", "naive-bayes"):
        np.testing.assert_array_equal(decisions(head.fit(X, y), X), np.ones((20, 1)))
        return
    with pytest.raises(ValueError, match=r"one class; a head needs|greater than one") as caught:
        head.fit(X, y)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_number_of_threads_does_not_matter(name):
    """To the last bit, of data on which sums by several threads are taken in another order."""
    X, y = made(10, 100, 150)
    X += 6 * np.random.default_rng(1).normal(size=X.shape)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            head = build(name, threads=threads).fit(X, y)
            results.append(decisions(head, X[:333]))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_seed_alone_decides(name):
    X, y = made(3, 6, 30)
    X += 4 * np.random.default_rng(1).normal(size=X.shape)
    X_test = X + 1
    first = build(name).fit(X, y)
    np.random.seed(123)
    np.testing.assert_array_equal(
        decisions(build(name).fit(X, y), X_test), decisions(first, X_test)
    )
    np.testing.assert_array_equal(
        decisions(clone(first).fit(X, y), X_test), decisions(first, X_test)
    )
    if "seed" in inspect.signature(ENTRIES[name][0]).parameters:
        other = build(name, seed=2).fit(X, y)
        assert not np.array_equal(decisions(other, X_test), decisions(first, X_test))


@pytest.mark.parametrize("name", [n for n, (_, flags) in ENTRIES.items() if flags.get("sparse")])
def test_sparse_features_give_the_same_decisions(name):
    X, y = made(5, 40, 40)
    X += 2 * np.random.default_rng(1).normal(size=X.shape)
    X *= np.abs(X) > 4
    dense = build(name).fit(X[:150], y[:150]).predict(X[150:])
    head = build(name).fit(sparse.csr_matrix(X[:150]), y[:150])
    values = decisions(head, sparse.csr_matrix(X[150:]))
    assert_valid(values, 50, 5, head)
    assert 0.3 < (X == 0).mean() < 0.95
    assert (dense == values.argmax(axis=1)).mean() > 0.97


def test_xgboost_is_not_registered_sparse_because_it_takes_absent_values_for_missing():
    X, y = made(2, 6, 60)
    X *= np.abs(X) > 2
    dense = build("xgboost").fit(X, y).predict_proba(X)
    from_sparse = build("xgboost").fit(sparse.csr_matrix(X), y)
    assert not np.allclose(from_sparse.predict_proba(sparse.csr_matrix(X)), dense)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("svm", {"C": -1.0}, "'C' parameter"),
        ("logistic-regression", {"l1_ratio": 1.5}, "'l1_ratio' parameter"),
        ("ridge", {"alpha": -1.0}, "'alpha' parameter"),
        ("k-nearest", {"n_neighbors": 0}, "'n_neighbors' parameter"),
        ("naive-bayes", {"var_smoothing": -1.0}, "'var_smoothing' parameter"),
        ("mlp", {"hidden_layer_sizes": 0}, "hidden_layer_sizes"),
        ("gradient-boosting", {"learning_rate": -1.0}, "'learning_rate' parameter"),
    ],
)
def test_wrong_values_are_one_clear_line(name, parameters, said):
    X, y = made(3, 4, 10)
    with pytest.raises(ValueError, match=said) as caught:
        build(name, **parameters).fit(X, y)
    assert "\n" not in str(caught.value)
