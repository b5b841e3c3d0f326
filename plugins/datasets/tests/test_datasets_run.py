"""A whole run on a data set of each sort: the oracle is scikit-learn on the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.naive_bayes import GaussianNB

import mmbench

PLUGIN = """
import numpy as np
from sklearn.naive_bayes import GaussianNB

from mmbench import hookimpl


class Numbers:
    def encode(self, items):
        return np.stack([np.asarray(item, np.float32).ravel() for item in items])


@hookimpl
def mmbench_register_encoders(register):
    register("numbers", Numbers, kind=("image", "vector"), standardise=False)


@hookimpl
def mmbench_register_heads(register):
    register("gaussian", GaussianNB)
"""


@pytest.fixture
def measured(tmp_path):
    """Run a data set with one encoder and head; return the rows by data set."""

    def measured(kind, *blocks):
        plugin = tmp_path / "numbers.py"
        plugin.write_text(PLUGIN)
        matrix = {
            "name": "garden",
            "datasets": list(blocks),
            "encoders": {kind: "numbers"},
            "heads": ["gaussian"],
            "fusions": [],
        }
        table = mmbench.run(
            matrix, out=tmp_path / "out", store=tmp_path / "store", jobs=1, plugins=[str(plugin)]
        )
        assert table["reason"].fillna("").tolist() == [""] * len(table)
        return table.set_index(["dataset", "modalities"])

    return measured


def test_published_splits_are_run_as_they_are(tmp_path, measured):
    rng = np.random.default_rng(0)
    codes = {part: np.arange(n) % 2 for part, n in (("train", 30), ("test", 14))}
    pixels = {
        part: (rng.integers(0, 200, (len(y), 2, 3)) + 50 * y[:, None, None]).astype(np.uint8)
        for part, y in codes.items()
    }
    arrays = {}
    for part, y in codes.items():
        arrays |= {f"{part}_x": pixels[part], f"{part}_y": y}
        for i, image in enumerate(pixels[part]):
            path = tmp_path / "pots" / part / ["ant", "bee"][y[i]] / f"{i:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    np.savez(tmp_path / "pots.npz", **arrays)
    table = measured(
        "image",
        {"use": "image-folder", "name": "folder", "path": str(tmp_path / "pots")},
        {
            "use": "arrays",
            "name": "npz",
            "path": str(tmp_path / "pots.npz"),
            "label": "{part}_y",
            "parts": ["train", "test"],
            "modalities": {"image": {"key": "{part}_x", "kind": "image"}},
        },
    )
    flat = {part: values.reshape(len(values), -1).astype(float) for part, values in pixels.items()}
    by_hand = GaussianNB().fit(flat["train"], codes["train"])
    expected = by_hand.score(flat["test"], codes["test"])
    assert 0.5 < expected < 1
    for name in ("folder", "npz"):
        row = table.loc[(name, "image")].squeeze()
        assert (row["n_train"], row["n_test"]) == (30, 14)
        assert row["accuracy"] == pytest.approx(expected)


def test_features_of_scikit_learn_are_told_apart(measured):
    modalities = {"sepal": "sepal*", "petal": "petal*"}
    block = {"use": "sklearn", "name": "iris", "set": "iris", "modalities": modalities}
    table = measured("vector", block)
    petal, sepal = (table.loc[("iris", name), "accuracy"].mean() for name in ("petal", "sepal"))
    assert petal > 0.9
    assert 0.6 < sepal < 0.85


def test_a_folder_gives_the_data_set_its_name(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "data" / "pets" / name).mkdir(parents=True)
        for number in range(6):
            Image.new("L", (4, 4), number).save(tmp_path / "data" / "pets" / name / f"{number}.png")
    matrix = {
        "name": "named",
        "datasets": [{"use": "image-folder", "path": str(tmp_path / "data" / "pets")}],
        "encoders": {"image": "hog"},
        "heads": ["naive-bayes"],
    }
    assert list(mmbench.plan(matrix).samples) == ["pets"]
