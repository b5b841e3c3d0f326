import os
import subprocess
import sys

import lightgbm
import numpy as np
import pytest
import xgboost
from mmbench_heads import boosting
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_info, threadpool_limits


@pytest.fixture(scope="module")
def data():
    X, y = load_digits(n_class=4, return_X_y=True)
    few = np.flatnonzero((y != 3) | (np.arange(len(y)) % 7 == 0))  # one class is small
    return X[few][:300], y[few][:300], X[-200:]


def assert_same(head, by_hand, data):
    X, y, X_test = data
    expected = by_hand.fit(X, y).predict_proba(X_test)
    np.testing.assert_array_equal(head.fit(X, y).predict_proba(X_test), expected)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"learning_rate": 0.3, "max_leaf_nodes": 5, "l2_regularization": 2.0},
        {"max_depth": 2, "min_samples_leaf": 3, "max_leaf_nodes": None},
        {"class_weight": "balanced"},
    ],
)
def test_gradient_boosting_equals_scikit_learn(data, parameters):
    by_hand = HistGradientBoostingClassifier(max_iter=8, early_stopping=False, **parameters)
    assert_same(boosting.gradient_boosting(threads=1, max_iter=8, **parameters), by_hand, data)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"learning_rate": 0.1, "max_depth": 2, "min_child_weight": 5.0},
        {"gamma": 1.0, "reg_alpha": 0.5, "reg_lambda": 5.0},
    ],
)
def test_xgboost_equals_its_own_classifier(data, parameters):
    by_hand = xgboost.XGBClassifier(n_estimators=8, n_jobs=1, **parameters)
    assert_same(boosting.xgboost(threads=1, n_estimators=8, **parameters), by_hand, data)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"learning_rate": 0.3, "num_leaves": 5, "min_child_samples": 3},
        {"max_depth": 2, "reg_alpha": 0.5, "reg_lambda": 5.0},
        {"class_weight": "balanced"},
    ],
)
def test_lightgbm_equals_its_own_classifier(data, parameters):
    by_hand = lightgbm.LGBMClassifier(n_estimators=8, n_jobs=1, verbosity=-1, **parameters)
    assert_same(boosting.lightgbm(threads=1, n_estimators=8, **parameters), by_hand, data)


def test_defaults_are_those_of_the_libraries(data):
    X, y, X_test = data
    for build, library in (
        (boosting.gradient_boosting, HistGradientBoostingClassifier()),
        (boosting.xgboost, xgboost.XGBClassifier(n_jobs=1)),
        (boosting.lightgbm, lightgbm.LGBMClassifier(n_jobs=1, verbosity=-1)),
    ):
        with threadpool_limits(1):
            assert_same(build(threads=1), library, (X[:120, ::4], y[:120], X_test[:, ::4]))


@pytest.mark.parametrize(
    ("build", "library", "trees"),
    [
        (boosting.gradient_boosting, HistGradientBoostingClassifier, {"max_iter": 8}),
        (boosting.lightgbm, lightgbm.LGBMClassifier, {"n_estimators": 8}),
    ],
)
def test_balanced_weights_are_inverse_class_sizes(data, build, library, trees):
    X, y, X_test = data
    weights = len(y) / (4 * np.bincount(y)[y])
    by_hand = library(**trees).fit(X, y, sample_weight=weights)
    head = build(threads=1, class_weight="balanced", **trees).fit(X, y)
    np.testing.assert_allclose(head.predict_proba(X_test), by_hand.predict_proba(X_test), atol=1e-6)


def test_gradient_boosting_uses_the_threads_it_is_given(monkeypatch):
    """scikit-learn takes as many as OpenMP has."""
    seen = []

    def fit(self, X, y):
        pools = [p["num_threads"] for p in threadpool_info() if p["user_api"] == "openmp"]
        seen.append(set(pools))
        self.classes_ = np.unique(y)
        return self

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", fit)
    for threads in (1, 3):
        boosting.gradient_boosting(threads=threads).fit(np.zeros((4, 1)), np.arange(4) % 2)
    assert seen == [{1}, {3}]


# --- libraries that are not installed ----------------------------------------------------------


@pytest.fixture
def without(tmp_path):
    """Return an environment in which some libraries cannot be found."""

    def hide(*names):
        for name in names:
            missing = f'raise ModuleNotFoundError("No module named {name!r}", name="{name}")'
            (tmp_path / f"{name}.py").write_text(missing)
        return {**os.environ, "PYTHONPATH": str(tmp_path)}

    return hide


def test_a_library_that_is_not_installed_is_one_clear_line(without):
    script = (
        "import mmbench_heads.boosting as b\n"
        "for build in (b.xgboost, b.lightgbm, b.gradient_boosting):\n"
        "    try:\n"
        "        build(threads=1)\n"
        "    except ImportError as error:\n"
        "        print(error)"
    )
    hidden = without("xgboost", "lightgbm")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=hidden
    )
    assert done.stdout.splitlines() == [
        f"the head '{name}' needs a library that is not installed: "
        f"pip install 'mmbench-heads[{name}]'"
        for name in ("xgboost", "lightgbm")
    ], done.stderr


def test_a_library_that_is_there_but_broken_keeps_its_own_error(tmp_path):
    (tmp_path / "xgboost.py").write_text("import no_such_module")
    script = "import mmbench_heads.boosting as b\nb.xgboost(threads=1)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.stderr.splitlines()[-1] == ("ModuleNotFoundError: No module named 'no_such_module'")


def test_heads_without_their_library_are_still_listed(without):
    done = subprocess.run(
        [sys.executable, "-m", "mmbench", "list", "xgboost"],
        capture_output=True,
        text=True,
        env=without("xgboost", "lightgbm"),
    )
    assert done.returncode == 0, done.stderr
    assert "n_estimators" in done.stdout
