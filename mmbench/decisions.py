"""Decision-level fusions: what the heads of all modalities said becomes one decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmbench.embedding import keep_history
from mmbench.pipeline import Clock, Labels, checked_probabilities
from mmbench.store import Writer
from mmbench.stored import probabilities_of, resolved
from mmbench.workshop import Workshop

Probabilities = dict[str, np.ndarray]
"""By modality, (n, k) each."""


def out_of_fold(spec: Mapping[str, Any], workshop: Workshop, labels: Labels) -> Probabilities:
    """Return each modality's out-of-fold probabilities (n, k); NaN rows where it is missing."""
    made = {}
    for modality, values in probabilities_of(spec["out_of_fold"], workshop).items():
        if spec["parts"]:
            part = spec["parts"][modality]
            own, rows = Labels.of(workshop.array(part["labels"])), workshop.array(part["train"])
            wide = own.widen(values, int(labels.present.max()) + 1)[:, labels.present]
            values = _spread(wide, rows, len(labels.codes))
        made[modality] = values
    return made


def decided(spec: Mapping[str, Any], workshop: Workshop) -> Probabilities:
    """Return each modality's probabilities (n, n_classes) of the test part; NaN where missing."""
    made = probabilities_of(spec["probabilities"], workshop)
    if spec["parts"]:
        for modality, part in spec["parts"].items():
            rows = workshop.array(part["test"])
            made[modality] = _spread(made[modality], rows, spec["n_test"])
    return made


def _spread(values: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    out = np.full((n, values.shape[1]), np.nan)
    out[rows] = values
    return out


def fit_decision(spec: Mapping[str, Any], workshop: Workshop) -> tuple[Labels, Any]:
    """Return the classes, and the decision-level fusion, fitted where it learns."""
    spec = resolved(spec, workshop)
    labels = Labels.of(workshop.array(spec["labels"]))
    fusion = workshop.build(spec["fusion"], len(labels.present))
    if spec["out_of_fold"]:
        fusion.fit(out_of_fold(spec, workshop, labels), labels.codes)
    return labels, fusion


def decide(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Fit a decision-level fusion where it learns, and store what it makes of the test part.

    A sample that has none of its modalities is given the classes' shares of the training part.
    """
    with clock.phase("fit"):
        labels, fusion = fit_decision(spec, workshop)
    keep_history(fusion, writer)
    given = {name: values[:, labels.present] for name, values in decided(spec, workshop).items()}
    nothing = np.all([np.isnan(values).any(axis=1) for values in given.values()], axis=0)
    with clock.phase("predict"):
        result = _shares(labels, len(nothing))
        if not nothing.all():
            left = {name: values[~nothing] for name, values in given.items()}
            result[~nothing] = decide_by(fusion, left)
    writer.save("probabilities", labels.widen(result, spec["n_classes"]))


def _shares(labels: Labels, n: int) -> np.ndarray:
    """Return what is known of samples without any modality (n, k): how frequent classes are."""
    counts = np.bincount(labels.codes)
    return np.tile(counts / counts.sum(), (n, 1))


def decide_by(fusion: Any, given: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a decision-level fusion's probabilities (n, k), checked."""
    n, k = next(iter(given.values())).shape
    return checked_probabilities(fusion.predict_proba(given), n, k, "predict_proba")
