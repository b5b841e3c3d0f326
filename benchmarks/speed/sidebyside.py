"""mmbench and a plain alternative, measured by turns in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sides:
    """What both sides took, a value per round each.

    Attributes
    ----------
    ours, theirs : list of float
        Seconds on the clock.
    our_work, their_work : list of float
        Seconds of processors, those of child processes included: what the others on a shared
        machine change less.
    """

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_work: list[float] = field(default_factory=list)
    their_work: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        """Return medians in seconds, their ratio, and its range over rounds."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        ratios = [b / a for a, b in zip(self.ours, self.theirs, strict=True)]
        worked = statistics.median(self.our_work), statistics.median(self.their_work)
        return {
            "rounds": len(self.ours),
            "mmbench_s": ours,
            "plain_s": theirs,
            "ratio": theirs / ours,
            "ratio_low": min(ratios),
            "ratio_high": max(ratios),
            "mmbench_cpu_s": worked[0],
            "plain_cpu_s": worked[1],
            "ratio_cpu": worked[1] / worked[0],
        }

    def by_turns(
        self, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int
    ) -> Iterator[tuple[Any, Any]]:
        """Measure round after round; give what both sides returned in each."""
        for _ in range(rounds):
            answers = []
            for side, seconds, work in (
                (ours, self.ours, self.our_work),
                (theirs, self.theirs, self.their_work),
            ):
                start, worked = time.perf_counter(), processor_seconds()
                answers.append(side())
                seconds.append(time.perf_counter() - start)
                work.append(processor_seconds() - worked)
            yield answers[0], answers[1]


def processor_seconds() -> float:
    """Return what this process and its children, ended ones included, have computed so far."""
    import psutil

    own = psutil.Process()
    return sum(sum(p.cpu_times()[:4]) for p in (own, *own.children()))
