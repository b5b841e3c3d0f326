"""A fitted combination that answers raw items: what its jobs do one by one, as one object.

Everything is fitted on the arrays that the jobs have left in the store, by the functions that the
jobs use, so that what is served is what was scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mmbench.decisions import decide_by, fit_decision
from mmbench.embedding import fitted_encoder
from mmbench.errors import PluginError
from mmbench.pipeline import Matrix, Preparation, dense, fuse, to_dense
from mmbench.prepared import features, preparation
from mmbench.stages import stage
from mmbench.steps import (
    FitData,
    accepted,
    fit_alignment,
    fit_fusion,
    fit_joint,
    fit_on_vectors,
)
from mmbench.stored import resolved
from mmbench.workshop import Workshop


@dataclass(frozen=True)
class Incomplete:
    """Embeddings of one modality (n, d), some of them missing, as a bool array (n,) says."""

    values: Matrix
    missing: np.ndarray


Embeddings = Mapping[str, Matrix | Incomplete]
"""By modality, (n, d) each, as encoders return them; items where the fusion has trained one."""

Specs = Mapping[str, Mapping[str, Any]]
"""Jobs by key: ``kind`` and ``spec``."""


@dataclass
class Service:
    """A combination as it would be served.

    Attributes
    ----------
    jobs : mapping
        The jobs of the combination by key.
    final : str
        Key of the job that makes its probabilities.
    """

    jobs: Specs
    final: str
    workshop: Workshop

    @cached_property
    def keys(self) -> dict[str, str]:
        """The embedding jobs whose encoders it serves with, by modality."""
        return embedding_keys(self.final, self.jobs)

    @cached_property
    def embeds(self) -> dict[str, Mapping[str, Any]]:
        """The specs of these jobs."""
        return {modality: self.jobs[key]["spec"] for modality, key in self.keys.items()}

    @cached_property
    def sources(self) -> dict[str, Mapping[str, Any]]:
        """Where the items of each modality come from: ``dataset`` and ``rows``."""
        trained = trained_parts(self.jobs[self.final]["spec"])
        return {**self.embeds, **{m: part["samples"]["params"] for m, part in trained.items()}}

    @cached_property
    def encoders(self) -> dict[str, Any]:
        """Encoders by modality: built, and fitted where they are trained."""
        return {modality: encoder(spec, self.workshop) for modality, spec in self.embeds.items()}

    @cached_property
    def classify(self) -> Callable[[Embeddings], np.ndarray]:
        """From embeddings to class probabilities (n, n_classes)."""
        return _classifier(self.final, self.jobs, self.workshop)

    def load(self) -> None:
        """Build and fit everything now, not when the first sample comes."""
        _ = self.encoders, self.classify

    def embed(self, items: Mapping[str, Sequence[Any]]) -> dict[str, Matrix]:
        """Embed raw items by modality; those whose encoder the fusion has trained stay items."""
        made: dict[str, Any] = {}
        for modality, given in items.items():
            if modality not in self.encoders:
                made[modality] = given
                continue
            with stage("encode"):
                made[modality] = encoded(
                    self.encoders[modality], given, self.embeds[modality]["sequences"]
                )
        return made

    def predict(self, items: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Return class probabilities (n, n_classes) of raw items by modality, none missing."""
        return self.classify(self.embed(items))


def embedding_keys(final: str, jobs: Specs) -> dict[str, str]:
    """Return by modality the jobs that embed what is served, those of inner folds left out."""
    kind, spec = jobs[final]["kind"], jobs[final]["spec"]
    if kind == "embed":
        return {spec["modality"]: final}
    if kind == "decide":
        before = list(spec["probabilities"].values())
    else:
        before = [part["from"] for part in spec.get("features", spec)["parts"] if "from" in part]
    found: dict[str, str] = {}
    for key in dict.fromkeys(before):
        found |= embedding_keys(key, jobs)
    return found


