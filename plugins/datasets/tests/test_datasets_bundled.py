"""``sklearn``: against what scikit-learn itself returns."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
from mmbench_datasets.bundled import SETS, Bundled


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "iris", "wine"])
def test_rows_and_names_are_scikit_learns(name):
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    found = Bundled(name)
    assert [found.classes[code] for code in found.labels] == [
        str(bunch.target_names[code]) for code in bunch.target
    ]
    assert found.classes == sorted(map(str, bunch.target_names))
    items = found.items("features")
    assert np.array_equal(np.stack(items[:]), bunch.data)
    assert not items.missing.any()
    assert found.ids == [str(row) for row in range(len(bunch.data))]


def test_all_classification_sets_are_there():
    data = {name.removeprefix("load_") for name in dir(sklearn.datasets) if name[:5] == "load_"}
    read = {"files", "sample_image", "sample_images", "svmlight_file", "svmlight_files"}
    assert set(SETS) == data - read - {"diabetes", "linnerud"}


def test_digits_are_images_too():
    found = Bundled("digits")
    assert found.modalities == {"image": "image", "features": "vector"}
    images, rows = found.items("image"), found.items("features")
    for index in (0, 900, 1796):
        pixels = np.asarray(images[index])
        assert images[index].mode == "L"
        assert pixels.shape == (8, 8)
        assert np.array_equal(pixels, np.rint(rows[index].reshape(8, 8) / 16 * 255))


def test_features_are_divided_by_globs_in_the_sets_order():
    data = sklearn.datasets.load_iris().data
    found = Bundled("iris", {"petal": "petal*", "rest": ["*width (cm)", "sepal l*"]})
    assert found.modalities == {"petal": "vector", "rest": "vector"}
    assert np.array_equal(np.stack(found.items("petal")[:]), data[:, [2, 3]])
    assert np.array_equal(np.stack(found.items("rest")[:]), data[:, [0, 1, 3]])
    assert found.fingerprint("petal") != found.fingerprint("rest")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("irsi",), "set: no set 'irsi'; did you mean 'iris'?"),
        (("mnist",), "set: no set 'mnist'; expected breast_cancer, digits, iris, wine"),
        (("diabetes",), "set: 'diabetes' is for regression; expected breast_cancer, "),
        (("iris", {}), "modalities: none is given; leave it out to have all features in one"),
        (("iris", {"a": []}), "modalities.a: the list names no feature"),
        (
            ("iris", {"a": "sepal width"}),
            "modalities.a: no feature matches 'sepal width'; did you mean 'sepal width (cm)'?",
        ),
        (("wine", {"a": ["a*", "zz*"]}), "modalities.a: no feature matches 'zz*'; they are "),
        (("digits", {"image": "*"}), "modalities: digits has the images 'image'; take another"),
    ],
)
def test_mistakes(arguments, expected):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        Bundled(*arguments)
    assert str(caught.value).startswith(expected)
