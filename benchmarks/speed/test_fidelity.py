"""mmbench's clocks agree with others, and one that does not wait for a GPU does not."""

from __future__ import annotations

import pytest

from benchmarks.speed.fidelity import against_timer, against_triton, unsynchronised
from mmbench.timing.clocks import clock_for, overhead


def test_on_a_cpu_the_ratio_to_torchs_timer_is_1_within_5_percent() -> None:
    """The interval of the ratio of medians lies within the bounds."""
    for ratio in against_timer():
        assert 0.95 < ratio.low < ratio.high < 1.05, ratio


def test_measuring_adds_less_than_20_microseconds() -> None:
    """A call of nothing costs next to nothing."""
    assert overhead(clock_for("cpu")) < 20e-6


@pytest.mark.gpu
def test_on_a_gpu_the_ratio_to_tritons_is_1_within_3_percent() -> None:
    """The ratio of medians lies within the bounds."""
    pytest.importorskip("triton")
    for ratio in against_triton():
        assert 0.97 < ratio.value < 1.03, ratio


@pytest.mark.gpu
def test_a_clock_that_does_not_wait_for_the_gpu_is_wrong() -> None:
    """It sees the launch of the work, not the work."""
    for ratio in unsynchronised():
        assert ratio.high < 0.9, ratio
