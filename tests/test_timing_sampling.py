import numpy as np
import pytest

from mmbench.errors import UserError
from mmbench.timing.clocks import FakeClock
from mmbench.timing.sampling import StopRule, sample


class Sleeper:
    """Lets the given seconds pass, the last for ever, and remembers its batches."""

    def __init__(self, clock, *seconds):
        self.clock, self.seconds, self.batches = clock, seconds, []

    def __call__(self, batch):
        self.batches.append(batch)
        self.clock.advance(self.seconds[min(len(self.batches), len(self.seconds)) - 1])


def run(*seconds, size=1, **rule):
    clock = FakeClock()
    work = Sleeper(clock, *seconds)
    return sample(work, clock, StopRule(**rule), size), work


def test_cold_start_and_warm_up_stand_apart():
    found, _ = run(5.0, 2.0, 2.0, 0.5, warmup=2, min_repeats=3, min_seconds=0)
    assert found.cold == 5.0
    assert found.warmup.tolist() == [2.0, 2.0]
    assert found.seconds.tolist() == [0.5, 0.5, 0.5]
    assert found.seconds.dtype == np.float64
    assert found.shortfall == ""


@pytest.mark.parametrize(
    ("cost", "repeats", "seconds", "expected"),
    [(0.125, 10, 0.5, 10), (0.125, 2, 1.0, 8), (0.125, 4, 0.5, 4), (2.0, 1, 1.0, 1)],
)
def test_both_minima_are_reached_and_not_passed(cost, repeats, seconds, expected):
    found, _ = run(cost, min_repeats=repeats, min_seconds=seconds, warmup=0)
    assert len(found.seconds) == expected


def test_the_cap_ends_a_slow_call_and_says_so():
    found, work = run(1.0, min_repeats=100, min_seconds=1, max_seconds=8, warmup=3)
    assert len(found.seconds) == 5
    assert len(work.batches) == 1 + 3 + 5
    assert found.shortfall == (
        "stopped at max_seconds (8) after 5 of at least 100 calls and 5 of at least 1 s"
    )


def test_a_warm_up_that_takes_all_the_time_leaves_one_sample():
    found, _ = run(10.0, min_repeats=2, min_seconds=0, max_seconds=15, warmup=50)
    assert len(found.warmup) == 2
    assert found.seconds.tolist() == [10.0]
    assert found.shortfall


def test_batches_follow_each_other_and_keep_their_size():
    found, work = run(0.1, size=32, min_repeats=4, min_seconds=0, warmup=2)
    assert found.size == 32
    assert work.batches == [range(k, k + 32) for k in range(0, 7 * 32, 32)]


def test_out_of_memory_reaches_the_caller_and_the_batch_stays():
    import torch

    clock, asked = FakeClock(), []
    error = torch.OutOfMemoryError("CUDA out of memory")

    def work(batch):
        asked.append(len(batch))
        clock.advance(0.1)
        if len(asked) == 5:
            raise error

    with pytest.raises(torch.OutOfMemoryError) as caught:
        sample(work, clock, StopRule(warmup=1), size=64)
    assert caught.value is error
    assert asked == [64] * 5


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"min_repeats": 0}, "min_repeats is 0"),
        ({"warmup": -1}, "warmup is -1"),
        ({"min_seconds": 9, "max_seconds": 3}, "min_seconds is 9"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule, words):
    with pytest.raises(UserError, match=words):
        StopRule(**rule)


def test_a_batch_of_none_is_refused():
    with pytest.raises(UserError, match="batch size is 0"):
        run(0.1, size=0)
