import numpy as np
import pytest
from mmbench_heads.classifiers import (
    k_nearest,
    logistic_regression,
    mlp,
    naive_bayes,
    ridge,
    svm,
)
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from mmbench import Distances


@pytest.fixture(scope="module")
def data():
    X, y = load_digits(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    few = np.flatnonzero((y != 3) | (np.arange(len(y)) % 7 == 0))  # one class is small
    return X[few][:400], y[few][:400], X[-300:]


@pytest.fixture(scope="module")
def unbalanced():
    """Three classes that overlap, of 50, 25 and 10 samples."""
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)[:, :2]
    chosen = np.r_[0:50, 50:75, 100:110]
    return X[chosen], y[chosen], X


def balanced_weights(y):
    """n / (k * size of the sample's class)."""
    return len(y) / (len(np.unique(y)) * np.bincount(y)[y])


# --- svm ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"C": 10.0, "gamma": 0.001},
        {"kernel": "linear"},
        {"kernel": "poly", "degree": 2, "gamma": "auto"},
        {"kernel": "poly", "coef0": 1.0},
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


@pytest.mark.parametrize(
    ("parameters", "kernel"),
    [
        ({"kernel": "linear"}, lambda A, B: A @ B.T),
        ({"gamma": 0.02}, lambda A, B: np.exp(-0.02 * cdist(A, B, "sqeuclidean"))),
        (
            {"kernel": "poly", "degree": 2, "gamma": 0.1, "coef0": 3.0},
            lambda A, B: (0.1 * A @ B.T + 3.0) ** 2,
        ),
    ],
)
def test_svm_kernels_are_what_their_formulas_say(data, parameters, kernel):
    X, y, X_test = data
    head = svm(**parameters).fit(X, y)
    by_hand = SVC(kernel="precomputed").fit(kernel(X, X), y)
    np.testing.assert_allclose(
        head.decision_function(X_test), by_hand.decision_function(kernel(X_test, X)), atol=2e-3
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"C": 10.0, "gamma": 0.001},
        {"gamma": "auto", "class_weight": "balanced"},
        {"oversample": True},
    ],
)
def test_svm_of_distances_equals_that_of_vectors(data, parameters):
    X, y, X_test = data
    head = svm(**parameters).fit(X, y)
    train, test = Distances.of(X, X_test)
    other = svm(**parameters).fit(train, y)
    np.testing.assert_allclose(
        other.decision_function(test), head.decision_function(X_test), atol=1e-9
    )
    np.testing.assert_array_equal(other.predict(test), head.predict(X_test))
    rows = np.arange(len(y))[::2]
    half = svm(**parameters).fit(X[rows], y[rows]).decision_function(X_test)
    of_half = svm(**parameters).fit(train[rows], y[rows]).decision_function(test)
    np.testing.assert_allclose(of_half, half, atol=1e-9)


def test_svm_of_distances_where_features_are_constant(data):
    """Their variance is 0, by which gamma would be divided."""
    X, y, X_test = data
    train, test = Distances.of(np.ones_like(X), X_test)
    assert np.isfinite(svm().fit(train, y).decision_function(test)).all()


def test_svm_takes_distances_for_its_rbf_kernel_alone():
    taken = {k: svm.takes_distances(kernel=k, C=1.0) for k in ("linear", "rbf", "poly")}
    assert taken == {"linear": False, "rbf": True, "poly": False}


def test_svm_leaves_calibration_to_the_harness(data):
    X, y, X_test = data
    head = svm().fit(X, y)
    assert not hasattr(head, "predict_proba")
    np.testing.assert_array_equal(
        head.predict(X_test), head.decision_function(X_test).argmax(axis=1)
    )


def test_svm_weighs_samples_by_the_inverse_size_of_their_class(unbalanced):
    X, y, X_test = unbalanced
    head = svm(class_weight="balanced").fit(X, y)
    by_hand = SVC().fit(X, y, sample_weight=balanced_weights(y))
    np.testing.assert_allclose(
        head.decision_function(X_test), by_hand.decision_function(X_test), atol=2e-3
    )


