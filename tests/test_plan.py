"""What ``mmbench plan`` says of data, and that it says so without the libraries of the work."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.model_selection import StratifiedKFold

import mmbench
from mmbench.cli import cli
from mmbench.graph import JobGraph, Shared, harness_identity
from mmbench.jobs import VERSIONS
from mmbench.splits import folds
from tests.conftest import write_matrix

TEXT = {"text": {"column": "text", "kind": "text"}}
KEYED = {name: {"key": name, "kind": name} for name in ("image", "text", "vector")}
LABELS = ["a", "b", "b"] * 4
TEXTS = ["", "x y", "z"] * 4


def plan(folder: Path, dataset: dict[str, Any], kinds: dict[str, str]) -> tuple[Any, str]:
    """Return what plan says of a dataset, as JSON and as text."""
    encoders = {"image": "hog", "text": "tf-idf", "vector": "identity"}
    matrix = {
        "name": "plan",
        "heads": ["random-forest", "svm"],
        "fusions": ["concat", "mean-probability", "stacking"],
        "encoders": {kind: encoders[kind] for kind in kinds.values()},
        "split": {"scheme": "kfold", "folds": 2},
        "datasets": [{"name": "data", **dataset}],
    }
    file = write_matrix(folder, matrix)
    said = [
        CliRunner().invoke(cli, ["plan", str(file), *more], catch_exceptions=False).output
        for more in (["--json"], [])
    ]
    return json.loads(said[0])["datasets"][0], said[1]


def write_manifest(folder: Path, labels: list[str], texts: list[str]) -> dict[str, Any]:
    rows = [
        {"text": text or None, "label": label} for text, label in zip(texts, labels, strict=True)
    ]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {"use": "manifest", "path": "m.jsonl", "label": "label", "modalities": TEXT}


def write_folder(folder: Path) -> dict[str, Any]:
    for i, label in enumerate(LABELS):
        (folder / "images" / label).mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), i).save(folder / "images" / label / f"{i}.png")
    return {"use": "image-folder", "path": "images"}


def write_arrays(folder: Path) -> dict[str, Any]:
    vector = np.ones((12, 2))
    vector[5] = np.nan
    image = np.zeros((12, 8, 8), np.uint8)
    np.savez(folder / "a.npz", image=image, text=TEXTS, vector=vector, y=LABELS)
    return {"use": "arrays", "path": "a.npz", "label": "y", "modalities": KEYED}


def write_huggingface(folder: Path) -> dict[str, Any]:
    datasets = pytest.importorskip("datasets")
    texts = [text or None for text in TEXTS]
    columns = {"text": texts, "vector": [[1.0, 2.0]] * 12, "label": LABELS}
    datasets.Dataset.from_dict(columns).save_to_disk(folder / "hf")
    return {"use": "huggingface", "path": "hf", "label": "label"}


@pytest.mark.parametrize(
    ("write", "kinds", "missing"),
    [
        (lambda f: write_manifest(f, LABELS, TEXTS), {"text": "text"}, {"text": 4}),
        (write_folder, {"image": "image"}, {}),
        (write_arrays, {name: name for name in KEYED}, {"text": 4, "vector": 1}),
        (write_huggingface, {"text": "text", "vector": "vector"}, {"text": 4}),
    ],
    ids=["manifest", "image-folder", "arrays", "huggingface"],
)
def test_every_source_is_described(
    tmp_path: Path,
    write: Callable[[Path], dict[str, Any]],
    kinds: dict[str, str],
    missing: dict[str, int],
) -> None:
    said, text = plan(tmp_path, write(tmp_path), kinds)
    assert said["samples"] == 12
    assert said["classes"] == {"a": 4, "b": 8}
    assert said["modalities"] == {
        name: {"kind": kind, "missing": missing.get(name, 0)} for name, kind in kinds.items()
    }
    lines = text.splitlines()
    assert "data: 12 samples, 2 classes" in lines
    assert "  classes: a 4, b 8" in lines
    for name, kind in kinds.items():
        count = f", {missing[name]} missing" if name in missing else ""
        assert f"  {name}: {kind}{count}" in lines
    if "text" in missing:
        assert [p for p in said["problems"] if "text" in p] == [
            f"sample '{i}': text is missing" for i in (0, 3, 6)
        ]
    assert [line for line in lines if line.startswith("  sample")] == [
        f"  {problem}" for problem in said["problems"]
    ]


def test_bundled_sets_are_described(tmp_path: Path) -> None:
    kinds = {"features": "vector"}
    said, _ = plan(tmp_path, {"use": "sklearn", "set": "iris"}, kinds)
    assert said["classes"] == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert said["modalities"] == {"features": {"kind": "vector", "missing": 0}}
    assert said["problems"] == []


def test_suspicious_labels_are_named_with_a_sample(tmp_path: Path) -> None:
    labels = ["cat"] * 60 + ["Cat ", "cat", "Cat "] + [" "] * 2 + ["7", "007"] * 2 + ["-7"] * 2
    said, text = plan(tmp_path, write_manifest(tmp_path, labels, ["x"] * 71), {"text": "text"})
    assert said["problems"] == [
        "sample '63': its class ' ' is blank (2 samples)",
        "sample '66': classes '007' (2) and '7' (2) may be one, spelt differently",
        "sample '60': classes 'Cat ' (2) and 'cat' (61) may be one, spelt differently",
        "unbalanced: 'cat' has 61 of 71 samples, ' ' 2",
    ]
    assert all(f"  {problem}" in text.splitlines() for problem in said["problems"])


def test_a_class_of_one_sample_is_named_where_the_split_is_given(tmp_path: Path) -> None:
    data = write_manifest(tmp_path, ["a", "b", "c", "a", "d", "b"], ["x"] * 6)
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    parts = ["train", "train", "train", "test", "test", "test"]
    split = [json.dumps({**row, "part": part}) for row, part in zip(rows, parts, strict=True)]
    (tmp_path / "m.jsonl").write_text("\n".join(split))
    file = write_matrix(
        tmp_path,
        {"name": "plan", "heads": ["ridge"], "encoders": {"text": "tf-idf"},
         "datasets": [{**data, "split": "part"}]},
    )  # fmt: skip
    said = CliRunner().invoke(cli, ["plan", str(file)], catch_exceptions=False).output
    assert "  sample '2': the only one of class 'c' (2 such classes)" in said.splitlines()


@pytest.mark.filterwarnings("ignore:The least populated class")
@settings(max_examples=60, deadline=None)
@given(
    codes=st.lists(st.integers(0, 4), min_size=6, max_size=80),
    n_splits=st.integers(2, 9),
    seed=st.none() | st.integers(0, 5),
)
def test_folds_are_those_of_scikit_learn(codes: list[int], n_splits: int, seed: int | None) -> None:
    labels = np.array(codes)
    counts = np.unique(labels, return_counts=True)[1]
    assume(counts.max() > 1)
    state = None if seed is None else mmbench.derive_seed(seed, None, "split")
    number = max(2, min(n_splits, counts.min()))
    oracle = StratifiedKFold(number, shuffle=seed is not None, random_state=state)
    expected = list(oracle.split(labels, labels))
    found = folds(labels, n_splits=n_splits, seed=seed)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
FLAT = st.dictionaries(st.text(max_size=3), PLAIN, max_size=3)
SPECS = st.dictionaries(st.text(max_size=3), PLAIN | FLAT | st.lists(FLAT, max_size=2), max_size=4)


@settings(max_examples=25, deadline=None)
@given(spec=SPECS, part=SPECS, options=FLAT)
def test_a_key_is_the_hash_of_all_but_options(
    spec: dict[str, Any], part: dict[str, Any], options: dict[str, Any]
) -> None:
    """Whether or not jobs share a part of their specs, and other processes see a plain dict."""
    plugin = {**part, "identity": "known"}
    given = {**spec, "one": {**plugin, "params": options}, "list": [plugin]}
    seen = {k: v for k, v in plugin.items() if k != "params"}
    told = {**spec, "one": seen, "list": [seen]}
    identity = ["fit", VERSIONS["fit"], harness_identity(), told]
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()
    expected = hashlib.sha256(text).hexdigest()[:40]
    graph = JobGraph()
    assert graph.add("fit", "a", [], given) == expected
    shared = {**given, "one": Shared(given["one"]), "list": [Shared(plugin)]}
    assert graph.add("fit", "b", [], shared) == expected
    assert list(graph.jobs) == [expected]
    sent = pickle.loads(pickle.dumps(shared))
    assert sent == given
    assert type(sent["one"]) is dict


def test_a_plan_imports_nothing_that_only_the_work_needs(tmp_path: Path) -> None:
    """They take longer to import than all the rest of a plan of 10,000 samples."""
    plan(tmp_path, write_arrays(tmp_path), {name: name for name in KEYED})
    script = (
        "import sys\n"
        "from mmbench.cli import cli\n"
        "cli.main(['plan', 'matrix.toml'], standalone_mode=False)\n"
        "heavy = ('sklearn', 'scipy.stats', 'scipy.optimize', 'pandas', 'torch', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr
