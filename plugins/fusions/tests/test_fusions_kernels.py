import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.kernels import (
    KernelProduct,
    KernelSum,
    NystromKernelProduct,
    NystromKernelSum,
    inverse_root,
)
from mmbench_fusions.weights import learned
from scipy.linalg import fractional_matrix_power
from sklearn.datasets import load_wine
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


@pytest.fixture(scope="module")
def wine():
    """Return training features, labels and out-of-fold probabilities, and other features."""
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit(X[::2]).transform(X)
    parts = {"one": X[:, :5], "two": X[:, 5:]}
    rng = np.random.default_rng(0)
    labels = y[::2]
    said = {
        "one": np.where(rng.random(len(labels)) < 0.7, labels, rng.integers(0, 3, len(labels))),
        "two": np.where(rng.random(len(labels)) < 0.8, labels, rng.integers(0, 3, len(labels))),
    }
    out_of_fold = {m: 0.1 + 0.7 * np.eye(3)[s] for m, s in said.items()}
    train = {m: part[::2] for m, part in parts.items()}
    return train, labels, out_of_fold, {m: part[1::2] for m, part in parts.items()}


def kernels(train, other, gamma):
    """Return scikit-learn's RBF kernel per modality."""
    scale = {m: 1 / (part.shape[1] * part.var()) for m, part in train.items()}
    return [
        rbf_kernel(other[m], train[m], gamma=scale[m] if gamma == "scale" else gamma) for m in train
    ]


def summed(weights, parts):
    return sum(w * part for w, part in zip(weights, parts, strict=True))


def multiplied(weights, parts):
    return np.prod([part**w for w, part in zip(weights, parts, strict=True)], axis=0)


BOTH = pytest.mark.parametrize(
    ("build", "formula"), [(KernelSum, summed), (KernelProduct, multiplied)]
)


@BOTH
@pytest.mark.parametrize("gamma", ["scale", 0.05])
def test_inner_products_are_the_kernel(wine, build, formula, gamma):
    train, labels, out_of_fold, test = wine
    fusion = build(gamma=gamma).fit(train, labels, out_of_fold=out_of_fold)
    weights = learned(out_of_fold, labels)
    assert 0.1 < weights[0] < weights[1]
    assert list(fusion.weights_.values()) == weights.tolist()
    assert fusion.history_ == [{"modality": m, "weight": w} for m, w in fusion.weights_.items()]
    phi, phi_test = fusion.transform(train), fusion.transform(test)
    expected = formula(weights, kernels(train, train, gamma))
    np.testing.assert_allclose(phi @ phi.T, expected, atol=1e-7)
    np.testing.assert_allclose(
        phi_test @ phi.T, formula(weights, kernels(train, test, gamma)), atol=1e-7
    )


@BOTH
def test_a_linear_machine_on_the_vectors_is_the_kernel_machine(wine, build, formula):
    train, labels, out_of_fold, test = wine
    fusion = build().fit(train, labels, out_of_fold=out_of_fold)
    weights = list(fusion.weights_.values())
    machine = SVC(kernel="precomputed").fit(
        formula(weights, kernels(train, train, "scale")), labels
    )
    K = formula(weights, kernels(train, test, "scale"))
    linear = SVC(kernel="linear").fit(fusion.transform(train), labels)
    vectors = fusion.transform(test)
    np.testing.assert_array_equal(linear.predict(vectors), machine.predict(K))
    np.testing.assert_allclose(
        linear.decision_function(vectors), machine.decision_function(K), atol=5e-3
    )


def test_equal_weights_and_widths_are_the_rbf_machine_on_the_concatenation():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    X = StandardScaler().fit_transform(rng.normal(size=(60, 8)) + labels[:, None])
    X_test = rng.normal(size=(40, 8))
    parts = [{"a": Z[:, :4], "b": Z[:, 4:]} for Z in (X, X_test)]
    same = 0.3 + 0.4 * np.eye(2)[labels]
    fusion = KernelProduct().fit(parts[0], labels, out_of_fold={"a": same, "b": same})
    np.testing.assert_allclose(list(fusion.weights_.values()), 0.5)
    linear = SVC(kernel="linear").fit(fusion.transform(parts[0]), labels)
    whole = SVC().fit(X, labels)
    np.testing.assert_allclose(
        linear.decision_function(fusion.transform(parts[1])),
        whole.decision_function(X_test),
        atol=5e-3,
    )


