"""A whole run: text, image and sound by models in folders, and one whose weights are nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mmbench

TOY = """
from types import SimpleNamespace

import numpy as np
from PIL import Image

from mmbench import hookimpl


class Clips:
    modalities = {"title": "text", "still": "image", "track": "audio"}
    classes = ["left", "right"]

    def __init__(self):
        self.ids = [str(i) for i in range(16)]
        self.labels = np.arange(16) % 2

    def items(self, modality):
        made = []
        for i in range(16):
            if modality == "title":
                made.append(("abcdefgh", "stuvwxyz")[i % 2][: 2 + i % 6])
            elif modality == "still":
                image = Image.new("RGB", (32, 32), (10 * i, 0, 0))
                image.paste((255, 255, 255), (16 * (i % 2), 0, 16 * (i % 2) + 16, 32))
                made.append(image)
            else:
                wave = np.sin(np.arange(4000 + 100 * (i % 3)) * (0.1, 0.7)[i % 2])
                wave = wave[:, None].astype(np.float32)
                made.append(SimpleNamespace(samples=wave, sample_rate=22050))
        return made

    def fingerprint(self, modality):
        return f"clips {modality}"


class Nearest:
    def fit(self, X, y):
        self.centres_ = np.stack([X[y == c].mean(0) for c in (0, 1)])
        return self

    def predict_proba(self, X):
        distances = np.linalg.norm(X[:, None] - self.centres_, axis=2)
        return 1 - distances / distances.sum(1, keepdims=True)


@hookimpl
def mmbench_register_datasets(register):
    register("clips", Clips)


@hookimpl
def mmbench_register_heads(register):
    register("nearest", Nearest)
"""

MATRIX = """
name = "transformers"
plugins = ["toy.py"]
heads = ["nearest"]
fusions = ["concat"]
datasets = [{{ use = "clips" }}]
split = {{ scheme = "kfold", folds = 2 }}
pair = "zip"

[encoders]
title = [
  {{ use = "two-tower-text", folder = '{clip}' }},
  {{ use = "transformers-text", folder = '{bert}', pretrained = false }},
  {{ use = "transformers-text", model = "nobody/nothing" }},
]
still = [
  {{ use = "two-tower-image", folder = '{clip}' }},
  {{ use = "transformers-image", folder = '{vit}' }},
  {{ use = "transformers-image", folder = '{vit}', trust_remote_code = true }},
]
track = [
  {{ use = "two-tower-audio", folder = '{clap}' }},
  {{ use = "transformers-audio", folder = '{whisper}' }},
  {{ use = "transformers-audio", folder = '{whisper}', layer = 1 }},
]
"""


def test_cells_without_weights_fail_and_the_others_run(tmp_path, folder_of):
    names = ("clip", "bert", "vit", "clap", "whisper")
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "matrix.toml").write_text(MATRIX.format(**{n: folder_of(n) for n in names}))
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
    absent = table["params"].str.contains("nobody/nothing")
    failed, ran = table[absent], table[~absent]
    assert set(failed["status"]) == {"failed"}
    assert failed["reason"].str.contains("no model for 'nobody/nothing'").all()
    assert failed["reason"].str.contains("HF_HOME").all()
    assert set(ran["status"]) == {"ok"}
    fused = ran[ran["fusion"] == "concat"]
    assert len(fused) == 4
    assert fused["accuracy"].min() > 0.7
    told = [json.loads(text) for text in table["params"]]
    stills = [t["encoder.still"] for t in told if "encoder.still" in t]
    assert {t.get("code") for t in stills if t.get("trust_remote_code")} == {"remote"}
    assert {t.get("code") for t in stills if not t.get("trust_remote_code")} == {None}
    titles = {t["encoder.title"]["weights"] for t in told if "encoder.title" in t}
    assert titles == {folder_of("clip").name, "random", "pretrained"}
