"""The real sets that MMBENCH_DATA names."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from mmbench_manifest.dataset import Manifest

FOLDER = os.environ.get("MMBENCH_DATA")
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(FOLDER is None, reason="MMBENCH_DATA, the real sets' folder, is not set"),
]


@pytest.fixture
def manifest():
    def find(name):
        path = Path(FOLDER, name)
        if not path.is_file():
            pytest.skip(f"{name} is not in the folder that MMBENCH_DATA names")
        return path

    return find


def test_leaf(manifest):
    path = manifest("leaf/manifest.csv")
    parts = ("margin", "shape", "texture")
    vectors = {part: {"columns": f"{part}*", "kind": "vector"} for part in parts}
    image = {"image": {"column": "image", "kind": "image"}}
    leaf = Manifest(path, "species", image | vectors, id="id")
    assert list(leaf.modalities.items())[:2] == [("image", "image"), ("margin", "vector")]
    assert len(leaf.ids) == 990
    assert len(leaf.classes) == 99
    assert np.bincount(leaf.labels).tolist() == [10] * 99
    assert not any(leaf.items(name).missing.any() for name in leaf.modalities)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for index in (0, 494, 989):
        row = rows[index]
        assert leaf.ids[index] == row["id"]
        assert leaf.classes[leaf.labels[index]] == row["species"]
        for part in parts:
            expected = [float(row[f"{part}{column}"]) for column in range(1, 65)]
            assert leaf.items(part)[index].tolist() == expected
        assert leaf.items("image")[index].mode == "L"
    assert len({leaf.fingerprint(name) for name in leaf.modalities}) == 4


def test_mustard(manifest):
    names = ("utterance", "context", "speaker")
    mustard = Manifest(
        manifest("mustard/manifest.jsonl"),
        "sarcasm",
        {name: {"column": name, "kind": "text"} for name in names},
        id="id",
        fold="fold",
        group="speaker",
    )
    assert len(mustard.ids) == 690
    assert mustard.ids[0] == "1_60"
    assert mustard.classes == ["false", "true"]
    assert np.bincount(mustard.labels).tolist() == [345, 345]
    assert np.unique(mustard.folds).tolist() == [0, 1, 2, 3, 4]
    assert mustard.groups.tolist() == list(mustard.items("speaker"))


def test_av_digits(manifest):
    digits = Manifest(
        manifest("av-digits/manifest.csv"),
        "digit",
        {name: {"column": name, "kind": name} for name in ("audio", "image")},
        id="id",
        split="split",
        group="speaker",
    )
    assert len(digits.ids) == 3000
    assert digits.classes == [str(digit) for digit in range(10)]
    parts, counts = np.unique(digits.split, return_counts=True)
    assert dict(zip(parts.tolist(), counts.tolist(), strict=True)) == {"test": 300, "train": 2700}
    sound = digits.items("audio")[0]
    assert sound.sample_rate == 8000
    assert sound.samples.dtype == np.float32
    assert sound.samples.ndim == 2
    assert digits.items("image")[2999].size == (28, 28)
