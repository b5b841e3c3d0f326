import time

import pytest
import torch

from mmbench.errors import UserError
from mmbench.timing.clocks import CpuClock, FakeClock, clock_for, overhead


def test_the_fake_clock_moves_only_as_told():
    clock = FakeClock()
    assert clock.measure(lambda: None) == 0.0
    assert clock.measure(lambda: clock.advance(0.25)) == 0.25
    clock.sleep_until(0.1)  # past already
    assert clock.now() == 0.25
    clock.sleep_until(1.0)
    assert clock.now() == 1.0


def test_the_cpu_clock_agrees_with_another_clock():
    clock = CpuClock()
    before = time.monotonic()
    inner = clock.measure(lambda: time.sleep(0.02))
    outer = time.monotonic() - before
    assert 0.02 <= inner <= outer + 1e-3


def test_the_cpu_clock_never_wakes_early():
    clock = CpuClock()
    for wait in (-1.0, 0.0, 1e-4, 5e-3):
        moment = clock.now() + wait
        clock.sleep_until(moment)
        assert clock.now() >= moment


def test_what_the_call_raises_reaches_the_caller():
    error = MemoryError("no room")

    def fails():
        raise error

    for clock in (CpuClock(), FakeClock()):
        with pytest.raises(MemoryError) as caught:
            clock.measure(fails)
        assert caught.value is error


def test_devices_have_their_clock_and_others_none():
    assert type(clock_for("cpu")) is CpuClock
    with pytest.raises(UserError, match="'cpux' has no clock; did you mean 'cpu'"):
        clock_for("cpux")


class Costly(FakeClock):
    """Reading it takes time, as of a real one."""

    def measure(self, call):
        return super().measure(lambda: (call(), self.advance(3e-6)))


def test_overhead_is_what_measuring_adds():
    assert overhead(FakeClock()) == 0.0
    assert overhead(Costly()) == pytest.approx(3e-6)
    assert 0 < overhead(CpuClock()) < 20e-6  # microseconds are within reach of any machine


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_cuda_clock_waits_for_the_device():
    a = torch.randn(4096, 4096, device="cuda")

    def work():
        for _ in range(10):
            a @ a

    cuda, host = clock_for("cuda"), CpuClock()
    cuda.measure(work)
    synchronised = cuda.measure(work)
    torch.cuda.synchronize()
    unsynchronised = host.measure(work)

    def finished():
        work()
        torch.cuda.synchronize()

    torch.cuda.synchronize()
    assert unsynchronised < synchronised / 2
    assert synchronised == pytest.approx(host.measure(finished), rel=0.1)
