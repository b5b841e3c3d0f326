"""A whole run: alignments before feature-level fusions, `none` and wrong options among them."""

import json
import subprocess
import sys

import mmbench

TOY = """
import numpy as np

from mmbench import hookimpl


class Twins:
    # The class is in what two views share; each adds what is stronger and its own.
    modalities = {"left": "vector", "right": "vector"}
    classes = ["a", "b"]

    def __init__(self):
        rng = np.random.default_rng(0)
        self.labels = rng.permutation(np.arange(160) % 2)
        self.ids = [str(i) for i in range(160)]
        shared = rng.normal(size=160) + 2.5 * self.labels
        self.views = {
            m: shared[:, None] * rng.normal(size=8)
            + 8 * rng.normal(size=(160, 2)) @ rng.normal(size=(2, 8))
            + 0.3 * rng.normal(size=(160, 8))
            for m in self.modalities
        }

    def items(self, modality):
        return list(self.views[modality])

    def fingerprint(self, modality):
        return f"twins {modality}"


class Same:
    def encode(self, items):
        return np.stack(items).astype(np.float32)


class Mean:
    def transform(self, features):
        return np.mean(list(features.values()), axis=0)


class Voices:
    def predict_proba(self, probabilities):
        return np.mean(list(probabilities.values()), axis=0)


class Nearest:
    def fit(self, X, y):
        self.centres_ = np.stack([X[y == c].mean(0) for c in (0, 1)])
        return self

    def predict_proba(self, X):
        distances = np.linalg.norm(X[:, None] - self.centres_, axis=2)
        return 1 - distances / distances.sum(1, keepdims=True)


@hookimpl
def mmbench_register_datasets(register):
    register("twins", Twins)


@hookimpl
def mmbench_register_encoders(register):
    register("same", Same, kind="vector")


@hookimpl
def mmbench_register_fusions(register):
    register("toy-mean", Mean, level="feature")
    register("toy-voices", Voices, level="decision")


@hookimpl
def mmbench_register_heads(register):
    register("nearest", Nearest)
"""

MATRIX = """
name = "aligned"
plugins = ["toy.py"]
alignments = [
  "none",
  { use = "cca", components = [1, 9] },
  "procrustes",
  { use = "coral", reference = "right" },
]
fusions = ["toy-mean", "toy-voices"]
heads = ["nearest"]
datasets = [{ use = "twins" }]
encoders = { vector = ["same"] }
split = { scheme = "kfold", folds = 2 }
"""


def test_alignments_are_an_axis_of_feature_level_fusions(tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "matrix.toml").write_text(MATRIX)
    command = [sys.executable, "-m", "mmbench", "run", "matrix.toml", "--jobs", "1"]
    done = subprocess.run(
        [*command, "--out", "out", "--store", "store"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr  # some cells failed
    table = mmbench.read_results(tmp_path / "out")
    fused = table[table["fusion"] == "toy-mean"]
    assert fused["alignment"].value_counts().to_dict() == {
        "none": 2,
        "cca": 4,
        "procrustes": 2,
        "coral": 2,
    }
    assert set(table.loc[table["fusion"] != "toy-mean", "alignment"]) == {"none"}

    wide = fused["params"].map(lambda p: json.loads(p).get("alignment", {}).get("components") == 9)
    assert set(fused.loc[wide, "status"]) == {"failed"}
    assert fused.loc[wide, "reason"].str.contains("only 8 independent columns").all()
    good = fused[~wide]
    assert set(good["status"]) == {"ok"}
    accuracy = good.groupby("alignment")["accuracy"].mean()
    assert accuracy["cca"] > 0.83
    assert accuracy["none"] < accuracy["cca"] - 0.1
