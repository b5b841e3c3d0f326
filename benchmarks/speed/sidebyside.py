"""mmbench and a plain alternative, measured by turns in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Sides:
    """Seconds of both sides, a value per round each."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """How many times longer the alternative took, by round."""
        return [b / a for a, b in zip(self.ours, self.theirs, strict=True)]

    def row(self) -> dict[str, float]:
        """Return medians in seconds, their ratio, and its range over rounds."""
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        return {
            "rounds": len(self.ours),
            "mmbench_s": ours,
            "plain_s": theirs,
            "ratio": theirs / ours,
            "ratio_low": min(self.ratios),
            "ratio_high": max(self.ratios),
        }

    def by_turns(
        self, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int
    ) -> Iterator[tuple[Any, Any]]:
        """Measure round after round; give what both sides returned in each."""
        for _ in range(rounds):
            answers = []
            for side, seconds in ((ours, self.ours), (theirs, self.theirs)):
                start = time.perf_counter()
                answers.append(side())
                seconds.append(time.perf_counter() - start)
            yield answers[0], answers[1]