@pytest.mark.parametrize("build", [NystromKernelSum, NystromKernelProduct])
def test_landmarks_give_the_kernel_that_nystroem_gives(wine, build):
    train, labels, out_of_fold, test = wine
    fusion = build(seed=3, landmarks=20).fit(train, labels, out_of_fold=out_of_fold)
    gammas = [fusion.gammas_[m] for m in train]
    weights = list(fusion.weights_.values())
    where = [
        np.flatnonzero((np.sqrt(g) * train[m] == z).all(axis=1))[0]
        for m, g in [("two", gammas[1])]
        for z in fusion.landmarks_["two"]
    ]
    assert len(set(where)) == 20
    assert where == sorted(where)
    chosen = {m: part[where] for m, part in train.items()}
    formula = summed if build is NystromKernelSum else multiplied

    def kernel(a, b):
        return formula(weights, [rbf_kernel(a[m], b[m], gamma=fusion.gammas_[m]) for m in a])

    expected = kernel(test, chosen) @ np.linalg.inv(kernel(chosen, chosen)) @ kernel(chosen, train)
    fused = fusion.transform(test) @ fusion.transform(train).T
    np.testing.assert_allclose(fused, expected, atol=1e-8)
    assert fusion.transform(test).shape == (89, 20)
    if build is NystromKernelProduct:
        joined = [
            np.hstack([np.sqrt(w * g) * p[m] for w, g, m in zip(weights, gammas, p, strict=True)])
            for p in (chosen, test)
        ]
        oracle = Nystroem(kernel="rbf", gamma=1, n_components=20, random_state=0).fit(joined[0])
        inner = oracle.transform(joined[1]) @ oracle.transform(joined[0]).T
        vectors = fusion.transform(test) @ fusion.transform(chosen).T
        np.testing.assert_allclose(vectors, inner, atol=1e-8)


def test_all_training_samples_as_landmarks_are_exact(wine):
    train, labels, out_of_fold, test = wine
    exact = KernelSum().fit(train, labels, out_of_fold=out_of_fold).transform(test)
    drawn = NystromKernelSum(seed=1, landmarks=1000).fit(train, labels, out_of_fold=out_of_fold)
    np.testing.assert_allclose(drawn.transform(test), exact, atol=1e-9)
    few = [
        NystromKernelSum(seed=s, landmarks=9).fit(train, labels, out_of_fold=out_of_fold)
        for s in (0, 1)
    ]
    assert np.abs(few[0].landmarks_["one"] - few[1].landmarks_["one"]).max() > 0.01


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_inverse_roots(n, rank, seed):
    factor = np.random.default_rng(seed).normal(size=(n, rank))
    matrix = factor @ factor.T
    root = inverse_root(matrix)
    np.testing.assert_allclose(matrix @ root @ root @ matrix, matrix, rtol=1e-6, atol=1e-8)
    if rank >= n:
        whole = matrix + np.eye(n)
        expected = fractional_matrix_power(whole, -0.5)
        np.testing.assert_allclose(inverse_root(whole), expected, atol=1e-9)


@BOTH
def test_samples_that_are_alike_and_features_that_do_not_vary(build, formula):
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 2
    twice = {"a": np.repeat(rng.normal(size=(6, 3)), 2, axis=0), "b": np.full((12, 2), 0.1)}
    out_of_fold = {m: np.full((12, 2), 0.5) for m in twice}
    fusion = build().fit(twice, labels, out_of_fold=out_of_fold)
    assert fusion.gammas_["b"] == 1
    phi = fusion.transform(twice)
    one = rbf_kernel(twice["a"], gamma=fusion.gammas_["a"])
    np.testing.assert_allclose(
        phi @ phi.T, formula([0.5, 0.5], [one, np.ones_like(one)]), atol=1e-8
    )


def test_what_cannot_be_mapped_is_one_line(wine):
    train, labels, out_of_fold, _ = wine
    for fusion, reason in (
        (KernelSum(limit=88), r"of 89 training samples is over limit = 88: take the nystrom"),
        (KernelProduct(gamma=0), "gamma = 0: it must be positive, or 'scale'"),
        (KernelProduct(gamma=float("nan")), "gamma = nan"),
        (NystromKernelSum(seed=0, landmarks=0), "landmarks = 0: it must be at least 1"),
    ):
        with pytest.raises(ValueError, match=reason):
            fusion.fit(train, labels, out_of_fold=out_of_fold)
