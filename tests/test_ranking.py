"""Ranks, what the data can tell apart, and gains: on arrays, and in a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mmbench_metrics import scores
from scipy.stats import norm, t, ttest_rel
from sklearn.metrics import accuracy_score
from statsmodels.stats.contingency_tables import mcnemar

import mmbench
from mmbench import evidence, standings
from mmbench.statistics.paired import delong
from mmbench.statistics.ranking import rank_groups, ranks, worse_by_bootstrap, worse_by_mcnemar
from mmbench.statistics.resampling import bootstrap_weights
from mmbench.statistics.weighted import resampled
from tests.here import Here


def test_ranks_begin_at_the_best_and_equals_share_one() -> None:
    assert ranks(np.array([0.5, 0.9, 0.9, 0.1])).tolist() == [3, 1, 1, 4]
    assert ranks(np.array([0.5, 0.9, 0.9, 0.1]), higher_is_better=False).tolist() == [2, 3, 3, 1]


def exact(right: np.ndarray, a: int, b: int) -> float:
    """Return statsmodels' two-sided p-value of a pair."""
    x, y = right[a], right[b]
    table = [[np.sum(x & y), np.sum(x & ~y)], [np.sum(~x & y), np.sum(~x & ~y)]]
    return float(mcnemar(table, exact=True).pvalue)


def methods(n: int, shares: list[float], seed: int, common: float = 0.5) -> np.ndarray:
    """Return which of n samples methods of these true shares label right."""
    rng = np.random.default_rng(seed)
    noise = np.sqrt(common) * rng.normal(size=n)
    noise = noise + np.sqrt(1 - common) * rng.normal(size=(len(shares), n))
    return noise < norm.ppf(shares)[:, np.newaxis]


def by_hand(right: np.ndarray, order: np.ndarray) -> list[int]:
    """Group methods, step by step."""
    groups, left = [0] * len(right), [int(i) for i in order]
    pairs, group = len(right) * (len(right) - 1) / 2, 0
    while left:
        group += 1
        leader, told = left[0], []
        for p, i in sorted((exact(right, leader, i), left.index(i)) for i in left[1:]):
            if p > 0.05 / pairs:
                break
            pairs -= 1
            told.append(left[i])
        for i in left:
            if i not in told:
                groups[i] = group
        left = [i for i in left if i in told]
    return groups


def test_what_cannot_be_told_from_the_best_shares_its_group() -> None:
    right = methods(400, [0.5, 0.9, 0.89, 0.7, 0.52, 0.88, 0.71, 0.45], 3)
    order = np.argsort(-right.mean(axis=1), kind="stable")
    found = rank_groups(order, worse_by_mcnemar(right))
    assert found.tolist() == by_hand(right, order)
    assert found.tolist() == [3, 1, 1, 2, 3, 1, 2, 3]
    p = worse_by_mcnemar(right)(1, np.array([0, 2, 5]))
    assert p == pytest.approx([exact(right, 1, i) for i in (0, 2, 5)], abs=1e-9)
    assert worse_by_mcnemar(right)(0, np.array([1])) == 1  # it is better, not worse
    assert rank_groups(np.array([0]), worse_by_mcnemar(right[:1])).tolist() == [1]


def test_the_bootstraps_test_is_the_t_test_of_a_mean_and_delongs_of_an_area() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(120) % 2
    p = 1 / (1 + np.exp(-(rng.normal(size=(3, 120)) + np.array([[2], [1.2], [1]]) * (truth - 0.5))))
    given = [np.column_stack([1 - each, each]) for each in p]
    weights = bootstrap_weights(truth, draws=20_000)
    metrics: dict[str, Any] = {"roc_auc": scores.roc_auc(), "log_loss": scores.log_loss()}
    drawn = [resampled(metrics, truth, each, weights) for each in given]
    for name, higher in (("roc_auc", True), ("log_loss", False)):
        draws = np.stack([each[name] for each in drawn])
        worse = worse_by_bootstrap(draws, 118, higher_is_better=higher)
        found = worse(0, np.array([1, 2]))
        for i, value in zip((1, 2), found, strict=True):
            if name == "roc_auc":
                expected = delong(truth, given[0], given[i])
                expected = 2 * t.sf(norm.isf(expected / 2), 118)
            else:
                losses = [-np.log(each[np.arange(120), truth]) for each in (given[0], given[i])]
                expected = ttest_rel(*losses).pvalue
            assert norm.isf(value / 2) == pytest.approx(norm.isf(expected / 2), rel=0.03)
        assert worse(2, np.array([0])) == 1


@pytest.mark.parametrize("exactly", [True, False])
def test_equal_methods_are_told_apart_no_oftener_than_stated(exactly: bool) -> None:
    """20 methods: a fast simulation; the full one is in ``benchmarks.simulations``."""
    truth = np.arange(150) % 3
    weights = bootstrap_weights(truth, draws=300)
    false = 0
    for seed in range(150):
        right = methods(150, [0.8] * 20, seed)
        order = np.argsort(-right.mean(axis=1), kind="stable")
        draws = right @ weights / 150
        test = worse_by_bootstrap(draws, 147, higher_is_better=True)
        false += rank_groups(order, worse_by_mcnemar(right) if exactly else test).max() > 1
    assert false <= 14  # 7.5 at the stated level, which 1 % of such tests pass by so much