# --- logistic regression -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"C": 0.01},
        {"class_weight": "balanced"},
        {"C": 0.05, "l1_ratio": 1.0, "solver": "saga"},
        {"C": 0.05, "l1_ratio": 0.4, "solver": "saga", "tol": 1e-3},
    ],
)
def test_logistic_regression_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    by_hand = {"max_iter": 1000, "random_state": 0} | parameters
    with threadpool_limits(1):
        expected = LogisticRegression(**by_hand).fit(X, y).predict_proba(X_test)
    given = {name: value for name, value in parameters.items() if name != "solver"}
    head = logistic_regression(**given).fit(X, y)
    np.testing.assert_array_equal(head.predict_proba(X_test), expected)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_l2_minimises_the_weighted_loss(unbalanced, class_weight):
    X, y, X_test = unbalanced
    weights = balanced_weights(y) if class_weight else np.ones(len(y))

    def objective(flat):
        W = flat.reshape(3, 3)
        scores = X @ W[:, :2].T + W[:, 2]
        loss = -(weights * log_softmax(scores, axis=1)[np.arange(len(y)), y]).sum()
        return 0.7 * loss + 0.5 * (W[:, :2] ** 2).sum()

    found = minimize(objective, np.zeros(9), options={"gtol": 1e-6}).x.reshape(3, 3)
    expected = softmax(X_test @ found[:, :2].T + found[:, 2], axis=1)
    head = logistic_regression(C=0.7, class_weight=class_weight, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(head.predict_proba(X_test), expected, atol=1e-5)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_l1_and_elastic_net_meet_their_optimality_conditions(data, l1_ratio):
    """The gradient of loss and L2 part is -l1 * sign(w), or at most l1 where w is 0."""
    X, y = (part[:200] for part in data[:2])
    C = 0.05
    head = logistic_regression(C=C, l1_ratio=l1_ratio, tol=1e-6, max_iter=10_000).fit(X, y)
    W = head.classifier_.coef_
    residual = head.predict_proba(X) - np.eye(10)[y]
    gradient = residual.T @ X + (1 - l1_ratio) / C * W
    l1, zero = l1_ratio / C, W == 0
    assert 0.2 < zero.mean() < 0.99
    assert (np.abs(gradient[zero]) <= l1 + 1e-3).all()
    np.testing.assert_allclose(gradient[~zero], -l1 * np.sign(W[~zero]), atol=1e-3)


def test_a_solver_that_has_not_converged_warns(data):
    for l1_ratio in (0.0, 1.0):
        with pytest.warns(ConvergenceWarning):
            logistic_regression(max_iter=1, l1_ratio=l1_ratio).fit(*data[:2])


# --- ridge -------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{}, {"alpha": 30.0}, {"class_weight": "balanced"}])
def test_ridge_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    head = ridge(**parameters).fit(X, y)
    with threadpool_limits(1):
        expected = RidgeClassifier(**parameters).fit(X, y).decision_function(X_test)
    np.testing.assert_array_equal(head.decision_function(X_test), expected)
    assert not hasattr(head, "predict_proba")


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_ridge_solves_the_weighted_normal_equations(unbalanced, class_weight):
    X, y, X_test = unbalanced
    weights = balanced_weights(y) if class_weight else np.ones(len(y))
    design = np.column_stack([X, np.ones(len(X))])
    weighted = design * weights[:, None]
    penalty = np.diag([2.0, 2.0, 0.0])  # none on the intercept
    coefficients = np.linalg.solve(
        weighted.T @ design + penalty, weighted.T @ (2 * np.eye(3)[y] - 1)
    )
    head = ridge(alpha=2.0, class_weight=class_weight).fit(X, y)
    np.testing.assert_allclose(
        head.decision_function(X_test),
        np.column_stack([X_test, np.ones(len(X_test))]) @ coefficients,
        atol=1e-10,
    )


# --- k nearest, naive Bayes --------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_neighbors": 3, "weights": "distance"},
        {"metric": "manhattan"},
        {"metric": "cosine", "n_neighbors": 7},
    ],
)
def test_k_nearest_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    head = k_nearest(threads=1, **parameters).fit(X, y)
    expected = KNeighborsClassifier(**parameters).fit(X, y)
    np.testing.assert_array_equal(head.predict_proba(X_test), expected.predict_proba(X_test))


@pytest.mark.parametrize(("metric", "named"), [("manhattan", "cityblock"), ("cosine", "cosine")])
def test_k_nearest_votes_by_inverse_distance(data, metric, named):
    X, y, X_test = data
    X_test = X_test + 0.01  # no sample is its own neighbour
    head = k_nearest(threads=1, metric=metric, weights="distance", n_neighbors=4).fit(X, y)
    distances = cdist(X_test, X, named)
    nearest = distances.argsort(axis=1)[:, :4]
    votes = np.zeros((len(X_test), 10))
    for row, columns in enumerate(nearest):
        np.add.at(votes[row], y[columns], 1 / distances[row, columns])
    np.testing.assert_allclose(
        head.predict_proba(X_test), votes / votes.sum(axis=1, keepdims=True), rtol=1e-6
    )