def trained_parts(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the modalities whose encoders a fit job trains, and what it is told of their items."""
    parts = spec.get("features", {}).get("parts", ())
    return {part["modality"]: part["items"] for part in parts if "items" in part}


def encoder(spec: Mapping[str, Any], workshop: Workshop) -> Any:
    """Return the encoder of an embedding job, fitted on its training part where it is trained."""
    if spec["train"] is None:
        return workshop.build(spec["encoder"])
    return fitted_encoder(spec, workshop)


def encoded(built: Any, items: Sequence[Any], sequences: bool) -> Matrix:
    """Return what an encoder makes of items, as vectors or as sequences."""
    return built.encode_sequence(items) if sequences else built.encode(items)


def _classifier(key: str, jobs: Specs, workshop: Workshop) -> Callable[[Embeddings], np.ndarray]:
    kind, spec = jobs[key]["kind"], jobs[key]["spec"]
    if kind == "fit":
        return _fitted(spec, jobs, workshop)
    if kind == "decide":
        return _decided(spec, jobs, workshop)
    raise PluginError(f"a {kind} job makes no probabilities")


def _fitted(
    spec: Mapping[str, Any], jobs: Specs, workshop: Workshop
) -> Callable[[Embeddings], np.ndarray]:
    """Return a head after its fusion, or a joint fusion."""
    spec = resolved(spec, workshop)
    data = FitData.read(spec, workshop)
    prepare = _prepared(spec["features"], jobs, workshop)
    if spec["joint"]:
        predict, _, _ = fit_joint(spec, workshop, data)

        def classify(embeddings: Embeddings) -> np.ndarray:
            given = accepted(spec["joint"], prepare(embeddings))
            with stage("fusion"):
                return data.labels.widen(predict(given), spec["n_classes"])

        return classify
    features = {k: v for k, v in spec["features"].items() if k != "measured"}
    predict, _, _ = fit_on_vectors({**spec, "features": features}, workshop, data)
    component = features["fusion"]
    fusion = workshop.build(component) if component else None
    fusion_is_sparse = bool(component and component["sparse"])
    head_is_sparse = spec["head"]["sparse"]

    def classify_vectors(embeddings: Embeddings) -> np.ndarray:
        given = prepare(embeddings)
        with stage("fusion"):
            vectors = fuse(fusion, given, accepts_sparse=fusion_is_sparse)
        with stage("head"):
            probabilities = predict(vectors if head_is_sparse else to_dense(vectors))
            return data.labels.widen(probabilities, spec["n_classes"])

    return classify_vectors


def _prepared(
    spec: Mapping[str, Any], jobs: Specs, workshop: Workshop
) -> Callable[[Embeddings], dict[str, Matrix]]:
    """Return what makes features of embeddings: filled in, scaled, aligned, fused if trained."""
    sources = {
        key: _source(key, jobs, workshop)
        for key in dict.fromkeys(part["from"] for part in spec["parts"] if "from" in part)
    }
    preparations = [
        (part, None if "items" in part else preparation(part, spec, workshop))
        for part in spec["parts"]
    ]

    def prepare(embeddings: Embeddings) -> dict[str, Matrix]:
        made = {key: source(embeddings) for key, source in sources.items()}
        with stage("standardise"):
            return {
                (modality := part["modality"]): embeddings[modality]
                if one is None
                else _applied(one, made[part["from"]][modality])
                for part, one in preparations
            }

    return prepare


def _applied(preparation: Preparation, given: Matrix | Incomplete) -> Matrix:
    if isinstance(given, Incomplete):
        return preparation.apply(given.values, given.missing)
    return preparation.apply(given)


def _source(
    key: str, jobs: Specs, workshop: Workshop
) -> Callable[[Embeddings], Mapping[str, Matrix]]:
    """Return what makes, of embeddings, what an embed, align or fuse job has stored."""
    kind, spec = jobs[key]["kind"], jobs[key]["spec"]
    if kind == "embed":
        return lambda embeddings: embeddings
    prepare = _prepared(spec, jobs, workshop)
    train = features(spec, workshop)[0]
    if kind == "align":
        alignment = fit_alignment(spec, workshop, accepted(spec["alignment"], train))

        def align(embeddings: Embeddings) -> Mapping[str, Matrix]:
            given = accepted(spec["alignment"], prepare(embeddings))
            with stage("align"):
                return dense(alignment.transform(given))

        return align
    fusion = fit_fusion(spec, workshop, accepted(spec["trained_fusion"], train))

    def fused(embeddings: Embeddings) -> Mapping[str, Matrix]:
        given = accepted(spec["trained_fusion"], prepare(embeddings))
        with stage("fusion"):
            return {"fused": to_dense(fuse(fusion, given, accepts_sparse=True))}

    return fused


def _decided(
    spec: Mapping[str, Any], jobs: Specs, workshop: Workshop
) -> Callable[[Embeddings], np.ndarray]:
    """Return a decision-level fusion over one head per modality."""
    heads = {
        modality: _classifier(key, jobs, workshop)
        for modality, key in spec["probabilities"].items()
    }
    labels, fusion = fit_decision(spec, workshop)

    def classify(embeddings: Embeddings) -> np.ndarray:
        given = {
            modality: head({modality: embeddings[modality]})[:, labels.present]
            for modality, head in heads.items()
        }
        with stage("fusion"):
            return labels.widen(decide_by(fusion, given), spec["n_classes"])

    return classify
