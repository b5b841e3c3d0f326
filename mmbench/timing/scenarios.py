"""How samples arrive: one by one, in batches, or as queries to a server.

The scenarios are those of MLPerf Inference (Reddi et al. 2020, "MLPerf Inference Benchmark",
ISCA) and of its load generator, LoadGen.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mmbench.errors import UserError
from mmbench.timing.clocks import Clock
from mmbench.timing.percentiles import (
    Distribution,
    Estimate,
    describe,
    samples_needed,
    undescribed,
)
from mmbench.timing.sampling import Samples, StopRule, Stream, Work, sample

SCENARIOS = ("single-stream", "offline", "server")


@dataclass(frozen=True)
class Measurement:
    """What `single_stream` and `offline` measured.

    Attributes
    ----------
    samples : Samples
        The raw times, one per call.
    latency : Distribution
        Of the times of a call.
    throughput : Estimate
        Samples per second: the batch size over the mean time of a call.
    """

    samples: Samples
    latency: Distribution
    throughput: Estimate


def single_stream(work: Work, clock: Clock, rule: StopRule) -> Measurement:
    """Process one sample at a time, each as soon as the one before is done.

    `offline` with batches of one; its figure is the latency.
    """
    return offline(work, clock, rule, 1)


def offline(work: Work, clock: Clock, rule: StopRule, batch_size: int) -> Measurement:
    """Process batch after batch, all samples being there from the start.

    A batch begins when the one before it is done: what a pipeline gains by preparing the next
    batch meanwhile is not counted.

    Parameters
    ----------
    work : Work
    clock : Clock
    rule : StopRule
        Its repeats are batches.
    batch_size : int

    Raises
    ------
    UserError
        If the batch size is less than 1.
    """
    return summarise(sample(work, clock, rule, batch_size))


def summarise(samples: Samples) -> Measurement:
    """Return what the raw times of batches say of latency and throughput."""
    latency = describe(samples.seconds)
    mean, size = latency.mean, samples.size
    throughput = Estimate(
        _rate(size, mean.value), _rate(size, mean.high), _rate(size, mean.low), mean.reason
    )
    return Measurement(samples, latency, throughput)


@dataclass(frozen=True)
class Served:
    """What `server` measured: the raw times of every query, in seconds since the schedule began.

    Attributes
    ----------
    rate : float
        Scheduled arrivals per second.
    cold : float
        Seconds of the first call, which is before the schedule.
    arrivals, starts, ends : ndarray of float64, shape (n,)
        When each query was due, when its service began and when it ended.
    batch_size : int
        How many waiting queries were served together at most.
    mean_batch : float
        How many were served together on average.
    load : float
        Seconds of service over the seconds in which the queries arrived. From 1 on the server
        does not keep up: the queue, and with it the latency, grows as long as they arrive.
    unserved : int
        Queries given up.
    reason : str
        Why there were fewer queries than the rule asks for, or why some were given up.
    """

    rate: float
    cold: float
    arrivals: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    batch_size: int
    mean_batch: float
    load: float
    unserved: int
    reason: str

    @property
    def waits(self) -> np.ndarray:
        """From the scheduled arrival to the begin of service, shape (n,)."""
        waits: np.ndarray = self.starts - self.arrivals
        return waits

    @property
    def latencies(self) -> np.ndarray:
        """From the scheduled arrival to the end of service, shape (n,)."""
        latencies: np.ndarray = self.ends - self.arrivals
        return latencies

    @property
    def throughput(self) -> float:
        """Queries served per second."""
        return len(self.ends) / float(self.ends[-1])

    @cached_property
    def latency(self) -> Distribution:
        """The distribution of latencies; empty where queries were given up.

        Those given up would have been the slowest, so that the others say nothing of the tail.
        """
        return undescribed(self.reason) if self.unserved else describe(self.latencies)

    def keeps(self, bound: float) -> bool:
        """Return whether the server keeps up and the p99 of latency is at most ``bound`` s."""
        p99 = self.latency.p99.value
        return bool(self.load < 1 and p99 is not None and p99 <= bound)


@dataclass(frozen=True)
class Peak:
    """What `find_rate` found.

    Attributes
    ----------
    served : Served or None
        The trial at the highest rate that kept the bound, or None.
    trials : tuple of (float, bool)
        Each rate tried, in order, and whether it kept the bound.
    reason : str
        Why no rate was found, or why the search ended before its precision was reached.
    """

    served: Served | None
    trials: tuple[tuple[float, bool], ...]
    reason: str = ""


def server(
    work: Work, clock: Clock, rule: StopRule, rate: float, *, batch_size: int = 1, seed: int = 0
) -> Served:
    """Serve queries of one sample that arrive as a Poisson process.

    Queries wait in one queue, first come, first served. Latency counts from the scheduled
    arrival, so that a late start is never hidden. Arrivals are scheduled until both minima of the
    rule are reached, but not beyond its ``max_seconds``; what is not served after twice that
    time is given up. The queue is empty at first, so that a short run close to full load is too
    favourable; the interval of a percentile is then wide or missing.

    Parameters
    ----------
    work : Work
    clock : Clock
    rule : StopRule
    rate : float
        Arrivals per second.
    batch_size : int
        A server that becomes free takes up to so many waiting queries at once.
    seed : int
        Of the arrivals. One seed gives the same schedule at all rates, stretched.

    Raises
    ------
    UserError
        If the rate is not positive, or so low that no query is due in time, or the batch size
        less than 1.
    """
    if not 0 < rate < math.inf:
        raise UserError(f"timing: server rate is {rate:g}, expected a positive number per second")
    schedule = _schedule(rule, rate, seed)
    if not len(schedule.due):
        raise UserError(
            f"timing: server rate is {rate:g}, so low that no query is due within max_seconds "
            f"({rule.max_seconds:g})"
        )
    return _serve(Stream(work, clock, rule, batch_size), work, clock, schedule)


def find_rate(
    work: Work,
    clock: Clock,
    rule: StopRule,
    bound: float,
    *,
    batch_size: int = 1,
    seed: int = 0,
    precision: float = 0.02,
) -> Peak:
    """Search the highest rate of arrivals at which the p99 of latency keeps a bound.

    As LoadGen does: the rate is doubled until the bound breaks, then the bracket is halved. The
    first rate is half of what the warm server could do without a pause; if that breaks the
    bound, the rate is halved until it holds. Every trial has the same schedule, stretched; one
    that is sure to break the bound ends at once. A rate that the server does not keep up with
    breaks any bound.

    Parameters
    ----------
    work, clock, rule, batch_size, seed
        As for `server`; the rule is that of each trial. A trial has at least the queries that
        an interval of the p99 takes, and its schedule lasts ten times the bound.
    bound : float
        Seconds.
    precision : float
        The search ends when the lowest rate known to break the bound is at most so much above
        the highest known to keep it, as a share of it.

    Raises
    ------
    UserError
        If the bound or the precision is not positive, or the batch size less than 1.
    """
    if not (bound > 0 and precision > 0):
        raise UserError(f"timing: p99 bound {bound:g} and precision {precision:g}: both positive")
    needed = samples_needed(0.99)
    asked = replace(
        rule,
        min_repeats=max(rule.min_repeats, needed),
        min_seconds=min(max(rule.min_seconds, 10 * bound), rule.max_seconds),
    )
    stream = Stream(work, clock, rule, batch_size)
    rate = 0.5 * batch_size / max(float(np.median(stream.warmup or [stream.cold])), 1e-9)
    kept: Served | None = None
    broken = math.inf
    trials: list[tuple[float, bool]] = []
    while kept is None or broken > kept.rate * (1 + precision):
        schedule = _schedule(asked, rate, seed)
        if len(schedule.due) < needed:
            reason = f"the p99 needs {needed} queries; at {rate:.3g} a second, {schedule.cut}"
            return Peak(kept, tuple(trials), reason)
        served = _serve(stream, work, clock, schedule, bound)
        trials.append((rate, served.keeps(bound)))
        if trials[-1][1]:
            kept = served
            rate = 2 * rate if broken == math.inf else (rate + broken) / 2
        else:
            broken = rate
            rate = rate / 2 if kept is None else (kept.rate + rate) / 2
    return Peak(kept, tuple(trials))


@dataclass(frozen=True)
class _Schedule:
    """When queries are due, in seconds, shape (n,); ``cut`` says why there are no more."""

    rate: float
    due: np.ndarray
    patience: float
    cut: str


def _schedule(rule: StopRule, rate: float, seed: int) -> _Schedule:
    planned = max(rule.min_repeats, math.ceil(rate * rule.min_seconds))
    due = np.cumsum(np.random.default_rng(seed).exponential(size=planned)) / rate
    due = due[due <= rule.max_seconds]
    cut = ""
    if len(due) < planned:
        cut = f"{len(due)} of {planned} are due within max_seconds ({rule.max_seconds:g})"
    return _Schedule(rate, due, 2 * rule.max_seconds, cut)


def _serve(
    stream: Stream, work: Work, clock: Clock, schedule: _Schedule, bound: float = math.inf
) -> Served:
    """Serve a schedule; end it once its p99 is sure to exceed the bound."""
    arrivals: list[float] = schedule.due.tolist()
    n = len(arrivals)
    tolerated = n - 1 - math.floor(0.99 * (n - 1))  # with one more late, the p99 is late
    starts: list[float] = []
    ends: list[float] = []
    busy, late, batches, cause = 0.0, 0, 0, ""
    origin = clock.now()
    now = 0.0
    while len(ends) < n and not cause:
        first = len(ends)
        if now < arrivals[first]:
            clock.sleep_until(origin + arrivals[first])
            now = clock.now() - origin
        start = now
        waiting = bisect.bisect_right(arrivals, start, lo=first + 1)
        last = min(waiting, first + stream.size)
        work(range(first, last))
        now = clock.now() - origin
        starts += [start] * (last - first)
        ends += [now] * (last - first)
        busy, batches = busy + now - start, batches + 1
        late += sum(now - arrival > bound for arrival in arrivals[first:last])
        if late > tolerated:
            cause = "the p99 was sure to exceed its bound"
        elif now > schedule.patience:
            cause = f"{schedule.patience:g} s were over"
    served = len(ends)
    return Served(
        rate=schedule.rate,
        cold=stream.cold,
        arrivals=schedule.due[:served],
        starts=np.array(starts),
        ends=np.array(ends),
        batch_size=stream.size,
        mean_batch=served / batches,
        load=busy / arrivals[served - 1],
        unserved=n - served,
        reason=f"{n - served} of {n} were not served when {cause}" if served < n else schedule.cut,
    )


def _rate(samples: int, seconds: float | None) -> float | None:
    return samples / seconds if seconds is not None and seconds > 0 else None
