"""Stored embeddings as fits take them: filled in and scaled as their training part says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmbench import joint
from mmbench.errors import PluginError
from mmbench.options import canonical
from mmbench.pipeline import Matrix, Preparation
from mmbench.stored import embeddings
from mmbench.workshop import Workshop


def preparation(
    part: Mapping[str, Any], spec: Mapping[str, Any], workshop: Workshop
) -> Preparation:
    """Return how one modality is filled in and scaled, estimated on the training rows alone."""
    known = canonical([part, *(spec[name] for name in ("train", "missing", "impute", "sequences"))])
    return workshop.once(known, lambda: _estimated(part, spec, workshop))


def _estimated(part: Mapping[str, Any], spec: Mapping[str, Any], workshop: Workshop) -> Preparation:
    train = workshop.array(spec["train"])
    values, missing = embeddings(part, workshop, train)
    try:
        return Preparation.fit(
            values,
            missing,
            standardise=part["standardise"],
            policy=spec["missing"],
            impute=spec["impute"],
            sequences=spec["sequences"],
        )
    except PluginError as error:
        raise PluginError(f"{part['modality']}: {error}") from None


def features(
    spec: Mapping[str, Any], workshop: Workshop, *rowsets: np.ndarray
) -> list[dict[str, Matrix]]:
    """Return each modality's features for the training rows and then each further set of rows.

    Of a modality whose encoder a joint fusion trains, they are its items.
    """
    made: list[dict[str, Matrix]] = [{} for _ in range(1 + len(rowsets))]
    for part in spec["parts"]:
        prepared = None if "items" in part else preparation(part, spec, workshop)
        for rows, into in zip((workshop.array(spec["train"]), *rowsets), made, strict=True):
            into[part["modality"]] = (
                joint.items(part, workshop, rows)
                if prepared is None
                else prepared.apply(*embeddings(part, workshop, rows))
            )
    return made
