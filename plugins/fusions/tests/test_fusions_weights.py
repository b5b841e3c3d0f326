import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.decision import WeightedMean
from mmbench_fusions.feature import WeightedSum
from mmbench_fusions.weights import learned, normalised
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss


def test_given_weights_are_scaled_and_default_to_equal_ones():
    np.testing.assert_allclose(normalised([2, 1, 1], 3), [0.5, 0.25, 0.25])
    np.testing.assert_allclose(normalised(None, 4), [0.25] * 4)
    np.testing.assert_allclose(normalised([0, 5], 2), [0, 1])


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([1.0], "one per modality is needed, and there are 2"),
        ([1.0, 1.0, 1.0], "one per modality is needed, and there are 2"),
        ([], "one per modality is needed, and there are 2"),
        ([0.5, -0.1], "not negative"),
        ([0.0, 0.0], "not all 0"),
        ([1.0, float("nan")], "finite"),
        ([1.0, float("inf")], "finite"),
    ],
)
def test_wrong_weights_are_one_clear_line(weights, reason):
    parts = {"a": np.full((3, 2), 0.5), "b": np.full((3, 2), 0.5)}
    for use in (
        lambda: WeightedSum(weights=weights).transform(parts),
        lambda: WeightedMean(weights=weights).predict_proba(parts),
    ):
        with pytest.raises(ValueError, match=reason) as caught:
            use()
        assert str(caught.value).startswith(f"weights = {weights}: ")
        assert "\n" not in str(caught.value)


def out_of_fold(sharpness, labels, k, rng):
    """Heads of which some know more than others."""
    return {
        f"m{i}": (1 - s) * rng.dirichlet(np.ones(k), len(labels)) + s * np.eye(k)[labels]
        for i, s in enumerate(sharpness)
    }


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0, 0.9), min_size=2, max_size=4),
    st.integers(2, 4),
    st.integers(0, 1000),
)
def test_no_other_weights_have_less_log_loss(sharpness, k, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, 80)
    parts = out_of_fold(sharpness, labels, k, rng)
    weights = learned(parts, labels)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-12)

    stacked = np.stack(list(parts.values()))

    def loss(w):
        mixed = np.tensordot(w, stacked, axes=1)
        return -np.log(np.maximum(mixed[np.arange(len(labels)), labels], 1e-12)).mean()

    m = len(parts)
    others = [*np.eye(m), *rng.dirichlet(np.ones(m), 30)]
    near = [0.99 * weights + 0.01 * other for other in others]
    assert loss(weights) <= min(map(loss, [*others, *near])) + 1e-9


def test_two_weights_equal_a_search_along_the_line():
    """One head is right more often, but each knows what the other does not."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    right = rng.random((2, 300)) < [[0.8], [0.6]]
    said = np.where(right, labels, rng.integers(0, 3, (2, 300)))
    first, second = 0.1 + 0.7 * np.eye(3)[said]
    best = minimize_scalar(
        lambda w: log_loss(labels, w * first + (1 - w) * second), bounds=(0, 1)
    ).x
    assert 0.55 < best < 0.95
    weights = learned({"first": first, "second": second}, labels)
    np.testing.assert_allclose(weights, [best, 1 - best], atol=1e-4)


def test_heads_that_were_wrong_for_certain_still_give_weights():
    labels = np.array([0, 1, 0, 1])
    sure = np.eye(2)[labels]
    wrong = {"a": 1 - sure, "b": 1 - sure}
    np.testing.assert_allclose(learned(wrong, labels), [0.5, 0.5])
    np.testing.assert_allclose(learned({"a": 1 - sure, "b": sure}, labels), [0, 1], atol=1e-6)
