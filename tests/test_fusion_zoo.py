"""The tables that benchmarks/fusion_zoo.py makes of a run, and those that are committed."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from benchmarks import fusion_zoo
from mmbench.results import read_predictions
from mmbench.statistics.datasets import critical_difference
from tests.byhand import Block, run, wine

REFERENCE = Path(__file__).parents[1] / "results" / "reference" / "fusion-zoo"


@pytest.fixture
def table(manifest: Block) -> pd.DataFrame:
    """Return a run of three fusions on two sets, which are wine with more and with less noise."""
    sets = []
    for name, strength in (("bad", 1.5), ("good", 0.7)):
        frame = wine()
        vectors = [c for c in frame if "." in c]
        noise = np.random.default_rng(0).normal(size=(len(frame), len(vectors)))
        frame[vectors] += strength * noise * frame[vectors].std().to_numpy()
        sets.append({**manifest(frame, file=name), "name": name})
    fusions = ["concat", "mean-probability", "joint-logistic"]
    heads = ["logistic-regression", "naive-bayes"]
    made = run(
        sets[0], datasets=sets, fusions=fusions, heads=heads, split={"folds": 2}, metrics="accuracy"
    )
    made.attrs["folder"] = "run"
    return made


def right(table: pd.DataFrame) -> dict[tuple[str, ...], pd.Series]:
    """Return which samples are right, by id, of each set, fusion, head and modalities."""
    found = {}
    for key, cells in table.groupby(["dataset", "fusion", "head", "modalities"]):
        parts = pd.concat([read_predictions("run", cell) for cell in cells["cell"]])
        found[key] = parts.set_index("id")["truth"].eq(parts.set_index("id")["predicted"])
    return found


def check_gains(table: pd.DataFrame) -> None:
    gains = fusion_zoo.gains(table, "bad")
    assert len(gains) == 2 * 2 + 1
    of = {key[1:]: which for key, which in right(table).items() if key[0] == "bad"}
    for _, row in gains.iterrows():
        alone = {
            (m, h): which
            for (f, h, m), which in of.items()
            if f == "none" and (h == row["head"] or row["fusion"] == "joint-logistic")
        }
        best = max(alone, key=lambda single: alone[single].mean())
        assert alone[row["best_single"], row["its_head"]].mean() == alone[best].mean()
        theirs = alone[row["best_single"], row["its_head"]]
        ours = of[row["fusion"], row["head"], "acid+phenol+colour"].loc[theirs.index]
        won, lost = (ours & ~theirs).sum(), (~ours & theirs).sum()
        assert (row["won"], row["lost"]) == (won, lost)
        assert np.isclose(row["gain"], (won - lost) / len(ours))
        assert np.isclose(row["p"], binomtest(won, won + lost).pvalue)
        assert row["gain_low"] < row["gain"] < row["gain_high"]
    ordered = np.sort(gains["p"])
    stepped = np.maximum.accumulate(ordered * np.arange(len(ordered), 0, -1))
    np.testing.assert_allclose(np.sort(gains["p_holm"]), np.minimum(stepped, 1))
    told = gains["verdict"].map({"better": 1, "worse": -1, "not told apart": 0})
    assert (told == np.sign(gains["gain"]) * (gains["p_holm"] < 0.05)).all()


def check_ranks(table: pd.DataFrame) -> None:
    ranked = fusion_zoo.ranks(table)
    accuracy = {key[:3]: which.mean() for key, which in right(table).items() if key[1] != "none"}
    expected = pd.Series(accuracy).groupby(level=0).rank(ascending=False).groupby(level=[1, 2])
    assert ranked["mean_rank"].is_monotonic_increasing
    pd.testing.assert_series_equal(
        ranked.set_index(["fusion", "head"])["mean_rank"].sort_index(),
        expected.mean().sort_index(),
        check_names=False,
    )
    assert len(ranked) == 2 * 2 + 1
    assert (ranked["rank_low"] < ranked["rank_high"]).any()


def check_bootstrap(table: pd.DataFrame) -> None:
    """Of two methods on one set, the exact chance of each mean rank is known."""
    one = table[(table["dataset"] == "bad") & (table["head"] == "logistic-regression")]
    one.attrs["folder"] = "run"
    methods = fusion_zoo.accuracies(one).index
    assert [fusion for fusion, *_ in methods] == ["concat", "mean-probability"]
    drawn = fusion_zoo.bootstrap(one, methods)[:, 0]
    chances = np.ones(1)  # of the first's lead, from -n to n right samples
    for _, cells in one[one["fusion"] != "none"].groupby("fold"):
        first, second = (
            read_predictions("run", cells.set_index("fusion")["cell"][fusion])
            for fusion in ("concat", "mean-probability")
        )
        assert (first["id"] == second["id"]).all()
        hits = [(p["truth"] == p["predicted"]).astype(int) for p in (first, second)]
        lead = np.bincount(hits[0] - hits[1] + 1, minlength=3) / len(first)
        chances = reduce(np.convolve, [lead] * len(first), chances)
    middle = len(chances) // 2
    expected = [chances[middle + 1 :].sum(), chances[middle], chances[:middle].sum()]
    assert max(expected) < 0.99
    for rank, chance in zip((1, 1.5, 2), expected, strict=True):
        error = np.sqrt(chance * (1 - chance) / len(drawn))
        assert abs((drawn == rank).mean() - chance) < 4 * error + 1e-9


def test_gains_ranks_and_intervals_are_those_made_by_hand(table: pd.DataFrame) -> None:
    check_gains(table)
    check_ranks(table)
    check_bootstrap(table)


def test_the_critical_difference_is_that_of_the_paper() -> None:
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


def test_the_committed_ranks_are_those_of_the_committed_cells() -> None:
    cells = pd.read_parquet(REFERENCE / "cells.parquet")
    assert set(cells["status"]) <= {"ok", "skipped"}
    assert set(cells["dataset"]) == {"digits", "leaf", "av-digits", "mustard"}
    found = fusion_zoo.accuracies(cells)
    ranked = pd.read_csv(REFERENCE / "ranks.csv", keep_default_na=False)
    assert len(ranked) == len(found) == 27 * 2 + 9
    ranked = ranked.set_index(fusion_zoo.METHOD)
    assert ranked["mean_rank"].is_monotonic_increasing
    expected = found.rank(ascending=False).mean(axis="columns")
    pd.testing.assert_series_equal(
        ranked["mean_rank"].sort_index(), expected.sort_index(), check_names=False
    )
    assert (ranked["rank_low"] < ranked["rank_high"]).all()
    gains = pd.read_csv(REFERENCE / "gains.csv", keep_default_na=False)
    assert len(gains) == 27 * 2 + 9
    for _, row in gains.iterrows():
        known = found.loc[tuple(row[name] for name in fusion_zoo.METHOD), "av-digits"]
        assert np.isclose(row["accuracy"], known)
