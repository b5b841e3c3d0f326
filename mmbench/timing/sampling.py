"""Repeating a call until its times can be trusted: cold start, warm-up, and a rule to stop."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mmbench.errors import UserError
from mmbench.timing.clocks import Clock

Work = Callable[[range], object]
"""Processes the samples of these numbers together.

Numbers count up from 0 without end, so that the callee takes them modulo what it has."""


@dataclass(frozen=True)
class StopRule:
    """When there are enough samples: both minima are reached, or the time is up.

    Parameters
    ----------
    min_repeats : int
        Calls measured at least. An interval of the p99 takes 368 independent ones.
    min_seconds : float
        Time measured at least.
    max_seconds : float
        Once warm-up and measured calls have taken so long, no further call begins; one is
        always measured.
    warmup : int
        Calls before the first that counts, besides the cold one.
    """

    min_repeats: int = 500
    min_seconds: float = 1.0
    max_seconds: float = 60.0
    warmup: int = 10

    def __post_init__(self) -> None:
        if self.min_repeats < 1:
            raise UserError(f"timing: min_repeats is {self.min_repeats}, expected 1 or more")
        if self.warmup < 0:
            raise UserError(f"timing: warmup is {self.warmup}, expected 0 or more")
        if not 0 <= self.min_seconds <= self.max_seconds:
            raise UserError(
                f"timing: min_seconds is {self.min_seconds:g}, expected between 0 and max_seconds, "
                f"which is {self.max_seconds:g}"
            )


@dataclass(frozen=True)
class Samples:
    """The raw times of one callable, in seconds, in the order in which they were measured.

    Attributes
    ----------
    cold : float
        The first call.
    warmup : ndarray of float64, shape (n_warmup,)
        The calls after it that do not count.
    seconds : ndarray of float64, shape (n,)
        The calls that count.
    size : int
        Samples per call.
    shortfall : str
        Why the rule's minima were not reached; empty where they were.
    """

    cold: float
    warmup: np.ndarray
    seconds: np.ndarray
    size: int
    shortfall: str


class Stream:
    """Feeds consecutive batches to a callable: the cold call, then the warm-up, then all others.

    Parameters
    ----------
    work : Work
    clock : Clock
    rule : StopRule
    size : int
        Samples per call.

    Attributes
    ----------
    cold : float
        Seconds of the first call.
    warmup : list of float
        Seconds of the calls after it that do not count.
    """

    def __init__(self, work: Work, clock: Clock, rule: StopRule, size: int = 1) -> None:
        if size < 1:
            raise UserError(f"timing: batch size is {size}, expected 1 or more")
        self._work, self._clock, self.size = work, clock, size
        self._starts = itertools.count(0, size)
        self.cold = self.step()
        self.warmup: list[float] = []
        while len(self.warmup) < rule.warmup and sum(self.warmup) < rule.max_seconds:
            self.warmup.append(self.step())

    def step(self) -> float:
        """Process the next batch and return the seconds that it took."""
        start = next(self._starts)
        return self._clock.measure(partial(self._work, range(start, start + self.size)))


def sample(work: Work, clock: Clock, rule: StopRule, size: int = 1) -> Samples:
    """Measure a callable, batch after batch of ``size`` samples, until the rule is satisfied.

    What the callable raises reaches the caller unchanged; the batch size never changes. The
    garbage collector stays on, as in service.

    Parameters
    ----------
    work : Work
    clock : Clock
    rule : StopRule
    size : int
        Samples per call.

    Raises
    ------
    UserError
        If ``size`` is less than 1.
    """
    stream = Stream(work, clock, rule, size)
    seconds = array("d")  # fast calls are many, and memory is measured too
    measured, left, shortfall = 0.0, rule.max_seconds - sum(stream.warmup), ""
    while len(seconds) < rule.min_repeats or measured < rule.min_seconds:
        if seconds and measured >= left:
            shortfall = (
                f"stopped at max_seconds ({rule.max_seconds:g}) after {len(seconds)} of at least "
                f"{rule.min_repeats} calls and {measured:.3g} of at least {rule.min_seconds:g} s"
            )
            break
        seconds.append(stream.step())
        measured += seconds[-1]
    return Samples(stream.cold, np.array(stream.warmup), np.array(seconds), size, shortfall)
