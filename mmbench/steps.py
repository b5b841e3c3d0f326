"""What each kind of job does with what others have stored: align, fuse, fit, decide, score."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mmbench import splits
from mmbench.embedding import embed, keep_history
from mmbench.errors import PluginError
from mmbench.metrics import evaluate
from mmbench.pipeline import (
    Clock,
    Labels,
    Matrix,
    checked_matrix,
    checked_probabilities,
    cross_fit,
    dense,
    fit_head,
    fuse,
    prepare,
    to_dense,
)
from mmbench.store import Writer
from mmbench.workshop import Workshop

# --- features ----------------------------------------------------------------------------------


def _features(
    spec: Mapping[str, Any], workshop: Workshop, *rowsets: np.ndarray
) -> list[dict[str, Matrix]]:
    """Return each modality's features for the training rows and then each further set of rows.

    Everything is estimated on the training rows alone.
    """
    train = workshop.array(spec["train"])
    rows = np.concatenate([train, *rowsets])
    position = np.arange(len(train))
    prepared: dict[str, Matrix] = {}
    for part in spec["parts"]:
        artefact = workshop.store.open(part["from"])
        values = artefact.matrix(part["array"])[rows]
        missing = np.asarray(artefact.array("missing")[rows]) if "missing" in artefact else None
        try:
            prepared[part["modality"]] = prepare(
                values,
                missing,
                position,
                standardise=part["standardise"],
                policy=spec["missing"],
                impute=spec["impute"],
            )
        except PluginError as error:
            raise PluginError(f"{part['modality']}: {error}") from None
    edges = np.cumsum([0, len(train), *map(len, rowsets)])
    return [
        {name: values[a:b] for name, values in prepared.items()}
        for a, b in itertools.pairwise(edges)
    ]


def _vectors(
    spec: Mapping[str, Any], workshop: Workshop, sparse: bool, *rowsets: np.ndarray
) -> list[Matrix]:
    """Return the fused features, dense unless the head takes sparse ones."""
    fusion = spec["fusion"]
    built = workshop.build(fusion) if fusion else None
    made = []
    for features in _features(spec, workshop, *rowsets):
        vectors = fuse(built, features, accepts_sparse=bool(fusion and fusion["sparse"]))
        made.append(vectors if sparse else to_dense(vectors))
    return made


def _all_rows(spec: Mapping[str, Any], workshop: Workshop) -> tuple[np.ndarray, np.ndarray]:
    """Return the training rows and all other rows."""
    train = workshop.array(spec["train"])
    first = spec["parts"][0]
    n = workshop.store.open(first["from"]).matrix(first["array"]).shape[0]
    return train, np.setdiff1d(np.arange(n), train)


def _align(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    train, rest = _all_rows(spec, workshop)
    fitted, others = _features(spec, workshop, rest)
    component = spec["alignment"]
    if not component["sparse"]:
        fitted, others = dense(fitted), dense(others)
    labels = Labels.of(workshop.array(spec["labels"])).codes if spec["labels"] else None
    with clock.phase("fit"):
        alignment = workshop.build(component).fit(fitted, labels)
        pieces = [alignment.transform(part) for part in (fitted, others)]
    for modality in fitted:
        values = [
            checked_matrix(to_dense(piece[modality]), len(rows), "transform")
            for piece, rows in zip(pieces, (train, rest), strict=True)
        ]
        writer.save(modality, _scatter(values, (train, rest)))
    keep_history(alignment, writer)


def _fuse(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    train, rest = _all_rows(spec, workshop)
    fitted, others = _features(spec, workshop, rest)
    component = spec["trained_fusion"]
    if not component["sparse"]:
        fitted, others = dense(fitted), dense(others)
    labels = Labels.of(workshop.array(spec["labels"])).codes if spec["labels"] else None
    keywords = {}
    if spec["out_of_fold"]:
        keywords["out_of_fold"] = {
            modality: workshop.store.open(key).array("probabilities")
            for modality, key in spec["out_of_fold"].items()
        }
    with clock.phase("fit"):
        fusion = workshop.build(component).fit(fitted, labels, **keywords)
        values = [to_dense(fuse(fusion, part, accepts_sparse=True)) for part in (fitted, others)]
    writer.save("values", _scatter(values, (train, rest)))
    keep_history(fusion, writer)


def _scatter(values: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> np.ndarray:
    out = np.empty((sum(map(len, rows)), values[0].shape[1]))
    for part, where in zip(values, rows, strict=True):
        out[where] = part
    return out


# --- fit ---------------------------------------------------------------------------------------


def _fit(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    labels = Labels.of(workshop.array(spec["labels"]))
    groups = workshop.array(spec["groups"]) if spec["groups"] else None
    test = workshop.array(spec["test"])
    rowsets = [test]
    codes = None
    if spec["validation"]:
        codes = labels.renumber(workshop.array(spec["validation_labels"]))
        rowsets.append(workshop.array(spec["validation"])[codes >= 0])
        codes = codes[codes >= 0]
    if len(labels.present) < 2:
        raise PluginError("the training part has one class")
    fit = _fit_joint if spec["joint"] else _fit_on_vectors
    predict, X_test = fit(spec, workshop, labels, groups, rowsets, codes, writer, clock)
    with clock.phase("predict"):
        probabilities = labels.widen(predict(X_test), spec["n_classes"])
    writer.save("probabilities", probabilities)


def _fit_on_vectors(
    spec: Mapping[str, Any],
    workshop: Workshop,
    labels: Labels,
    groups: np.ndarray | None,
    rowsets: Sequence[np.ndarray],
    codes: np.ndarray | None,
    writer: Writer,
    clock: Clock,
) -> tuple[Callable[[Matrix], np.ndarray], Matrix]:
    with clock.phase("fit"):
        X, X_test, *rest = _vectors(spec["features"], workshop, spec["head"]["sparse"], *rowsets)
        validation = (rest[0], codes) if codes is not None and len(codes) else None
        pooled = None
        if spec["pooled"]:
            pooled = np.asarray(workshop.store.open(spec["pooled"]).array("decisions"))
        heads: list[Any] = []

        def make() -> Any:
            heads.append(workshop.build(spec["head"], len(labels.present)))
            return heads[-1]

        predict = fit_head(make, X, labels, groups, validation, pooled)
    keep_history(heads[0], writer)
    return predict, X_test


def _fit_joint(
    spec: Mapping[str, Any],
    workshop: Workshop,
    labels: Labels,
    groups: np.ndarray | None,
    rowsets: Sequence[np.ndarray],
    codes: np.ndarray | None,
    writer: Writer,
    clock: Clock,
) -> tuple[Callable[[Matrix], np.ndarray], Matrix]:
    with clock.phase("fit"):
        parts = _features(spec["features"], workshop, *rowsets)
        if not spec["joint"]["sparse"]:
            parts = [dense(part) for part in parts]
        validation = (parts[2], codes) if codes is not None and len(codes) else None
        model = workshop.build(spec["joint"], len(labels.present))
        model.fit(parts[0], labels.codes, validation=validation)
    keep_history(model, writer)
    k = len(labels.present)

    def predict(features: Mapping[str, Matrix]) -> np.ndarray:
        return checked_probabilities(
            model.predict_proba(features), len(rowsets[0]), k, "predict_proba"
        )

    return predict, parts[1]


def _cross_fit(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    labels = Labels.of(workshop.array(spec["labels"]))
    groups = workshop.array(spec["groups"]) if spec["groups"] else None
    rows = workshop.array(spec["train"])
    folds = splits.folds(labels.codes, groups)

    def features(number: int) -> Callable[[], tuple[Matrix, Matrix]]:
        def get() -> tuple[Matrix, Matrix]:
            test = rows[folds[number][1]]
            X, X_test = _vectors(spec["folds"][number], workshop, spec["head"]["sparse"], test)
            return X, X_test

        return get

    with clock.phase("fit"):
        probabilities, decisions = cross_fit(
            lambda: workshop.build(spec["head"], len(labels.present)),
            [features(i) for i in range(len(folds))],
            labels,
            groups,
            nested=spec["nested"],
        )
    writer.save("probabilities", probabilities)
    if decisions is not None:
        writer.save("decisions", decisions)


# --- decide and score --------------------------------------------------------------------------


def _decide(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    labels = Labels.of(workshop.array(spec["labels"]))
    k = len(labels.present)
    fusion = workshop.build(spec["fusion"], k)
    if spec["out_of_fold"]:
        held_out = {
            modality: np.asarray(workshop.store.open(key).array("probabilities"))
            for modality, key in spec["out_of_fold"].items()
        }
        with clock.phase("fit"):
            fusion.fit(held_out, labels.codes)
        keep_history(fusion, writer)
    given = {
        modality: np.asarray(workshop.store.open(key).array("probabilities"))[:, labels.present]
        for modality, key in spec["probabilities"].items()
    }
    n = len(next(iter(given.values())))
    with clock.phase("predict"):
        decided = checked_probabilities(fusion.predict_proba(given), n, k, "predict_proba")
    writer.save("probabilities", labels.widen(decided, spec["n_classes"]))


def _score(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    metrics = {name: workshop.build(component) for name, component in spec["metrics"].items()}
    truth = np.asarray(workshop.array(spec["labels"]))
    probabilities = np.asarray(workshop.store.open(spec["probabilities"]).array("probabilities"))
    writer.meta["metrics"] = evaluate(metrics, truth, probabilities)


STEPS: dict[str, Callable[[Mapping[str, Any], Workshop, Writer, Clock], None]] = {
    "embed": embed,
    "align": _align,
    "fuse": _fuse,
    "fit": _fit,
    "cross_fit": _cross_fit,
    "decide": _decide,
    "score": _score,
}
