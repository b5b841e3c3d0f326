import numpy as np
from mmbench_fusions.feature import Concat
from scipy import sparse
from scipy.spatial.distance import cdist


def parts(seed=0):
    rng = np.random.default_rng(seed)
    return {"b": rng.normal(size=(5, 3)), "a": rng.normal(size=(5, 2))}


def test_parts_stand_side_by_side_in_the_order_of_the_mapping():
    features = parts()
    np.testing.assert_array_equal(
        Concat().transform(features), np.column_stack([features["b"], features["a"]])
    )


def test_one_sparse_part_makes_the_whole_sparse():
    features = parts()
    mixed = {"b": features["b"], "a": sparse.csr_matrix(features["a"])}
    fused = Concat().transform(mixed)
    assert sparse.issparse(fused)
    assert fused.format == "csr"
    np.testing.assert_array_equal(fused.toarray(), Concat().transform(features))


def test_squared_distances_are_the_weighted_sum_of_the_parts():
    features = parts()
    weights = Concat().distance_weights(features)
    whole = cdist(*[Concat().transform(features)] * 2, "sqeuclidean")
    summed = sum(w**2 * cdist(*[features[m]] * 2, "sqeuclidean") for m, w in weights.items())
    np.testing.assert_allclose(whole, summed)
