"""What stored predictions say by group of samples and by modality, against counting by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_fscore_support
from statsmodels.stats.multitest import multipletests

import mmbench
from mmbench import catalogue
from mmbench.errors import UserError
from mmbench.statistics.perclass import exchanged, labelled
from mmbench.statistics.resampling import bootstrap_weights, draws_for
from tests.byhand import PLANTED, wine
from tests.here import Here

Run = Callable[..., pd.DataFrame]


@pytest.fixture
def run(manifest: Callable, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a matrix over the wine in this process."""
    monkeypatch.setattr(catalogue, "_notebook", [])
    mmbench.register("runner", "here", Here)
    frame = wine()
    frame["cellar"] = np.where(np.arange(len(frame)) % 3 == 0, "north", "south")
    frame.loc[5, "cellar"] = ""

    def call(**keys: Any) -> pd.DataFrame:
        content = {
            "name": "parts",
            "datasets": [manifest(frame, attributes=["cellar"])],
            "encoders": {"vector": "identity"},
            "fusions": ["concat", "mean-probability"],
            "heads": ["naive-bayes"],
            "split": {"folds": 2},
            "subsets": "all",
            **keys,
        }
        return mmbench.run(content, out="run", runner="here")

    return call


def predictions(table: pd.DataFrame, **axes: Any) -> pd.DataFrame:
    """Return the predictions of a combination, folds together, by id."""
    rows = table
    for name, value in axes.items():
        rows = rows[rows[name] == value]
    told = [pd.read_parquet(f"run/predictions/{cell}.parquet") for cell in rows["cell"]]
    return pd.concat(told).set_index("id").sort_index()


def test_by_group(run: Run) -> None:
    table = run()
    found = mmbench.by_group(table, "cellar")
    fused = found[(found["fusion"] == "concat") & (found["modalities"] == "acid+phenol+colour")]
    told = predictions(table, fusion="concat", modalities="acid+phenol+colour")
    cellar = {str(i): "north" if i % 3 == 0 else "south" for i in range(len(told)) if i != 5}
    assert list(fused["value"]) == ["north", "south"]
    figures = []
    for _, row in fused.iterrows():
        of_group = told.loc[[i for i in told.index if cellar.get(i) == row["value"]]]
        right = int((of_group["truth"] == of_group["predicted"]).sum())
        assert row["n"] == len(of_group)
        assert row["accuracy"] == pytest.approx(right / len(of_group))
        exact = binomtest(right, len(of_group)).proportion_ci(method="wilson")
        assert (row["accuracy_low"], row["accuracy_high"]) == pytest.approx(tuple(exact))
        figures.append(row["accuracy"])
    np.testing.assert_allclose(fused["gap"], max(figures) - min(figures))
    assert list(fused["worst"]) == [f == min(figures) for f in figures]
    macro = mmbench.by_group(table, "cellar", "f1_macro")
    row = macro[macro["value"] == "north"].merge(fused[["modalities", "fusion"]]).iloc[0]
    of_group = told.loc[[i for i in told.index if cellar.get(i) == "north"]]
    expected = f1_score(of_group["truth"], of_group["predicted"], average="macro")
    assert row["f1_macro"] == pytest.approx(expected)
    assert row["f1_macro_low"] <= expected <= row["f1_macro_high"]


def test_attributes_that_are_not_there(run: Run) -> None:
    table = run(fusions=["concat"])
    with pytest.raises(
        UserError, match=r"no attribute 'celar': its datasets have cellar.*'cellar'"
    ):
        mmbench.by_group(table, "celar")
    with pytest.raises(UserError, match="no metric 'acuracy'"):
        mmbench.by_group(table, "cellar", "acuracy")


def test_shapley_values_are_the_mean_over_orders(run: Run) -> None:
    table = run(heads=["naive-bayes", "logistic-regression"])
    found = mmbench.contributions(table)
    names = ("acid", "phenol", "colour")
    assert len(found) == 2 * 2 * (3 + 3 * 2), "per fusion and head: the triple and its pairs"
    for head, fusion in itertools.product(
        ("naive-bayes", "logistic-regression"), ("concat", "mean-probability")
    ):
        worth = {frozenset(): None}
        for size in (1, 2, 3):
            for subset in itertools.combinations(names, size):
                how = fusion if size > 1 else "none"
                told = predictions(table, head=head, fusion=how, modalities="+".join(subset))
                worth[frozenset(subset)] = accuracy_score(told["truth"], told["predicted"])
        worth[frozenset()] = told["truth"].value_counts().max() / len(told)
        rows = found[
            (found["head"] == head)
            & (found["fusion"] == fusion)
            & (found["modalities"] == "+".join(names))
        ].set_index("modality")
        orders = list(itertools.permutations(names))
        for name in names:
            gains = [
                worth[frozenset(order[: order.index(name) + 1])]
                - worth[frozenset(order[: order.index(name)])]
                for order in orders
            ]
            row = rows.loc[name]
            assert row["shapley"] == pytest.approx(np.mean(gains))
            assert row["shapley_low"] < row["shapley"] < row["shapley_high"]
            assert row["alone"] == pytest.approx(worth[frozenset([name])])
            rest = worth[frozenset(names) - {name}]
            assert row["added"] == pytest.approx(worth[frozenset(names)] - rest)
        full, none = rows["full"].iloc[0], rows["none"].iloc[0]
        assert rows["shapley"].sum() == pytest.approx(full - none)


