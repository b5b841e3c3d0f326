"""Whether equal methods are told apart, and what the best of them is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import norm

from mmbench.statistics.ranking import rank_groups, worse_by_bootstrap, worse_by_mcnemar
from mmbench.statistics.resampling import bootstrap_weights
from mmbench.statistics.selection import outside, selection_corrected

N, CLASSES, SHARE = 300, 3, 0.8
DRAWS = 500


def methods(count: int, common: float, rng: np.random.Generator) -> np.ndarray:
    """Return which samples equal methods label right, with some of their errors in common."""
    noise = np.sqrt(common) * rng.normal(size=N)
    noise = noise + np.sqrt(1 - common) * rng.normal(size=(count, N))
    right: np.ndarray = noise < norm.ppf(SHARE)
    return right


def false_alarms(times: int, common: float, count: int = 20) -> dict[str, Any]:
    """Return how often any of equal methods are put into different groups of ranks."""
    weights = bootstrap_weights(np.arange(N) % CLASSES, draws=DRAWS)
    alarms = {"exact McNemar": 0, "paired bootstrap": 0}
    for seed in range(times):
        right = methods(count, common, np.random.default_rng(seed))
        order = np.argsort(-right.mean(axis=1), kind="stable")
        by_bootstrap = worse_by_bootstrap(right @ weights / N, N - CLASSES, higher_is_better=True)
        alarms["exact McNemar"] += int(rank_groups(order, worse_by_mcnemar(right)).max() > 1)
        alarms["paired bootstrap"] += int(rank_groups(order, by_bootstrap).max() > 1)
    shares = {name: found / times for name, found in alarms.items()}
    return {"what": f"{count} equal methods told apart", "in common": common, **shares}


def headline(times: int, common: float, count: int = 50) -> dict[str, Any]:
    """Return the mean of the best of equal methods, as it is and corrected."""
    truth = np.arange(N) % CLASSES
    weights = bootstrap_weights(truth, draws=DRAWS)
    left = outside(weights, truth)[:, 1:]
    found = []
    for seed in range(times):
        right = methods(count, common, np.random.default_rng(seed))
        drawn, rest = right @ weights[:, 1:] / N, right @ left / left.sum(axis=0)
        found.append(selection_corrected(drawn, rest, right.mean(axis=1)))
    return {
        "what": f"best of {count} equal methods",
        "in common": common,
        "true": SHARE,
        "naive": float(np.mean([each.naive for each in found])),
        "corrected": float(np.mean([each.estimate for each in found])),
        "covered": float(np.mean([each.low <= SHARE <= each.high for each in found])),
    }