# --- in a run ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["free", "grouped", "holdout"])
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Any], Path, pd.DataFrame]]:
    """Two modalities with much in common, and a head that knows nothing."""
    root = tmp_path_factory.mktemp("ranking")
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    frame = pd.DataFrame({"label": labels, "group": labels + 3 * (np.arange(150) // 15)})
    for name in "ab":
        means = np.eye(3)[labels] * 1.6
        for i, column in enumerate((means + rng.normal(size=(150, 3))).T):
            frame[f"{name}{i}"] = column
    frame.to_csv(root / "data.csv", index=False)
    kinds = {name: {"columns": f"{name}?", "kind": "vector"} for name in "ab"}
    alone = request.param == "holdout"  # a single cell of each combination
    grouped = {"group": "group"} if request.param == "grouped" else {}
    data = {"use": "manifest", "name": "d", "path": str(root / "data.csv"), "label": "label"}
    matrix = {
        "name": "ranking",
        "seeds": [0, 1] if grouped else [0],
        "datasets": [{**data, "modalities": kinds, **grouped}],
        "encoders": {"vector": "identity"},
        "fusions": ["concat", "mean-probability"],
        "heads": ["logistic-regression", {"use": "k-nearest", "n_neighbors": 60}],
        "metrics": ["accuracy", "log_loss"],
        "split": {"scheme": "holdout", "test": 0.5} if alone else {"folds": 3},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr("mmbench.catalogue._notebook", [])
        mmbench.register("runner", "here", Here)
        table = mmbench.run(matrix, out="run", store="store", runner="here", jobs=1)
        yield matrix, root, table


def pooled(folder: Path, cells: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Return the predictions of each seed, in one order."""
    return {
        int(seed): pd.concat(
            [pd.read_parquet(folder / f"predictions/{cell}.parquet") for cell in of_seed["cell"]]
        ).sort_values("id", ignore_index=True)
        for seed, of_seed in cells.groupby("seed")
    }


def test_a_runs_table_has_ranks_and_gains(run: tuple[dict[str, Any], Path, pd.DataFrame]) -> None:
    _, root, table = run
    assert (table["status"] == "ok").all()
    axes = ["modalities", "fusion", "head"]
    found = dict(list(table.groupby(axes, sort=False)))
    stored = {name: pooled(root / "run", cells) for name, cells in found.items()}
    one = next(iter(stored.values()))[0]
    truth = one["truth"].astype(int).to_numpy()
    groups = one["group"].to_numpy() if "group" in one else None
    weights = bootstrap_weights(truth, groups, draws=1000)
    right = {
        name: np.stack([(p["truth"] == p["predicted"]).to_numpy() for p in of_seeds.values()])
        for name, of_seeds in stored.items()
    }
    drawn = {n: (r @ weights / weights.sum(axis=0)).mean(axis=0) for n, r in right.items()}
    means = {name: cells["accuracy"].mean() for name, cells in found.items()}
    order = np.argsort([-mean for mean in means.values()], kind="stable")
    expected = (
        by_hand(np.concatenate(list(right.values())), order)
        if groups is None
        else rank_groups(
            order, worse_by_bootstrap(np.stack(list(drawn.values())), 27, higher_is_better=True)
        ).tolist()
    )
    freedom = len(truth) - 3 if groups is None else 27
    tail = norm.cdf(t.ppf(0.025, freedom))
    for (name, cells), group in zip(found.items(), expected, strict=True):
        assert (cells["rank"] == 1 + sum(m > means[name] for m in means.values())).all()
        assert (cells["rank_group"] == group).all()
        if name[1] == "none":
            assert cells["gain"].isna().all()
            continue
        alone = max((("a", "none", name[2]), ("b", "none", name[2])), key=lambda n: drawn[n][0])
        gained = drawn[name] - drawn[alone]
        assert cells["gain"].unique() == pytest.approx([right[name].mean() - right[alone].mean()])
        low, high = np.quantile(gained[1:], [tail, 1 - tail])
        assert cells["gain_low"].unique() == pytest.approx([low], abs=1e-9)
        assert cells["gain_high"].unique() == pytest.approx([high], abs=1e-9)
    assert len(set(expected)) > 1
    kept = mmbench.read_results(root / "run")
    pd.testing.assert_frame_equal(table[list(kept)], kept)


def test_the_summary_tells_sampling_error_from_the_spread_over_seeds(
    run: tuple[dict[str, Any], Path, pd.DataFrame],
) -> None:
    _, root, table = run
    summary = mmbench.summarise(mmbench.read_results(root / "run"))
    for row in summary.to_dict("records"):
        axes = ["modalities", "fusion", "head"]
        cells = table[(table[axes] == pd.Series(row)[axes]).all(axis=1)]
        by_seed = pooled(root / "run", cells)
        each = [accuracy_score(p["truth"], p["predicted"]) for p in by_seed.values()]
        assert row["accuracy_pooled"] == pytest.approx(np.mean(each))
        assert row["accuracy_low"] < row["accuracy_pooled"] < row["accuracy_high"]
        assert row["log_loss_low"] < row["log_loss_pooled"] < row["log_loss_high"]
        if len(each) == 1:
            assert np.isnan(row["accuracy_seed_std"])
            low, high = norm_wilson(each[0], len(by_seed[0]))
            assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx((low, high))
        else:
            assert row["accuracy_seed_std"] == pytest.approx(np.std(each, ddof=1))
        for name in ("rank", "rank_group", "gain", "gain_low", "gain_high"):
            expected = cells[name].iloc[0]
            assert row[name] == expected or (pd.isna(row[name]) and pd.isna(expected))


def norm_wilson(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's interval, written out."""
    z = norm.isf(0.025)
    centre, half = share + z**2 / 2 / n, z * np.sqrt(share * (1 - share) / n + z**2 / 4 / n**2)
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def test_cells_are_told_with_their_interval_of_whole_groups(
    run: tuple[dict[str, Any], Path, pd.DataFrame],
) -> None:
    _, root, table = run
    for row in table.to_dict("records"):
        p = pd.read_parquet(root / f"run/predictions/{row['cell']}.parquet")
        if "group" not in p:
            expected = norm_wilson(row["accuracy"], row["n_test"])
            assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx(expected)
        truth = p["truth"].astype(int).to_numpy()
        given = p[["p_0", "p_1", "p_2"]].to_numpy()
        loss = -np.log(np.clip(given[np.arange(len(p)), truth], 2**-52, 1 - 2**-52))
        units = p["group"].to_numpy() if "group" in p else np.arange(len(p))
        _, of = np.unique(units, return_inverse=True)
        weights = bootstrap_weights(truth, of, draws=1000)
        drawn = loss @ weights[:, 1:] / weights[:, 1:].sum(axis=0)
        half = t.ppf(0.975, of.max() - 2) * drawn.std() / loss.mean()
        bounds = [loss.mean() * np.exp(half * side) for side in (-1, 1)]
        assert [row["log_loss_low"], row["log_loss_high"]] == pytest.approx(bounds, abs=1e-9)


def test_a_run_with_nothing_new_reads_no_predictions(
    run: tuple[dict[str, Any], Path, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix, root, table = run

    def unread(files: Any) -> Any:
        raise AssertionError(f"read: {files}")

    with monkeypatch.context() as patch:
        patch.chdir(root)
        for reader in (evidence.Predictions, evidence.Verdicts):
            patch.setattr(reader, "read", unread)
        again = mmbench.run(matrix, out="run", store="store", runner="here", jobs=1)
        pd.testing.assert_frame_equal(again, table)
        file = next((root / "run" / "predictions").iterdir())
        file.write_bytes(file.read_bytes())  # written anew
        with pytest.raises(AssertionError, match="read: "):
            mmbench.run(matrix, out="run", store="store", runner="here", jobs=1)
    with monkeypatch.context() as patch:
        patch.chdir(root)
        anew = mmbench.run(matrix, out="run", store="store", runner="here", jobs=1)
        pd.testing.assert_frame_equal(anew, table)


def test_only_what_was_tested_on_the_same_samples_is_ranked_together(
    run: tuple[dict[str, Any], Path, pd.DataFrame], tmp_path: Path
) -> None:
    """One combination lacks a fold: it is compared to no other, and no other to it."""
    _, root, table = run
    lacking = table[(table["fusion"] == "concat") & (table["head"] == "k-nearest")]
    if len(lacking) == 1:
        pytest.skip("there is one fold")
    partial = table.copy()
    partial.attrs = dict(table.attrs)
    partial.loc[lacking.index[0], "status"] = "failed"
    (tmp_path / "run").symlink_to(root / "run")
    kept = json.loads((root / "run" / "standings.json").read_text())
    metrics = ["accuracy", "log_loss"]
    pool = standings.Pool(root / "run", (), metrics, "accuracy")
    standings.stand(partial, pool)
    (root / "run" / "standings.json").write_text(json.dumps(kept))
    done = lacking.index[1:]
    assert (partial.loc[done, ["rank", "rank_group"]] == 1).all(axis=None)
    assert partial.loc[done, "gain"].isna().all()
    assert partial.loc[lacking.index[0], ["rank", "gain"]].isna().all()
    others = table.index.difference(lacking.index)
    worse = (table.loc[others, "rank"] > table.loc[lacking.index[0], "rank"]).astype(int)
    assert (partial.loc[others, "rank"] == table.loc[others, "rank"] - worse).all()
