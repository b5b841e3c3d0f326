"""What jobs read of what other jobs have stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmbench.pipeline import Matrix
from mmbench.workshop import Workshop


def embeddings(
    part: Mapping[str, Any], workshop: Workshop, rows: np.ndarray
) -> tuple[Matrix, np.ndarray | None]:
    """Return some rows of a stored embedding, and which of them are missing."""
    artefact = workshop.store.open(part["from"])
    missing = np.asarray(artefact.array("missing")[rows]) if "missing" in artefact else None
    return artefact.matrix(part["array"])[rows], missing


def probabilities_of(keys: Mapping[str, str], workshop: Workshop) -> dict[str, np.ndarray]:
    """Return the probabilities that jobs have stored, by modality."""
    return {
        modality: np.asarray(workshop.store.open(key).array("probabilities"))
        for modality, key in keys.items()
    }


def resolved(spec: Mapping[str, Any], workshop: Workshop) -> Mapping[str, Any]:
    """Return a job's spec with the variant in place that tuning has chosen."""
    if "tuned" not in spec:
        return spec
    chosen = workshop.store.open(spec["tuned"]).meta["tuning"]["chosen"]
    return {**spec, **spec["variants"][chosen]}
