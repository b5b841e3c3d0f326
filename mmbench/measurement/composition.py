"""What a combination costs, put together from its parts, each of which was timed once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.measurement.measure import MS, latency_figures
from mmbench.measurement.settings import Settings
from mmbench.timing.clocks import FakeClock
from mmbench.timing.scenarios import find_rate, server

DRAWS = 4_000
"""Calls that are put together of draws from the parts' calls."""

Raw = Mapping[str, np.ndarray]
"""A part's raw samples, in seconds, by ``SCENARIO-BATCH_SIZE``."""


def compose(
    rows: Sequence[Sequence[Mapping[str, Any]]], raws: Sequence[Raw], settings: Settings
) -> list[dict[str, Any]]:
    """Put parts together that work one after the other.

    The time of a call is the sum of independent draws from the times of its parts' calls; for
    the scenario ``server``, queries of such times are served on a simulated clock. What parts do
    to one another (caches, memory) is not in it: ``end-to-end`` rows stand beside for that.

    Parameters
    ----------
    rows : sequence of sequence of mapping
        Of each part, its rows.
    raws : sequence of mapping
        Of each part, its raw samples.
    settings : Settings
        Under which they were timed.

    Returns
    -------
    list of dict
        One row per scenario and batch size; where a part has none, its status and reason.
    """
    return [_composed(rows, raws, settings, *run) for run in settings.runs]


def _composed(
    rows: Sequence[Sequence[Mapping[str, Any]]],
    raws: Sequence[Raw],
    settings: Settings,
    scenario: str,
    size: int,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "scenario": scenario,
        "batch_size": size,
        "device": settings.device,
        "precision": settings.precision,
        "compile": settings.compile,
    }
    measured = "single-stream" if scenario == "server" else scenario
    parts = [
        next(r for r in part if (r["scenario"], r["batch_size"]) == (measured, size))
        for part in rows
    ]
    for part in parts:
        if part["status"] != "ok":
            return {**row, "status": part["status"], "reason": part.get("reason", "")}
    name = f"{measured}-{size}"
    rng = np.random.default_rng(0)
    calls = np.sum([rng.choice(raw[name], size=DRAWS) for raw in raws], axis=0)
    row |= _served(calls, settings) if scenario == "server" else _in_batches(parts, calls, size)
    for column in (
        "peak_memory_mb", "peak_gpu_memory_mb", "energy_j_per_sample", "parameters",
        "flops_per_sample", "cold_load_ms", "cold_first_ms",
    ):  # fmt: skip
        row[column] = _total(parts, column)
    return {**row, "status": "ok"}


def _in_batches(parts: Sequence[Mapping[str, Any]], calls: np.ndarray, size: int) -> dict[str, Any]:
    mean_ms = sum(part["latency_ms_mean"] for part in parts)
    variances = [
        None
        if part["latency_ms_mean_high"] is None
        else (part["latency_ms_mean_high"] - part["latency_ms_mean"]) ** 2
        for part in parts
    ]
    figures: dict[str, Any] = {
        "n": min(part["n"] for part in parts),
        "latency_ms_mean": mean_ms,
        "throughput": MS * size / mean_ms,
        "percentile_reason": "composed: percentiles of sums of draws, without intervals",
    }
    for level, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99")):
        known = all(part[f"latency_ms_{name}"] is not None for part in parts)
        figures[f"latency_ms_{name}"] = MS * float(np.quantile(calls, level)) if known else None
    if all(v is not None for v in variances):
        reach = float(np.sqrt(sum(v for v in variances if v is not None)))
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

    if settings.server_rate is not None:
        found = server(work, clock, settings.rule, settings.server_rate)
        reason = found.reason
    else:
        peak = find_rate(work, clock, settings.rule, settings.p99_bound_ms / MS)
        if peak.served is None:
            return {"reason": peak.reason or "no rate keeps the bound"}
        found, reason = peak.served, peak.reason
    return {
        **latency_figures(found.latency),
        "throughput": found.throughput,
        "rate": found.rate,
        "load": found.load,
        "p99_bound_ms": settings.p99_bound_ms if settings.server_rate is None else None,
        "reason": reason,
    }


def _total(parts: Sequence[Mapping[str, Any]], column: str) -> float | None:
    """Return the sum over the parts that have the figure; for energy, all must."""
    values = [part.get(column) for part in parts]
    known = [value for value in values if value is not None]
    if not known or (column == "energy_j_per_sample" and len(known) < len(values)):
        return None
    return float(sum(known))
