"""mmbench and the plain way to do the same, side by side: by turns, in one run."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ROUNDS = 5


@dataclass
class Timed:
    """A call that keeps what each of its rounds cost, and its last answer.

    Attributes
    ----------
    call : callable
        Without arguments.
    seconds : list of float
        By the wall clock, a figure per round.
    cpu : list of float
        Seconds of processor time, with that of child processes.
    answer : object
        What the last round returned.
    """

    call: Callable[[], Any]
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    answer: Any = None

    def __call__(self) -> None:
        """Do a round."""
        began, used = time.perf_counter(), processor_seconds()
        self.answer = self.call()
        self.seconds.append(time.perf_counter() - began)
        self.cpu.append(processor_seconds() - used)


def processor_seconds() -> float:
    """Return what this process and its children, those of theirs that ended too, have computed."""
    import psutil

    living = psutil.Process().children()
    return sum(os.times()[:4]) + sum(sum(child.cpu_times()[:4]) for child in living)


def by_turns(
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    rounds: int = ROUNDS,
    benchmark: Any = None,
    *,
    warm: bool = True,
) -> tuple[Timed, Timed]:
    """Do theirs, ours, theirs, ours, ...

    Parameters
    ----------
    ours, theirs : callable
        Two ways to one answer.
    rounds : int
        How often each is measured.
    benchmark : BenchmarkFixture, optional
        Of pytest-benchmark; its figures are then ours.
    warm : bool
        Begin with one call of each that does not count; for calls of minutes, False.
    """
    if warm:
        ours(), theirs()
    own, other = Timed(ours), Timed(theirs)
    if benchmark is not None:
        benchmark.pedantic(own, setup=other, rounds=rounds)
        return own, other
    for _ in range(rounds):
        other()
        own()
    return own, other


def figures(ours: Timed, theirs: Timed, target: float) -> dict[str, float]:
    """Return how many times faster we are, as columns of a table.

    Returns
    -------
    dict
        Medians in seconds, ``ratio`` of theirs to ours, with ``low`` and ``high``, the extremes of
        the rounds' ratios, ``cpu_ratio``, that of processor time, and the ``target`` of ``ratio``.
    """
    median = statistics.median
    each = [other / own for own, other in zip(ours.seconds, theirs.seconds, strict=True)]
    return {
        "ours_s": round(median(ours.seconds), 4),
        "theirs_s": round(median(theirs.seconds), 4),
        "ratio": round(median(theirs.seconds) / median(ours.seconds), 3),
        "low": round(min(each), 3),
        "high": round(max(each), 3),
        "cpu_ratio": round(median(theirs.cpu) / median(ours.cpu), 3),
        "target": target,
        "rounds": len(each),
    }
