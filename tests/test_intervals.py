"""Intervals of one sample's figures: against statsmodels, scikit-learn and the truth."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from mmbench_metrics import scores
from sklearn import metrics as sk
from statsmodels.stats.proportion import proportion_confint

from mmbench.statistics.intervals import intervals, on_scale, percentile, wilson
from mmbench.statistics.resampling import bootstrap_weights, degrees, draws_for
from mmbench.statistics.weighted import CALLS, auc_influence, of_sums, resampled

NAMES = (
    "accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "f1_micro", "precision_macro",
    "recall_macro", "roc_auc", "log_loss", "ece",
)  # fmt: skip
METRICS: dict[str, Any] = {name: getattr(scores, name)() for name in NAMES}


def sample(n: int, k: int, seed: int, separation: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Return truth with a class ever rarer, and probabilities that know something of it."""
    rng = np.random.default_rng(seed)
    truth = np.sort(rng.choice(k, n, p=np.arange(k, 0, -1) / (k * (k + 1) / 2)))
    truth[:k] = np.arange(k)
    logits = rng.normal(size=(n, k)) + separation * (truth[:, np.newaxis] == np.arange(k))
    odds = np.exp(separation * logits)
    return truth, odds / odds.sum(axis=1, keepdims=True)


def weighted_by_sklearn(truth: np.ndarray, p: np.ndarray, w: np.ndarray) -> dict[str, float]:
    """Evaluate scikit-learn's metrics of the samples that weigh something."""
    t, p, w = truth[w > 0], p[w > 0], w[w > 0]
    y = p.argmax(axis=1)
    gap = np.zeros(15)
    bins = np.clip(np.ceil(p.max(axis=1) * 15).astype(int) - 1, 0, 14)
    np.add.at(gap, bins, w * ((y == t) - p.max(axis=1)))
    macro: dict[str, Any] = {"average": "macro", "zero_division": 0, "sample_weight": w}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "accuracy": sk.accuracy_score(t, y, sample_weight=w),
            "balanced_accuracy": sk.balanced_accuracy_score(t, y, sample_weight=w),
            "f1_macro": sk.f1_score(t, y, **macro),
            "f1_weighted": sk.f1_score(t, y, **{**macro, "average": "weighted"}),
            "f1_micro": sk.f1_score(t, y, **{**macro, "average": "micro"}),
            "precision_macro": sk.precision_score(t, y, **macro),
            "recall_macro": sk.recall_score(t, y, **macro),
            "log_loss": sk.log_loss(t, p, labels=np.arange(p.shape[1]), sample_weight=w),
            "ece": float(np.abs(gap).sum() / w.sum()),
        }


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (7, 7), (13, 40), (912, 1000)])
def test_accuracy_without_groups_has_wilsons_interval(successes: int, n: int) -> None:
    expected = proportion_confint(successes, n, method="wilson")
    assert wilson(successes, n) == pytest.approx(expected, abs=1e-9)
    truth = np.arange(n) % 2
    right = np.arange(n) < successes
    p = np.eye(2)[np.where(right, truth, 1 - truth)]
    found = intervals({"accuracy": METRICS["accuracy"]}, truth, p)["accuracy"]
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize("grouped", [False, True])
def test_every_draw_is_the_metric_of_its_weights(k: int, grouped: bool) -> None:
    truth, p = sample(90, k, k)
    groups = np.random.default_rng(1).integers(0, 12, 90) if grouped else None
    weights = bootstrap_weights(truth, groups, draws=12, seed=3)
    found = resampled(METRICS, truth, p, weights)
    assert (weights[:, 0] == 1).all()
    for draw, w in enumerate(weights.T):
        for name, value in weighted_by_sklearn(truth, p, w).items():
            assert found[name][draw] == pytest.approx(value, abs=1e-9), name


