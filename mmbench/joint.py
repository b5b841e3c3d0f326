"""A joint fusion, fitted and asked: on embeddings, or on items where it trains their encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.corruption.items import LostItems, open_items
from mmbench.data import pick
from mmbench.pipeline import checked_probabilities, count
from mmbench.workshop import Workshop

Given = Mapping[str, Any]
"""By modality, features of ``n`` samples, or their items where an encoder is trained."""


def items(part: Mapping[str, Any], workshop: Workshop, rows: np.ndarray) -> Sequence[Any]:
    """Return some samples' items of a modality whose encoder is trained, None where missing."""
    told = part["items"]
    found = open_items(
        told["samples"]["params"], part["modality"], workshop, told.get("corruption")
    )
    chosen = pick(found, rows)
    if "lost" not in told:
        return chosen
    return LostItems(chosen, workshop.array(told["lost"])[rows])


def fit(
    component: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]],
    workshop: Workshop,
    train: Given,
    labels: np.ndarray,
    *,
    validation: tuple[Given, np.ndarray] | None = None,
) -> tuple[Any, Callable[[Given], np.ndarray]]:
    """Fit a joint fusion; encoders that are trained with it begin from their own weights.

    Parameters
    ----------
    component : mapping
        What the fusion is built from.
    parts : sequence of mapping
        The parts of its features' spec.
    train : mapping
        Features or items of the training part.
    labels : ndarray of int64, shape (n,)
        0 to k-1, without gaps.
    validation : tuple, optional
        The same of the validation part.

    Returns
    -------
    model : object
        The fitted fusion.
    predict : callable
        From features or items to class probabilities (n, k), checked.
    """
    k = int(labels.max()) + 1
    model = workshop.build(component, k)
    encoders = {
        part["modality"]: workshop.build(part["items"]["encoder"])
        for part in parts
        if "items" in part
    }
    if encoders:
        model.fit_items(encoders, train, labels, validation=validation)
    else:
        model.fit(train, labels, validation=validation)
    method = "predict_proba_items" if encoders else "predict_proba"

    def predict(given: Given) -> np.ndarray:
        return checked_probabilities(getattr(model, method)(given), count(given), k, method)

    return model, predict
