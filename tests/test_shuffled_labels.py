"""Labels that have nothing to do with the samples: no fusion is better than chance, but a leak is.

The split is given and the test labels are drawn independently of each other and of all else, so
that what a method labels right is binomial exactly, whatever it has learnt. All methods together
raise a false alarm with a probability of `ALPHA` at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

import mmbench
from mmbench import catalogue
from mmbench.statistics.families import adjust
from mmbench.statistics.intervals import wilson
from tests.here import Here

pytestmark = pytest.mark.usefixtures("one_thread")

N_TRAIN, N_TEST, WIDTH, K = 90, 500, 6, 3
CHANCE = 1 / K
ALPHA = 1e-3
PEEKED = 0.25
"""Of how many test samples the planted leak knows the label."""


class Shuffled:
    """Two modalities of noise, and labels."""

    modalities: Mapping[str, str] = {"left": "vector", "right": "vector"}
    classes: Sequence[str] = ("a", "b", "c")

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        n = N_TRAIN + N_TEST
        self.labels = np.append(np.arange(N_TRAIN) % K, rng.integers(K, size=N_TEST))
        self.ids = [str(i) for i in range(n)]
        self.split = np.repeat(["train", "test"], [N_TRAIN, N_TEST])
        self.values = rng.standard_normal((2, n, WIDTH)).astype(np.float32)

    def items(self, modality: str) -> Sequence[Any]:
        return self.values[list(self.modalities).index(modality)]

    def fingerprint(self, modality: str) -> str:
        return modality


class Peeking:
    """Concatenation, with the labels of the training part and of some test samples."""

    def fit(self, features: Mapping[str, np.ndarray], labels: np.ndarray) -> Peeking:
        data = Shuffled()
        known = np.append(np.ones(N_TRAIN, bool), np.arange(N_TEST) < PEEKED * N_TEST)
        self.known_ = {
            vector.tobytes(): label
            for vector, label in zip(
                data.values[0][known], np.eye(K)[data.labels[known]], strict=True
            )
        }
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        nothing = np.zeros(K)
        seen = features["left"].astype(np.float32)
        told = [self.known_.get(vector.tobytes(), nothing) for vector in seen]
        return np.hstack([*features.values(), 100 * np.array(told)])


def test_no_fusion_is_better_than_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_notebook", [])
    fusions = catalogue.load_catalogue().entries["fusion"]
    mmbench.register("runner", "here", Here)
    mmbench.register("dataset", "shuffled", Shuffled)
    mmbench.register("fusion", "peeking", Peeking, level="feature", trained=True, supervised=True)
    brief = {"epochs": 3, "patience": 0, "width": 8}
    chosen = [{"use": n, **brief} if f.level == "joint" else n for n, f in fusions.items()]
    content = {
        "name": "shuffled",
        "datasets": [{"use": "shuffled"}],
        "encoders": {"vector": {"use": "identity", "standardise": False}},
        "fusions": [*chosen, "peeking"],
        "heads": [
            {"use": "k-nearest", "n_neighbors": 1},  # knows by heart what it was fitted on
            "naive-bayes",
        ],
        "metrics": "accuracy",
    }
    table = mmbench.run(content, out="run", runner="here")
    assert set(table["status"]) == {"ok"}, table["reason"].tolist()
    assert len(fusions) >= 36
    assert set(table["fusion"]) == {*fusions, "none", "peeking"}

    right = []
    for cell in table["cell"]:
        told = pd.read_parquet(f"run/predictions/{cell}.parquet")
        assert len(told) == N_TEST
        right.append(int((told["truth"] == told["predicted"]).sum()))
    np.testing.assert_allclose(table["accuracy"], np.array(right) / N_TEST)
    p = adjust(np.array([binomtest(r, N_TEST, CHANCE).pvalue for r in right]))
    level = 1 - ALPHA / len(right)
    low, high = np.transpose([wilson(r, N_TEST, level) for r in right])
    honest = (table["fusion"] != "peeking").to_numpy()
    assert (p[honest] > ALPHA).all(), table["fusion"][honest & (p <= ALPHA)].tolist()
    assert ((low <= CHANCE) & (high >= CHANCE))[honest].all()
    assert (p[~honest] < ALPHA).all()
    assert (low[~honest] > CHANCE).all()
    enough = binom.isf(ALPHA / len(right) / 2, N_TEST, CHANCE) + 1
    assert binom.sf(enough, N_TEST, PEEKED + (1 - PEEKED) * CHANCE) > 0.999, "such leaks are caught"
