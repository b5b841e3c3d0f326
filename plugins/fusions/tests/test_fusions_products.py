import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.products import CompactBilinear, OuterProduct
from scipy import sparse
from sklearn.kernel_approximation import PolynomialCountSketch


def embeddings(widths, n=6, seed=0):
    rng = np.random.default_rng(seed)
    return {f"m{i}": rng.normal(size=(n, width)) for i, width in enumerate(widths)}


def with_one(part):
    return np.hstack([part, np.ones((len(part), 1))])


# --- outer product -----------------------------------------------------------------------------


def test_outer_product_equals_einsum():
    a, b, c = (with_one(part) for part in embeddings([2, 4, 3]).values())
    expected = np.einsum("ni,nj,nk->nijk", a, b, c).reshape(6, -1)
    fused = OuterProduct().transform(embeddings([2, 4, 3]))
    np.testing.assert_allclose(fused, expected, rtol=1e-12)
    assert fused.shape == (6, 3 * 5 * 4)
    np.testing.assert_array_equal(fused[:, -1], 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 1000))
def test_it_is_the_feature_map_of_a_product_of_linear_kernels(widths, seed):
    features = embeddings(widths, seed=seed)
    fused = OuterProduct().transform(features)
    kernel = np.prod([part @ part.T + 1 for part in features.values()], axis=0)
    np.testing.assert_allclose(fused @ fused.T, kernel, rtol=1e-9, atol=1e-9)


def test_too_wide_a_product_is_refused_in_one_line():
    features = embeddings([128, 200])
    with pytest.raises(ValueError, match="over limit = 20000") as told:
        OuterProduct().transform(features)
    assert str(told.value).startswith("outer-product: (128 + 1) * (200 + 1) = 25929 columns")
    assert "\n" not in str(told.value)
    assert OuterProduct(limit=25929).transform(features).shape == (6, 25929)
    with pytest.raises(ValueError, match="limit = 25928"):
        OuterProduct(limit=25928).transform(features)


# --- compact bilinear --------------------------------------------------------------------------


def bins_and_signs(fusion, widths):
    """Read hash functions off what basis vectors are fused to.

    Modality by modality, the others at their first basis vector: bins relative to those of all
    first vectors, and signs likewise, which are set right by one of the two being free.
    """
    basis = {f"m{i}": np.eye(width) for i, width in enumerate(widths)}
    first = {m: part[:1] for m, part in basis.items()}
    origin = fusion.transform(first)[0]
    read = []
    for m, part in basis.items():
        others = {o: np.repeat(f, len(part), axis=0) for o, f in first.items()}
        images = fusion.transform({**others, m: part})
        at = np.abs(images).argmax(axis=1)
        signs = np.sign(images[np.arange(len(part)), at])
        one_hot = np.zeros_like(images)
        one_hot[np.arange(len(part)), at] = signs
        np.testing.assert_allclose(images, one_hot, atol=1e-12)
        read.append((at, signs))
    at, sign = np.abs(origin).argmax(), np.sign(origin[np.abs(origin).argmax()])
    rest = [((bins - at) % len(origin), signs * sign) for bins, signs in read[1:]]
    return [read[0], *rest]


@pytest.mark.parametrize("n_modalities", [1, 2, 3])
def test_with_its_hash_functions_it_equals_scikit_learns_polynomial_sketch(n_modalities):
    fusion = CompactBilinear(seed=5, components=64, append_one=False)
    hashes = bins_and_signs(fusion, [7] * n_modalities)
    X = embeddings([7])["m0"]
    oracle = PolynomialCountSketch(degree=n_modalities, n_components=64, random_state=0).fit(X)
    oracle.indexHash_ = np.stack([bins for bins, _ in hashes])
    oracle.bitHash_ = np.stack([signs for _, signs in hashes])
    fused = fusion.transform({f"m{i}": X for i in range(n_modalities)})
    np.testing.assert_allclose(fused, oracle.transform(X), atol=1e-10)


def test_it_sketches_the_outer_product():
    """Linear in the outer product: the images of products of basis vectors, summed."""
    features = embeddings([3, 4], n=5)
    fusion = CompactBilinear(seed=1, components=16, append_one=False)
    basis = {"m0": np.repeat(np.eye(3), 4, axis=0), "m1": np.tile(np.eye(4), (3, 1))}
    outer = np.einsum("ni,nj->nij", *features.values()).reshape(5, -1)
    expected = outer @ fusion.transform(basis)
    np.testing.assert_allclose(fusion.transform(features), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("append_one", "added"),
    [(False, 0), (True, 1)],
)
def test_inner_products_are_right_in_the_mean_over_seeds(append_one, added):
    features = embeddings([5, 8, 3], n=4)
    exact = np.prod([part @ part.T + added for part in features.values()], axis=0)
    estimates = []
    for seed in range(400):
        fused = CompactBilinear(seed=seed, components=128, append_one=append_one).transform(
            features
        )
        estimates.append(fused @ fused.T)
    error = np.std(estimates, axis=0) / np.sqrt(len(estimates))
    assert (np.abs(np.mean(estimates, axis=0) - exact) < 4 * error + 1e-9).all()


def test_signed_roots_of_length_one():
    features = embeddings([4, 4])
    features["m0"][2] = 0
    plain = CompactBilinear(seed=2, components=32, append_one=False).transform(features)
    normal = CompactBilinear(seed=2, components=32, append_one=False, normalise=True).transform(
        features
    )
    rooted = np.sign(plain) * np.sqrt(np.abs(plain))
    kept = np.arange(6) != 2
    expected = rooted[kept] / np.linalg.norm(rooted[kept], axis=1, keepdims=True)
    np.testing.assert_allclose(normal[kept], expected, atol=1e-12)
    np.testing.assert_array_equal(normal[2], 0)


def test_sparse_features_are_sketched_as_dense_ones():
    features = embeddings([4, 9])
    mixed = {"m0": sparse.csr_matrix(features["m0"]), "m1": features["m1"]}
    for append_one in (False, True):
        fusion = CompactBilinear(seed=3, components=16, append_one=append_one)
        np.testing.assert_allclose(fusion.transform(mixed), fusion.transform(features), atol=1e-12)


def test_the_seed_chooses_and_no_component_is_refused():
    features = embeddings([4, 9])
    one, other = (CompactBilinear(seed=s).transform(features) for s in (0, 1))
    assert one.shape == (6, 1024)
    assert np.abs(one - other).max() > 0.1
    with pytest.raises(ValueError, match="components = 0: it must be at least 1"):
        CompactBilinear(seed=0, components=0).transform(features)