def test_a_modality_of_noise_gives_nothing(manifest: Callable, run: Run) -> None:
    frame = wine().drop(columns=["phenol.0", "phenol.1", "phenol.2", "phenol.3"])
    frame["phenol.4"] = np.random.default_rng(0).normal(size=len(frame))
    table = run(datasets=[manifest(frame, "other")], heads=["logistic-regression"])
    found = mmbench.contributions(table)
    rows = found[found["modalities"] == "acid+phenol+colour"].set_index(["fusion", "modality"])
    assert rows.loc[("concat", "colour"), "shapley_low"] > 0.1
    noise = rows.loc[("concat", "phenol")]
    assert noise["shapley_low"] < 0.05
    assert noise["shapley"] < 0.1


def test_where_modalities_disagree(run: Run) -> None:
    table = run(seeds=[0, 1])
    found = mmbench.diversity(table)
    assert list(zip(found["a"], found["b"], strict=True)) == [
        ("acid by identity", "phenol by identity"),
        ("acid by identity", "colour by identity"),
        ("phenol by identity", "colour by identity"),
    ]
    told = []
    for seed in (0, 1):
        pair = [
            predictions(table, modalities=m, fusion="none", seed=seed) for m in ("acid", "colour")
        ]
        right = [each["truth"] == each["predicted"] for each in pair]
        n11, n00 = (right[0] & right[1]).sum(), (~right[0] & ~right[1]).sum()
        n10, n01 = (right[0] & ~right[1]).sum(), (~right[0] & right[1]).sum()
        told.append(
            {
                "accuracy_a": right[0].mean(),
                "accuracy_b": right[1].mean(),
                "disagreement": (pair[0]["predicted"] != pair[1]["predicted"]).mean(),
                "double_fault": n00 / len(right[0]),
                "oracle": (n11 + n10 + n01) / len(right[0]),
                "q": (n11 * n00 - n10 * n01) / (n11 * n00 + n10 * n01),
            }
        )
    expected = pd.DataFrame(told).mean()
    row = found.iloc[1]
    np.testing.assert_allclose(row[expected.index].astype(float), expected)


def test_what_is_taken_for_what_and_how_surely(run: Run) -> None:
    table = run(seeds=[0, 1], fusions=["concat"])
    told = pd.concat(
        predictions(table, fusion="concat", modalities="acid+phenol+colour", seed=seed)
        for seed in (0, 1)
    )
    counted = mmbench.confusion(table)
    rows = counted[counted["modalities"] == "acid+phenol+colour"]
    by_hand = pd.crosstab(told["truth"], told["predicted"])
    ours = rows.pivot(index="truth", columns="predicted", values="n").fillna(0)
    pd.testing.assert_frame_equal(ours, by_hand, check_dtype=False, check_names=False)
    np.testing.assert_allclose(rows.groupby("truth")["share"].sum(), 1)

    curve = mmbench.calibration(table)
    rows = curve[curve["modalities"] == "acid+phenol+colour"]
    values = told.filter(like="p_").to_numpy()
    assert rows["n"].sum() == len(told)
    error = (rows["n"] / rows["n"].sum() * (rows["confidence"] - rows["accuracy"]).abs()).sum()
    sure, right = values.max(axis=1), (told["truth"] == told["predicted"]).to_numpy()
    edges = np.digitize(sure, np.linspace(0, 1, 16)[1:-1], right=True)
    expected = sum(
        (edges == b).mean() * abs(sure[edges == b].mean() - right[edges == b].mean())
        for b in np.unique(edges)
    )
    assert error == pytest.approx(expected)


