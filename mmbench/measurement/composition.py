"""What a combination costs, put together from its parts, each of which was timed once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.measurement.measure import MS, serve
from mmbench.measurement.settings import Settings
from mmbench.timing.clocks import FakeClock

DRAWS = 4_000
"""Calls that are put together of draws from the parts' calls."""

WITHOUT_INTERVALS = "composed of draws from the parts' calls: no intervals of percentiles"

Row = Mapping[str, Any]


def compose(rows: Sequence[Row], raws: Sequence[np.ndarray], settings: Settings) -> dict[str, Any]:
    """Put parts together that work one after the other.

    The time of a call is the sum of independent draws from the times of its parts' calls; for
    the scenario ``server``, queries of such times are served on a simulated clock. What parts do
    to one another (caches, memory) is not in it: ``end-to-end`` rows stand beside for that.
    Peaks of memory are added up, which is the most that they can come to.

    Parameters
    ----------
    rows : sequence of mapping
        Of each part, its row.
    raws : sequence of ndarray of float64
        Of each part, its raw samples in seconds.
    settings : Settings
        Of the combination.

    Returns
    -------
    dict
        A row; where a part has no figures, with that part's status and reason.
    """
    row: dict[str, Any] = dict(settings.columns)
    for part in rows:
        if part["status"] != "ok":
            return {**row, "status": part["status"], "reason": part["reason"]}
    rng = np.random.default_rng(0)
    calls = np.sum([rng.choice(raw, size=DRAWS) for raw in raws], axis=0)
    figures = _served(calls, settings) if settings.scenario == "server" else _added(rows, calls)
    for column in (
        "peak_memory_mb", "peak_gpu_memory_mb", "energy_j_per_sample", "parameters",
        "flops_per_sample", "cold_load_ms", "cold_first_ms",
    ):  # fmt: skip
        figures[column] = _total(rows, column)
    started = max(part["started"] for part in rows)
    return {**row, "status": "ok", **figures, "started": started}


def _added(parts: Sequence[Row], calls: np.ndarray) -> dict[str, Any]:
    """Add up the parts' means with their intervals, and take percentiles of the sums of draws."""
    size = parts[0]["batch_size"]
    mean_ms = sum(part["latency_ms_mean"] for part in parts)
    figures: dict[str, Any] = {
        "n": min(part["n"] for part in parts),
        "latency_ms_mean": mean_ms,
        "throughput": MS * size / mean_ms,
        "percentile_reason": WITHOUT_INTERVALS,
    }
    for level, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        known = all(part[f"latency_ms_{name}"] is not None for part in parts)
        figures[f"latency_ms_{name}"] = MS * float(np.quantile(calls, level)) if known else None
    highs = [part["latency_ms_mean_high"] for part in parts]
    if None not in highs:
        reaches = [high - part["latency_ms_mean"] for high, part in zip(highs, parts, strict=True)]
        reach = float(np.linalg.norm(reaches))
        low, high = max(mean_ms - reach, 1e-9), mean_ms + reach
        figures |= {"latency_ms_mean_low": low, "latency_ms_mean_high": high}
        figures |= {"throughput_low": MS * size / high, "throughput_high": MS * size / low}
    return figures


def _served(calls: np.ndarray, settings: Settings) -> dict[str, Any]:
    """Serve Poisson arrivals on a simulated clock."""
    clock = FakeClock()
    times = itertools.cycle(calls.tolist())

    def work(_: range) -> None:
        clock.advance(next(times))

    figures, _ = serve(work, clock, settings)
    figures = {k: v for k, v in figures.items() if not k.endswith(("_low", "_high"))}
    if figures.get("latency_ms_p99") is not None:
        figures["percentile_reason"] = WITHOUT_INTERVALS
    return figures


def _total(parts: Sequence[Row], column: str) -> float | None:
    """Return the sum over the parts that have the figure; for energy, all must."""
    values = [part.get(column) for part in parts]
    known = [value for value in values if value is not None]
    if not known or (column == "energy_j_per_sample" and len(known) < len(values)):
        return None
    total: float = sum(known)
    return total
