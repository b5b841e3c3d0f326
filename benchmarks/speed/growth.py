"""How the cost of a run grows along each axis of a matrix.

Run as ``python -m benchmarks.speed.growth``, it writes ``results/speed/growth-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.speed.runs import Told, run_apart
from benchmarks.speed.tables import write

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 2
DECISION = (
    "mean-probability", "product-rule", "max-rule", "min-rule", "median", "vote", "borda",
    "dempster-shafer",
)  # fmt: skip

TEXT = """\
Seconds of processor time of runs on made vectors of two modalities, all their processes included, \
with an empty store and one job at a time; the least of {rounds} rounds by turns. `work_s` is what \
a run takes more than one of a single cell that costs next to nothing, `exponent` the slope of \
its logarithm over that of `size` by least squares over all sizes of a curve, `expected` what it \
should be, and `cells` and `jobs` what was run."""


@dataclass(frozen=True)
class Setting:
    """One matrix on made vectors; curves change one of its axes."""

    samples: int = 1000
    classes: int = 4
    width: int = 64
    encoders: tuple[Any, ...] = ("identity",)
    fusions: tuple[Any, ...] = ("mean-probability",)
    heads: tuple[Any, ...] = ("naive-bayes",)
    seeds: int = 1
    alone: bool = True
    """Whether single modalities are evaluated, too."""

    def matrix(self, folder: Path) -> dict[str, Any]:
        """Return the matrix, its data written into a folder: three quarters train."""
        rng = np.random.default_rng(0)
        labels = np.arange(self.samples) % self.classes
        centres = {m: rng.normal(scale=0.4, size=(self.classes, self.width)) for m in "ab"}
        noise = {m: rng.standard_normal((self.samples, self.width)) for m in "ab"}
        vectors = {m: (centres[m][labels] + noise[m]).astype(np.float32) for m in "ab"}
        split = np.where(np.arange(self.samples) % (4 * self.classes) < 3 * self.classes, 0, 1)
        file = folder / "made.npz"
        np.savez(file, y=labels, split=np.array(["train", "test"])[split], **vectors)
        return {
            "name": "growth",
            "seeds": list(range(self.seeds)),
            "datasets": [
                {
                    "use": "arrays",
                    "name": "made",
                    "path": str(file),
                    "label": "y",
                    "split": "split",
                    "modalities": {m: {"key": m, "kind": "vector"} for m in "ab"},
                }
            ],
            "encoders": {"vector": list(self.encoders)},
            "fusions": list(self.fusions),
            "heads": list(self.heads),
            "exclude": [] if self.alone else [{"fusion": "none"}],
        }


NOTHING = Setting(samples=100, width=2)


@dataclass(frozen=True)
class Curve:
    """What grows along one axis.

    Attributes
    ----------
    expected : str
        The exponent that it should have.
    """

    axis: str
    what: str
    sizes: tuple[int, ...]
    setting: Callable[[int], Setting]
    expected: str


def _forests(n: int, trees: int = 100) -> tuple[dict[str, Any], ...]:
    """Return as many forests that cost alike and share nothing."""
    leaves = list(range(1, n + 1))
    return ({"use": "random-forest", "n_estimators": trees, "max_depth": [8 + i for i in leaves]},)


CURVES = (
    Curve(
        "samples",
        "RBF machines",
        (2000, 2800, 4000, 5600, 8000),
        lambda n: Setting(samples=n, heads=("svm",)),
        "2 to 3",
    ),
    Curve(
        "samples",
        "random forests",
        (1000, 2000, 4000, 8000),
        lambda n: Setting(samples=n, heads=_forests(1)),
        "1 to 1.3",
    ),
    Curve(
        "classes",
        "gradient boosting",
        (2, 4, 8, 16),
        lambda n: Setting(classes=n, heads=({"use": "gradient-boosting", "max_iter": 40},)),
        "1",
    ),
    Curve(
        "classes",
        "RBF machines",
        (2, 4, 8, 16),
        lambda n: Setting(samples=4000, classes=n, heads=("svm",)),
        "0 to 0.5",
    ),
    Curve(
        "encoders",
        "principal components, decision-level fusion",
        (2, 4, 8, 16),
        lambda n: Setting(
            samples=4000,
            width=512,
            encoders=({"use": "pca", "components": list(range(2, 2 + n))},),
        ),
        "1",
    ),
    Curve(
        "fusions",
        "feature-level: a forest for each",
        (1, 2, 4, 8),
        lambda n: Setting(
            samples=4000,
            fusions=({"use": "random-projection", "components": [60 + i for i in range(n)]},),
            heads=_forests(1),
            alone=False,
        ),
        "1",
    ),
    Curve(
        "fusions",
        "decision-level: on two forests",
        (1, 2, 4, 8),
        lambda n: Setting(samples=4000, fusions=DECISION[:n], heads=_forests(1)),
        "0",
    ),
    Curve(
        "heads",
        "random forests",
        (1, 2, 4, 8),
        lambda n: Setting(samples=4000, heads=_forests(n)),
        "1",
    ),
    Curve(
        "seeds",
        "random forests, which ask for one",
        (1, 2, 4, 8),
        lambda n: Setting(samples=4000, heads=_forests(1), seeds=n),
        "1",
    ),
    Curve(
        "seeds",
        "RBF machines, which ask for none",
        (1, 2, 4, 8),
        lambda n: Setting(samples=4000, heads=("svm",), seeds=n),
        "0",
    ),
)


def run(setting: Setting) -> Told:
    """Run a setting in a folder of its own."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        return run_apart(setting.matrix(folder), folder)


def rows(curve: Curve, told: Sequence[Told], nothing: float) -> Iterator[dict[str, Any]]:
    """Give a curve's rows of the table."""
    work = [each.cpu - nothing for each in told]
    slope = exponent(curve.sizes, work)
    for size, each, seconds in zip(curve.sizes, told, work, strict=True):
        yield {
            "axis": curve.axis,
            "what": curve.what,
            "size": size,
            "cells": each.jobs["score"],
            "jobs": sum(each.jobs.values()),
            "cpu_s": each.cpu,
            "work_s": seconds,
            "exponent": slope,
            "expected": curve.expected,
        }


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of log seconds over log size, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def measure(curves: Sequence[Curve] = CURVES, rounds: int = ROUNDS) -> pd.DataFrame:
    """Return the table."""
    import pandas as pd

    settings = [NOTHING, *(curve.setting(size) for curve in curves for size in curve.sizes)]
    least = [min((run(s) for _ in range(rounds)), key=lambda told: told.cpu) for s in settings]
    nothing, made = least[0], iter(least[1:])
    listed = [
        row
        for curve in curves
        for row in rows(curve, [next(made) for _ in curve.sizes], nothing.cpu)
    ]
    return pd.DataFrame(listed).round(3)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="curves whose axis or name contains this")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args()
    curves = [c for c in CURVES if given.only in f"{c.axis} {c.what}"]
    table = measure(curves, given.rounds)
    write("growth", "cpu", table, table, TEXT.format(rounds=given.rounds), given.out)


if __name__ == "__main__":
    main()
