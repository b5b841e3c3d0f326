"""Weights of modalities: given, or learned from the heads' out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

FLOOR = 1e-12
"""The least probability that a true class is taken to have had, so that its log is finite."""


def normalised(weights: Sequence[float] | None, n_modalities: int) -> np.ndarray:
    """Return given weights scaled to sum to 1; equal ones where none are given.

    Raises
    ------
    ValueError
        If there is not one weight per modality, or one is negative or not finite, or all are 0.
    """
    if weights is None:
        return np.full(n_modalities, 1 / n_modalities)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (n_modalities,):
        raise ValueError(
            f"weights = {weights}: one per modality is needed, and there are {n_modalities}"
        )
    total = given.sum()
    if not np.isfinite(total) or (given < 0).any() or total == 0:
        raise ValueError(f"weights = {weights}: they must be finite, not negative and not all 0")
    scaled: np.ndarray = given / total
    return scaled


def learned(probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Find the weights whose mean of probabilities has the least log loss.

    Parameters
    ----------
    probabilities : mapping of str to ndarray, shape (n, k)
        Out-of-fold class probabilities by modality. A row with NaN: the sample lacks the modality,
        which then says what the mean of its other modalities says.
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float64, shape (m,)
        Not negative, summing to 1, in the order of the mapping.

    Notes
    -----
    Minimises ``-mean(log(sum_m w_m p_m[label]))`` over the simplex, which is convex, by sequential
    quadratic programming (SLSQP) from equal weights.

    References
    ----------
    Smyth and Wolpert, "Linearly combining density estimators via stacking", Machine Learning 36,
    1999.
    """
    from scipy.optimize import minimize

    rows = np.arange(len(labels))
    true = np.column_stack([part[rows, labels] for part in probabilities.values()])
    absent = np.isnan(true)
    if absent.any():
        known = ~absent.all(axis=1)
        true, absent = true[known], absent[known]
        true = np.where(absent, np.nanmean(true, axis=1, keepdims=True), true)
    true = np.maximum(true, FLOOR)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = true @ weights
        return -np.log(mixed).mean(), -(true / mixed[:, None]).mean(axis=0)

    m = true.shape[1]
    found = minimize(
        loss,
        np.full(m, 1 / m),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * m,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": np.ones_like,
        },
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0.0, None)
    return np.asarray(weights / weights.sum())


def learned_by_modality(
    probabilities: Mapping[str, np.ndarray], labels: np.ndarray
) -> dict[str, float]:
    """Return the weights that `learned` finds, by modality."""
    return dict(zip(probabilities, learned(probabilities, labels).tolist(), strict=True))


def as_history(by_modality: Mapping[str, float], what: str) -> list[dict[str, Any]]:
    """Return one value per modality as rows, to be kept with a fit."""
    return [{"modality": modality, what: value} for modality, value in by_modality.items()]
