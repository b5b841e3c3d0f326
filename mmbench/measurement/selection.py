"""Which combinations are worth measuring whole: the best, and those that none beats in both."""

from __future__ import annotations

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
    found: list[Combination] = []
    for dataset in plan.samples:
        ours = [c for c in combinations if c.first.dataset == dataset and c.first.id in quality]
        ours.sort(key=lambda c: -quality[c.first.id])  # stable: ties stay in the table's order
        if timing.end_to_end == "best":
            costs = [_latency(composed.get(c.first.id)) for c in ours]
            found += [c for c, on in zip(ours, pareto(costs), strict=True) if on]
        else:
            found += ours[: timing.end_to_end]
    return found


def pareto(costs: Sequence[float]) -> list[bool]:
    """Return which of some candidates, best first, cost less than all that are better."""
    least, on = float("inf"), []
    for number, cost in enumerate(costs):
        on.append(number == 0 or cost < least)
        least = min(least, cost)
    return on


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
