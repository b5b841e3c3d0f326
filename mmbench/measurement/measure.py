"""Times one part in one scenario: its latency, what else it costs, and whether its results hold."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from mmbench.errors import PluginError
from mmbench.measurement.settings import Settings
from mmbench.measurement.work import STAGES, StageRecorder
from mmbench.stages import recorded
from mmbench.timing.clocks import Clock, clock_for, overhead
from mmbench.timing.conditions import Conditions
from mmbench.timing.energy import EnergyMeter
from mmbench.timing.flops import (
    flops_per_sample,
    networks_in,
    parameters,
    peak_flops,
    utilisation,
)
from mmbench.timing.memory import Level, PeakMemory
from mmbench.timing.percentiles import Distribution, Estimate, describe
from mmbench.timing.sampling import Samples, sample
from mmbench.timing.scenarios import find_rate, server, summarise

STAGE_REPEATS = 50
AGREEMENT = 0.999
MS = 1e3


class Part(Protocol):
    """What is timed: `mmbench.measurement.work.Timed`, or one component by itself."""

    @property
    def device(self) -> str:
        """Where the results were made that its own must agree with."""
        ...

    @property
    def rows(self) -> np.ndarray:
        """What samples are called."""
        ...

    def batch(self, rows: np.ndarray) -> Any:
        """Return what a call is given for some samples; making it is not timed."""
        ...

    @property
    def process(self) -> Callable[[Any], Any]:
        """Processes a batch; getting it loads what it takes."""
        ...

    def agrees(self, rows: np.ndarray, made: Any) -> np.ndarray:
        """Return for which samples a call's result is the right one, bool (n,)."""
        ...


