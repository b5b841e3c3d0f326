"""The step that predicts corrupted test samples by what was fitted to others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmbench import joint
from mmbench.pipeline import Clock
from mmbench.sequences import Sequences
from mmbench.serving import Incomplete, Service
from mmbench.store import Writer
from mmbench.workshop import Workshop


def predict(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Predict test samples by a fit job's combination, fitted anew and kept for the next.

    That second fit is no part of what the cell would have cost: the fit job has told it.
    """
    service = workshop.fitted(
        spec["of"], lambda: Service(spec["jobs"], spec["of"], workshop)
    ).classify
    rows = workshop.array(spec["test"])
    given = {part["modality"]: _given(part, workshop, rows) for part in spec["parts"]}
    with clock.phase("predict"):
        probabilities = service(given) if len(rows) else np.empty((0, spec["n_classes"]))
    writer.save("probabilities", probabilities)


def _given(part: Mapping[str, Any], workshop: Workshop, rows: np.ndarray) -> Any:
    """Return one modality's embeddings, or its items where the fusion has trained its encoder."""
    if "items" in part:
        return joint.items(part, workshop, rows)
    artefact, at = workshop.store.open(part["from"]), workshop.array(part["at"])
    values, missing = artefact.matrix("values")[at], np.zeros(len(at), dtype=bool)
    if "missing" in artefact:
        missing |= artefact.array("missing")[at]
    if "lost" in part:
        lost = workshop.array(part["lost"])[rows]
        missing |= lost
        if isinstance(values, Sequences):
            values = values.emptied(lost)
    return Incomplete(values, missing)
