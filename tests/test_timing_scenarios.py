import math

import numpy as np
import pytest
from scipy.optimize import brentq

from mmbench.errors import UserError
from mmbench.timing.clocks import CpuClock, FakeClock
from mmbench.timing.sampling import StopRule
from mmbench.timing.scenarios import find_rate, offline, server, single_stream

SERVICE = 0.01  # seconds


def queries(n):
    return StopRule(min_repeats=n, min_seconds=0, max_seconds=1e9, warmup=2)


def constant(clock, seconds=SERVICE):
    return lambda batch: clock.advance(seconds)


def exponential(clock, seconds=SERVICE):
    rng = np.random.default_rng(7)
    return lambda batch: clock.advance(rng.exponential(seconds))


def wait_of_md1(load, p):
    """Return the quantile of the waiting time of M/D/1 (Erlang 1909), in services."""

    def below(t):
        terms = (
            (load * (k - t)) ** k / math.factorial(k) * math.exp(-load * (k - t))
            for k in range(math.floor(t) + 1)
        )
        return (1 - load) * sum(terms) - p

    return brentq(below, 0, 20)


def test_single_stream_is_one_sample_at_a_time():
    clock, sizes = FakeClock(), set()

    def work(batch):
        sizes.add(len(batch))
        clock.advance(0.004)

    found = single_stream(work, clock, queries(400))
    assert sizes == {1}
    assert found.latency.p99.value == pytest.approx(0.004)
    assert found.throughput.value == pytest.approx(250)


def test_offline_throughput_has_the_interval_of_the_mean():
    clock = FakeClock()
    found = offline(exponential(clock), clock, queries(1000), 16)
    seconds = found.samples.seconds
    assert found.throughput.value == pytest.approx(16 * len(seconds) / seconds.sum())
    assert found.throughput.low == pytest.approx(16 / found.latency.mean.high)
    assert found.throughput.high == pytest.approx(16 / found.latency.mean.low)
    assert found.throughput.low < 16 / SERVICE < found.throughput.high


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_the_mean_wait_is_that_of_pollaczek_and_khinchine(load):
    clock = FakeClock()
    found = server(constant(clock), clock, queries(200_000), load / SERVICE)
    expected = SERVICE * load / (2 * (1 - load))
    assert found.waits.mean() == pytest.approx(expected, rel=0.05)
    assert found.latencies.mean() == pytest.approx(expected + SERVICE, rel=0.05)
    assert np.mean(found.waits < 1e-8) == pytest.approx(1 - load, abs=0.01)
    assert found.load == pytest.approx(load, rel=0.02)
    assert found.throughput == pytest.approx(load / SERVICE, rel=0.02)


def test_arrivals_are_a_poisson_process_at_the_given_rate():
    clock = FakeClock()
    found = server(constant(clock), clock, queries(20_000), 50.0, seed=3)
    gaps = np.diff(found.arrivals)
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.03)
    assert gaps.std() == pytest.approx(1 / 50, rel=0.03)
    slower = server(constant(clock), clock, queries(20_000), 10.0, seed=3)
    np.testing.assert_allclose(slower.arrivals, 5 * found.arrivals)


def test_intervals_hold_although_queries_share_a_queue():
    load, clock, runs = 0.5, FakeClock(), 150
    truth = SERVICE * (1 + wait_of_md1(load, 0.9))
    covered = []
    for seed in range(runs):
        found = server(constant(clock), clock, queries(4000), load / SERVICE, seed=seed)
        assert found.latency.effective < 0.5 * 4000
        covered.append(found.latency.p90.low <= truth <= found.latency.p90.high)
    assert np.mean(covered) >= 0.92  # as if independent, two thirds


def test_latency_counts_from_the_scheduled_arrival():
    clock, served = FakeClock(), []

    def work(batch):
        served.extend(batch)
        clock.advance(1.0 if len(served) == 4 else 0.001)  # after a cold and two warm ones

    found = server(work, clock, queries(50), 100.0)
    blocked = found.arrivals < found.ends[0]
    assert blocked.sum() > 10
    behind = np.arange(blocked.sum())
    due = found.arrivals[0] + 1.0 + 0.001 * behind - found.arrivals[blocked]
    np.testing.assert_allclose(found.latencies[blocked], due, atol=1e-6)