def measure(part: Part, settings: Settings) -> tuple[dict[str, Any], np.ndarray]:
    """Time a part.

    Returns
    -------
    row : dict
        As in the table of timings. ``skipped`` is a part that the settings leave as it is,
        because it holds no network.
    seconds : ndarray of float64, shape (n,)
        The raw samples.

    Raises
    ------
    PluginError
        What was timed gives other results than those that it must agree with.
    """
    clock = clock_for(settings.device)
    batches = _batches(part.rows, settings.batch_size)
    given = [part.batch(rows) for rows in batches]
    describe(np.arange(8.0))  # so that what statistics import is not the part's memory
    before = Level.now(settings.device)
    load = clock.measure(lambda: part.process)
    if reason := _inapplicable(part.process, settings):
        return left_out(settings, reason), np.empty(0)
    row: dict[str, Any] = {
        **settings.columns,
        "status": "ok",
        "parameters": parameters(part.process),
        "cold_load_ms": MS * load,
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    work = _Work(part.process, given)
    if settings.compile != "none":
        row["flops_per_sample"] = _flops(part)  # counted on the network as it was
        for module in networks_in(part.process):
            module.compile()
    with _precision(settings):
        figures, seconds = _run(work, settings, clock, before)
        row |= figures
        if settings.compile != "none" and not _was_compiled():
            return left_out(settings, "torch.compile: no call in it was compiled"), np.empty(0)
        row["agreement"] = _agreement(part, work, batches, settings, clock)
        if settings.stages and settings.scenario != "server":
            row |= _stages(work, settings, clock)
    if settings.compile == "none":
        row["flops_per_sample"] = _flops(part)
    row["flops_share"] = _flops_share(row, settings)
    return row, seconds


def left_out(settings: Settings, reason: str) -> dict[str, Any]:
    """Return the row of a part to which the settings do not apply."""
    return {**settings.columns, "status": "skipped", "reason": reason}


def no_network(settings: Settings) -> str:
    """Say that the settings change nothing about a part without a network."""
    wanted = settings.precision if settings.precision != "fp32" else settings.compile
    return f"{wanted}: there is no torch network in it"


class _Work:
    """Calls a process with one batch after the other, again and again, and counts the samples."""

    def __init__(self, process: Callable[[Any], Any], batches: Sequence[Any]) -> None:
        self.process, self.batches, self.samples = process, batches, 0

    def __call__(self, numbers: range) -> Any:
        self.samples += len(numbers)
        return self.process(self.batches[numbers.start // len(numbers) % len(self.batches)])


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Return batches that together hold every sample; the last is filled up from the start."""
    count = -(-len(rows) // size)
    return [rows[np.arange(k * size, (k + 1) * size) % len(rows)] for k in range(count)]


def _run(
    work: _Work, settings: Settings, clock: Clock, before: Level
) -> tuple[dict[str, Any], np.ndarray]:
    """Measure the scenario, with what it takes of memory and energy, and what disturbs it."""
    with (
        Conditions(settings.device) as conditions,
        PeakMemory(settings.device, before) as memory,
        EnergyMeter(settings.device) as energy,
    ):
        if settings.scenario == "server":
            figures, seconds = serve(work, clock, settings)
        else:
            samples = sample(work, clock, settings.rule, settings.batch_size)
    if settings.scenario != "server":
        figures, seconds = _batch_figures(samples), samples.seconds
    return {
        **figures,
        "peak_memory_mb": _mb(memory.resident),
        "peak_gpu_memory_mb": _mb(memory.gpu_allocated),
        "peak_gpu_reserved_mb": _mb(memory.gpu_reserved),
        "energy_j_per_sample": None if energy.joules is None else energy.joules / work.samples,
        "energy_source": energy.source or energy.reason,
        "overhead_us": 1e6 * overhead(clock),
        "conditions": conditions.values,
        "warnings": "; ".join(conditions.warnings),
    }, seconds


def _batch_figures(samples: Samples) -> dict[str, Any]:
    found = summarise(samples)
    return {
        **latency_figures(found.latency),
        **_estimate("throughput", found.throughput),
        "cold_first_ms": MS * samples.cold,
        "reason": samples.shortfall,
    }


def serve(
    work: Callable[[range], object], clock: Clock, settings: Settings
) -> tuple[dict[str, Any], np.ndarray]:
    """Serve Poisson arrivals at the given rate, or at the highest that keeps the bound."""
    if settings.server_rate is not None:
        served = server(work, clock, settings.rule, settings.server_rate)
        reason, bound = served.reason, None
    else:
        bound = settings.p99_bound_ms
        peak = find_rate(work, clock, settings.rule, bound / MS)
        if peak.served is None:
            reason = peak.reason or "no rate keeps the bound"
            return {"p99_bound_ms": bound, "reason": reason}, np.empty(0)
        served, reason = peak.served, peak.reason
    figures = {
        **latency_figures(served.latency),
        "throughput": served.throughput,
        "rate": served.rate,
        "load": served.load,
        "p99_bound_ms": bound,
        "cold_first_ms": MS * served.cold,
        "reason": reason,
    }
    return figures, served.latencies


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


def _agreement(
    part: Part, work: _Work, batches: Sequence[np.ndarray], settings: Settings, clock: Clock
) -> float:
    """Return the share of samples whose results, in batches as timed, are the right ones.

    Batches are gone through for as long as was measured at most, the first at least.
    """
    agreed: list[np.ndarray] = []
    until = clock.now() + settings.max_seconds
    for rows, batch in zip(batches, work.batches, strict=True):
        agreed.append(part.agrees(rows, work.process(batch)))
        if clock.now() > until:
            break
    share = float(np.mean(np.concatenate(agreed)))
    if settings.is_plain and settings.device == part.device and share < AGREEMENT:
        raise PluginError(f"only {share:.1%} of the timed results are those scored")
    return share


def _stages(work: _Work, settings: Settings, clock: Clock) -> dict[str, Any]:
    """Time the stages of further calls, and the whole of such calls beside them.

    Telling stages apart takes time itself, on a GPU above all, where each waits for the device;
    so their sum is compared with the whole, measured in other calls, turn by turn.
    """
    wholes: list[float] = []
    calls: list[dict[str, float]] = []
    until = clock.now() + settings.max_seconds
    while len(calls) < STAGE_REPEATS and (not calls or clock.now() < until):
        start = len(calls) * settings.batch_size
        numbers = range(start, start + settings.batch_size)
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


def _flops(part: Part) -> float | None:
    if not networks_in(part.process):
        return None
    batch = part.batch(part.rows[:1])
    return flops_per_sample(lambda: part.process(batch), 1)


def _flops_share(row: Mapping[str, Any], settings: Settings) -> float | None:
    if settings.device != "cuda" or not row["flops_per_sample"] or not row.get("throughput"):
        return None
    import torch

    precision = settings.precision
    if precision == "fp32" and torch.backends.cudnn.allow_tf32:  # as convolutions do by default
        precision = "tf32"
    peak = peak_flops(torch.cuda.get_device_name(), precision)
    if peak is None:
        return None
    return utilisation(row["flops_per_sample"], row["throughput"], peak)


def _inapplicable(process: Callable[[Any], Any], settings: Settings) -> str:
    return "" if settings.is_plain or networks_in(process) else no_network(settings)


def _was_compiled() -> bool:
    """Whether torch.compile has come to compile anything in this process.

    A network whose ``forward`` is called directly, and not the network, is not.
    """
    from torch._dynamo.utils import counters

    return bool(counters["stats"]["unique_graphs"])


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


def _mb(amount: int | None) -> float | None:
    return None if amount is None else amount / 2**20
