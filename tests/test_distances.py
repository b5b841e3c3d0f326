"""Distances in place of vectors: what they say, who is given them, and that nobody can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import mmbench
from mmbench.distances import Distances, Measured, Table, measure
from mmbench.scratch import Scratch
from tests.byhand import arrays, assert_equal, cancer, head, only, run

Block = Callable[..., dict]

# --- what they say -------------------------------------------------------------------------------


def table(parts: list[np.ndarray], weights: list[float], n_train: int) -> Table:
    measured = []
    for part, weight in zip(parts, weights, strict=True):
        squared = np.empty((len(part), n_train))
        means, spreads = measure([part[:n_train], part[n_train:]], squared)
        measured.append(Measured(squared, means, spreads, part.shape[1], weight))
    return Table(measured)


@settings(max_examples=25)
@given(st.data())
def test_they_are_those_of_the_weighted_vectors_side_by_side(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    widths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    n_train, n = data.draw(st.integers(2, 9)), data.draw(st.integers(10, 14))
    offset = data.draw(st.sampled_from([0.0, 1000.0]))
    parts = [rng.normal(offset, 1.5, size=(n, width)) for width in widths]
    weights = rng.uniform(0.3, 2, size=len(parts)).tolist()
    joined = np.hstack([w * part for w, part in zip(weights, parts, strict=True)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmbench.distances.COLUMNS", data.draw(st.integers(1, 4)))
        patch.setattr("mmbench.distances.BLOCK", data.draw(st.integers(2, 20)))
        measured = table(parts, weights, n_train)
    train, test = Distances.parted(measured, [n_train, n - n_train])
    chosen = rng.integers(n_train, size=5)  # in any order, some more than once
    cases = [(train, joined[:n_train]), (train[chosen], joined[chosen]), (test, joined[n_train:])]
    for ours, vectors in cases:
        assert ours.shape == vectors.shape
        np.testing.assert_allclose(ours.var(), vectors.var(), rtol=1e-9)
        expected = cdist(vectors, joined[chosen], "sqeuclidean")
        np.testing.assert_allclose(ours.squared(train[chosen]), expected, atol=1e-9)
        kernel = ours.gaussian(train[chosen], 0.1)
        np.testing.assert_allclose(kernel, np.exp(-0.1 * expected), atol=1e-9)
        np.testing.assert_array_equal(ours.gaussian(train[chosen], 0.1), kernel)


def test_memory_is_used_again_once_nobody_looks_at_it() -> None:
    scratch = Scratch(most=3 * 8000)
    first = scratch.empty((1000,))
    first[:] = 1
    view, where = first[500:], first.ctypes.data
    del first
    second = scratch.empty((10, 90))  # the first is still looked at
    second[:] = 2
    assert (view == 1).all()
    del view
    third = scratch.empty((800,))
    assert third.ctypes.data == where
    fourth = scratch.empty((2000,))  # there is no room for it
    assert fourth.shape == (2000,)
    assert (second == 2).all()


# --- who is given them ---------------------------------------------------------------------------


def measured(block: dict, **matrix: object) -> int:
    """Count the jobs that measure distances."""
    content = {"name": "m", "datasets": [block], "encoders": {"vector": "identity"}, **matrix}
    plan = mmbench.plan(content, plugins=[])
    return Counter(job.kind for job in plan.jobs())["distances"]


def test_each_embedding_is_measured_once_per_training_part(manifest: Block) -> None:
    block = manifest(cancer())
    machines = {"use": "svm", "C": [1, 10], "gamma": ["scale", 0.01]}
    options = {"heads": [machines], "split": {"folds": 3}}
    fusions = ["concat", "mean-probability"]
    assert measured(block, fusions=fusions, **options) == 2 * 3
    assert measured(block, fusions=[*fusions, "stacking"], **options) == 2 * 3  # used by one job
    tuned = {"heads": {"svm": {"C": [1, 10], "gamma": [0.1, 1]}}}
    assert measured(block, fusions=fusions, heads="svm", tuning=tuned) == 2 * 5 * (1 + 5)


@pytest.mark.parametrize(
    ("fusion", "machine"),
    [
        ("concat", {"use": "svm", "kernel": "linear"}),
        ("concat", "logistic-regression"),
        ("weighted-sum", "svm"),
        ("product", "svm"),
    ],
)
def test_others_are_not(manifest: Block, fusion: str, machine: object) -> None:
    """The head depends on more than distances, or the fusion cannot tell them."""
    alone = {"fusion": "none"}
    assert not measured(manifest(cancer()), fusions=[fusion], heads=[machine], exclude=[alone])


def test_not_where_they_would_fill_the_disk(
    manifest: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = manifest(cancer())
    monkeypatch.setattr("mmbench.measures.STORED_BYTES", 8 * 128 * 160)  # five folds of 160
    assert measured(block, fusions=["concat"], heads="svm") == 2 * 5
    monkeypatch.setattr("mmbench.measures.STORED_BYTES", 8 * 128 * 160 - 1)
    assert measured(block, fusions=["concat"], heads="svm") == 0


# --- that nobody can tell ------------------------------------------------------------------------


def test_a_weighted_fusion_is_scikit_learns(manifest: Block) -> None:
    frame: pd.DataFrame = cancer()
    X, y = arrays(frame)
    machine = {"use": "svm", "class_weight": "balanced"}
    table = run(
        manifest(frame), only=("fold=0",), fusions=["leading"], heads=[machine],
        exclude=[{"fusion": "none"}],
    )  # fmt: skip
    train, test = mmbench.folds(y, seed=0)[0]
    doubled = FunctionTransformer(lambda values: values * np.repeat([2.0, 1.0], 10))
    model = head("svm")
    model.set_params(estimator__class_weight="balanced")
    by_hand = make_pipeline(StandardScaler(), doubled, model).fit(X[train], y[train])
    assert_equal(only(table), by_hand, X[test])
