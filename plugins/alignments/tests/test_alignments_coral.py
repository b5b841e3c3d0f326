import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_alignments.coral import Coral
from scipy.linalg import fractional_matrix_power
from sklearn.decomposition import PCA


def coloured(n, d, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def covariance(part):
    return np.atleast_2d(np.cov(part, rowvar=False))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(2, 4), st.integers(0, 1000))
def test_without_the_ridge_covariances_and_means_become_those_of_the_reference(d, m, seed):
    features = {f"m{i}": coloured(40, d, seed + i) for i in range(m)}
    reference = f"m{m - 1}"
    fitted = Coral(regularisation=0.0, reference=reference).fit(features, None)
    for part in fitted.transform(features).values():
        np.testing.assert_allclose(covariance(part), covariance(features[reference]), atol=1e-6)
        np.testing.assert_allclose(part.mean(axis=0), features[reference].mean(axis=0), atol=1e-8)


@pytest.mark.parametrize("regularisation", [1.0, 0.01])
@pytest.mark.parametrize(("n", "d"), [(50, 6), (12, 30)])
def test_it_is_the_formula_of_the_paper(n, d, regularisation):
    """With more samples than columns, and with fewer, where the covariance is singular."""
    features = {"a": coloured(n, d, 0), "b": coloured(n, d, 1)}
    test = {"a": coloured(9, d, 2), "b": coloured(9, d, 3)}
    ridge = regularisation * np.eye(d)
    whiten = fractional_matrix_power(covariance(features["b"]) + ridge, -0.5)
    colour = fractional_matrix_power(covariance(features["a"]) + ridge, 0.5)
    expected = (test["b"] - features["b"].mean(axis=0)) @ whiten @ colour
    aligned = Coral(regularisation=regularisation).fit(features).transform(test)
    np.testing.assert_allclose(aligned["b"], expected + features["a"].mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(aligned["a"], test["a"], atol=1e-12)


def test_the_ridge_of_the_paper_is_the_default():
    features = {"a": coloured(30, 4, 0), "b": coloured(30, 4, 1)}
    one = Coral(regularisation=1.0).fit(features).transform(features)
    np.testing.assert_array_equal(Coral().fit(features).transform(features)["b"], one["b"])


def test_unequal_widths_are_reduced_to_the_narrowest():
    features = {"wide": coloured(60, 8, 0), "narrow": coloured(60, 3, 1)}
    scores = PCA(3).fit_transform(features["wide"])
    onto_wide = Coral(regularisation=0.0).fit(features).transform(features)
    np.testing.assert_allclose(onto_wide["wide"], scores, atol=1e-9)
    np.testing.assert_allclose(covariance(onto_wide["narrow"]), covariance(scores), atol=1e-8)
    onto_narrow = Coral(regularisation=0.0, reference="narrow").fit(features).transform(features)
    np.testing.assert_allclose(onto_narrow["narrow"], features["narrow"], atol=1e-12)
    np.testing.assert_allclose(
        covariance(onto_narrow["wide"]), covariance(features["narrow"]), atol=1e-8
    )


def test_samples_need_not_be_paired():
    features = {"a": coloured(50, 4, 0), "b": coloured(50, 4, 1)}
    fitted = Coral().fit(features)
    shuffled = {"a": features["a"], "b": np.random.default_rng(2).permutation(features["b"])}
    again = Coral().fit(shuffled)
    np.testing.assert_allclose(
        again.transform(features)["b"], fitted.transform(features)["b"], atol=1e-9
    )


@pytest.mark.parametrize("regularisation", [-1.0, float("nan"), float("inf")])
def test_a_wrong_ridge_is_one_clear_line(regularisation):
    with pytest.raises(ValueError, match="it must be finite and not negative") as caught:
        Coral(regularisation=regularisation).fit({"a": np.eye(3), "b": np.eye(3)})
    assert "\n" not in str(caught.value)
