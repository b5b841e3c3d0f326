"""How a part is to be timed, in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mmbench.timing.sampling import StopRule

SAMPLES = 256
"""How many samples of the test part are gone through, again and again."""


@dataclass(frozen=True)
class Settings:
    """One device, precision and way to compile, with the scenarios to time under them.

    Attributes
    ----------
    scenarios : tuple of {"single-stream", "offline", "server"}
    batch_sizes : tuple of int
        Of the scenario ``offline``.
    device : {"cpu", "cuda"}
    precision : {"fp32", "bf16", "fp16"}
        Below fp32, networks compute under `torch.autocast`.
    compile : {"none", "torch.compile"}
    min_repeats, min_seconds, max_seconds, warmup
        As `mmbench.timing.sampling.StopRule` has them.
    stages : bool
        Whether the stages of a call are timed too, in calls of their own.
    server_rate : float or None
        Arrivals per second; None searches for the highest that keeps the bound.
    p99_bound_ms : float
        Of the scenario ``server``.
    """

    scenarios: tuple[str, ...] = ("single-stream",)
    batch_sizes: tuple[int, ...] = (32,)
    device: str = "cpu"
    precision: str = "fp32"
    compile: str = "none"
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
    def runs(self) -> list[tuple[str, int]]:
        """The scenarios with their batch sizes, in order."""
        return [
            (scenario, size)
            for scenario in self.scenarios
            for size in (self.batch_sizes if scenario == "offline" else (1,))
        ]

    def for_parts(self) -> Settings:
        """Return how parts are timed: queues form before a whole, so none is measured there."""
        names = ("single-stream" if name == "server" else name for name in self.scenarios)
        return replace(self, scenarios=tuple(dict.fromkeys(names)))

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_dict` wrote."""
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**given)
