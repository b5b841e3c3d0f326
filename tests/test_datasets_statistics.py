"""Methods compared over datasets: mean ranks, post-hoc tests, groups, the Bayesian test."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import scikit_posthocs
from scipy import stats

from mmbench.statistics.datasets import (
    bayesian_signed_rank,
    compare_on_datasets,
    critical_difference,
    friedman,
    mean_ranks,
)

NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9752, 0.975],  # printed alike, and ranked 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ]
).T
"""Demšar (2006), table 6: areas under the ROC curve, four methods on 14 datasets."""


def test_the_worked_example_of_demsar() -> None:
    found = compare_on_datasets(DEMSAR, NAMES, post_hoc="nemenyi", level=0.9)
    assert found.mean_ranks == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.12, abs=5e-3)
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=5e-3)
    assert found.groups == (("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5"))
    uncorrected = 12 * 14 / 20 * ((found.mean_ranks**2).sum() - 4 * 25 / 4)
    assert uncorrected == pytest.approx(9.28, abs=5e-3)

    pair = compare_on_datasets(DEMSAR[:2], NAMES[:2])
    signed_rank = stats.wilcoxon(DEMSAR[0] - DEMSAR[1], zero_method="zsplit")
    assert signed_rank.statistic == 12  # table 2
    assert pair.p_value == pytest.approx(signed_rank.pvalue, abs=1e-9)
    assert pair.groups == (("C4.5+m",), ("C4.5",))


def test_statistics_are_those_of_scipy_and_scikit_posthocs() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 12)) + np.arange(5)[:, None] / 3
    names = [f"m{i}" for i in range(5)]
    expected = stats.friedmanchisquare(*scores)
    for post_hoc in ("nemenyi", "wilcoxon"):
        found = compare_on_datasets(scores, names, post_hoc=post_hoc)
        assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
        assert found.mean_ranks == pytest.approx(stats.rankdata(-scores, axis=0).mean(axis=1))
        if post_hoc == "nemenyi":
            q = critical_difference(5, 12)
            apart = np.abs(np.subtract.outer(found.mean_ranks, found.mean_ranks)) >= q
            assert (apart == (found.p_values <= 0.05)).all()
            by_library = scikit_posthocs.posthoc_nemenyi_friedman(scores.T)
        else:
            by_library = scikit_posthocs.posthoc_wilcoxon(list(scores), p_adjust="holm")
        assert found.p_values == pytest.approx(by_library.to_numpy(), abs=1e-9)


def test_groups_are_the_longest_runs_that_nothing_splits() -> None:
    """By their definition, for every run of methods in the order of mean ranks."""
    rng = np.random.default_rng(1)
    seen = set()
    for spread in (0.0, 0.15, 0.3, 0.6, 1.2, 3.0):
        scores = rng.normal(size=(6, 14)) - spread * np.arange(6)[:, None]
        names = list("abcdef")
        found = compare_on_datasets(scores, names)
        order = sorted(range(6), key=lambda i: found.mean_ranks[i])
        differs = (found.p_values <= 0.05) & (found.p_value <= 0.05)
        runs = [
            order[start:stop]
            for start, stop in product(range(6), range(1, 7))
            if start < stop and not differs[np.ix_(order[start:stop], order[start:stop])].any()
        ]
        longest = [run for run in runs if not any(set(run) < set(other) for other in runs)]
        assert found.groups == tuple(tuple(names[i] for i in run) for run in longest)
        seen.add(len(found.groups))
    assert {1, 6} <= seen
    assert len(seen) > 2


def test_unless_friedman_says_so_no_pair_differs() -> None:
    """A pair that would differ by itself does not open a group of its own."""
    rng = np.random.default_rng(0)
    scores = np.vstack([rng.normal(size=(8, 16)), rng.normal(size=16) + 1.2])
    names = [str(i) for i in range(9)]
    found = compare_on_datasets(scores, names, level=0.999)
    assert found.p_value > 0.001
    assert len(found.groups) == 1
    assert compare_on_datasets(np.ones((3, 4)), "abc").groups == (("a", "b", "c"),)
    assert friedman(np.ones((3, 4))) == (0, 1)


def test_lower_scores_may_be_better() -> None:
    up = compare_on_datasets(DEMSAR, NAMES)
    down = compare_on_datasets(-DEMSAR, NAMES, higher_is_better=False)
    assert (down.mean_ranks == up.mean_ranks).all()
    assert down.groups == up.groups


def test_rounding_makes_ties() -> None:
    assert mean_ranks(np.array([[0.1 + 0.2], [0.3]])).tolist() == [1.5, 1.5]


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (np.ones((3, 4)), r"shape \(3, 4\) for 2 names"),
        (np.ones((2, 1)), r"shape \(2, 1\)"),
        (np.array([[1, 2], [math.nan, 1]]), "'b': one is missing"),
    ],
)
def test_scores_that_cannot_be_compared(scores: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        compare_on_datasets(scores, "ab")


def test_one_difference_has_a_posterior_in_closed_form() -> None:
    """Its weight is 1 - w with w ~ Beta(s, 1): better wherever w² < 1/2."""
    draws, prior = 40_000, 0.5
    found = bayesian_signed_rank(np.array([0.2]), 0.01, prior=prior, draws=draws)
    expected = math.sqrt(0.5) ** prior
    error = 4 * math.sqrt(expected * (1 - expected) / draws)
    assert found.better == pytest.approx(expected, abs=error)
    assert found.equivalent == pytest.approx(1 - expected, abs=error)
    assert found.worse == 0


def test_posteriors_are_counted_pair_by_pair() -> None:
    """Sums over all pairs of differences, the pseudo-observation included, as in the paper."""
    differences = np.array([0.03, -0.02, 0.05, 0.01, 0.0, 0.012])
    draws = 300
    weights = np.random.default_rng(7).dirichlet([0.5, 1, 1, 1, 1, 1, 1], draws)
    z = [0.0, *differences]
    wins = np.zeros(3)
    for w in weights:
        chance = np.zeros(3)
        for i, j in product(range(7), repeat=2):
            total = z[i] + z[j]
            where = 0 if total > 0.02 else 2 if total < -0.02 else 1
            if math.isclose(abs(total), 0.02):  # on the edge: half and half
                chance[1] += w[i] * w[j] / 2
                where, share = (0 if total > 0 else 2), 0.5
            else:
                share = 1.0
            chance[where] += share * w[i] * w[j]
        wins[chance.argmax()] += 1
    found = bayesian_signed_rank(differences, 0.01, draws=draws, seed=7)
    assert [found.better, found.equivalent, found.worse] == pytest.approx(wins / draws, abs=1e-9)


def test_posteriors_turn_with_their_differences() -> None:
    differences = np.random.default_rng(0).normal(0.01, 0.02, size=30)
    one, other = bayesian_signed_rank(differences), bayesian_signed_rank(-differences)
    assert (one.better, one.equivalent, one.worse) == (other.worse, other.equivalent, other.better)
    assert one.better + one.equivalent + one.worse == pytest.approx(1)
    zero = bayesian_signed_rank(np.zeros(4))
    assert zero.equivalent == 1


@pytest.mark.parametrize("wrong", [{"equivalent": -1}, {"prior": 0}, {"draws": 0}])
def test_options_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}={next(iter(wrong.values()))}"):
        bayesian_signed_rank(np.ones(3), **wrong)
