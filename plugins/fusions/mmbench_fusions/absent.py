"""Decisions over samples of which some lack a modality: rows of NaN among its probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np


def combined(
    probabilities: Mapping[str, np.ndarray], formula: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Apply a formula to the samples that have a modality; the others get equal probabilities.

    Parameters
    ----------
    probabilities : mapping of str to ndarray, shape (n, k)
        A row with NaN: the sample lacks the modality.
    formula : callable
        Takes float64 (m, n', k), where each of the n' samples has a modality and the rows of those
        it lacks are NaN, to (n', k).

    Returns
    -------
    ndarray of float64, shape (n, k)
    """
    parts = [np.asarray(part, dtype=np.float64) for part in probabilities.values()]
    stacked = np.clip(np.stack(parts), 0.0, 1.0)  # a head's rounding may leave them
    absent = np.isnan(stacked).any(axis=2)
    stacked[absent] = np.nan
    known = ~absent.all(axis=0)
    if known.all():
        return formula(stacked)
    _, n, k = stacked.shape
    fused: np.ndarray = np.full((n, k), 1 / k)
    if known.any():
        fused[known] = formula(stacked[:, known])
    return fused


def counted(stacked: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the weight (m, n) of each modality for each sample, 0 where the sample lacks it.

    Equal weights where the modalities that a sample has all weigh 0.
    """
    present: np.ndarray = (~np.isnan(stacked[:, :, 0])).astype(np.float64)
    if weights is None:
        return present
    given: np.ndarray = weights[:, None] * present
    nothing = given.sum(axis=0) == 0
    given[:, nothing] = present[:, nothing]
    return given


def average(stacked: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the weighted mean (n, k) over the modalities that each sample has."""
    given = counted(stacked, weights)
    summed = np.nansum(given[:, :, None] * stacked, axis=0)
    mean: np.ndarray = summed / given.sum(axis=0)[:, None]
    return mean