def test_more_neighbours_than_samples_are_one_clear_line():
    head = k_nearest(threads=1).fit(np.arange(4.0)[:, None], np.array([0, 0, 1, 1]))
    with pytest.raises(ValueError, match="n_neighbors = 5, n_samples_fit = 4") as caught:
        head.predict_proba(np.zeros((1, 1)))
    assert "\n" not in str(caught.value)


def test_naive_bayes_equals_scikit_learn(data):
    X, y, X_test = data
    for parameters in ({}, {"var_smoothing": 0.01}):
        np.testing.assert_array_equal(
            naive_bayes(**parameters).fit(X, y).predict_proba(X_test),
            GaussianNB(**parameters).fit(X, y).predict_proba(X_test),
        )


def test_naive_bayes_multiplies_normal_densities(unbalanced):
    X, y, X_test = unbalanced
    smoothing = 0.1 * X.var(axis=0).max()
    logs = np.column_stack(
        [
            np.log((y == c).mean())
            + norm.logpdf(
                X_test, X[y == c].mean(axis=0), np.sqrt(X[y == c].var(axis=0) + smoothing)
            ).sum(axis=1)
            for c in range(3)
        ]
    )
    head = naive_bayes(var_smoothing=0.1).fit(X, y)
    np.testing.assert_allclose(head.predict_proba(X_test), softmax(logs, axis=1), rtol=1e-9)


def test_naive_bayes_of_constant_features_is_one_clear_line():
    with pytest.raises(ValueError, match="every feature is constant") as caught:
        naive_bayes().fit(np.zeros((6, 3)), np.arange(6) % 2)
    assert "\n" not in str(caught.value)


# --- mlp ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"hidden_layer_sizes": (20, 10), "activation": "tanh", "batch_size": 50},
        {"hidden_layer_sizes": 15, "alpha": 1.0, "learning_rate_init": 0.01},
        {"early_stopping": True, "n_iter_no_change": 2},
    ],
)
def test_mlp_equals_scikit_learn(data, parameters):
    X, y, X_test = data
    head = mlp(seed=5, max_iter=400, **parameters).fit(X, y)
    with threadpool_limits(1):
        expected = MLPClassifier(random_state=5, max_iter=400, **parameters).fit(X, y)
        np.testing.assert_array_equal(head.predict_proba(X_test), expected.predict_proba(X_test))
    assert [row["loss"] for row in head.history_] == expected.loss_curve_
    assert [row["epoch"] for row in head.history_] == list(range(1, expected.n_iter_ + 1))


def test_mlp_keeps_the_validation_accuracy_of_early_stopping(data):
    X, y, _ = data
    early = mlp(seed=0, early_stopping=True, n_iter_no_change=3, max_iter=300).fit(X, y)
    scores = [row["validation_accuracy"] for row in early.history_]
    assert scores == early.classifier_.validation_scores_
    assert len(scores) < 300
    assert max(scores[-3:]) <= max(scores[:-3])  # it stopped as none of the last was better
    assert "validation_accuracy" not in mlp(seed=0, max_iter=2).fit(X, y).history_[0]


def test_mlp_that_ends_at_its_last_epoch_says_so_in_its_history_alone(data):
    head = mlp(seed=0, max_iter=3).fit(*data[:2])  # scikit-learn warns here, and warnings fail
    losses = [row["loss"] for row in head.history_]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)


def test_mlp_learns_what_no_linear_head_does():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = ((X > 0).sum(axis=1) == 1).astype(int)
    learnt = mlp(seed=1, learning_rate_init=0.01).fit(X[:400], y[:400])
    linear = ridge().fit(X[:400], y[:400])
    assert (learnt.predict(X[400:]) == y[400:]).mean() > 0.93
    assert (linear.predict(X[400:]) == y[400:]).mean() < 0.65


def test_mlp_refuses_to_hold_out_repeats():
    with pytest.raises(ValueError, match="early_stopping and oversample exclude each other"):
        mlp(seed=0, early_stopping=True, oversample=True)
