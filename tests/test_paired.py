"""Is A better than B? Against statsmodels, scipy and every permutation."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from mmbench_metrics import scores
from scipy.stats import norm, permutation_test
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar

from mmbench.errors import UserError
from mmbench.statistics.paired import compare_predictions
from mmbench.statistics.resampling import bootstrap_weights

Pair = tuple[np.ndarray, np.ndarray, np.ndarray]


def pair(n: int, k: int, seed: int, a: float = 1.0, b: float = 1.0) -> Pair:
    """Return truth and two predictions that have some of their noise in common."""
    rng = np.random.default_rng(seed)
    truth, shared = np.arange(n) % k, rng.normal(size=(n, k))
    own = truth[:, np.newaxis] == np.arange(k)
    odds = [np.exp(shared + rng.normal(size=(n, k)) + s * own) for s in (a, b)]
    of_a, of_b = (each / each.sum(axis=1, keepdims=True) for each in odds)
    return truth, of_a, of_b


def few(n: int, k: int, differing: int, seed: int) -> Pair:
    """Return the same, but for a few samples equal."""
    truth, a, b = pair(n, k, seed, 2, 0)
    predicted = np.flatnonzero(a.argmax(axis=1) != b.argmax(axis=1))[:differing]
    return truth, a, np.where(np.isin(np.arange(n), predicted)[:, np.newaxis], b, a)


@pytest.mark.parametrize("seed", range(2))
def test_accuracy_is_compared_by_mcnemars_exact_test(seed: int) -> None:
    truth, a, b = pair(60, 3, seed, 1.5, 0.8)
    right = [each.argmax(axis=1) == truth for each in (a, b)]
    table = [[np.sum(x & y) for y in (right[1], ~right[1])] for x in (right[0], ~right[0])]
    found = compare_predictions("accuracy", truth, a, b)
    assert found.test == "exact McNemar"
    assert found.p_value == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-9)
    assert found.estimate == pytest.approx(right[0].mean() - right[1].mean())
    only = table[0][1] / (table[0][1] + table[1][0])
    assert (found.effect_name, found.effect) == ("Cohen's g", pytest.approx(only - 0.5))
    assert found.low < found.estimate < found.high
    back = compare_predictions("accuracy", truth, b, a)
    assert (back.estimate, back.p_value) == (-found.estimate, found.p_value)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low), abs=1e-12)


def test_a_difference_is_tested_by_all_permutations_where_they_are_few() -> None:
    truth, a, b = few(40, 3, 7, 1)
    groups = np.repeat(np.arange(10), 4)
    differ = np.flatnonzero(a.argmax(axis=1) != b.argmax(axis=1))

    def f1(p: np.ndarray) -> float:
        return float(sk.f1_score(truth, p.argmax(axis=1), average="macro"))

    for units in ([[i] for i in differ], [np.flatnonzero(groups == g) for g in range(10)]):
        of_units = [u for u in units if np.isin(u, differ).any()]
        found = []
        for swaps in product([False, True], repeat=len(of_units)):
            rows = np.zeros(40, bool)
            for unit, is_swapped in zip(of_units, swaps, strict=True):
                rows[unit] = is_swapped
            x, y = (np.where(rows[:, np.newaxis], *p) for p in ((b, a), (a, b)))
            found.append(f1(x) - f1(y))
        expected = np.mean(np.abs(found) >= abs(f1(a) - f1(b)) - 1e-12)
        given = None if len(units) == len(differ) else groups
        for metric in ("f1_macro", scores.f1_macro()):  # by sums, and by calls
            result = compare_predictions(metric, truth, a, b, groups=given, draws=1500)
            assert result.test == "paired permutation"
            if metric == "f1_macro" or len(of_units) <= 7:
                assert result.p_value == pytest.approx(expected, abs=1e-9)
            assert result.estimate == pytest.approx(f1(a) - f1(b), abs=1e-12)
    truth, a, b = pair(9, 2, 3, 1.5, 0.5)
    losses = [-np.log(each[np.arange(9), truth]) for each in (a, b)]
    exact = permutation_test(
        losses, lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    )
    result = compare_predictions("log_loss", truth, a, b)
    assert result.p_value == pytest.approx(exact.pvalue, abs=1e-9)
    assert result.estimate == pytest.approx(exact.statistic, abs=1e-9)


def test_p_values_that_permutations_cannot_tell_are_of_their_normal_tail() -> None:
    truth, a, b = pair(300, 3, 0, 2.5, 0.0)
    difference = np.log(b[np.arange(300), truth]) - np.log(a[np.arange(300), truth])
    spread = np.sqrt(np.mean(difference**2) / 300)  # of a mean of signed differences
    expected = 2 * norm.sf(abs(difference.mean()) / spread)
    found = compare_predictions("log_loss", truth, a, b)
    assert np.log(found.p_value) == pytest.approx(np.log(expected), rel=0.15)
    groups = np.arange(300) // 25  # 12 of them: no p-value is under that of one in 2**11
    assert compare_predictions("log_loss", truth, a, b, groups=groups).p_value >= 2**-11
    assert compare_predictions("log_loss", truth, a, a).p_value == 1


def by_hand(truth: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """Compute DeLong's test of two classes from all pairs, as the paper has it."""
    placed = []
    for p in (a[:, 1], b[:, 1]):
        x, y = p[truth == 1], p[truth == 0]
        psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
        placed.append((psi.mean(axis=1), psi.mean(axis=0)))
    (a10, a01), (b10, b01) = placed
    variance = np.var(a10 - b10, ddof=1) / len(a10) + np.var(a01 - b01, ddof=1) / len(a01)
    return float(2 * norm.sf(abs(a10.mean() - b10.mean()) / np.sqrt(variance)))


