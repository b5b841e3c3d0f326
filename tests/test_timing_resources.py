import os
import threading

import numpy as np
import pytest
import torch

from mmbench.timing import memory
from mmbench.timing.conditions import (
    Conditions,
    Load,
    others_busy,
    others_on_gpu,
    slowdown_reasons,
)
from mmbench.timing.energy import EnergyMeter
from mmbench.timing.memory import PeakMemory

MIB = 2**20


def take(size):
    block = np.ones(size, dtype=np.uint8)
    return int(block[-1])


@pytest.mark.parametrize("reset", [True, False], ids=["high-water-mark", "sampled"])
def test_the_peak_above_the_baseline_is_seen_after_it_is_gone(reset, monkeypatch):
    if not reset:  # as where /proc/self/clear_refs cannot be written
        monkeypatch.setattr(memory, "_reset_high_water_mark", lambda: False)
    take(300 * MIB)  # an earlier peak, which must not count
    with PeakMemory() as small:
        take(10 * MIB)
    with PeakMemory() as large:
        take(100 * MIB)
        threading.Event().wait(0.05)
    if reset and small.method != "high-water mark":
        pytest.skip("the kernel's peak cannot be reset here")
    assert small.baseline > 0
    assert small.resident < 60 * MIB
    if reset:
        assert 95 * MIB < large.resident < 160 * MIB
    assert large.gpu_allocated is None


def test_memory_that_stays_is_seen_by_the_sampler(monkeypatch):
    monkeypatch.setattr(memory, "_reset_high_water_mark", lambda: False)
    with PeakMemory() as peak:
        kept = np.ones(100 * MIB, dtype=np.uint8)
    assert kept[0] == 1
    assert 95 * MIB < peak.resident < 160 * MIB
    assert peak.method == "read every 5 ms"


def zone(root, name, label, energy, span=262_143_328_850):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in (("name", label), ("energy_uj", energy), ("max_energy_range_uj", span)):
        (folder / file).write_text(f"{text}\n")


def test_rapl_adds_packages_and_their_memory_and_nothing_twice(tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 500_000)  # within the package
    zone(tmp_path, "intel-rapl:0:1", "dram", 0)
    zone(tmp_path, "intel-rapl:1", "package-1", 0)
    zone(tmp_path, "intel-rapl:2", "psys", 0)  # all of the above
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0)  # the first again
    with EnergyMeter("cpu", tmp_path) as meter:
        zone(tmp_path, "intel-rapl:0", "package-0", 6_000_000)
        zone(tmp_path, "intel-rapl:0:0", "core", 4_000_000)
        zone(tmp_path, "intel-rapl:0:1", "dram", 500_000)
        zone(tmp_path, "intel-rapl:1", "package-1", 250_000)
        zone(tmp_path, "intel-rapl:2", "psys", 9_000_000)
        zone(tmp_path, "intel-rapl-mmio:0", "package-0", 5_000_000)
        assert meter.joules is None
    assert meter.joules == pytest.approx(5 + 0.5 + 0.25)
    assert (meter.source, meter.reason) == ("rapl", "")


def test_a_rapl_counter_that_wraps_goes_on(tmp_path):
    zone(tmp_path, "intel-rapl:0", "package-0", 9_000_000, span=10_000_000)
    with EnergyMeter("cpu", tmp_path) as meter:
        zone(tmp_path, "intel-rapl:0", "package-0", 2_000_000, span=10_000_000)
    assert meter.joules == pytest.approx(3)


def test_energy_that_cannot_be_read_has_its_reason(tmp_path):
    with EnergyMeter("cpu", tmp_path) as none:
        pass
    assert none.joules is None
    assert "RAPL: no processor package" in none.reason
    zone(tmp_path, "intel-rapl:0", "package-0", 1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    with EnergyMeter("cpu", tmp_path) as gone:
        pass
    assert gone.joules is None
    assert "energy_uj" in gone.reason
    with EnergyMeter("mps", tmp_path) as other:
        pass
    assert "'mps'" in other.reason


def test_what_raises_within_is_not_swallowed(tmp_path):
    with (
        pytest.raises(MemoryError),
        PeakMemory() as peak,
        EnergyMeter("cpu", tmp_path),
        Conditions() as conditions,
    ):
        raise MemoryError
    assert peak.resident is not None
    assert "cpu_cores" in conditions.values


def test_conditions_of_this_machine_are_plain_values():
    with Conditions() as conditions:
        threading.Event().wait(0.6)
    assert conditions.values["cpu_cores"] == os.cpu_count()
    assert 0 <= conditions.values["cpu_others_cores"] <= os.cpu_count() + 0.5
    assert all(isinstance(v, int | float | str | None) for v in conditions.values.values())
    assert all(isinstance(w, str) for w in conditions.warnings)


def test_the_load_of_others_is_what_this_process_did_not_cause():
    before = Load(moment=10.0, busy=100.0, own=5.0, steal=1.0, throttles=None)
    after = Load(moment=14.0, busy=109.0, own=8.0, steal=1.0 + os.cpu_count(), throttles=None)
    others, steal = others_busy(before, after)
    assert others == pytest.approx((9 - 3) / 4)
    assert steal == pytest.approx(1 / 4)
    soon = Load(moment=10.1, busy=101.0, own=5.0, steal=1.0, throttles=None)
    assert others_busy(before, soon) == (None, None)


def test_other_processes_on_the_gpu_are_told_from_this_one():
    assert others_on_gpu([(10, 500), (10, 500)], own=10) == []
    assert others_on_gpu([(10, 500), (11, 300), (12, None)], own=10) == [0, 300]
    # in a container this process has another number outside
    assert others_on_gpu([(900, 500)], own=10) == []
    assert others_on_gpu([(900, 500), (901, 20)], own=10) == [20]
    assert others_on_gpu([], own=10) == []


def test_throttling_is_told_in_words():
    pynvml = pytest.importorskip("pynvml")
    mask = pynvml.nvmlClocksEventReasonSwPowerCap | pynvml.nvmlClocksEventReasonGpuIdle
    assert slowdown_reasons(pynvml, mask) == ["its power limit"]
    hot = pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
    assert slowdown_reasons(pynvml, hot) == ["its temperature (hardware)"]
    assert slowdown_reasons(pynvml, 0) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_an_nvidia_driver_the_gpu_is_unknown_with_the_reason():
    with EnergyMeter("cuda") as meter, Conditions("cuda") as conditions:
        pass
    assert meter.joules is None
    assert "NVML" in meter.reason or "nvidia-ml-py" in meter.reason
    assert any("the GPU's state is unknown" in warning for warning in conditions.warnings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_measured():
    with PeakMemory("cuda") as peak, EnergyMeter("cuda") as meter, Conditions("cuda") as found:
        block = torch.ones(64 * MIB, device="cuda")
        for _ in range(200):
            block = block * 1.0
        torch.cuda.synchronize()
    assert peak.gpu_allocated >= 2 * 4 * 64 * MIB
    assert peak.gpu_reserved >= 0
    assert meter.joules > 0, meter.reason
    assert found.values["gpu_sm_mhz"] > 0
