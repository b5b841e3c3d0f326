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


def evaluate_with_intervals(
    metrics: Mapping[str, Metric],
    truth: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Score predictions by each metric, with its confidence interval.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By their name in the table.
    truth : ndarray of int, shape (n,)
        Class codes.
    probabilities : ndarray of float64, shape (n, n_classes)
        What was predicted.
    groups : ndarray of int, shape (n,), optional
        What belongs together.

    Returns
    -------
    dict of str to float or None
        ``<metric>``, ``<metric>_low`` and ``<metric>_high``; see
        `mmbench.statistics.intervals.intervals`.

    Raises
    ------
    PluginError
        As `evaluate` does.
    """
    from mmbench.statistics.intervals import intervals

    figures = evaluate(metrics, truth, probabilities)
    bounds = intervals(metrics, truth, probabilities, groups, figures=figures)
    for name, pair in bounds.items():
        for column, bound in zip(bounds_of(name), pair, strict=True):
            figures[column] = bound if math.isfinite(bound) else None
    return figures


def bounds_of(metric: str) -> tuple[str, str]:
    """Return the columns of a metric's confidence interval."""
    return f"{metric}_low", f"{metric}_high"