def test_swapped_labels_are_found(manifest: Callable, run: Run) -> None:
    frame = wine()
    swapped = [3, 70, 90, 140, 170]
    names = sorted(set(frame["label"]))
    frame.loc[swapped, "label"] = [names[(names.index(frame["label"][i]) + 1) % 3] for i in swapped]
    found = mmbench.hardest(run(datasets=[manifest(frame, "other")], heads=["logistic-regression"]))
    assert list(found["probability"]) == sorted(found["probability"])
    assert {str(i) for i in swapped} <= set(found["id"][:8])
    errors = set(found.loc[found["label_error"], "id"])
    assert len(errors & {str(i) for i in swapped}) >= 3
    assert len(errors - {str(i) for i in swapped}) <= 2
    told = found.set_index("id")
    for i in swapped:
        assert told.loc[str(i), "taken_for"] != told.loc[str(i), "truth"]
        assert told.loc[str(i), "wrong"] > 0.5


def test_feature_level_against_decision_level(run: Run) -> None:
    table = run(
        fusions=["concat", "product", "mean-probability", "vote", "max-rule"], subsets=[
            ["acid", "colour"]
        ], seeds=[0, 1], exclude=[{"fusion": "product"}],
    )  # fmt: skip
    found = mmbench.levels(table)
    assert len(found) == 1
    row = found.iloc[0]
    pooled = {}
    for fusion in ("concat", "mean-probability", "vote", "max-rule"):
        told = pd.concat(predictions(table, fusion=fusion, seed=s) for s in (0, 1))
        pooled[fusion] = (told["truth"] == told["predicted"]).mean()
    decision = np.mean([pooled[f] for f in ("mean-probability", "vote", "max-rule")])
    assert (row["feature"], row["decision"]) == pytest.approx((pooled["concat"], decision))
    assert row["difference"] == pytest.approx(pooled["concat"] - decision)
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]
    assert 0 <= row["p"] <= 1


# --- gains by class ----------------------------------------------------------------------------

FIGURES = ("precision", "recall", "f1")