def test_area_under_the_roc_curve_is_taken_to_first_order() -> None:
    """Its derivative in the weights is scikit-learn's; equal scores count by half."""
    for k in (2, 4):
        truth, p = sample(80, k, 7)
        p = np.round(p, 1) + 0.01
        p /= p.sum(axis=1, keepdims=True)
        p = np.round(p, 12)
        area, influence = auc_influence(truth, p)

        def exact(w: np.ndarray, truth: np.ndarray = truth, p: np.ndarray = p) -> float:
            columns = [1] if p.shape[1] == 2 else range(p.shape[1])
            return float(
                np.mean([sk.roc_auc_score(truth == c, p[:, c], sample_weight=w) for c in columns])
            )

        assert area == pytest.approx(exact(np.ones(80)), abs=1e-12)
        for direction in np.random.default_rng(0).normal(size=(4, 80)):
            slope = (exact(1 + 1e-6 * direction) - exact(1 - 1e-6 * direction)) / 2e-6
            assert direction @ influence == pytest.approx(slope, abs=1e-8)
        weights = bootstrap_weights(truth, np.arange(80) // 3, draws=20)
        found = of_sums({"roc_auc"}, truth, p, weights)["roc_auc"]
        assert found == pytest.approx(area + influence @ weights, abs=1e-12)


def test_draws_are_of_whole_groups_within_classes_and_without_bias() -> None:
    """The variance of a mean over draws is the unbiased estimate, however small a class is."""
    truth = np.repeat([0, 1, 2], [3, 10, 1])
    value = np.random.default_rng(0).normal(size=14)
    weights = bootstrap_weights(truth, draws=20_000, seed=1)
    assert (weights[13] == 1).all()
    for members in (slice(0, 3), slice(3, 13)):
        n = len(value[members])
        assert weights[members].sum(axis=0) == pytest.approx(n)
        means = value[members] @ weights[members, 1:] / n
        assert np.var(means) == pytest.approx(np.var(value[members], ddof=1) / n, rel=0.05)
    groups = np.array([5, 5, 9, 2, 2, 2, 7, 7, 1, 1, 1, 1, 1, 5])  # 5 is of two classes
    drawn = bootstrap_weights(truth, groups, draws=200)
    assert all((drawn[groups == g] == drawn[groups == g][0]).all() for g in groups)
    pure = np.repeat(np.arange(7), 2)
    stratified = bootstrap_weights(np.repeat([0, 1], [8, 6]), pure, draws=50)
    assert stratified[:8].sum(axis=0) == pytest.approx(8)
    assert degrees(np.repeat([0, 1], [8, 6]), pure) == 5
    assert degrees(truth, groups) == 4
    assert degrees(truth) == 11


def test_intervals_are_wider_where_little_is_drawn() -> None:
    values = np.random.default_rng(0).normal(size=200_001)
    assert percentile(values, 1e9) == pytest.approx((-1.96, 1.96), abs=0.02)
    assert percentile(values, 4) == pytest.approx((-2.776, 2.776), abs=0.1)
    assert percentile(values, 1e9, 0.5) == pytest.approx((-0.674, 0.674), abs=0.02)
    assert np.isnan(percentile(np.full(5, np.nan), 4)).all()
    drawn = np.array([0.9, *(0.9 + 0.01 * values[:1000])])
    low, high = on_scale(drawn, "logit", 1e9)
    assert 0.8 < low < 0.9 - 1.9 * 0.01 < 0.9 + 1.6 * 0.01 < high < 1
    assert np.log(on_scale(drawn, "log", 1e9)).mean() == pytest.approx(np.log(0.9))
    assert on_scale(np.ones(9), "logit", 8) == (1, 1)
    assert [draws_for(n) for n in (10, 10_000, 10**7)] == [1000, 500, 200]


class Errors:
    """Counts wrong decisions; of few distinct samples it cannot."""

    needs = "labels"
    higher_is_better = False

    def __call__(self, truth: np.ndarray, predicted: np.ndarray, probabilities: Any) -> float:
        if truth.tolist().count(0) > 3:
            raise ValueError("too many of class 0")
        return float(np.sum(truth != predicted))


def test_a_metric_of_unknown_form_is_called_on_what_was_drawn() -> None:
    truth, p = np.repeat([0, 1], [3, 20]), sample(23, 2, 0)[1]
    weights = bootstrap_weights(truth, draws=300)
    for name in ("errors", "accuracy"):  # the name alone does not make it accuracy
        found = resampled({name: Errors()}, truth, p, weights)[name]
        rows = np.repeat(np.arange(23), weights[:, 1].astype(int))
        assert len(found) == 1 + CALLS
        assert found[1] == np.sum(truth[rows] != p[rows].argmax(axis=1))
    bins = {"ece": scores.ece(bins=4)}
    assert len(resampled(bins, truth, p, weights)["ece"]) == 1 + CALLS
    fails = resampled({"e": Errors()}, np.repeat([0, 1], [2, 21]), p, np.full((23, 2), [1.0, 2.0]))
    assert np.isnan(fails["e"]).tolist() == [False, True]
    absent = intervals({"roc_auc": METRICS["roc_auc"]}, np.zeros(23, int), p)["roc_auc"]
    assert np.isnan(absent).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_cover_the_truth(grouped: bool) -> None:
    """A fast simulation; the full one is in ``benchmarks.simulations``."""
    names, k, draws = {"accuracy", "f1_macro", "roc_auc", "log_loss"}, 3, 250
    metrics = {name: METRICS[name] for name in sorted(names)}

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        groups = np.arange(n) // 4
        truth = groups % k
        shared = rng.normal(size=(n // 4, k))[groups] * grouped
        own = truth[:, np.newaxis] == np.arange(k)
        odds = np.exp(1.5 * (rng.normal(size=(n, k)) + shared + 1.8 * own))
        return truth, odds / odds.sum(axis=1, keepdims=True), groups

    rng = np.random.default_rng(4)
    truth, p, _ = draw(120_000, rng)
    expected = of_sums(names, truth, p, np.ones((len(truth), 1)))
    covered = dict.fromkeys(metrics, 0)
    for _ in range(draws):
        truth, p, groups = draw(120, rng)
        for name, (low, high) in intervals(metrics, truth, p, groups if grouped else None).items():
            covered[name] += low <= expected[name][0] <= high
    for name, times in covered.items():
        assert 0.905 <= times / draws <= 0.985, name