def test_a_free_server_takes_the_waiting_queries_together():
    clock, sizes = FakeClock(), []

    def work(batch):
        sizes.append(len(batch))
        clock.advance(SERVICE)

    found = server(work, clock, queries(5000), 4 / SERVICE, batch_size=16)
    del sizes[:3]
    assert sum(sizes) == 5000
    assert max(sizes) <= 16
    assert found.mean_batch == pytest.approx(np.mean(sizes))
    # those that came during a service, Poisson with mean 4, or else the next one
    assert found.mean_batch == pytest.approx(4 + math.exp(-4), rel=0.03)
    assert found.load < 1
    assert (np.diff(found.starts) >= 0).all()


def test_a_server_that_cannot_keep_up_reports_no_percentile():
    clock = FakeClock()
    rule = StopRule(min_repeats=400, min_seconds=10, max_seconds=10, warmup=1)
    found = server(constant(clock), clock, rule, 5 / SERVICE)
    assert found.unserved > 1000
    assert found.load > 1
    assert found.latency.p50.value is None
    assert "were not served when 20 s were over" in found.latency.p50.reason
    assert not found.keeps(1e9)


def test_queries_that_the_time_does_not_allow_are_told():
    clock = FakeClock()
    rule = StopRule(min_repeats=400, min_seconds=0, max_seconds=10, warmup=1)
    found = server(constant(clock), clock, rule, 10.0)
    assert found.unserved == 0
    assert len(found.ends) < 400
    assert found.reason == f"{len(found.ends)} of 400 are due within max_seconds (10)"
    assert found.latency.p99.value is None
    assert found.latency.p50.value is not None


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_the_highest_rate_is_that_of_an_exponential_server(load):
    # M/M/1: latency is exponential with the rate of service minus that of arrivals
    clock = FakeClock()
    bound = math.log(100) / ((1 - load) / SERVICE)
    found = find_rate(exponential(clock), clock, queries(60_000), bound)
    assert found.served.rate == pytest.approx(load / SERVICE, rel=0.05)
    assert found.served.latency.p99.value <= bound
    kept = [rate for rate, keeps in found.trials if keeps]
    broken = [rate for rate, keeps in found.trials if not keeps]
    assert max(kept) == found.served.rate
    assert 1 < min(broken) / max(kept) <= 1.02
    assert found.reason == ""


def test_a_generous_bound_finds_the_capacity_and_no_more():
    clock = FakeClock()
    found = find_rate(constant(clock), clock, queries(400), 5.0)
    assert found.served.load < 1
    assert found.served.rate == pytest.approx(1 / SERVICE, rel=0.1)


def test_a_bound_below_the_service_is_kept_at_no_rate():
    clock = FakeClock()
    rule = StopRule(min_repeats=400, min_seconds=0, max_seconds=60, warmup=2)
    found = find_rate(constant(clock), clock, rule, 0.5 * SERVICE)
    assert found.served is None
    assert found.trials
    assert not any(keeps for _, keeps in found.trials)
    assert "the p99 needs 368 queries" in found.reason


def test_the_real_clock_serves_the_same_schedule():
    rule = StopRule(min_repeats=40, min_seconds=0, max_seconds=10, warmup=1)
    found = server(lambda batch: None, CpuClock(), rule, 400.0, seed=1)
    clock = FakeClock()
    simulated = server(lambda batch: None, clock, rule, 400.0, seed=1)
    np.testing.assert_array_equal(found.arrivals, simulated.arrivals)
    assert len(found.ends) == 40
    assert (found.waits >= 0).all()
    assert found.ends[-1] >= found.arrivals[-1]


def test_out_of_memory_reaches_the_caller_in_every_scenario():
    clock = FakeClock()
    error = MemoryError("no room")

    def work(batch):
        if batch.start > 4:
            raise error
        clock.advance(0.01)

    rule = queries(100)
    for scenario in (
        lambda: single_stream(work, clock, rule),
        lambda: offline(work, clock, rule, 2),
        lambda: server(work, clock, rule, 10.0),
        lambda: find_rate(work, clock, rule, 0.1),
    ):
        with pytest.raises(MemoryError) as caught:
            scenario()
        assert caught.value is error


def test_impossible_rates_are_refused():
    clock = FakeClock()
    work = constant(clock)
    with pytest.raises(UserError, match="server rate is -1"):
        server(work, clock, queries(10), -1.0)
    with pytest.raises(UserError, match="no query is due within max_seconds"):
        server(work, clock, StopRule(max_seconds=1, min_seconds=0), 1e-9)
    with pytest.raises(UserError, match="p99 bound 0"):
        find_rate(work, clock, queries(10), 0.0)
