"""Training sizes as an axis: stratified shares of the training part, one within the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mmbench
from mmbench.errors import UserError
from tests.byhand import arrays, assert_equal, only, run, wine

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = [0.1, 0.3, 1.0]


def content(block: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "name": "sizes",
        "datasets": [block],
        "encoders": {"vector": "identity"},
        "fusions": ["concat"],
        "heads": ["logistic-regression"],
        "train_sizes": SIZES,
        "split": {"folds": 3},
        **keys,
    }


def parts(plan: Any) -> dict[tuple[Any, ...], Any]:
    return {(c.axes["train_size"], c.seed, c.part.fold): c.part for c in plan.cells}


def test_shares_are_stratified_and_nested(manifest: Callable) -> None:
    plan = mmbench.plan(content(manifest(wine()), seeds=[0, 1]))
    found, labels = parts(plan), np.unique(wine()["label"], return_inverse=True)[1]
    assert {key[0] for key in found} == {"0.1", "0.3", ""}
    for seed in (0, 1):
        for fold in range(3):
            tenth, third, full = (found[size, seed, fold] for size in ("0.1", "0.3", ""))
            assert set(tenth.train) < set(third.train) < set(full.train)
            for part, share in ((tenth, 0.1), (third, 0.3)):
                expected = share * np.bincount(labels[full.train])
                assert np.abs(np.bincount(labels[part.train]) - expected).max() <= 0.5
                np.testing.assert_array_equal(part.test, full.test)
                assert (np.diff(part.train) > 0).all()
    assert set(found["0.1", 0, 0].train) != set(found["0.1", 1, 0].train)


def test_groups_stay_whole(manifest: Callable) -> None:
    frame = wine()
    frame["grower"] = [f"g{i % 40}" for i in range(len(frame))]
    plan = mmbench.plan(content(manifest(frame, group="grower")))
    grower = frame["grower"].to_numpy()
    for (size, _, fold), part in parts(plan).items():
        full = parts(plan)["", 0, fold].train
        left = set(full) - set(part.train)
        assert not set(grower[part.train]) & set(grower[list(left)])
        assert len(part.train) == pytest.approx(float(size or 1) * len(full), abs=12)


def test_a_cell_by_hand(manifest: Callable) -> None:
    frame = wine()
    frame["split"] = np.where(np.arange(len(frame)) % 3, "train", "test")
    block = manifest(frame, split="split")
    table = run(
        block, fusions=["concat"], heads=["logistic-regression"], train_sizes=SIZES, seeds=[0, 1]
    )
    plan = mmbench.plan(content(block, split={}, seeds=[0, 1]))
    X, y = arrays(frame)
    fused = table[table["fusion"] == "concat"]
    assert fused.groupby("train_size")["seed"].agg(list).to_dict() == {
        "": [0],  # the full part is the same for both seeds
        "0.1": [0, 1],
        "0.3": [0, 1],
    }
    for (size, seed, _), part in parts(plan).items():
        if (size, seed) == ("", 1):
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit(X[part.train], y[part.train])
        row = only(fused, train_size=size, seed=seed)
        assert_equal(row, model, X[part.test], where=size)
        assert row["n_train"] == len(part.train)
    summary = mmbench.summarise(table)
    curve = summary[summary["fusion"] == "concat"].set_index("train_size")["accuracy"]
    assert list(curve.index) == ["0.1", "0.3", ""]
    pd.testing.assert_series_equal(
        curve, fused.groupby("train_size", sort=False)["accuracy"].mean(), check_names=False
    )


def test_the_full_size_is_the_same_cell_with_and_without_the_axis(manifest: Callable) -> None:
    block = manifest(wine())
    full = {c.id for c in mmbench.plan(content(block, train_sizes=[1.0])).cells}
    every = {c.id for c in mmbench.plan(content(block)).cells}
    assert full < every
    assert len(every) == 3 * len(full)


@pytest.mark.parametrize("sizes", [[0], [1.5], [], ["half"]])
def test_mistakes(manifest: Callable, sizes: list[Any]) -> None:
    with pytest.raises(UserError, match="train_sizes"):
        mmbench.plan(content(manifest(wine()), train_sizes=sizes))
