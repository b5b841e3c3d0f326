"""Times one part under one device, precision and way to compile: every scenario, and its cost."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from mmbench.errors import one_line
from mmbench.measurement.settings import Settings
from mmbench.measurement.work import STAGES, StageRecorder
from mmbench.stages import recorded
from mmbench.timing.clocks import Clock, clock_for, overhead
from mmbench.timing.conditions import Conditions
from mmbench.timing.energy import EnergyMeter
from mmbench.timing.flops import (
    flops_per_sample,
    modules_in,
    parameters,
    peak_flops,
    utilisation,
)
from mmbench.timing.memory import PeakMemory
from mmbench.timing.percentiles import Distribution, Estimate
from mmbench.timing.scenarios import find_rate, offline, server

STAGE_REPEATS = 50
MS = 1e3


class Part(Protocol):
    """What is timed: `mmbench.measurement.work.Timed`, or one component by itself."""

    @property
    def rows(self) -> np.ndarray:
        """What samples are called."""
        ...

    @property
    def process(self) -> Callable[[np.ndarray], Any]:
        """Processes samples; getting it loads what it takes."""
        ...

    def agreement(self) -> float:
        """Return the share of samples for which the result is the right one."""
        ...


def measure(part: Part, settings: Settings) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Time a part.

    Returns
    -------
    rows : list of dict
        One per scenario and batch size, as in the table of timings.
    raw : dict of str to ndarray of float64, shape (n,)
        Seconds, by the name in the row's ``raw``.
    """
    clock = clock_for(settings.device)
    load_ms = MS * clock.measure(lambda: part.process)
    common: dict[str, Any] = {
        "device": settings.device,
        "precision": settings.precision,
        "compile": settings.compile,
        "parameters": parameters(part.process),
        "cold_load_ms": load_ms,
    }
    if reason := _inapplicable(part, settings):
        rows = [_left_out(common, run, reason) for run in settings.runs]
        return rows, {}
    common["flops_per_sample"] = _flops(part)
    if settings.compile != "none":
        for module in modules_in(part.process):
            module.compile()
    rows, raw = [], {}
    for scenario, size in settings.runs:
        row: dict[str, Any] = {**common, "scenario": scenario, "batch_size": size}
        try:
            with _precision(settings):
                figures, seconds = _run(part, settings, clock, scenario, size)
        except BaseException as error:
            if not _is_out_of_memory(error):
                raise
            rows.append({**row, "status": "oom", "reason": one_line(error)})
            continue
        name = f"{scenario}-{size}"
        raw[name] = seconds
        rows.append({**row, **figures, "raw": name})
        _check(rows[-1], settings)
    return rows, raw


def _run(
    part: Part, settings: Settings, clock: Clock, scenario: str, size: int
) -> tuple[dict[str, Any], np.ndarray]:
    """Measure one scenario, and then its stages."""
    work = _cycling(part)
    with (
        Conditions(settings.device) as conditions,
        PeakMemory(settings.device) as memory,
        EnergyMeter(settings.device) as energy,
    ):
        if scenario == "server":
            figures, seconds, served = _server(work, clock, settings)
        else:
            figures, seconds, served = _in_batches(work, clock, settings, size)
    figures |= {
        "peak_memory_mb": None if memory.resident is None else memory.resident / 2**20,
        "peak_gpu_memory_mb": _mb(memory.gpu_allocated),
        "peak_gpu_reserved_mb": _mb(memory.gpu_reserved),
        "energy_j_per_sample": None if energy.joules is None else energy.joules / served,
        "energy_source": energy.source or energy.reason,
        "overhead_us": 1e6 * overhead(clock),
        "agreement": part.agreement(),
        "conditions": conditions.values,
        "warnings": "; ".join(conditions.warnings),
    }
    if settings.stages and scenario != "server":
        figures |= _stages(work, clock, size)
    return figures, seconds


def _cycling(part: Part) -> Callable[[range], object]:
    rows, process = part.rows, part.process

    def work(numbers: range) -> object:
        return process(rows[np.arange(numbers.start, numbers.stop) % len(rows)])

    return work


def _in_batches(
    work: Callable[[range], object], clock: Clock, settings: Settings, size: int
) -> tuple[dict[str, Any], np.ndarray, int]:
    found = offline(work, clock, settings.rule, size)
    samples = found.samples
    figures = {
        **latency_figures(found.latency),
        **_estimate("throughput", found.throughput),
        "cold_first_ms": MS * samples.cold,
        "reason": samples.shortfall,
    }
    calls = 1 + len(samples.warmup) + len(samples.seconds)
    return figures, samples.seconds, size * calls


