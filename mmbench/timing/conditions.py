"""What else went on while something was timed: other load, clocks, throttling, temperature."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mmbench.timing.nvml import UnavailableError, open_gpu, read

_OTHERS = 0.25  # cores kept busy by other processes, from which on there is a warning
_STEAL = 0.01  # share of the machine's time taken by the hypervisor, likewise
_SHORTEST = 0.5  # seconds; the kernel counts processor time in steps of 10 ms
_THROTTLES = Path("/sys/devices/system/cpu")

_SLOWDOWNS = {
    "SwPowerCap": "its power limit",
    "HwSlowdown": "a hardware slowdown",
    "SyncBoost": "the slowest GPU of its boost group",
    "SwThermalSlowdown": "its temperature (driver)",
    "HwThermalSlowdown": "its temperature (hardware)",
    "HwPowerBrakeSlowdown": "an external power brake",
}


class Conditions:
    """Watches what may disturb a timing between entering and leaving a ``with`` block.

    Parameters
    ----------
    device : str
        ``"cuda"`` or ``"cuda:N"`` watches that GPU too.

    Attributes
    ----------
    values : dict of str to int, float, str or None
        ``cpu_cores``; ``cpu_others_cores``, how many of them other processes kept busy on
        average; ``cpu_steal_share``, the share of the machine's time that its hypervisor gave to
        others; ``cpu_mhz``, ``cpu_temperature_c`` (the hottest sensor) at the end;
        ``cpu_throttled``, how often a core was throttled meanwhile. On a GPU, at the end:
        ``gpu_others`` (other processes on it), ``gpu_others_mb`` (their memory), ``gpu_sm_mhz``,
        ``gpu_sm_mhz_max``, ``gpu_temperature_c``, ``gpu_power_w``, ``gpu_throttled_by``. None
        where it cannot be read; all GPU values are missing where NVML is.
    warnings : list of str
        What may have disturbed the timing, in words.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = device
        self.values: dict[str, int | float | str | None] = {}
        self.warnings: list[str] = []

    def __enter__(self) -> Self:
        self._before = Load.read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._processor(self._before, Load.read())
        if self._device.startswith("cuda"):
            try:
                with open_gpu(self._device) as (nvml, gpu):
                    self._gpu(nvml, gpu)
            except UnavailableError as failure:
                self.warnings.append(f"the GPU's state is unknown: {failure}")

    def _processor(self, before: Load, after: Load) -> None:
        others, steal = others_busy(before, after)
        throttled = None
        if before.throttles is not None and after.throttles is not None:
            throttled = after.throttles - before.throttles
        self.values |= {
            "cpu_cores": os.cpu_count(),
            "cpu_others_cores": others,
            "cpu_steal_share": steal,
            "cpu_mhz": _frequency(),
            "cpu_temperature_c": _temperature(),
            "cpu_throttled": throttled,
        }
        if others is not None and others > _OTHERS:
            self.warnings.append(f"other processes kept {others:.2g} processor cores busy")
        if steal is not None and steal > _STEAL:
            self.warnings.append(f"the hypervisor withheld {steal:.0%} of the processor's time")
        if throttled:
            self.warnings.append(f"processor cores were throttled {throttled} times")

    def _gpu(self, nvml: Any, gpu: Any) -> None:
        running = [
            process
            for kind in ("Compute", "Graphics")
            for process in read(nvml, f"nvmlDeviceGet{kind}RunningProcesses", gpu) or []
        ]
        others = others_on_gpu(
            ((process.pid, process.usedGpuMemory) for process in running), os.getpid()
        )
        reasons = read(nvml, "nvmlDeviceGetCurrentClocksEventReasons", gpu)
        slowdowns = slowdown_reasons(nvml, reasons or 0)
        power = read(nvml, "nvmlDeviceGetPowerUsage", gpu)
        self.values |= {
            "gpu_others": len(others),
            "gpu_others_mb": sum(others) / 1e6,
            "gpu_sm_mhz": read(nvml, "nvmlDeviceGetClockInfo", gpu, nvml.NVML_CLOCK_SM),
            "gpu_sm_mhz_max": read(nvml, "nvmlDeviceGetMaxClockInfo", gpu, nvml.NVML_CLOCK_SM),
            "gpu_temperature_c": read(
                nvml, "nvmlDeviceGetTemperature", gpu, nvml.NVML_TEMPERATURE_GPU
            ),
            "gpu_power_w": None if power is None else power / 1000,
            "gpu_throttled_by": None if reasons is None else ", ".join(slowdowns),
        }
        if others:
            self.warnings.append(f"{len(others)} other processes are on the GPU")
        if slowdowns:
            self.warnings.append(f"the GPU's clock is held back by {', '.join(slowdowns)}")


@dataclass(frozen=True)
class Load:
    """Processor time in seconds up to a moment: of all processes, of this one, and withheld."""

    moment: float
    busy: float
    own: float
    steal: float
    throttles: int | None

    @classmethod
    def read(cls) -> Load:
        """Return the load up to now."""
        import psutil

        times = psutil.cpu_times()
        idle = ("idle", "iowait", "steal", "guest", "guest_nice")  # guests count as user already
        busy = sum(value for name, value in times._asdict().items() if name not in idle)
        return cls(time.monotonic(), busy, _own(), getattr(times, "steal", 0.0), _throttles())


def others_busy(before: Load, after: Load) -> tuple[float | None, float | None]:
    """Return the cores that others kept busy and the share withheld; None over too short a time."""
    elapsed = after.moment - before.moment
    if elapsed < _SHORTEST:
        return None, None
    others = (after.busy - before.busy) - (after.own - before.own)
    steal = (after.steal - before.steal) / (os.cpu_count() or 1)
    return max(0.0, others / elapsed), max(0.0, steal / elapsed)


def others_on_gpu(running: Iterable[tuple[int, int | None]], own: int) -> list[int]:
    """Return the GPU memory, in bytes, of each process that is not this one.

    In a container NVML gives process ids of the host. One that is not known here is then this
    process itself, which is on the GPU: the one with the most memory is taken for it.

    Parameters
    ----------
    running : iterable of (int, int or None)
        Process id and bytes (None where NVML does not tell) of all processes on the GPU.
    own : int
        This process's id.
    """
    memory: dict[int, int] = {}
    for pid, used in running:
        memory[pid] = max(memory.get(pid, 0), used or 0)
    if memory.pop(own, None) is None and memory:
        del memory[max(memory, key=lambda pid: memory[pid])]
    return sorted(memory.values())


def slowdown_reasons(nvml: Any, mask: int) -> list[str]:
    """Return what holds the GPU's clock back, in words, from NVML's clock event reasons."""
    return [
        words
        for name, words in _SLOWDOWNS.items()
        if mask & getattr(nvml, f"nvmlClocksEventReason{name}")
    ]


def _own() -> float:
    import psutil

    me, total = psutil.Process(), 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:  # it has ended meanwhile
            continue
        total += times.user + times.system
    ended = me.cpu_times()
    return total + float(ended.children_user + ended.children_system)


def _throttles() -> int | None:
    """Return how often Intel's cores were throttled since the machine started."""
    counts = list(_THROTTLES.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    try:
        return sum(int(count.read_text()) for count in counts) if counts else None
    except (OSError, ValueError):
        return None


def _frequency() -> float | None:
    import psutil

    frequency = psutil.cpu_freq()
    return None if frequency is None else float(frequency.current)


def _temperature() -> float | None:
    import psutil

    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    names = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "acpitz")
    read_now = [entry.current for name in names for entry in sensors.get(name, ())]
    return max(read_now, default=None)
