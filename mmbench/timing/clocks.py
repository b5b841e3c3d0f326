"""Clocks: one for each kind of device, and one whose time passes only as told."""

from __future__ import annotations

import abc
import math
import statistics
import time
from collections.abc import Callable
from typing import Any, Protocol

from mmbench.errors import UserError, did_you_mean

_SPIN = 2_000_000  # ns before the moment at which sleeping, which overshoots, gives way to looking


class Clock(Protocol):
    """What a measurement reads the time from. All times are in seconds."""

    def now(self) -> float:
        """Return the time since an arbitrary origin, once the device has done all it was given."""
        ...

    def sleep_until(self, moment: float) -> None:
        """Return as soon as `now` has reached ``moment``."""
        ...

    def measure(self, call: Callable[[], object]) -> float:
        """Return how long ``call`` takes, the device's share of it included.

        What ``call`` raises, out of memory included, reaches the caller unchanged.
        """
        ...


class CpuClock:
    """The monotonic clock of the highest resolution (`time.perf_counter_ns`)."""

    def __init__(self) -> None:
        self._origin = time.perf_counter_ns()

    def now(self) -> float:
        """Return the seconds since the clock was made."""
        return (time.perf_counter_ns() - self._origin) * 1e-9

    def sleep_until(self, moment: float) -> None:
        """Sleep for all but the last 2 ms, then look at the time until the moment has come."""
        target = self._origin + math.ceil(moment * 1e9)
        asleep = target - _SPIN - time.perf_counter_ns()
        if asleep > 0:
            time.sleep(asleep * 1e-9)
        while time.perf_counter_ns() < target:
            pass

    def measure(self, call: Callable[[], object]) -> float:
        """Return the seconds that ``call`` takes on the host."""
        start = time.perf_counter_ns()
        call()
        return (time.perf_counter_ns() - start) * 1e-9


class _DeviceClock(CpuClock, abc.ABC):
    """The host's clock, read once the device has done all it was given."""

    @abc.abstractmethod
    def synchronise(self) -> None:
        """Wait for the device."""

    def now(self) -> float:
        """Return the seconds since the clock was made, once the device is idle."""
        self.synchronise()
        return super().now()

    def measure(self, call: Callable[[], object]) -> float:
        """Return the seconds from an idle device to an idle device."""

        def finished() -> None:
            call()
            self.synchronise()

        self.synchronise()
        return super().measure(finished)


class CudaClock(_DeviceClock):
    """CUDA events on the device's current stream.

    The device is idle when the first event is recorded, so that what lies between the two is the
    whole call, work of the host included. Work that the call leaves on other streams is not.

    Parameters
    ----------
    device : str
        ``"cuda"`` or ``"cuda:N"``.
    """

    def __init__(self, device: str = "cuda") -> None:
        import torch

        super().__init__()
        self.device: Any = torch.device(device)

    def synchronise(self) -> None:
        """Wait for all streams of the device."""
        import torch

        torch.cuda.synchronize(self.device)

    def measure(self, call: Callable[[], object]) -> float:
        """Return the seconds between an event before and an event after ``call``."""
        import torch

        event: Any = torch.cuda.Event
        start, end = event(enable_timing=True), event(enable_timing=True)
        stream = torch.cuda.current_stream(self.device)
        self.synchronise()
        start.record(stream)
        call()
        end.record(stream)
        self.synchronise()
        return float(start.elapsed_time(end)) * 1e-3


class MpsClock(_DeviceClock):
    """The host's clock around work on Apple's GPU, which has no second device to name."""

    def synchronise(self) -> None:
        """Wait for all work on the device."""
        import torch

        torch.mps.synchronize()


class FakeClock:
    """A clock whose time passes only as told, in whole nanoseconds; for simulations."""

    def __init__(self) -> None:
        self._nanoseconds = 0

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self._nanoseconds += round(seconds * 1e9)

    def now(self) -> float:
        """Return the seconds that have passed."""
        return self._nanoseconds * 1e-9

    def sleep_until(self, moment: float) -> None:
        """Let time pass up to ``moment``, if it has not."""
        self._nanoseconds = max(self._nanoseconds, math.ceil(moment * 1e9))

    def measure(self, call: Callable[[], object]) -> float:
        """Return the seconds that ``call`` has let pass."""
        start = self._nanoseconds
        call()
        return (self._nanoseconds - start) * 1e-9


def clock_for(device: str) -> Clock:
    """Return the clock for a device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises
    ------
    UserError
        If there is no clock for that kind of device.
    """
    kind = device.partition(":")[0]
    if kind == "cpu":
        return CpuClock()
    if kind == "cuda":
        return CudaClock(device)
    if kind == "mps":
        return MpsClock()
    raise UserError(f"device {device!r} has no clock{did_you_mean(kind, ('cpu', 'cuda', 'mps'))}")


def overhead(clock: Clock, repeats: int = 1000) -> float:
    """Return the seconds that measuring adds to a sample: the median for a call of nothing."""

    def nothing() -> None:
        pass

    return statistics.median(clock.measure(nothing) for _ in range(repeats))
