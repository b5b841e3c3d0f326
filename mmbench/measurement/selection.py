"""Which combinations are worth measuring whole: the best, and those that none beats in both."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.measurement.schedule import Combination
from mmbench.options import build
from mmbench.planning import Plan


def worth_measuring(
    combinations: Sequence[Combination],
    composed: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, Mapping[str, Any]],
    plan: Plan,
) -> list[Combination]:
    """Return the combinations that are timed from raw items to classes as well.

    ``end_to_end = "best"`` (the default) takes, per dataset, the best by the file's metric and
    the Pareto front of metric and composed latency; ``"all"`` all; a number the best so many.

    Parameters
    ----------
    combinations : sequence of Combination
    composed : mapping
        The composed figures of the first scenario, by the id of a combination's first cell.
    rows : mapping
        The rows of the table of cells, by id.
    plan : Plan
    """
    timing, metric = plan.source.matrix.timing, plan.source.matrix.metric
    assert timing is not None
    if timing.end_to_end == "all":
        return list(combinations)
    sign = 1 if _higher_is_better(metric, plan) else -1
    quality = {}
    for combination in combinations:
        scores = [rows[cell.id].get(metric) for cell in combination.cells]
        known = [score for score in scores if score is not None and np.isfinite(score)]
        if known:
            quality[combination.first.id] = sign * float(np.mean(known))
    cost = {c.first.id: _latency(composed.get(c.first.id)) for c in combinations}
    found: list[Combination] = []
    for dataset in plan.samples:
        ours = [c for c in combinations if c.first.dataset == dataset and c.first.id in quality]
        ours.sort(key=lambda c: (-quality[c.first.id], cost[c.first.id]))
        if timing.end_to_end == "best":
            found += pareto(ours, [cost[c.first.id] for c in ours])
        else:
            found += ours[: timing.end_to_end]
    return found


def pareto(candidates: Sequence[Combination], costs: Sequence[float]) -> list[Combination]:
    """Return those of some candidates, best first, that cost less than all before them."""
    least = [float("inf"), *itertools.accumulate(costs, min)]
    return [
        candidate
        for number, candidate in enumerate(candidates)
        if number == 0 or costs[number] < least[number]
    ]


def _latency(row: Mapping[str, Any] | None) -> float:
    value = None if row is None else row.get("latency_ms_p50")
    if value is None:
        value = None if row is None else row.get("latency_ms_mean")
    return float("inf") if value is None else float(value)


def _higher_is_better(metric: str, plan: Plan) -> bool:
    for choice in plan.metrics:
        if choice.name == metric:
            built = build(choice.entry, choice.params, {"seed": 0, "threads": 1})
            return bool(built.higher_is_better)
    return True