def of_classes(told: pd.DataFrame, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return the figures of each class, of the predictions of all seeds together."""
    truth, predicted = told["truth"].to_numpy(), told["predicted"].to_numpy()
    sums = np.array(
        [
            [weights[which].sum() for which in (own & taken, own, taken)]
            for own, taken in ((truth == name, predicted == name) for name in np.unique(truth))
        ]
    )
    hits, there, taken = sums.T
    return {"precision": hits / taken, "recall": hits / there, "f1": 2 * hits / (there + taken)}


def check_classes(rows: pd.DataFrame, metric: str, both: list[pd.DataFrame]) -> None:
    """Check figures and intervals of a fusion and its rival, given as the predictions of both."""
    samples = both[0][~both[0].index.duplicated()].sort_index()
    groups = samples.get("group")
    codes = samples["truth"].astype("category").cat.codes.to_numpy()
    weights = bootstrap_weights(
        codes, None if groups is None else groups.to_numpy(), draws=draws_for(len(samples))
    )
    of_each = [weights[samples.index.get_indexer(told.index)] for told in both]
    drawn = [
        [of_classes(told, of[:, draw]) for told, of in zip(both, of_each, strict=True)]
        for draw in range(weights.shape[1])
    ]
    for told, of, ours in zip(both, of_each, drawn[1], strict=True):
        theirs = precision_recall_fscore_support(
            told["truth"], told["predicted"], sample_weight=of[:, 1]
        )
        np.testing.assert_allclose([ours[name] for name in FIGURES], theirs[:3])
    drawn = [[each[metric] for each in of_draw] for of_draw in drawn]
    gains = np.stack([ours - theirs for ours, theirs in drawn])
    rows = rows.set_index("class")
    assert list(rows.index) == sorted(set(samples["truth"]))
    np.testing.assert_allclose(rows[metric], drawn[0][0])
    np.testing.assert_allclose(rows[f"{metric}_single"], drawn[0][1])
    np.testing.assert_allclose(rows["gain"], gains[0], atol=1e-12)
    for i, (name, row) in enumerate(rows.iterrows()):
        own = samples["truth"] == name
        assert row["n"] == own.sum()
        units = own.sum() if groups is None else groups[own].nunique()
        tail = norm.cdf(t.ppf(0.025, units - 1))
        bounds = np.quantile(gains[1:, i], [tail, 1 - tail])
        np.testing.assert_allclose([row["gain_low"], row["gain_high"]], bounds, atol=1e-12)
    adjusted = multipletests(rows["p"], method="holm")[1]
    np.testing.assert_allclose(rows["p_adjusted"], adjusted)


def test_gains_by_class_are_those_of_scikit_learn_and_a_loop_over_draws(run: Run) -> None:
    table = run(
        fusions=["concat", "mean-probability", "joint-logistic"],
        heads=["naive-bayes", "logistic-regression"],
        plugins=[str(PLANTED)],
    )
    found = mmbench.class_gains(table)
    known = table[table["fusion"] != "none"].drop_duplicates(["modalities", "fusion", "head"])
    assert len(found) == 3 * len(known) == 3 * (2 * 2 + 1) * 4
    for keys, rows in found.groupby(["modalities", "fusion", "head"]):
        share = rows["n"] / rows["n"].sum()
        gain = known.set_index(["modalities", "fusion", "head"]).loc[keys, "gain"]
        assert (share * rows["gain"]).sum() == pytest.approx(gain, abs=1e-12)
    has_head = found["fusion"] != "joint-logistic"
    assert (found["single_head"] == found["head"])[has_head].all()
    assert set(found["single_head"][~has_head]) <= {"naive-bayes", "logistic-regression"}

    axes = {"modalities": "acid+phenol+colour", "fusion": "concat", "head": "naive-bayes"}
    single = {
        name: predictions(table, fusion="none", head="naive-bayes", modalities=name)
        for name in ("acid", "phenol", "colour")
    }
    right = {name: (told["truth"] == told["predicted"]).mean() for name, told in single.items()}
    best = max(right, key=lambda name: right[name])
    both = [predictions(table, **axes), single[best]]
    for metric in ("recall", "f1"):
        rows = mmbench.class_gains(table, metric)
        for axis, value in axes.items():
            rows = rows[rows[axis] == value]
        assert set(rows["single"]) == {f"{best} by identity"}
        check_classes(rows, metric, both)
    ours, theirs = (told["truth"] == told["predicted"] for told in both)
    rows = found[(found["fusion"] == "concat") & (found["head"] == "naive-bayes")]
    for _, row in rows[rows["modalities"] == axes["modalities"]].iterrows():
        own = both[0]["truth"] == row["class"]
        won, lost = (own & ours & ~theirs).sum(), (own & ~ours & theirs).sum()
        assert row["p"] == pytest.approx(binomtest(won, won + lost).pvalue if won + lost else 1)
    with pytest.raises(UserError, match=r"no metric 'recal': .*recall, precision, f1.*'recall'"):
        mmbench.class_gains(table, "recal")


def test_gains_by_class_of_groups_and_seeds(manifest: Callable, run: Run) -> None:
    frame = wine()
    frame["vineyard"] = np.random.default_rng(0).integers(0, 24, len(frame))
    table = run(
        datasets=[manifest(frame, "groups", group="vineyard")],
        fusions=["concat"],
        subsets=[["acid", "colour"]],
        seeds=[0, 1],
        metric="log_loss",
    )
    found = mmbench.class_gains(table, "precision")
    losses = {}
    for name in ("acid", "colour"):
        told = predictions(table, fusion="none", modalities=name)
        losses[log_loss(told["truth"], told.filter(like="p_").to_numpy())] = (name, told)
    name, told = losses[min(losses)]
    assert set(found["single"]) == {f"{name} by identity"}
    both = [predictions(table, fusion="concat", seed=seed) for seed in (0, 1)]
    check_classes(found, "precision", [pd.concat(both), told])
    assert (found["p"].between(0, 1)).all()


def counted(truth: np.ndarray, labels: np.ndarray, code: int) -> dict[str, float]:
    """Return a class's figures, of labels (seeds, n)."""
    hits = ((labels == code) & (truth == code)).sum()
    there, taken = (truth == code).sum() * len(labels), (labels == code).sum()
    return {
        "recall": hits / there,
        "precision": hits / taken if taken else 0.0,
        "f1": 2 * hits / (there + taken),
    }


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_p_values_by_class_are_the_share_of_all_exchanges(data: st.DataObject) -> None:
    n, seeds = data.draw(st.integers(3, 7)), data.draw(st.integers(1, 2))
    codes = st.lists(st.integers(0, 2), min_size=n, max_size=n).map(np.array)
    truth, grouped = data.draw(codes), data.draw(st.booleans())
    groups = data.draw(codes) if grouped else None
    a, b = (np.stack([data.draw(codes) for _ in range(seeds)]) for _ in range(2))
    unit = np.arange(n) if groups is None else groups
    shares = [labelled(n, 3, [(np.arange(n), of_seed) for of_seed in each]) for each in (a, b)]
    for figure in FIGURES:
        found = exchanged(figure, truth, shares[0], shares[1], groups)
        for code in range(3):
            if code not in truth:
                assert np.isnan(found[code])
                continue
            apart = []
            for swapped in itertools.product((False, True), repeat=max(unit) + 1):
                swap = np.array(swapped)[unit]
                ours, theirs = (
                    counted(truth, np.where(swap, x, y), code) for x, y in ((b, a), (a, b))
                )
                apart.append(abs(ours[figure] - theirs[figure]))
            reached = np.array(apart) >= apart[0] - 1e-9
            assert found[code] == pytest.approx(reached.mean())
