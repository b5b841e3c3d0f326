"""A whole run: a local model, and one whose weights are nowhere."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import mmbench

TOY = """
import numpy as np

from mmbench import hookimpl


class Phrases:
    modalities = {"phrase": "text"}
    classes = ["letters", "digits"]

    def __init__(self):
        self.ids = [str(i) for i in range(24)]
        self.labels = np.arange(24) % 2

    def items(self, modality):
        return [("abcdefgh", "01234567")[i % 2][: 2 + i % 6] for i in range(24)]

    def fingerprint(self, modality):
        return "phrases"


class Nearest:
    def fit(self, X, y):
        self.centres_ = np.stack([X[y == c].mean(0) for c in (0, 1)])
        return self

    def predict_proba(self, X):
        distances = np.linalg.norm(X[:, None] - self.centres_, axis=2)
        return 1 - distances / distances.sum(1, keepdims=True)


@hookimpl
def mmbench_register_datasets(register):
    register("phrases", Phrases)


@hookimpl
def mmbench_register_heads(register):
    register("nearest", Nearest)
"""

MATRIX = """
name = "sentences"
plugins = ["toy.py"]
heads = ["nearest"]
datasets = [{{ use = "phrases" }}]
split = {{ scheme = "kfold", folds = 2 }}

[encoders]
text = [
  {{ use = "sentence-transformers", folder = '{folder}' }},
  {{ use = "sentence-transformers", model = "nobody/nothing" }},
]
"""


def test_cells_without_weights_fail_and_the_others_run(tmp_path, folder):
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "matrix.toml").write_text(MATRIX.format(folder=folder))
    command = [sys.executable, "-m", "mmbench", "run", "matrix.toml", "--jobs", "1"]
    offline = {"HF_HOME": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, "--out", "out", "--store", "store"],
        cwd=tmp_path,
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    table = mmbench.read_results(tmp_path / "out")
    weights = table["params"].map(lambda text: json.loads(text)["encoder.phrase"]["weights"])
    ran, failed = table[weights == folder.name], table[weights == "pretrained"]
    assert ran["status"].tolist() == ["ok"] * 2
    assert ran["accuracy"].min() > 0.7
    assert failed["status"].tolist() == ["failed"] * 2
    assert failed["reason"].str.contains("no weights for 'nobody/nothing'").all()
    assert failed["reason"].str.contains("HF_HOME").all()


def test_tokenising_and_transfer_are_timed_apart(tmp_path, folder):
    command = [sys.executable, "-m", "mmbench", "time", "sentence-transformers"]
    options = ["--set", f"folder={folder}", "--out", "timings.csv"]
    quick = ["--min-repeats", "6", "--min-seconds", "0"]
    subprocess.run([*command, *options, *quick], cwd=tmp_path, check=True, capture_output=True)
    with open(tmp_path / "timings.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["status"] == "ok"
    stages = {name: float(row[f"stage_{name}_ms"]) for name in ("preprocess", "transfer", "encode")}
    assert min(stages.values()) > 0
    assert stages["preprocess"] > stages["transfer"]
