"""A whole run of all fusions, over a given split and two seeds."""

from __future__ import annotations

import inspect
import pkgutil

import mmbench_fusions
import pytest

import mmbench

TOY = """
import numpy as np
from sklearn.linear_model import LogisticRegression

from mmbench import hookimpl


class Bits:
    modalities = {"one": "vector", "two": "vector"}
    classes = ["no", "yes"]

    def __init__(self):
        rng = np.random.default_rng(0)
        self.ids = [str(i) for i in range(160)]
        self.labels = rng.integers(0, 2, 160)
        self.split = ["train"] * 80 + ["test"] * 80
        self.parts = {
            m: rng.normal(size=(160, width)) + self.labels[:, None]
            for m, width in (("one", 3), ("two", 4))
        }

    def items(self, modality):
        return list(self.parts[modality])

    def fingerprint(self, modality):
        return f"bits {modality}"


class Given:
    def encode(self, items):
        return np.stack(items).astype(np.float32)


@hookimpl
def mmbench_register_datasets(register):
    register("bits", Bits)


@hookimpl
def mmbench_register_encoders(register):
    register("given", Given, kind="vector")


@hookimpl
def mmbench_register_heads(register):
    register("linear", LogisticRegression)
"""

NAMES = [name for name, *_ in mmbench_fusions.FUSIONS]


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("MMBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MMBENCH_PLUGINS", "fusions,metrics")
    (tmp_path / "toy.py").write_text(TOY)
    content = {
        "name": "fusions",
        "seeds": [0, 1],
        "fusions": [*NAMES, {"use": "stacking", "meta": "svm"}],
        "heads": ["linear"],
        "datasets": [{"use": "bits"}],
        "encoders": {"vector": "given"},
    }
    return mmbench.run(content, plugins=[str(tmp_path / "toy.py")], jobs=1, out=tmp_path / "out")


def test_every_fusion_runs_and_only_seeded_ones_are_replicated(table):
    assert set(table["status"]) == {"ok", "skipped"}, table["reason"].unique()
    done = table[table["status"] == "ok"]
    assert set(done["fusion"]) == {*NAMES, "none"}
    seeded = {
        name
        for name, target, *_ in mmbench_fusions.FUSIONS
        if "seed" in inspect.signature(pkgutil.resolve_name(f"mmbench_fusions.{target}")).parameters
    }
    assert set(done.loc[done["seed"] == 1, "fusion"]) == seeded
    alone = done.loc[done["fusion"] == "none", "accuracy"].max()
    linear = ["concat", "learned-weighted-mean", "mean-probability", "product-rule", "stacking"]
    assert done.loc[done["fusion"].isin(linear), "accuracy"].min() >= alone - 0.02
    assert done["accuracy"].min() > 0.7
