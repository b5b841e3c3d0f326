"""How a part is to be timed, in plain values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mmbench.blocks import TimingBlock
from mmbench.timing.sampling import StopRule

SAMPLES = 256
"""How many samples of the test part are gone through, again and again."""


@dataclass(frozen=True)
class Settings:
    """One scenario with its batch size, on one device, in one precision, compiled or not.

    Attributes
    ----------
    scenario : {"single-stream", "offline", "server"}
    batch_size : int
        More than 1 in the scenario ``offline`` only.
    device : {"cpu", "cuda"}
    precision : {"fp32", "bf16", "fp16"}
        Below fp32, networks compute under `torch.autocast`.
    compile : {"none", "torch.compile"}
    threads : int
        Of the processor.
    min_repeats, min_seconds, max_seconds, warmup
        As `mmbench.timing.sampling.StopRule` has them.
    stages : bool
        Whether the stages of a call are timed too, in calls of their own.
    server_rate : float or None
        Arrivals per second; None searches for the highest that keeps the bound.
    p99_bound_ms : float
        Of the scenario ``server``.
    """

    scenario: str = "single-stream"
    batch_size: int = 1
    device: str = "cpu"
    precision: str = "fp32"
    compile: str = "none"
    threads: int = 1
    min_repeats: int = 500
    min_seconds: float = 1.0
    max_seconds: float = 10.0
    warmup: int = 10
    stages: bool = True
    server_rate: float | None = None
    p99_bound_ms: float = 100.0

    @property
    def rule(self) -> StopRule:
        """When there are enough calls."""
        return StopRule(self.min_repeats, self.min_seconds, self.max_seconds, self.warmup)

    @property
    def is_plain(self) -> bool:
        """Whether networks compute as they did when the cells were scored."""
        return self.precision == "fp32" and self.compile == "none"

    @property
    def columns(self) -> dict[str, Any]:
        """What the table of timings says of them."""
        names = ("scenario", "batch_size", "device", "precision", "compile")
        return {name: getattr(self, name) for name in names}

    def plain(self) -> Settings:
        """Return how a part is timed that holds no network."""
        return replace(self, precision="fp32", compile="none")

    def for_parts(self) -> Settings:
        """Return how parts are timed: queues form before a whole, so none is measured there."""
        scenario = "single-stream" if self.scenario == "server" else self.scenario
        return replace(self, scenario=scenario, server_rate=None, p99_bound_ms=100.0)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_dict` wrote."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def every(timing: TimingBlock, device: str, threads: int) -> list[Settings]:
    """Return devices × precisions × ways to compile × scenarios, in the order given.

    Parameters
    ----------
    timing : TimingBlock
    device : str
        Where it names none.
    threads : int
    """
    scenarios = [
        (scenario, size)
        for scenario in timing.scenarios
        for size in (timing.batch_sizes if scenario == "offline" else [1])
    ]
    devices: Sequence[str] = timing.devices if timing.devices else [device]
    rate = None if timing.server_rate == "search" else timing.server_rate
    found = [
        Settings(
            scenario=scenario,
            batch_size=size,
            device=on,
            precision=precision,
            compile=way,
            threads=threads,
            min_repeats=timing.min_repeats,
            min_seconds=timing.min_seconds,
            max_seconds=timing.max_seconds,
            warmup=timing.warmup,
            stages=timing.stages,
            server_rate=rate,
            p99_bound_ms=timing.p99_bound_ms,
        )
        for on, precision, way, (scenario, size) in itertools.product(
            devices, timing.precisions, timing.compile, scenarios
        )
    ]
    return list(dict.fromkeys(found))
