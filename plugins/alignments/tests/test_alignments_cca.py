import numpy as np
import pytest
from mmbench_alignments.cca import CanonicalCorrelation
from scipy.linalg import block_diag, eigh
from sklearn.cross_decomposition import CCA
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler


def wine():
    X = StandardScaler().fit_transform(load_wine().data)
    return {"acids": X[:, :5], "rest": X[:, 5:]}


def correlations(a, b):
    """Return the correlation of column j with column j."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))


def test_two_modalities_equal_scikit_learn_up_to_sign_and_scale():
    features = wine()
    train = {name: part[::2] for name, part in features.items()}
    test = {name: part[1::2] for name, part in features.items()}
    by_hand = CCA(n_components=3, tol=1e-12, max_iter=10_000).fit(*train.values())
    fitted = CanonicalCorrelation(components=3, regularisation=0.0).fit(train, None)
    for given in (train, test):
        expected = by_hand.transform(*given.values())
        for part, scores in zip(fitted.transform(given).values(), expected, strict=True):
            np.testing.assert_allclose(np.abs(correlations(part, scores)), 1, atol=1e-6)


def test_two_modalities_equal_the_closed_form():
    """Singular values of the whitened cross-covariance; variates of variance (1 + r) / 2."""
    features = wine()
    a, b = (part - part.mean(axis=0) for part in features.values())
    whitened = [np.linalg.qr(part)[0] for part in (a, b)]
    expected = np.linalg.svd(whitened[0].T @ whitened[1])[1]
    fitted = CanonicalCorrelation(regularisation=0.0).fit(features)
    left, right = fitted.transform(features).values()
    assert left.shape == right.shape == (len(a), 5)
    np.testing.assert_allclose(fitted.correlations_, expected, atol=1e-10)
    np.testing.assert_allclose(correlations(left, right), expected, atol=1e-10)
    for part in (left, right):
        np.testing.assert_allclose(np.cov(part.T, ddof=0), np.diag((1 + expected) / 2), atol=1e-10)


@pytest.mark.parametrize("regularisation", [0.0, 0.3])
def test_several_modalities_solve_the_generalised_eigenproblem(regularisation):
    """Of all (cross-)covariances against those within modalities, ridge included."""
    X = StandardScaler().fit_transform(load_wine().data)
    features = {"a": X[:, :4], "b": X[:, 4:9], "c": X[:, 9:]}
    n = len(X)
    within = block_diag(
        *(part.T @ part + regularisation * n * np.eye(part.shape[1]) for part in features.values())
    )
    values, vectors = eigh(X.T @ X, within)
    fitted = CanonicalCorrelation(regularisation=regularisation).fit(features)
    np.testing.assert_allclose(fitted.correlations_, (values[::-1][:4] - 1) / 2, atol=1e-10)
    stacked = np.vstack(list(fitted.weights_.values()))
    for j in range(4):
        cosine = stacked[:, j] @ vectors[:, -1 - j]
        cosine /= np.linalg.norm(stacked[:, j]) * np.linalg.norm(vectors[:, -1 - j])
        assert abs(cosine) == pytest.approx(1, abs=1e-9)


def test_each_modality_is_the_ridge_regression_of_the_shared_variates():
    """What MAXVAR minimises: no other weights, and no other variates, do better."""
    features = wine()
    n, ridge = len(features["rest"]), 0.2
    fitted = CanonicalCorrelation(components=2, regularisation=ridge).fit(features)
    aligned = fitted.transform(features)
    shared, _, right = np.linalg.svd(sum(aligned.values()), full_matrices=False)
    shared = shared @ right * np.sqrt(n)  # the sum of projections is along the variates
    for name, part in features.items():
        expected = np.linalg.solve(
            part.T @ part + ridge * n * np.eye(part.shape[1]), part.T @ shared
        )
        np.testing.assert_allclose(fitted.weights_[name], expected, atol=1e-8)


@pytest.mark.parametrize("n_modalities", [2, 3, 5])
def test_planted_latent_variables_are_recovered_on_new_samples(n_modalities):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(800, 2))
    features = {}
    for i in range(n_modalities):
        own = 2 * rng.normal(size=(800, 3)) @ rng.normal(size=(3, 20))  # stronger, but its own
        noise = 0.3 * rng.normal(size=(800, 20))
        features[f"m{i}"] = latent @ rng.normal(size=(2, 20)) + own + noise
    train = {name: part[:500] for name, part in features.items()}
    test = {name: part[500:] for name, part in features.items()}
    fitted = CanonicalCorrelation(regularisation=0.01).fit(train)
    assert (fitted.correlations_[:2] > 0.8).all()
    assert (fitted.correlations_[2:] < 0.4).all()
    aligned = fitted.transform(test)
    for part in aligned.values():
        explained = (
            LinearRegression().fit(part[:, :2], latent[500:]).score(part[:, :2], latent[500:])
        )
        assert explained > 0.85
    assert (correlations(aligned["m0"][:, :2], aligned["m1"][:, :2]) > 0.85).all()


def test_more_columns_than_samples_need_the_ridge():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(90, 1))
    features = {
        m: latent @ rng.normal(size=(1, 300)) + rng.normal(size=(90, 300)) for m in ("a", "b")
    }
    train = {name: part[:60] for name, part in features.items()}
    test = {name: part[60:] for name, part in features.items()}
    fitted = CanonicalCorrelation(components=1).fit(train)
    a, b = fitted.transform(test).values()
    assert abs(correlations(a, latent[60:])[0]) > 0.9
    assert correlations(a, b)[0] > 0.9
    with pytest.raises(ValueError, match="'a' has as many independent columns as 60") as caught:
        CanonicalCorrelation(regularisation=0.0).fit(train)
    assert "\n" not in str(caught.value)


def test_the_ridge_is_a_share_of_the_variance():
    """So that features of another scale are aligned alike."""
    features = wine()
    fitted = CanonicalCorrelation(regularisation=0.5).fit(features)
    scaled = {"acids": features["acids"] * 100, "rest": features["rest"]}
    again = CanonicalCorrelation(regularisation=0.5).fit(scaled)
    np.testing.assert_allclose(again.correlations_, fitted.correlations_)
    np.testing.assert_allclose(
        again.transform(scaled)["acids"], fitted.transform(features)["acids"], atol=1e-10
    )


def test_the_mean_is_that_of_the_training_part():
    X = load_iris().data  # not standardised
    features = {"sepal": X[:, :2], "petal": X[:, 2:]}
    aligned = CanonicalCorrelation().fit(features).transform(features)
    for part in aligned.values():
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "features", "said"),
    [
        ({"components": 6}, wine(), "components = 6, but 'acids' has only 5 independent columns"),
        ({"components": 0}, wine(), "components = 0: at least 1 is needed"),
        ({"regularisation": -0.1}, wine(), "regularisation = -0.1: it must be finite and not neg"),
        ({}, {"a": np.eye(4)}, "two or more modalities, and there is one"),
        ({}, wine() | {"c": np.ones((178, 3))}, "all features of 'c' are constant"),
    ],
)
def test_mistakes_are_one_clear_line(options, features, said):
    with pytest.raises(ValueError, match=said) as caught:
        CanonicalCorrelation(**options).fit(features)
    assert str(caught.value).startswith("cca")
    assert "\n" not in str(caught.value)
