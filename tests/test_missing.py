"""``missing = "drop-modality"``: decided by the heads whose modality is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mmbench
from tests.byhand import INNER, Block, arrays, modalities, only, probabilities, run, stored, wine

pytestmark = pytest.mark.usefixtures("one_thread")

FUSIONS = ["mean-probability", "product-rule", "vote", "borda", "learned-weighted-mean"]


def gaps(share: float = 0.25) -> pd.DataFrame:
    """Return wine with a quarter of two modalities gone, of a few samples all three."""
    frame = wine()
    rng = np.random.default_rng(4)
    for modality in ("acid", "colour"):
        rows = rng.random(len(frame)) < share
        frame.loc[rows, [c for c in frame if c.startswith(f"{modality}.")]] = None
    frame.loc[[3, 77, 150], [c for c in frame if "." in c]] = None
    return frame


def test_each_sample_is_decided_by_the_modalities_it_has(manifest: Block) -> None:
    frame = gaps()
    X, y = arrays(frame)
    table = run(
        manifest(frame), fusions=[*FUSIONS, "concat", "stacking"], heads="logistic-regression",
        missing=["drop-modality", "mean"], split={"folds": 3},
    )  # fmt: skip
    parts = modalities(frame)
    there = {m: ~np.isnan(X[:, c]).any(axis=1) for m, c in parts.items()}
    state = mmbench.derive_seed(0, None, "split")
    for fold, (train, test) in enumerate(
        StratifiedKFold(3, shuffle=True, random_state=state).split(X, y)
    ):
        cells = table[(table["fold"] == fold) & (table["missing"] == "drop-modality")]
        assert set(cells["fusion"]) == set(FUSIONS)
        kept = test[np.any([there[m][test] for m in parts], axis=0)]
        trained = train[np.any([there[m][train] for m in parts], axis=0)]
        assert len(kept) <= len(test)
        given, held_out = {}, {}
        for modality, columns in parts.items():
            rows, asked = train[there[modality][train]], kept[there[modality][kept]]
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            Z = X[:, columns]
            given[modality] = np.full((len(kept), 3), np.nan)
            given[modality][there[modality][kept]] = model.fit(Z[rows], y[rows]).predict_proba(
                Z[asked]
            )
            held_out[modality] = np.full((len(trained), 3), np.nan)
            held_out[modality][there[modality][trained]] = cross_val_predict(
                model, Z[rows], y[rows], cv=INNER, method="predict_proba"
            )
        stacked = np.stack(list(given.values()))
        row = only(cells, fusion="mean-probability")
        assert (row["n_train"], row["n_test"]) == (len(trained), len(kept))
        assert stored(row)["id"].tolist() == [str(i) for i in kept]
        expected = np.nanmean(stacked, axis=0)
        np.testing.assert_allclose(probabilities(row), expected, rtol=0, atol=1e-6)

        product = np.nanprod(stacked, axis=0)
        product /= product.sum(axis=1, keepdims=True)
        ours = probabilities(only(cells, fusion="product-rule"))
        assert (ours.argmax(axis=1) == product.argmax(axis=1)).all()

        row = only(cells, fusion="learned-weighted-mean")
        curve = json.loads((Path("run") / "fits" / f"{row['cell']}.json").read_text())
        weights = {
            r["modality"]: r["weight"] for r in curve["decide data with learned-weighted-mean"]
        }
        assert np.isclose(sum(weights.values()), 1)
        weighted = _weighted(given, weights)
        np.testing.assert_allclose(probabilities(row), weighted, rtol=0, atol=1e-6)
        filled = np.stack(list(held_out.values()))
        filled = np.where(np.isnan(filled), np.nanmean(filled, axis=0), filled)
        found = _loss(filled, list(weights.values()), y[trained])
        for other in np.random.default_rng(0).dirichlet(np.ones(3), size=200):
            assert found <= _loss(filled, other, y[trained]) + 1e-6


def _weighted(given: dict[str, np.ndarray], weights: dict[str, float]) -> np.ndarray:
    """Return the weighted mean of what is there; the plain one where that has no weight."""
    stacked = np.stack(list(given.values()))
    w = np.where(np.isnan(stacked), 0, np.array(list(weights.values()))[:, None, None])
    total = w.sum(axis=0)
    mean = (w * np.nan_to_num(stacked)).sum(axis=0) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, np.nanmean(stacked, axis=0))


def _loss(probabilities: np.ndarray, weights: object, truth: np.ndarray) -> float:
    mixed = np.tensordot(np.asarray(weights), probabilities, axes=1)
    return float(-np.log(np.maximum(mixed[np.arange(len(truth)), truth], 1e-12)).mean())


def test_what_cannot_drop_a_modality_is_left_out_with_the_reason(manifest: Block) -> None:
    matrix = {
        "name": "dropped", "datasets": [manifest(gaps())], "encoders": {"vector": "identity"},
        "fusions": ["concat", "stacking", "joint-logistic", "vote"], "heads": "random-forest",
        "missing": "drop-modality", "split": {"scheme": "holdout"},
    }  # fmt: skip
    plugins = [str(Path(__file__).with_name("planted.py"))]
    cells = mmbench.plan(matrix, plugins=plugins).cells
    reasons = {(c.level, c.fusion.name if c.fusion else "none"): c.skipped for c in cells}
    level = "missing = 'drop-modality' is for decision-level fusions"
    assert reasons == {
        ("none", "none"): level,
        ("feature", "concat"): level,
        ("joint", "joint-logistic"): level,
        ("decision", "stacking"): "fusion 'stacking' does not handle missing modalities",
        ("decision", "vote"): "",
    }


def test_a_class_that_a_modality_never_shows(manifest: Block) -> None:
    frame = wine()
    frame.loc[frame["label"] == "class_1", ["acid.0", "acid.1", "acid.2", "acid.3"]] = None
    X, y = arrays(frame)
    table = run(
        manifest(frame), fusions=["mean-probability", "learned-weighted-mean"],
        heads="logistic-regression", missing="drop-modality", split={"folds": 2},
        tuning={"heads": {"logistic-regression": {"C": [0.1, 1.0]}}},
    )  # fmt: skip
    assert set(table["status"]) == {"ok"}
    row = table[table["fusion"] == "mean-probability"].iloc[0]
    state = mmbench.derive_seed(0, None, "split")
    _, test = next(iter(StratifiedKFold(2, shuffle=True, random_state=state).split(X, y)))
    assert row["n_test"] == len(test)
    assert row["accuracy"] > 0.9


def test_a_modality_without_training_samples(manifest: Block) -> None:
    frame = wine()
    frame["part"] = np.resize(["train", "train", "test"], len(frame))
    frame.loc[frame["part"] == "train", [c for c in frame if c.startswith("acid.")]] = None
    matrix = {
        "name": "never", "datasets": [manifest(frame, split="part")], "fusions": "vote",
        "encoders": {"vector": "identity"}, "heads": "random-forest", "missing": "drop-modality",
    }  # fmt: skip
    cells = [c for c in mmbench.plan(matrix).cells if c.fusion]
    assert [c.skipped for c in cells] == ["no training sample has acid"]


def test_what_is_served_without_a_modality_is_what_was_scored(manifest: Block) -> None:
    timing = {"min_repeats": 3, "min_seconds": 0, "max_seconds": 1, "warmup": 1, "batch_sizes": 4}
    table = mmbench.run(
        {
            "name": "timed", "datasets": [manifest(gaps())], "encoders": {"vector": "identity"},
            "fusions": ["mean-probability", "learned-weighted-mean"], "missing": "drop-modality",
            "heads": "logistic-regression", "split": {"scheme": "holdout"},
            "timing": {**timing, "end_to_end": "all"},
        },
        out="run",
    )  # fmt: skip
    assert set(table["status"]) == {"ok", "skipped"}
    timings = mmbench.read_timings("run")
    assert set(timings["status"]) == {"ok"}
    assert set(timings["unit"]) >= {"classifier", "decision", "end-to-end"}
