"""Applies metrics to stored predictions. The metrics themselves are plugins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmbench.contracts import Metric
from mmbench.errors import PluginError


def predict(probabilities: np.ndarray) -> np.ndarray:
    """Return predicted labels (n,): the argmax of probabilities (n, n_classes)."""
    predicted: np.ndarray = probabilities.argmax(axis=1)
    return predicted


def evaluate(
    metrics: Mapping[str, Metric], truth: np.ndarray, probabilities: np.ndarray
) -> dict[str, float | None]:
    """Score predictions by each metric; None where one does not apply.

    Raises
    ------
    PluginError
        A metric raises, or returns something that is no number; it is named.
    """
    predicted = predict(probabilities)
    values: dict[str, float | None] = {}
    for name, metric in metrics.items():
        given = probabilities if metric.needs == "probabilities" else None
        try:
            value: Any = float(metric(truth, predicted, given))
        except Exception as error:
            raise PluginError(f"metric {name!r}: {type(error).__name__}: {error}") from error
        values[name] = value if math.isfinite(value) else None
    return values
