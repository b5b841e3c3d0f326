"""The tables that benchmarks/fusion_classic.py makes of a run, and those that are committed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, friedmanchisquare

from benchmarks import fusion_classic
from mmbench.results import read_predictions
from tests.byhand import Block, run, wine

REFERENCE = Path(__file__).parents[1] / "results" / "reference" / "fusion-classic"


@pytest.fixture
def table(manifest: Block) -> pd.DataFrame:
    """Return a run of three fusions and two heads on wine with noise."""
    frame = wine()
    vectors = [c for c in frame if "." in c]
    noise = np.random.default_rng(0).normal(size=(len(frame), len(vectors)))
    frame[vectors] += 1.5 * noise * frame[vectors].std().to_numpy()
    fusions = ["concat", "mean-probability", "vote"]
    made = run(manifest(frame), fusions=fusions, heads=["logistic-regression", "naive-bayes"])
    made.attrs["folder"] = "run"
    return made


def test_gains_are_mcnemars_and_holms(table: pd.DataFrame) -> None:
    gains = fusion_classic.gains(table, "data")
    assert len(gains) == 3 * 2
    right = {}
    for key, cells in table.groupby(["head", "fusion", "modalities"]):
        parts = pd.concat([read_predictions("run", cell) for cell in cells["cell"]])
        right[key] = parts.set_index("id")["truth"].eq(parts.set_index("id")["predicted"])
    for _, row in gains.iterrows():
        alone = {m: r for (h, f, m), r in right.items() if (h, f) == (row["head"], "none")}
        best = max(alone, key=lambda name: alone[name].mean())
        assert row["best_single"] == best
        ours = right[row["head"], row["fusion"], "acid+phenol+colour"].loc[alone[best].index]
        won, lost = (ours & ~alone[best]).sum(), (~ours & alone[best]).sum()
        assert (row["won"], row["lost"]) == (won, lost)
        assert np.isclose(row["gain"], (won - lost) / len(ours))
        assert np.isclose(row["p"], binomtest(won, won + lost).pvalue)
        assert row["gain_low"] < row["gain"] < row["gain_high"]
    ordered = np.sort(gains["p"])
    stepped = np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1))
    np.testing.assert_allclose(np.sort(gains["p_holm"]), np.minimum(stepped, 1))
    told = gains["verdict"].map({"better": 1, "worse": -1, "not told apart": 0})
    assert (told == np.sign(gains["gain"]) * (gains["p_holm"] < 0.05)).all()


def test_ranks_are_means_over_sets_and_heads(table: pd.DataFrame) -> None:
    ranked, p = fusion_classic.ranks(table)
    fused = table[table["fusion"] != "none"].groupby(["head", "fusion"])["accuracy"].mean()
    expected = fused.groupby("head").rank(ascending=False).groupby("fusion").mean()
    assert ranked["mean_rank"].is_monotonic_increasing
    pd.testing.assert_series_equal(
        ranked.set_index("fusion")["mean_rank"].sort_index(), expected, check_names=False
    )
    blocks = [group.to_numpy() for _, group in fused.groupby("fusion")]
    assert np.isclose(p, friedmanchisquare(*blocks).pvalue)


def test_the_committed_ranks_are_those_of_the_committed_cells() -> None:
    cells = pd.read_parquet(REFERENCE / "cells.parquet")
    assert set(cells["status"]) <= {"ok", "skipped"}
    assert set(cells["dataset"]) == {"digits", "leaf", "av-digits", "mustard"}
    ranked, _ = fusion_classic.ranks(cells)
    committed = pd.read_csv(REFERENCE / "ranks.csv")
    pd.testing.assert_frame_equal(ranked, committed, check_dtype=False)
    assert len(ranked) == 27
    gains = pd.read_csv(REFERENCE / "gains.csv")
    assert len(gains) == 27 * 2
    ours = cells[(cells["dataset"] == "av-digits") & (cells["fusion"] != "none")]
    by_cell = ours[ours["status"] == "ok"].groupby(["head", "fusion"])["accuracy"].mean()
    for _, row in gains.iterrows():
        assert np.isclose(row["accuracy"], by_cell[row["head"], row["fusion"]])
