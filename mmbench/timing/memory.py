"""The peak of memory that this process takes above what it had before."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_INTERVAL = 0.005  # seconds


@dataclass(frozen=True)
class Level:
    """Memory that this process has at a moment, in bytes.

    Attributes
    ----------
    resident : int
    gpu_allocated, gpu_reserved : int
        By torch's allocator; 0 without a GPU.
    """

    resident: int
    gpu_allocated: int = 0
    gpu_reserved: int = 0

    @classmethod
    def now(cls, device: str = "cpu") -> Level:
        """Return the present level."""
        import psutil

        resident = int(psutil.Process().memory_info().rss)
        if not device.startswith("cuda"):
            return cls(resident)
        import torch

        torch.cuda.synchronize(device)
        allocated = torch.cuda.memory_allocated(device)
        return cls(resident, allocated, torch.cuda.memory_reserved(device))


class PeakMemory:
    """Measures the peak of memory between entering and leaving a ``with`` block, in bytes.

    Resident memory: Linux keeps the peak itself (``VmHWM``), and it is reset on entering by
    writing 5 to ``/proc/self/clear_refs`` (proc(5)). Where that is not possible, a thread reads
    the resident size every 5 ms: peaks shorter than that are missed, and the thread disturbs
    what is timed meanwhile. Pages that the process had freed but not given back to the system
    count as its own before, so that memory reused from there does not show.

    GPU memory is that of torch's caching allocator, not of the CUDA context or of libraries.

    Parameters
    ----------
    device : str
        ``"cuda"`` or ``"cuda:N"`` measures that GPU too.
    above : Level, optional
        What does not count; by default what there is on entering.

    Attributes
    ----------
    baseline : int
        Resident memory that does not count.
    resident : int or None
        Peak resident above it; None within the block.
    method : str
        How the resident peak was found.
    gpu_allocated, gpu_reserved : int or None
        Peaks on the GPU above what does not count; None without one.
    """

    def __init__(self, device: str = "cpu", above: Level | None = None) -> None:
        self._device = device if device.startswith("cuda") else None
        self._above = above
        self.baseline = 0
        self.resident: int | None = None
        self.method = ""
        self.gpu_allocated: int | None = None
        self.gpu_reserved: int | None = None

    def __enter__(self) -> Self:
        above = self._above
        if self._device is not None:
            import torch

            above = above or Level.now(self._device)
            torch.cuda.reset_peak_memory_stats(self._device)
            self._gpu_baseline = (above.gpu_allocated, above.gpu_reserved)
        self._sampler = None if _reset_high_water_mark() else _Sampler()
        if self._sampler is None:
            self.method, self.baseline = "high-water mark", _status("VmRSS")
        else:
            self.method = f"read every {1000 * _INTERVAL:g} ms"
            self.baseline = self._sampler.peak
            self._sampler.start()
        if above is not None:
            self.baseline = above.resident
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        peak = _status("VmHWM") if self._sampler is None else self._sampler.finish()
        self.resident = max(0, peak - self.baseline)
        if self._device is not None:
            import torch

            allocated, reserved = self._gpu_baseline
            self.gpu_allocated = torch.cuda.max_memory_allocated(self._device) - allocated
            self.gpu_reserved = torch.cuda.max_memory_reserved(self._device) - reserved


class _Sampler(threading.Thread):
    """Keeps the largest resident size that it saw."""

    def __init__(self) -> None:
        import psutil

        super().__init__(daemon=True)
        self._process = psutil.Process()
        self._over = threading.Event()
        self.peak = 0
        self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, self._process.memory_info().rss)

    def run(self) -> None:
        while not self._over.wait(_INTERVAL):
            self._look()

    def finish(self) -> int:
        self._over.set()
        self.join()
        self._look()
        return self.peak


def _reset_high_water_mark() -> bool:
    """Reset the kernel's peak to the present size; return whether it can be."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        # each core keeps some pages to itself before it adds them to the total
        inexact = 64 * (os.cpu_count() or 1) * os.sysconf("SC_PAGE_SIZE")
        return _status("VmHWM") - _status("VmRSS") <= inexact
    except (OSError, KeyError):
        return False


def _status(name: str) -> int:
    """Return a figure of ``/proc/self/status`` in bytes."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith(f"{name}:"):
                return 1024 * int(line.split()[1])
    raise KeyError(name)