def _server(
    work: Callable[[range], object], clock: Clock, settings: Settings
) -> tuple[dict[str, Any], np.ndarray, int]:
    bound = settings.p99_bound_ms / MS
    if settings.server_rate is not None:
        served = server(work, clock, settings.rule, settings.server_rate)
        reason = served.reason
    else:
        peak = find_rate(work, clock, settings.rule, bound)
        if peak.served is None:
            return {"reason": peak.reason or "no rate keeps the bound"}, np.empty(0), 1
        served, reason = peak.served, peak.reason
    figures = {
        **latency_figures(served.latency),
        "throughput": served.throughput,
        "rate": served.rate,
        "load": served.load,
        "p99_bound_ms": settings.p99_bound_ms if settings.server_rate is None else None,
        "cold_first_ms": MS * served.cold,
        "reason": reason,
    }
    return figures, served.latencies, max(1, len(served.ends))


def latency_figures(found: Distribution) -> dict[str, Any]:
    """Return a distribution's figures in milliseconds, as the table has them."""
    figures: dict[str, Any] = {"n": found.n, "outliers": found.outliers}
    reasons = []
    for name in ("mean", "p50", "p90", "p99"):
        estimate: Estimate = getattr(found, name)
        figures |= _estimate(f"latency_ms_{name}", estimate, MS)
        if estimate.reason:
            reasons.append(estimate.reason)
    return {**figures, "percentile_reason": "; ".join(dict.fromkeys(reasons))}


def _estimate(name: str, estimate: Estimate, scale: float = 1.0) -> dict[str, float | None]:
    values = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
    return {f"{name}{end}": None if v is None else scale * v for end, v in values.items()}


def _stages(work: Callable[[range], object], clock: Clock, size: int) -> dict[str, Any]:
    """Time the stages of further calls, and the whole of such calls beside them.

    Telling stages apart takes time itself, on a GPU above all, where each waits for the device;
    so their sum is compared with the whole, measured in other calls, turn by turn.
    """
    wholes, calls = [], []
    for number in range(STAGE_REPEATS):
        numbers = range(number * size, (number + 1) * size)
        wholes.append(clock.measure(lambda given=numbers: work(given)))  # type: ignore[misc]
        recorder = StageRecorder(clock)
        with recorded(recorder):
            work(numbers)
        calls.append(recorder.seconds)
    medians = {
        name: MS * float(np.median([call.get(name, 0.0) for call in calls])) for name in STAGES
    }
    sums = [sum(call.values()) for call in calls]
    return {
        **{f"stage_{name}_ms": value for name, value in medians.items()},
        "stage_sum_ms": MS * float(np.median(sums)),
        "stage_whole_ms": MS * float(np.median(wholes)),
    }


def _check(row: dict[str, Any], settings: Settings) -> None:
    """Say what became of the row: what is timed must be what was scored."""
    row["status"] = "ok"
    if row.get("latency_ms_mean") is None and row["scenario"] != "server":
        row["status"] = "failed"
    exact = settings.precision == "fp32" and settings.compile == "none"
    if exact and row.get("agreement", 1.0) < 0.999:
        row["status"] = "failed"
        row["reason"] = f"only {row['agreement']:.1%} of the timed results are those scored"
    if row.get("flops_per_sample") and row.get("throughput"):
        row["flops_share"] = _flops_share(row, settings)


def _flops_share(row: Mapping[str, Any], settings: Settings) -> float | None:
    if settings.device != "cuda":
        return None
    import torch

    peak = peak_flops(torch.cuda.get_device_name(), settings.precision)
    if peak is None:
        return None
    return utilisation(row["flops_per_sample"], row["throughput"], peak)


def _flops(part: Part) -> float | None:
    if not modules_in(part.process):
        return None
    return flops_per_sample(lambda: part.process(part.rows[:1]), 1)


def _inapplicable(part: Part, settings: Settings) -> str:
    """Say why the settings make no difference to a part that holds no network."""
    if settings.precision == "fp32" and settings.compile == "none":
        return ""
    if modules_in(part.process):
        return ""
    wanted = settings.precision if settings.precision != "fp32" else settings.compile
    return f"{wanted}: there is no torch network in it"


def _left_out(common: dict[str, Any], run: tuple[str, int], reason: str) -> dict[str, Any]:
    scenario, size = run
    return {
        **common,
        "scenario": scenario,
        "batch_size": size,
        "status": "skipped",
        "reason": reason,
    }


@contextlib.contextmanager
def _precision(settings: Settings) -> Iterator[None]:
    """Have torch's networks compute in lower precision."""
    torch = sys.modules.get("torch")
    if settings.precision == "fp32" or torch is None:
        yield
        return
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[settings.precision]
    with torch.autocast(settings.device, dtype=dtype):
        yield


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


def _mb(amount: int | None) -> float | None:
    return None if amount is None else amount / 2**20
