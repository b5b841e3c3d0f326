"""The step that predicts corrupted test samples by what was fitted to others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mmbench import joint
from mmbench.pipeline import Clock
from mmbench.sequences import Sequences
from mmbench.serving import Embeddings, Incomplete, Service
from mmbench.store import Writer
from mmbench.workshop import Workshop

LEAST = 1e-6
"""What a probability is cut at before its logarithm is taken."""

AT_ONCE = 20_000
"""Pairs of samples that are predicted in one call."""


def predict(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Predict test samples by what another job has fitted: fitted anew, and kept for the next.

    That second fit is no part of what the cell would have cost: the other job has told it.
    """
    classify = workshop.fitted(
        spec["of"], lambda: Service(spec["jobs"], spec["of"], workshop)
    ).classify
    rows = workshop.array(spec["test"])
    given = {part["modality"]: _given(part, workshop, rows) for part in spec["parts"]}
    with clock.phase("predict"):
        if not len(rows):
            probabilities = np.empty((0, spec["n_classes"]))
        elif spec["additive"]:
            probabilities = additive_projection(classify, given)
        else:
            probabilities = classify(given)
    writer.save("probabilities", probabilities)


def _given(part: Mapping[str, Any], workshop: Workshop, rows: np.ndarray) -> Any:
    """Return one modality's embeddings, or its items where the fusion has trained its encoder."""
    at = workshop.array(part["at"])
    if "items" in part:
        return joint.items(part, workshop, at)
    artefact = workshop.store.open(part["from"])
    values, missing = artefact.matrix("values")[at], np.zeros(len(at), dtype=bool)
    if "missing" in artefact:
        missing |= artefact.array("missing")[at]
    if "lost" in part:
        lost = workshop.array(part["lost"])[rows]
        missing |= lost
        if isinstance(values, Sequences):
            values = values.emptied(lost)
    return Incomplete(values, missing)


def additive_projection(
    classify: Callable[[Embeddings], np.ndarray], given: Mapping[str, Incomplete]
) -> np.ndarray:
    """Return the closest to what a model says that does without interaction of two modalities.

    The empirical multimodally-additive projection (Hessel & Lee, 2020, "Does my multimodal model
    learn cross-modal interactions?"): with f the logarithms of the probabilities, cut at 1e-6,
    that of sample i is ``mean_j f(a_i, b_j) + mean_j f(a_j, b_i) - mean_ij f(a_i, b_j)``.

    Parameters
    ----------
    classify : callable
        From embeddings of two modalities to probabilities (n, n_classes).
    given : mapping
        Embeddings of ``n`` samples by modality; all n² pairs are predicted.

    Returns
    -------
    ndarray of float64, shape (n, n_classes)
        Probabilities again.
    """
    from scipy.special import softmax

    (first, a), (second, b) = given.items()
    n = len(a.missing)
    step = max(1, AT_ONCE // n)
    by_first, by_second = [], 0.0
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        left, right = np.repeat(rows, n), np.tile(np.arange(n), len(rows))
        pairs = {
            first: Incomplete(a.values[left], a.missing[left]),
            second: Incomplete(b.values[right], b.missing[right]),
        }
        scores = np.log(np.maximum(classify(pairs), LEAST)).reshape(len(rows), n, -1)
        by_first.append(scores.mean(axis=1))
        by_second += scores.sum(axis=0)
    means = np.concatenate(by_first), by_second / n
    return np.asarray(softmax(means[0] + means[1] - means[0].mean(axis=0), axis=1))
