"""What choosing the best by test score costs: unbiased where the naive best is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import mmbench
from mmbench.statistics.resampling import bootstrap_weights
from mmbench.statistics.selection import outside, selection_corrected
from tests.here import Here


def test_what_a_draw_leaves_out_weighs_as_much_by_class() -> None:
    truth = np.array([0] * 6 + [1] * 10 + [2])
    weights = bootstrap_weights(truth, draws=40)
    left = outside(weights, truth)
    assert (left[16] == 1).all()  # a class of one sample is drawn and left out at once
    assert ((left[:16, 1:] > 0) == (weights[:16, 1:] == 0)).all()
    for members in (slice(0, 6), slice(6, 16)):
        assert left[members].sum(axis=0) == pytest.approx(len(truth[members]))
    assert (left[:16, 0] == 1).all()  # the first draw leaves nothing out


def test_the_best_of_each_draw_is_evaluated_on_what_it_left_out() -> None:
    """As the paper has it, in a loop."""
    rng = np.random.default_rng(0)
    truth = np.arange(40) % 2
    losses = rng.random((6, 40))
    weights = bootstrap_weights(truth, draws=300)[:, 1:]
    left = outside(weights, truth)
    drawn, rest = (losses @ w / w.sum(axis=0) for w in (weights, left))
    found = selection_corrected(drawn, rest, losses.mean(axis=1), higher_is_better=False)
    expected = []
    for draw in range(300):
        w, o = weights[:, draw], left[:, draw]
        best = min(range(6), key=lambda i: np.average(losses[i], weights=w))
        expected.append(np.average(losses[best], weights=o))
    assert found.estimate == pytest.approx(np.mean(expected), abs=1e-9)
    assert (found.low, found.high) == pytest.approx(np.quantile(expected, [0.025, 0.975]))
    assert (found.naive, found.n) == (losses.mean(axis=1).min(), 6)
    mirrored = selection_corrected(-drawn, -rest, -losses.mean(axis=1))
    assert mirrored.estimate == pytest.approx(-found.estimate)
    nothing = selection_corrected(np.full((6, 9), np.nan), rest[:, :9], losses.mean(axis=1))
    assert np.isnan(nothing.estimate)
    assert nothing.naive == losses.mean(axis=1).max()


def test_of_50_equal_methods_the_corrected_best_is_unbiased() -> None:
    """A fast simulation; the full one is in ``benchmarks.simulations``."""
    truth = np.arange(300) % 2
    weights = bootstrap_weights(truth, draws=100)
    left = outside(weights, truth)[:, 1:]
    corrected, naive = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(50, 300)) + rng.normal(size=300)
        right = noise < norm.ppf(0.8) * np.sqrt(2)
        accuracies = right.mean(axis=1)
        found = selection_corrected(right @ weights[:, 1:] / 300, right @ left / 300, accuracies)
        corrected.append(found.estimate)
        naive.append(found.naive)
    error = np.std(corrected) / np.sqrt(300)
    assert error < 0.0015
    assert abs(np.mean(corrected) - 0.8) < 0.005
    assert np.mean(naive) - 0.8 > 0.03


def test_the_report_tells_the_corrected_headline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"label": np.arange(80) % 2})
    for name in "ab":
        frame[f"{name}0"] = rng.normal(size=80) + frame["label"]
    frame.to_csv(tmp_path / "data.csv", index=False)
    kinds = {name: {"columns": f"{name}?", "kind": "vector"} for name in "ab"}
    data = {"use": "manifest", "name": "d", "path": str(tmp_path / "data.csv"), "label": "label"}
    matrix: dict[str, Any] = {
        "name": "selection",
        "datasets": [{**data, "modalities": kinds}],
        "encoders": {"vector": "identity"},
        "fusions": ["concat", "mean-probability"],
        "heads": ["logistic-regression"],
        "metrics": ["accuracy"],
        "split": {"folds": 2},
    }
    monkeypatch.setattr("mmbench.catalogue._notebook", [])
    mmbench.register("runner", "here", Here)
    table = mmbench.run(matrix, out="run", store="store", runner="here", jobs=1)
    right, truth = [], np.empty(0)
    for _, cells in table.groupby(["modalities", "fusion"], sort=False):
        files = [tmp_path / f"run/predictions/{cell}.parquet" for cell in cells["cell"]]
        p = pd.concat(map(pd.read_parquet, files)).sort_values("id")
        right.append((p["truth"] == p["predicted"]).to_numpy())
        truth = p["truth"].astype(int).to_numpy()
    weights = bootstrap_weights(truth, draws=1000)
    left = outside(weights, truth)[:, 1:]
    means = table.groupby(["modalities", "fusion"], sort=False)["accuracy"].mean().to_numpy()
    drawn = np.stack(right) @ weights[:, 1:] / 80
    expected = selection_corrected(drawn, np.stack(right) @ left / left.sum(axis=0), means)
    told = f"{expected.estimate:.3f} ({expected.low:.3f} to {expected.high:.3f})"
    assert expected.n == 4
    assert expected.estimate < expected.naive
    for file in ("report.md", "report.html"):
        text = " ".join((tmp_path / "run" / file).read_text().split())
        assert f"{told}: what it is worth, corrected for its having been chosen among 4" in text
