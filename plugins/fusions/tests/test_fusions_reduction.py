from functools import partial

import numpy as np
import pytest
from mmbench_fusions.reduction import FeatureSelection, RandomProjection
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection


def embeddings(widths, n=12, seed=0):
    rng = np.random.default_rng(seed)
    return {f"m{i}": rng.normal(size=(n, width)) for i, width in enumerate(widths)}


# --- random projection -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "oracle"),
    [
        ("gaussian", GaussianRandomProjection),
        ("sparse", partial(SparseRandomProjection, dense_output=True)),
    ],
)
def test_it_projects_the_concatenation_as_scikit_learn_does(matrix, oracle):
    features = embeddings([30, 50])
    joined = np.hstack(list(features.values()))
    expected = oracle(n_components=16, random_state=4).fit_transform(joined)
    fusion = RandomProjection(seed=4, components=16, matrix=matrix)
    np.testing.assert_allclose(fusion.transform(features), expected, rtol=1e-12)
    mixed = {**features, "m1": sparse.csr_matrix(features["m1"])}
    fused = fusion.transform(mixed)
    assert isinstance(fused, np.ndarray)
    np.testing.assert_allclose(fused, expected, rtol=1e-9, atol=1e-12)
    other = RandomProjection(seed=5, components=16, matrix=matrix).transform(features)
    assert np.abs(other - expected).max() > 0.1


def test_distances_are_nearly_kept():
    features = embeddings([400, 600], n=20)
    whole = pdist(np.hstack(list(features.values())))
    projected = pdist(RandomProjection(seed=0, components=2000).transform(features))
    assert projected.shape == whole.shape
    assert RandomProjection(seed=0, components=600).transform(features).shape == (20, 600)
    near = pdist(RandomProjection(seed=0, components=600).transform(features))
    assert np.abs(near / whole - 1).max() < 0.15


def test_a_narrow_concatenation_keeps_its_width():
    assert RandomProjection(seed=0).transform(embeddings([2, 3])).shape == (12, 5)
    with pytest.raises(ValueError, match="components = -1: it must be at least 1"):
        RandomProjection(seed=0, components=-1).transform(embeddings([2]))


# --- feature selection -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    return {"one": X[:200, :12], "two": X[:200, 12:]}, y[:200]


def select(X, y, k, seed):
    score = partial(mutual_info_classif, random_state=seed)
    return SelectKBest(score, k=k).fit(X, y).get_support(indices=True)


def test_the_best_of_each_modality_as_scikit_learn_selects_them(data):
    features, labels = data
    fusion = FeatureSelection(seed=1, k=4).fit(features, labels)
    for m, part in features.items():
        np.testing.assert_array_equal(fusion.columns_[m], select(part, labels, 4, 1))
    expected = np.hstack([part[:, fusion.columns_[m]] for m, part in features.items()])
    np.testing.assert_array_equal(fusion.transform(features), expected)
    turned = dict(reversed(features.items()))
    np.testing.assert_array_equal(fusion.transform(turned), expected)


def test_the_best_of_all_modalities_together(data):
    features, labels = data
    fusion = FeatureSelection(seed=1, k=6, scope="all").fit(features, labels)
    kept = {(row["modality"], row["column"]) for row in fusion.history_}
    assert len(kept) == 6
    assert kept == {(m, c) for m, columns in fusion.columns_.items() for c in columns}
    scores = {
        (m, c): score
        for m, part in features.items()
        for c, score in enumerate(mutual_info_classif(part, labels, random_state=1))
    }
    assert kept == set(sorted(scores, key=scores.get, reverse=True)[:6])
    assert {len(columns) for columns in fusion.columns_.values()} != {3}
    for row in fusion.history_:
        assert row["mutual_information"] == scores[row["modality"], row["column"]]


def test_all_in_one_modality_leaves_none_of_the_other():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    features = {"noise": rng.normal(size=(60, 2)), "told": labels[:, None] + np.zeros((1, 1))}
    fusion = FeatureSelection(seed=0, k=1, scope="all").fit(features, labels)
    np.testing.assert_array_equal(fusion.transform(features), features["told"])


def test_a_constant_feature_tells_nothing():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    noise = rng.normal(size=(40, 5)) + 0.5 * labels[:, None]
    features = {"m": np.hstack([np.full((40, 5), 0.1), noise])}
    fusion = FeatureSelection(seed=0, k=8).fit(features, labels)
    scores = {row["column"]: row["mutual_information"] for row in fusion.history_}
    assert all(scores[c] == 0 for c in range(5) if c in scores)
    assert FeatureSelection(seed=0, k=1).fit(features, labels).columns_["m"][0] >= 5
    assert FeatureSelection(seed=0).fit(features, labels).transform(features).shape == (40, 10)


def test_what_cannot_be_selected_from_is_one_line():
    features = embeddings([3])
    with pytest.raises(ValueError, match="k = 0: it must be at least 1"):
        FeatureSelection(seed=0, k=0).fit(features, np.arange(12) % 2)
    with pytest.raises(ValueError, match="no class has two training samples"):
        FeatureSelection(seed=0).fit(features, np.arange(12))
