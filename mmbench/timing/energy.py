"""Energy from the counters that GPUs and processors keep, where they can be read."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from mmbench.timing.nvml import UnavailableError, open_gpu

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """Measures the energy spent between entering and leaving a ``with`` block.

    For a GPU it is the board's total since the driver was loaded, which NVML counts from the
    Volta generation on. For the CPU it is RAPL's counters of all processor packages and, where
    they are counted apart, of their memory (Linux powercap; Intel, and AMD from Zen on). Both
    include what idles and what others use, and advance in steps of some milliseconds up to
    about a tenth of a second: a block should last a second or more. RAPL's counters wrap; one
    wrap within a block is seen, which at full power come minutes apart.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    powercap : Path
        The kernel's folder of power zones.

    Attributes
    ----------
    joules : float or None
        The energy; None within the block and where it cannot be read.
    source : str
        ``"nvml"``, ``"rapl"`` or empty.
    reason : str
        Why there is none.
    """

    def __init__(self, device: str = "cpu", powercap: Path = POWERCAP) -> None:
        self._device, self._powercap = device, powercap
        self.joules: float | None = None
        self.source = self.reason = ""

    def __enter__(self) -> Self:
        try:
            self._before = self._read()
        except UnavailableError as error:
            self.reason = str(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.reason:
            return
        try:
            after = self._read()
        except UnavailableError as failure:
            self.reason = str(failure)
            return
        self.source = "nvml" if self._device.startswith("cuda") else "rapl"
        self.joules = sum(
            now - before if now >= before else now - before + span
            for (before, _), (now, span) in zip(self._before, after, strict=True)
        )

    def _read(self) -> list[tuple[float, float]]:
        """Return each counter's value, and the value at which it starts again, in joules."""
        if self._device.startswith("cuda"):
            with open_gpu(self._device) as (nvml, gpu):
                return [(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) * 1e-3, 0.0)]
        if self._device != "cpu":
            raise UnavailableError(f"no energy counter is known for device {self._device!r}")
        return [_zone(zone) for zone in _zones(self._powercap)]


def _zones(powercap: Path) -> list[Path]:
    """Return RAPL's zones that add up: the packages, and memory counted beside its package."""
    zones = [
        zone
        for zone in sorted(powercap.glob("intel-rapl:*"))
        if _text(zone / "name").startswith(("package", "dram"))
    ]
    if not zones:
        raise UnavailableError(f"RAPL: no processor package in {powercap}")
    return zones


def _zone(zone: Path) -> tuple[float, float]:
    energy, span = (int(_text(zone / name)) for name in ("energy_uj", "max_energy_range_uj"))
    return energy * 1e-6, span * 1e-6


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except PermissionError:
        raise UnavailableError(f"RAPL: {path} is for the superuser to read") from None
    except OSError as error:
        raise UnavailableError(f"RAPL: {path}: {error.strerror}") from None
