"""Tests on the scores of folds, and corrections for many tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mmbench.statistics.families import adjust
from mmbench.statistics.replicates import corrected_resampled_t


def test_without_overlap_it_is_the_t_test() -> None:
    """As the test part shrinks against the training part, the correction goes."""
    differences = np.random.default_rng(0).normal(0.02, 0.03, size=10)
    found = corrected_resampled_t(differences, n_train=1e300, n_test=1, level=0.9)
    expected = stats.ttest_1samp(differences, 0)
    interval = expected.confidence_interval(0.9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(interval), abs=1e-9)
    assert found.estimate == pytest.approx(differences.mean(), abs=1e-12)
    assert found.effect == pytest.approx(expected.statistic / math.sqrt(10), abs=1e-9)
    assert found.n == 10


def test_the_variance_is_multiplied_as_by_nadeau_and_bengio() -> None:
    differences = np.random.default_rng(1).normal(0.02, 0.03, size=15)
    found = corrected_resampled_t(differences, n_train=90, n_test=10)
    inflation = math.sqrt((1 / 15 + 10 / 90) * 15)
    statistic = stats.ttest_1samp(differences, 0).statistic / inflation
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(statistic), 14), abs=1e-9)
    plain = stats.ttest_1samp(differences, 0).confidence_interval()
    assert found.high - found.low == pytest.approx(inflation * (plain.high - plain.low), abs=1e-9)
    assert found.high + found.low == pytest.approx(2 * differences.mean(), abs=1e-9)


def test_false_alarms_are_as_many_as_stated() -> None:
    """Scores that correlate by n_test / n, as the correction supposes: p-values are uniform."""
    rng = np.random.default_rng(2)
    folds, correlation = 5, 0.2
    common, own = rng.normal(size=(1000, 1)), rng.normal(size=(1000, folds))
    differences = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own
    p_values = [corrected_resampled_t(row, n_train=80, n_test=20).p_value for row in differences]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    uncorrected = stats.ttest_1samp(differences, 0, axis=1).pvalue
    assert np.mean(uncorrected <= 0.05) > 0.1


def test_differences_that_do_not_vary() -> None:
    assert corrected_resampled_t(np.zeros(5), 80, 20).p_value == 1
    shifted = corrected_resampled_t(np.full(5, 0.5), 80, 20)
    assert (shifted.p_value, shifted.low, shifted.high) == (stats.binomtest(5, 5).pvalue, 0.5, 0.5)
    assert math.isnan(shifted.effect)


@pytest.mark.parametrize("wrong", [(np.zeros(1), 80, 20), (np.zeros(3), 0, 20)])
def test_nothing_to_test(wrong: tuple[np.ndarray, int, int]) -> None:
    with pytest.raises(ValueError, match="expected two differences or more"):
        corrected_resampled_t(*wrong)


p_values = st.lists(st.floats(0, 1) | st.just(math.nan), max_size=20).map(np.array)


@settings(max_examples=30, deadline=None)
@given(p_values)
def test_holm_steps_down(p: np.ndarray) -> None:
    """By its definition: the largest of (m - j) p_(j) so far, at most 1."""
    made = np.sort(p[~np.isnan(p)])
    steps = [
        min(1.0, max((len(made) - j) * made[j] for j in range(i + 1))) for i in range(len(made))
    ]
    found = adjust(p)
    assert np.isnan(found[np.isnan(p)]).all()
    assert np.sort(found[~np.isnan(p)]) == pytest.approx(steps, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(p_values)
def test_the_false_discovery_rate_is_that_of_statsmodels(p: np.ndarray) -> None:
    made = ~np.isnan(p)
    found = adjust(p, "fdr")
    expected = multipletests(p[made], method="fdr_bh")[1] if made.any() else []
    assert found[made] == pytest.approx(expected, abs=1e-9)
