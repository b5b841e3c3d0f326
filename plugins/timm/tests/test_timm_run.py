"""A whole run: a random network, and a pretrained one whose weights are nowhere."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import mmbench

TOY = """
import numpy as np
from PIL import Image

from mmbench import hookimpl


class Squares:
    modalities = {"photo": "image"}
    classes = ["left", "right"]

    def __init__(self):
        self.ids = [str(i) for i in range(24)]
        self.labels = np.arange(24) % 2

    def items(self, modality):
        images = []
        for i in range(24):
            image = Image.new("RGB", (32, 32), (10 * i, 0, 0))
            image.paste((255, 255, 255), (16 * (i % 2), 0, 16 * (i % 2) + 16, 32))
            images.append(image)
        return images

    def fingerprint(self, modality):
        return "squares"


class Nearest:
    def fit(self, X, y):
        self.centres_ = np.stack([X[y == c].mean(0) for c in (0, 1)])
        return self

    def predict_proba(self, X):
        distances = np.linalg.norm(X[:, None] - self.centres_, axis=2)
        return 1 - distances / distances.sum(1, keepdims=True)


@hookimpl
def mmbench_register_datasets(register):
    register("squares", Squares)


@hookimpl
def mmbench_register_heads(register):
    register("nearest", Nearest)
"""

MATRIX = """
name = "timm"
plugins = ["toy.py"]
heads = ["nearest"]
datasets = [{ use = "squares" }]
split = { scheme = "kfold", folds = 2 }

[encoders]
image = [
  { use = "timm", model = "test_vit", pretrained = false },
  { use = "timm", model = "hf-hub:nobody/nothing" },
]
"""


def test_cells_without_weights_fail_and_the_others_run(tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "matrix.toml").write_text(MATRIX)
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
    weights = table["params"].map(lambda text: json.loads(text)["encoder.photo"]["weights"])
    ran, failed = table[weights == "random"], table[weights == "pretrained"]
    assert ran["status"].tolist() == ["ok"] * 2
    assert ran["accuracy"].min() > 0.7
    assert failed["status"].tolist() == ["failed"] * 2
    assert failed["reason"].str.contains("no weights for 'hf-hub:nobody/nothing'").all()
    assert failed["reason"].str.contains("pretrained = false").all()
    assert "photo by timm (random weights)" in (tmp_path / "out" / "report.md").read_text()


def test_preprocessing_and_transfer_are_timed_apart(tmp_path):
    options = ["--set", "model=test_vit", "--set", "pretrained=false", "--precision", "bf16"]
    command = [sys.executable, "-m", "mmbench", "time", "timm", *options, "--out", "timings.csv"]
    quick = ["--min-repeats", "6", "--min-seconds", "0"]
    subprocess.run([*command, *quick], cwd=tmp_path, check=True, capture_output=True)
    with open(tmp_path / "timings.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["status"], row["precision"]) == ("ok", "bf16")
    stages = {name: float(row[f"stage_{name}_ms"]) for name in ("preprocess", "transfer", "encode")}
    assert min(stages.values()) > 0
    assert stages["preprocess"] > stages["transfer"]
    assert int(row["parameters"]) > 10_000
