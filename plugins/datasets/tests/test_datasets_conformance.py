"""The conformance kit, on a data set of each sort."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
from PIL import Image

from mmbench.testing import check_dataset

N = 24


def told(name, params):
    (verdict,) = check_dataset(name, params=params)
    return {finding.check: finding.what for finding in verdict.findings}


def test_an_image_folder_keeps_the_contract(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "garden"
    for part, n in (("train", 6), ("val", 2), ("test", 3)):
        for name in ("9", "10", "2.5"):
            (folder / part / name / "deep").mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 256, size=(9, 12, 3)).astype(np.uint8)
                place = folder / part / name / ("deep" if i % 2 else "")
                Image.fromarray(pixels).save(place / f"{i}.png")
    found = told("image-folder", {"path": folder})
    assert found["ids"] == "33 samples"
    assert found["split"] == "18 train, 6 validation, 9 test"
    assert found["modalities"] == "image: image"
    assert found["mistakes"] == "path"
    assert not found["fingerprint-content"].startswith("0 ")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N, 5))
    vectors[7] = np.nan
    texts = np.array([f"leaf of {i} cm" for i in range(N)])
    texts[5] = ""
    return {
        "X": rng.integers(0, 256, size=(N, 8, 9, 3)).astype(np.uint8),
        "S": rng.integers(-(2**15), 2**15, size=(N, 400)).astype(np.int16),
        "A": vectors,
        "B": rng.normal(size=(3, N)).astype(np.float32),
        "T": texts,
        "y": np.array([0, 1, 2] * (N // 3))[:, None],
        "name": np.array([f"plant {i}" for i in range(N)]),
        "part": np.array(["train", "dev", "test", "train"] * (N // 4)),
        "fold": np.arange(N) % 5,
        "bed": np.arange(N) // 2,
    }


MODALITIES = {
    "photo": {"key": "X", "kind": "image"},
    "sound": {"key": "S", "kind": "audio", "sample_rate": 8_000},
    "shape": {"key": "A", "kind": "vector"},
    "size": {"key": "B", "kind": "vector", "axis": 1},
    "note": {"key": "T", "kind": "text"},
}
ROLES = {"label": "y", "id": "name", "split": "part", "fold": "fold", "group": "bed"}


@pytest.mark.parametrize("sort", ["mat", "npy"])
def test_arrays_keep_the_contract(tmp_path, arrays, sort):
    path = tmp_path / "garden" / ("garden.mat" if sort == "mat" else "arrays")
    path.parent.mkdir()
    if sort == "mat":
        scipy.io.savemat(path, arrays)
    else:
        path.mkdir()
        for key, array in arrays.items():
            np.save(path / f"{key}.npy", array)
    found = told("arrays", {"path": path, "modalities": MODALITIES, **ROLES})
    assert found["classes"] == "3 classes"
    assert found["split"] == "12 train, 6 validation, 6 test"
    assert found["folds"] == "5 folds"
    assert found["groups"] == "12 groups"
    assert found["missing"] == (
        "photo: 0 missing, sound: 0 missing, shape: 1 missing, size: 0 missing, note: 1 missing"
    )
    assert found["mistakes"] == "path"
    changes = int(found["fingerprint-content"].partition(" ")[0])
    assert changes >= (len(MODALITIES) if sort == "npy" else 0)


def test_scikit_learns_sets_keep_the_contract():
    modalities = {"left": "pixel_*_[0-3]", "right": ["pixel_*_[4-7]"]}
    found = told("sklearn", {"set": "digits", "modalities": modalities})
    assert found["classes"] == "10 classes"
    assert found["modalities"] == "image: image, left: vector, right: vector"
