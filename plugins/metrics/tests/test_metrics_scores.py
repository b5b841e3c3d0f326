import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mmbench_metrics import scores
from sklearn import metrics

BY_HAND = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1_macro": lambda t, p: metrics.f1_score(t, p, average="macro"),
    "f1_weighted": lambda t, p: metrics.f1_score(t, p, average="weighted"),
    "f1_micro": lambda t, p: metrics.f1_score(t, p, average="micro"),
    "precision_macro": lambda t, p: metrics.precision_score(t, p, average="macro"),
    "recall_macro": lambda t, p: metrics.recall_score(t, p, average="macro"),
}
ALL = [*BY_HAND, "roc_auc", "log_loss", "ece"]


def sample(n, n_classes, seed, ties=False):
    """Truth, prediction and probabilities; with few distinct probabilities where ``ties``."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 4, (n, n_classes)) if ties else rng.random((n, n_classes))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return rng.integers(0, n_classes, n), probabilities.argmax(axis=1), probabilities


def evaluate(name, truth, predicted=None, probabilities=None, **parameters):
    value = getattr(scores, name)(**parameters)(truth, predicted, probabilities)
    assert type(value) is float
    return value


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(2, 12), st.integers(0, 10_000))
@pytest.mark.parametrize("name", BY_HAND)
def test_label_metrics_equal_scikit_learn_and_never_warn(name, n, n_classes, seed):
    truth, predicted, _ = sample(n, n_classes, seed)
    with warnings.catch_warnings(action="ignore"):
        expected = BY_HAND[name](truth, predicted)
    assert evaluate(name, truth, predicted) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(2, 6), st.integers(0, 10_000), st.booleans())
def test_roc_auc_equals_scikit_learn(n, n_classes, seed, ties):
    truth, _, probabilities = sample(n, n_classes, seed, ties)
    assume(len(np.unique(truth)) == n_classes)
    expected = (
        metrics.roc_auc_score(truth, probabilities[:, 1])
        if n_classes == 2
        else metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro")
    )
    assert evaluate("roc_auc", truth, None, probabilities) == pytest.approx(expected, rel=1e-9)


def test_roc_auc_of_two_classes_is_of_the_last():
    truth = np.array([0, 0, 1, 1])
    positive = np.array([0.1, 0.4, 0.35, 0.8])
    probabilities = np.column_stack([1 - positive, positive])
    assert evaluate("roc_auc", truth, None, probabilities) == 0.75


def test_roc_auc_of_two_classes_tells_tiny_probabilities_apart():
    positive = np.array([1e-21, 1e-20])
    probabilities = np.column_stack([1 - positive, positive])  # the first column is all ones
    assert evaluate("roc_auc", np.array([0, 1]), None, probabilities) == 1.0


@pytest.mark.parametrize("truth", [[0, 0, 1, 1], [2, 2, 2, 2]])
def test_roc_auc_is_nan_where_a_class_is_absent_from_truth(truth):
    probabilities = sample(4, 3, 0)[2]
    assert math.isnan(evaluate("roc_auc", np.array(truth), None, probabilities))
    assert math.isnan(evaluate("roc_auc", np.zeros(4, int), None, probabilities[:, :2]))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(2, 8), st.integers(0, 10_000))
def test_log_loss_equals_scikit_learn(n, n_classes, seed):
    truth, _, probabilities = sample(n, n_classes, seed)
    expected = metrics.log_loss(truth, probabilities, labels=np.arange(n_classes))
    assert evaluate("log_loss", truth, None, probabilities) == pytest.approx(expected, rel=1e-9)


def test_log_loss_clips_zeros_and_takes_a_single_class():
    truth = np.array([1, 1])
    probabilities = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    expected = -math.log(np.finfo(float).eps) / 2
    assert evaluate("log_loss", truth, None, probabilities) == pytest.approx(expected)


def test_rows_that_sum_to_one_in_single_precision_are_no_mistake():
    truth, _, probabilities = sample(500, 7, 0)
    rounded = probabilities.astype(np.float32).astype(np.float64)
    assert np.abs(rounded.sum(axis=1) - 1).max() > 1.5e-8  # where scikit-learn warns
    rounded[0] = [1 + 1e-9, 0, 0, 0, 0, 0, 0]  # more than 1, which scikit-learn refuses
    probabilities[0] = [1, 0, 0, 0, 0, 0, 0]
    for name in ("log_loss", "roc_auc", "ece"):
        assert evaluate(name, truth, None, rounded) == pytest.approx(
            evaluate(name, truth, None, probabilities), rel=1e-4
        )


def test_calibration_error_worked_by_hand():
    """Two bins: (0, .5] holds one sample, wrong at .4; (.5, 1] holds three, two right."""
    probabilities = np.array([[0.4, 0.3, 0.3], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]])
    truth = np.array([1, 0, 1, 0])
    expected = 1 / 4 * abs(0 - 0.4) + 3 / 4 * abs(2 / 3 - (0.6 + 0.9 + 0.9) / 3)
    assert evaluate("ece", truth, None, probabilities, bins=2) == pytest.approx(expected)


def test_calibration_error_at_its_extremes():
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert evaluate("ece", np.array([0, 1, 2, 0]), None, sure) == 0.0
    assert evaluate("ece", np.array([1, 2, 0, 1]), None, sure) == 1.0


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    """At .5 one is right; at .7 one is wrong: apart, as .5 falls into (0, .5]."""
    probabilities = np.array([[0.5, 0.5], [0.7, 0.3]])
    value = evaluate("ece", np.array([0, 1]), None, probabilities, bins=2)
    assert value == pytest.approx((0.5 + 0.7) / 2)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 40), st.integers(2, 6), st.integers(1, 20), st.integers(0, 10_000), st.booleans()
)
def test_calibration_error_equals_a_loop_over_bins(n, n_classes, bins, seed, ties):
    truth, predicted, probabilities = sample(n, n_classes, seed, ties)
    edges = np.linspace(0, 1, bins + 1)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = [i for i in range(n) if low < max(probabilities[i]) <= high]
        if inside:
            accuracy = np.mean([truth[i] == predicted[i] for i in inside])
            confidence = np.mean([max(probabilities[i]) for i in inside])
            expected += len(inside) / n * abs(accuracy - confidence)
    value = evaluate("ece", truth, None, probabilities, bins=bins)
    assert value == pytest.approx(expected, abs=1e-12)


def test_calibration_error_has_15_bins_unless_said_otherwise():
    truth, _, probabilities = sample(200, 3, 1)
    values = {b: evaluate("ece", truth, None, probabilities, bins=b) for b in (10, 15)}
    assert evaluate("ece", truth, None, probabilities) == values[15] != values[10]
    with pytest.raises(ValueError, match="bins must be at least 1, not 0"):
        scores.ece(bins=0)


@pytest.mark.parametrize("name", ALL)
def test_as_many_classes_as_samples_and_predictions_outside_truth_do_not_warn(name):
    truth = np.arange(30)
    predicted = (truth + np.arange(30) % 2 * 30) % 60
    value = evaluate(name, truth, predicted, np.full((30, 60), 1 / 60))
    assert math.isfinite(value) != (name == "roc_auc")


def test_probabilities_are_asked_for_where_they_are_needed():
    with pytest.raises(ValueError, match="needs probabilities"):
        scores.log_loss()(np.array([0, 1]), np.array([0, 1]), None)
