import numpy as np
import pytest
from mmbench_features.identity import Identity


def test_vectors_are_returned_as_float32_rows():
    vectors = [np.array([1.5, 2.0]), np.array([-3.0, 0.1])]
    embedded = Identity().encode(vectors)
    assert embedded.dtype == np.float32
    np.testing.assert_array_equal(embedded, np.float32([[1.5, 2.0], [-3.0, 0.1]]))


def test_unequal_lengths_are_named():
    with pytest.raises(ValueError, match=r"^vectors of unequal length: 2, 3$"):
        Identity().encode([np.zeros(3), np.zeros(2), np.zeros(3)])