def test_areas_under_the_roc_curve_are_compared_by_delongs_test() -> None:
    truth, a, b = pair(80, 2, 5, 1.4, 0.9)
    a, b = np.round(a, 1), np.round(b, 2)
    found = compare_predictions("roc_auc", truth, a, b)
    assert found.test == "DeLong"
    assert found.p_value == pytest.approx(by_hand(truth, a, b), abs=1e-9)
    alone = compare_predictions("roc_auc", truth, a, b, groups=np.arange(80))
    assert alone.p_value == pytest.approx(found.p_value, rel=0.1)
    copied = [np.repeat(each, 5, axis=0) for each in (truth, a, b)]
    clustered = compare_predictions("roc_auc", *copied, groups=np.repeat(np.arange(80), 5))
    assert clustered.p_value == pytest.approx(alone.p_value, abs=1e-9)
    undefined = compare_predictions("roc_auc", np.zeros(80, int), a, b)
    assert np.isnan([undefined.estimate, undefined.p_value, undefined.low]).all()
    assert compare_predictions("roc_auc", truth, a, a).p_value == 1


def test_the_interval_is_of_differences_on_the_same_draws() -> None:
    truth, a, b = pair(70, 3, 2, 1.5, 1.0)
    weights = bootstrap_weights(truth, draws=60, seed=9)
    drawn = [
        sk.f1_score(truth, a.argmax(1), average="macro", sample_weight=w)
        - sk.f1_score(truth, b.argmax(1), average="macro", sample_weight=w)
        for w in weights.T[1:]
    ]
    found = compare_predictions("f1_macro", truth, a, b, draws=60, seed=9)
    tail = norm.cdf(-found_t(67))
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [tail, 1 - tail]), abs=1e-9)
    assert found.effect == pytest.approx(found.estimate / np.std(drawn) / np.sqrt(70), abs=1e-9)


def found_t(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(0.975, degrees))


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro", "roc_auc", "log_loss"])
def test_equal_methods_are_told_apart_no_oftener_than_stated(metric: str) -> None:
    groups = np.arange(60) // 2 if metric == "f1_macro" else None
    given: dict[str, Any] = {"groups": groups, "draws": 200, "name": metric}
    built = getattr(scores, metric)()
    found = [compare_predictions(built, *pair(60, 2, seed), **given) for seed in range(150)]
    false = sum(each.p_value <= 0.05 for each in found)
    assert false <= 15  # 7.5 are expected, and one such test in 200 would have more than 15


def test_an_unknown_metric_is_named() -> None:
    truth, a, b = pair(9, 2, 0)
    with pytest.raises(UserError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        compare_predictions("acuracy", truth, a, b)


def test_a_metric_given_as_such_is_known_by_its_name() -> None:
    truth, a, b = pair(120, 3, 4, 1.5, 1.0)
    metric: Any = scores.f1_macro()
    known = compare_predictions(metric, truth, a, b, name="f1_macro")
    assert known == compare_predictions("f1_macro", truth, a, b)
    called = compare_predictions(metric, truth, a, b)
    assert called.p_value == pytest.approx(known.p_value, abs=0.06)
    assert called.p_value != known.p_value
