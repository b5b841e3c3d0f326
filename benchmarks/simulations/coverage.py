"""Whether 95 % intervals cover the truth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from mmbench_metrics import scores

from mmbench.statistics.intervals import intervals
from mmbench.statistics.weighted import of_sums

METRICS = ("accuracy", "f1_macro", "roc_auc", "log_loss")
SIZES = (100, 300, 1000)
CLASSES = (2, 5, 10)
GROUP = 4
"""Samples in a group, all of one class and with some of their noise in common."""
TRUTH = 400_000
"""Samples that the true figures are of."""

Drawn = tuple[np.ndarray, np.ndarray, np.ndarray]


def draw(n: int, k: int, grouped: bool, rng: np.random.Generator) -> Drawn:
    """Draw about n samples of classes of unequal size: truth, probabilities (n, k), groups."""
    unit = GROUP if grouped else 1
    share = np.linspace(1, 2, k) / np.linspace(1, 2, k).sum()
    units = np.repeat(np.arange(k), np.round(share * n / unit).astype(int))
    truth, groups = np.repeat(units, unit), np.repeat(np.arange(len(units)), unit)
    noise = rng.normal(size=(len(truth), k))
    if grouped:
        noise = (noise + rng.normal(size=(len(units), k))[groups]) / np.sqrt(2)
    own = truth[:, np.newaxis] == np.arange(k)
    odds = np.exp(1.5 * (noise + (1.2 + 0.1 * k) * own))
    return truth, odds / odds.sum(axis=1, keepdims=True), groups


def simulate(times: int) -> Iterator[dict[str, Any]]:
    """Return, for each size, number of classes and metric, the share of intervals that cover."""
    metrics = {name: getattr(scores, name)() for name in METRICS}
    for grouped, k in product((False, True), CLASSES):
        rng = np.random.default_rng([k, grouped])
        truth, p, _ = draw(TRUTH, k, grouped, rng)
        for n in SIZES:
            sizes = np.bincount(draw(n, k, grouped, rng)[0])
            share = sizes / sizes.sum()  # the truth is that of so many of each class
            weight = share * len(truth) / np.bincount(truth)
            true = of_sums(set(METRICS), truth, p, np.ones((len(truth), 1)) * weight[truth, None])
            covered = dict.fromkeys(METRICS, 0)
            for _ in range(times):
                of, probabilities, groups = draw(n, k, grouped, rng)
                given = groups if grouped else None
                for name, (low, high) in intervals(metrics, of, probabilities, given).items():
                    covered[name] += bool(low <= true[name][0] <= high)
            yield {
                "what": "coverage of 95 % intervals",
                "n": n,
                "classes": k,
                "groups of": GROUP if grouped else 1,
                **{name: covered[name] / times for name in METRICS},
            }
