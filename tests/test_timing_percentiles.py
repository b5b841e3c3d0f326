import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from mmbench.timing.clocks import FakeClock
from mmbench.timing.percentiles import describe, effective_size, samples_needed, undescribed
from mmbench.timing.sampling import StopRule, sample

FIGURES = ("mean", "p50", "p90", "p99")
times = arrays(
    np.float64, st.integers(1, 500), elements=st.floats(1e-6, 1e3, allow_subnormal=False)
)


def true_figures(distribution):
    return {
        "mean": distribution.mean(),
        "p50": distribution.ppf(0.5),
        "p90": distribution.ppf(0.9),
        "p99": distribution.ppf(0.99),
    }


@pytest.mark.parametrize(
    ("cost", "jitter"),
    [
        (1e-3, stats.gamma(4, loc=1e-3, scale=1e-4)),
        (1e-2, stats.lognorm(0.3, loc=1e-2, scale=1e-3)),
        (1e-1, stats.uniform(1e-1, 2e-2)),
    ],
    ids=["1ms-gamma", "10ms-lognormal", "100ms-uniform"],
)
def test_intervals_cover_what_is_true(cost, jitter):
    runs, repeats = 2000, 600
    rule = StopRule(min_repeats=repeats, min_seconds=0, max_seconds=1e9, warmup=0)
    draws = jitter.rvs(size=(runs, repeats + 1), random_state=round(1e4 * cost))
    truth = true_figures(jitter)
    clock = FakeClock()
    covered = {name: [] for name in FIGURES}
    for drawn in draws:
        duration = iter(drawn.tolist())
        found = describe(sample(lambda _, d=duration: clock.advance(next(d)), clock, rule).seconds)
        for name in FIGURES:
            estimate = getattr(found, name)
            if estimate.low is not None:
                covered[name].append(estimate.low <= truth[name] <= estimate.high)
    for name in FIGURES:
        assert len(covered[name]) >= 0.95 * runs
        assert 0.93 <= np.mean(covered[name]) <= 0.97, name


@pytest.mark.parametrize(("p", "needed"), [(0.5, 6), (0.9, 36), (0.99, 368)])
def test_a_percentile_the_sample_cannot_support_is_left_empty(p, needed):
    assert samples_needed(p) == needed
    # the largest of n lies above the quantile with a probability of 1 - p^n
    assert stats.binom.cdf(needed - 1, needed, p) >= 0.975
    assert stats.binom.cdf(needed - 2, needed - 1, p) < 0.975
    name = f"p{100 * p:.0f}"
    drawn = np.random.default_rng(3).permutation(np.arange(1.0, needed + 1))
    enough, short = describe(drawn), describe(drawn[1:])
    assert getattr(enough, name).value == np.quantile(drawn, p)
    assert getattr(enough, name).high <= needed
    missing = getattr(short, name)
    assert (missing.value, missing.low, missing.high) == (None, None, None)
    assert missing.reason == f"{name} needs {needed} samples, not {needed - 1}"


def test_the_interval_agrees_with_the_binomial_one():
    n = 1000
    drawn = np.random.default_rng(1).permutation(np.arange(1.0, n + 1))  # a value is its rank
    found = describe(drawn)
    assert found.effective == n  # this order is taken for an independent one
    for p, estimate in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        lower, upper = stats.binom.ppf((0.025, 0.975), n, p)
        assert estimate.low == pytest.approx(lower, abs=1.5)
        assert estimate.high == pytest.approx(upper + 1, abs=1.5)


def test_samples_that_depend_on_each_other_are_worth_fewer():
    rng = np.random.default_rng(0)
    phi, n = 0.8, 100_000
    noise = rng.normal(size=n)
    series = np.empty(n)
    last = 0.0
    for i in range(n):
        last = series[i] = phi * last + noise[i]
    assert effective_size(noise) == pytest.approx(n, rel=0.05)
    assert effective_size(series) == pytest.approx(n * (1 - phi) / (1 + phi), rel=0.1)


def test_an_interval_that_dependence_takes_away_has_its_reason():
    drift = np.linspace(1, 2, 1000) + np.random.default_rng(0).normal(0, 0.01, 1000)
    found = describe(drift)
    assert found.p99.value == np.quantile(drift, 0.99)
    assert (found.p99.low, found.p99.high) == (None, None)
    assert "depend on each other" in found.p99.reason


def test_outliers_are_counted_and_stay():
    quiet = np.random.default_rng(1).normal(10, 1, 400)
    quartiles = np.quantile(quiet, (0.25, 0.75))
    reach = 3 * np.diff(quartiles)[0]
    spoilt = np.concatenate([quiet, [quartiles[1] + 1.2 * reach] * 4, [quartiles[0] - 2 * reach]])
    assert describe(quiet).outliers == 0
    found = describe(spoilt)
    assert found.outliers == 5
    assert found.n == 405
    assert found.mean.value == pytest.approx(spoilt.mean())


@given(times)
def test_figures_are_those_of_numpy_and_within_their_intervals(seconds):
    found = describe(seconds)
    assert found.n == len(seconds)
    assert found.mean.value == pytest.approx(seconds.mean())
    for p, estimate in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        assert (estimate.value is None) == (len(seconds) < samples_needed(p))
        if estimate.value is not None:
            assert estimate.value == np.quantile(seconds, p)
        if estimate.low is None:
            assert estimate.reason
        else:
            assert seconds.min() <= estimate.low <= estimate.value <= estimate.high <= seconds.max()


def test_equal_times_have_equal_bounds():
    found = describe(np.full(500, 0.1))
    assert (found.p99.low, found.p99.value, found.p99.high) == (0.1, 0.1, 0.1)
    assert found.outliers == 0


@pytest.mark.parametrize("wrong", [[], [1.0, np.nan], [[1.0]]])
def test_no_times_are_refused(wrong):
    with pytest.raises(ValueError, match="one or more finite numbers"):
        describe(np.array(wrong))


def test_an_empty_distribution_says_why():
    empty = undescribed("the server did not keep up")
    assert empty.p99.value is None
    assert empty.p99.reason == "the server did not keep up"
