"""A whole run: a joint fusion's cell redone by hand, samples that lack a modality among them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from mmbench_joint.vectors import Mlp
from sklearn.preprocessing import StandardScaler

import mmbench

TOY = """
import numpy as np

from mmbench import Sequences, hookimpl


class Toy:
    modalities = {"left": "vector", "right": "vector"}
    classes = ["a", "b", "c"]

    def __init__(self):
        rng = np.random.default_rng(0)
        self.labels = np.arange(150) % 3
        self.ids = [str(i) for i in range(150)]
        self.split = (["train"] * 3 + ["validation"] + ["test"]) * 30
        centres = 2 * rng.normal(size=(2, 3, 4))
        self.views = {
            m: 5 + centre[self.labels] + rng.normal(size=(150, 4))
            for m, centre in zip(self.modalities, centres)
        }

    def items(self, modality):
        lacking = 0 if modality == "left" else 1
        return [None if i % 10 == lacking else v for i, v in enumerate(self.views[modality])]

    def fingerprint(self, modality):
        return f"toy {modality}"


class Same:
    def encode(self, items):
        return np.stack(items).astype(np.float32)

    def encode_sequence(self, items):
        return Sequences.of(item.reshape(2, 2) for item in items)


@hookimpl
def mmbench_register_datasets(register):
    register("toy", Toy)


@hookimpl
def mmbench_register_encoders(register):
    register("same", Same, kind="vector", sequences=True)
"""
OPTIONS = {"epochs": 6, "width": 16, "batch_size": 10, "learning_rate": 0.01}


def test_cells_of_a_run(tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    matrix = {
        "name": "joint",
        "datasets": [{"use": "toy"}],
        "encoders": {"vector": "same"},
        "fusions": [
            {"use": name, **OPTIONS, "modality_dropout": 0.2}
            for name in ("mlp", "attention", "trusted")
        ],
        "heads": ["logistic-regression"],
        "seeds": [7],
    }
    table = mmbench.run(
        matrix,
        out=tmp_path / "run",
        store=tmp_path / "store",
        jobs=1,
        plugins=[str(tmp_path / "toy.py")],
    )
    cells = table.set_index("fusion").loc[["mlp", "attention", "trusted"]]
    assert set(cells["status"]) == {"ok"}, cells["reason"].tolist()
    assert cells["accuracy"].min() > 0.7
    fits = [json.loads(file.read_text()) for file in (tmp_path / "run").glob("fits/*.json")]
    assert sum("validation_loss" in curve[0] for fit in fits for curve in fit.values()) == 3

    scope: dict = {}
    exec(TOY, scope)
    toy = scope["Toy"]()
    parts = {p: np.flatnonzero(np.array(toy.split) == p) for p in ("train", "validation", "test")}
    features: dict[str, dict[str, np.ndarray]] = {p: {} for p in parts}
    for m in toy.modalities:
        rows = [np.full(4, np.nan) if item is None else item for item in toy.items(m)]
        values = np.stack(rows).astype(np.float32).astype(np.float64)
        known = parts["train"][~np.isnan(values[parts["train"], 0])]
        scaler = StandardScaler().fit(values[known])
        for part, chosen in parts.items():
            features[part][m] = np.nan_to_num(scaler.transform(values[chosen]))  # 0: the mean
    fitted = Mlp(**OPTIONS, modality_dropout=0.2, seed=mmbench.derive_seed(7, 0, "fusion"))
    fitted.fit(
        features["train"],
        toy.labels[parts["train"]],
        validation=(features["validation"], toy.labels[parts["validation"]]),
    )
    told = pd.read_parquet(tmp_path / "run" / "predictions" / f"{cells.loc['mlp', 'cell']}.parquet")
    np.testing.assert_allclose(
        told[["p_a", "p_b", "p_c"]], fitted.predict_proba(features["test"]), atol=1e-6
    )
