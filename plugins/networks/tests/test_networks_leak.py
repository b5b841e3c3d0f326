"""A network that learns noise by heart gains nothing by it, nor any trust."""

from __future__ import annotations

import json
import math

from scipy.stats import binom

import mmbench

NOISE = """
import numpy as np
from PIL import Image

from mmbench import hookimpl


class Noise:
    modalities = {"one": "image", "other": "image"}
    classes = ["0", "1", "2"]

    def __init__(self):
        self.ids = [str(i) for i in range(90)]
        self.labels = np.random.default_rng(0).permutation(np.arange(90) % 3)
        self.split = ["test" if i % 3 == 0 else "train" for i in range(90)]

    def items(self, modality):
        rng = np.random.default_rng(len(modality))
        return [Image.fromarray(v) for v in rng.integers(0, 256, (90, 8, 8), dtype=np.uint8)]

    def fingerprint(self, modality):
        return modality


@hookimpl
def mmbench_register_datasets(register):
    register("noise", Noise)
"""


def test_a_network_that_learns_by_heart_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "noise.py").write_text(NOISE)
    network = {"use": "small-cnn", "size": 8, "channels": 8, "grey": True, "dropout": 0.0}
    training = {"epochs": 30, "patience": 0, "learning_rate": 0.005}
    matrix = {
        "name": "noise",
        "datasets": [{"use": "noise"}],
        "encoders": {"image": {**network, **training}},
        "fusions": ["stacking"],
        "heads": ["logistic-regression"],
    }
    out = tmp_path / "run"
    table = mmbench.run(
        matrix, out=out, store=tmp_path / "store", jobs=1, plugins=[str(tmp_path / "noise.py")]
    )
    assert table["status"].tolist() == ["ok"] * 3, table["reason"].tolist()
    cells = table.set_index("fusion")

    fits = [json.loads(file.read_text()) for file in out.glob("fits/*.json")]
    curves = [curve for fit in fits for curve in fit.values() if "epoch" in curve[0]]
    assert len(curves) >= 2
    assert min(curve[-1]["accuracy"] for curve in curves) > 0.95  # by heart
    assert cells["accuracy"].max() <= binom.ppf(1 - 1e-6, 30, 1 / 3) / 30
    assert cells.loc["stacking", "log_loss"] < 1.25 * math.log(3)
    single = cells.loc["none", "log_loss"]
    assert (single > 1.25 * math.log(3)).all()  # so much surer is a head on the same samples
