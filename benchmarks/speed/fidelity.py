"""How well mmbench's clocks agree with others: ``python -m benchmarks.speed.fidelity``.

On a CPU against `torch.utils.benchmark.Timer`, on a GPU against `triton.testing.do_bench`: the
same network, batch and threads, both measured in one run, turn by turn, so that whatever slows
the machine down slows both. A round's figure is the ratio of the two medians over its turns;
the interval is Student's t of the rounds' logarithms.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.tables import write
from mmbench.timing.clocks import clock_for, overhead
from mmbench.timing.conditions import Conditions
from mmbench.timing.sampling import StopRule, sample

ROUNDS, TURNS = 20, 40

Measured = Callable[[], float]
"""Returns the median seconds of some calls."""


@dataclass(frozen=True)
class Ratio:
    """What one way to measure gives over what another gives.

    Attributes
    ----------
    what : str
    ours, theirs : float
        Median seconds of a call, over all rounds.
    value, low, high : float
        The geometric mean of the rounds' ratios, with its 95 % confidence interval.
    rounds : int
    disturbed : str
        What else went on.
    """

    what: str
    ours: float
    theirs: float
    value: float
    low: float
    high: float
    rounds: int
    disturbed: str

    def row(self) -> dict[str, Any]:
        """Return it as a row of a table."""
        return {
            "what": self.what,
            "ours_us": round(1e6 * self.ours, 2),
            "other_us": round(1e6 * self.theirs, 2),
            "ratio": round(self.value, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "rounds": self.rounds,
            "disturbed": self.disturbed,
        }


def compare(
    what: str, ours: Measured, theirs: Measured, rounds: int = ROUNDS, turns: int = TURNS
) -> Ratio:
    """Measure by turns, the first of each turn changing, and compare."""
    from scipy.stats import t

    medians = []
    with Conditions() as conditions:
        for number in range(rounds):
            pairs = []
            for turn in range(turns):
                if (number + turn) % 2:
                    pairs.append((ours(), theirs()))
                else:
                    other = theirs()
                    pairs.append((ours(), other))
            medians.append(np.median(pairs, axis=0))
    logs = np.log([own / other for own, other in medians])
    reach = t.ppf(0.975, rounds - 1) * logs.std(ddof=1) / np.sqrt(rounds)
    own, other = np.median(medians, axis=0)
    value, low, high = np.exp(logs.mean() + reach * np.array([0, -1, 1]))
    told = "; ".join(conditions.warnings)
    return Ratio(what, own, other, float(value), float(low), float(high), rounds, told)


def networks(device: str) -> dict[str, tuple[Callable[[Any], object], int]]:
    """Return networks on their batches, and how many calls of each make a turn."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    nn = torch.nn
    wide = 512 if device == "cpu" else 4096
    perceptron = nn.Sequential(nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 10))
    convolutions = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.AdaptiveAvgPool2d(1)
    )
    batches = {
        f"perceptron, {wide} wide, batches of 8": (perceptron, torch.randn(8, wide), 20),
        "convolutions, 64 × 64 pixels, batches of 4": (convolutions, torch.randn(4, 3, 64, 64), 5),
    }

    def called(network: torch.nn.Module, batch: torch.Tensor) -> Callable[[Any], object]:
        network, batch = network.to(device).eval(), batch.to(device)

        def call(_: Any) -> object:
            with torch.inference_mode():
                return network(batch)

        return call

    return {name: (called(net, batch), calls) for name, (net, batch, calls) in batches.items()}


def own_median(call: Callable[[Any], object], device: str, calls: int) -> Measured:
    """Return mmbench's way to measure some calls."""
    clock, rule = clock_for(device), StopRule(min_repeats=calls, min_seconds=0, warmup=1)
    return lambda: float(np.median(sample(call, clock, rule).seconds))


def against_timer(rounds: int = ROUNDS) -> list[Ratio]:
    """Compare with `torch.utils.benchmark.Timer` on the CPU."""
    from torch.utils.benchmark import Timer

    found = []
    for name, (call, calls) in networks("cpu").items():
        timer = Timer("call(None)", globals={"call": call}, num_threads=1)
        ours = own_median(call, "cpu", calls)

        def theirs(timer: Timer = timer, calls: int = calls) -> float:
            """Return the median of single calls: a block's figure is the mean of its calls."""
            return statistics.median(timer.timeit(1).median for _ in range(calls))

        found.append(compare(name, ours, theirs, rounds))
    return found


def against_triton(rounds: int = ROUNDS) -> list[Ratio]:
    """Compare with `triton.testing.do_bench` on the GPU."""
    from triton.testing import do_bench

    found = []
    for name, (call, calls) in networks("cuda").items():
        ours = own_median(call, "cuda", 4 * calls)

        def theirs(call: Callable[[Any], object] = call) -> float:
            return 1e-3 * float(do_bench(lambda: call(None), return_mode="median"))

        found.append(compare(name, ours, theirs, rounds, turns=5))
    return found


def unsynchronised(rounds: int = ROUNDS) -> list[Ratio]:
    """Compare the host's clock, which does not wait for the GPU, with the GPU's."""
    found = []
    for name, (call, calls) in networks("cuda").items():
        wrong, right = own_median(call, "cpu", calls), own_median(call, "cuda", calls)
        found.append(compare(f"unsynchronised: {name}", wrong, right, rounds, turns=10))
    return found


def main() -> None:
    """Write ``fidelity-cpu`` or ``fidelity-GPU``, csv and md."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    asked = parser.parse_args()
    if asked.device == "cpu":
        ratios, other = against_timer(asked.rounds), "`torch.utils.benchmark.Timer`"
    else:
        ratios, other = against_triton(asked.rounds), "`triton.testing.do_bench`"
        ratios += unsynchronised(asked.rounds)
    cost = 1e6 * overhead(clock_for(asked.device))
    text = (
        f"Medians of mmbench over those of {other}, in one run and by turns, with 95 % confidence "
        f"intervals over rounds (`python -m benchmarks.speed.fidelity --device {asked.device}`). "
        f"Measuring adds {cost:.3g} µs to a call."
    )
    table = pd.DataFrame([ratio.row() for ratio in ratios])
    write("fidelity", asked.device, table, table, text, asked.out)


if __name__ == "__main__":
    main()
