"""What kinds of job do with what others have stored: align, fuse, fit, score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbench import distances, joint, splits
from mmbench.decisions import decide
from mmbench.embedding import embed, embed_corrupted, keep_history
from mmbench.errors import PluginError
from mmbench.metrics import evaluate_with_intervals
from mmbench.pipeline import (
    Clock,
    Labels,
    Matrix,
    checked_matrix,
    count,
    cross_fit,
    dense,
    fit_head,
    fuse,
    to_dense,
)
from mmbench.prepared import features
from mmbench.store import Writer
from mmbench.stored import probabilities_of, resolved
from mmbench.workshop import Workshop

# --- features ----------------------------------------------------------------------------------


def fused_vectors(
    spec: Mapping[str, Any], workshop: Workshop, sparse: bool, *rowsets: np.ndarray
) -> list[Matrix]:
    """Return the fused features, dense unless the head takes sparse ones.

    As `distances.Distances` where the head takes them: from the store, or measured here.
    """
    if spec.get("measured"):
        return distances.read(spec, workshop, [workshop.array(spec["train"]), *rowsets])
    fusion = spec["fusion"]
    built = workshop.build(fusion) if fusion else None
    made = [
        fuse(built, given, accepts_sparse=bool(fusion and fusion["sparse"]))
        for given in features(spec, workshop, *rowsets)
    ]
    if "measured" in spec:
        return distances.Distances.of(*map(to_dense, made))
    return made if sparse else list(map(to_dense, made))


def _all_rows(spec: Mapping[str, Any], workshop: Workshop) -> tuple[np.ndarray, np.ndarray]:
    """Return the training rows and all other rows."""
    train = workshop.array(spec["train"])
    first = spec["parts"][0]
    n = count({"": workshop.store.open(first["from"]).matrix(first["array"])})
    return train, np.setdiff1d(np.arange(n), train)


def fit_alignment(spec: Mapping[str, Any], workshop: Workshop, train: Mapping[str, Matrix]) -> Any:
    """Return the alignment fitted on the training part's features."""
    labels = Labels.of(workshop.array(spec["labels"])).codes if spec["labels"] else None
    return workshop.build(spec["alignment"]).fit(train, labels)


def fit_fusion(spec: Mapping[str, Any], workshop: Workshop, train: Mapping[str, Matrix]) -> Any:
    """Return the trained feature-level fusion fitted on the training part's features."""
    labels = Labels.of(workshop.array(spec["labels"])).codes if spec["labels"] else None
    keywords = {}
    if spec["out_of_fold"]:
        keywords["out_of_fold"] = probabilities_of(spec["out_of_fold"], workshop)
    return workshop.build(spec["trained_fusion"]).fit(train, labels, **keywords)


def accepted(component: Mapping[str, Any], given: Mapping[str, Matrix]) -> Mapping[str, Matrix]:
    """Return features as a component takes them: dense unless it is registered sparse."""
    return given if component["sparse"] else dense(given)


def _align(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    train, rest = _all_rows(spec, workshop)
    parts = [accepted(spec["alignment"], part) for part in features(spec, workshop, rest)]
    with clock.phase("fit"):
        alignment = fit_alignment(spec, workshop, parts[0])
        pieces = [alignment.transform(part) for part in parts]
    for modality in parts[0]:
        values = [
            checked_matrix(to_dense(piece[modality]), len(rows), "transform")
            for piece, rows in zip(pieces, (train, rest), strict=True)
        ]
        writer.save(modality, _scatter(values, (train, rest)))
    keep_history(alignment, writer)


def _fuse(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    train, rest = _all_rows(spec, workshop)
    parts = [accepted(spec["trained_fusion"], part) for part in features(spec, workshop, rest)]
    with clock.phase("fit"):
        fusion = fit_fusion(spec, workshop, parts[0])
        values = [to_dense(fuse(fusion, part, accepts_sparse=True)) for part in parts]
    writer.save("values", _scatter(values, (train, rest)))
    keep_history(fusion, writer)


def _scatter(values: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> np.ndarray:
    out = np.empty((sum(map(len, rows)), values[0].shape[1]))
    for part, where in zip(values, rows, strict=True):
        out[where] = part
    return out


# --- fit ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FitData:
    """What a fit job is given: rows, labels and groups of its training part, and others."""

    labels: Labels
    groups: np.ndarray | None
    test: np.ndarray
    validation: np.ndarray | None
    codes: np.ndarray | None
    """The validation part's labels, as codes of the training part."""

    @classmethod
    def read(cls, spec: Mapping[str, Any], workshop: Workshop) -> FitData:
        """Read what a fit job's spec names; validation samples of unknown classes are left out."""
        labels = Labels.of(workshop.array(spec["labels"]))
        if len(labels.present) < 2:
            raise PluginError("the training part has one class")
        groups = workshop.array(spec["groups"]) if spec["groups"] else None
        validation = codes = None
        if spec["validation"]:
            found = labels.renumber(workshop.array(spec["validation_labels"]))
            if (known := found >= 0).any():
                validation, codes = workshop.array(spec["validation"])[known], found[known]
        return cls(labels, groups, workshop.array(spec["test"]), validation, codes)

    @property
    def rowsets(self) -> list[np.ndarray]:
        """The rows beside the training ones: test, and validation where there is one."""
        return [self.test] if self.validation is None else [self.test, self.validation]


Predict = Callable[[Any], np.ndarray]
"""From features of ``n`` samples to their probabilities (n, k)."""


def _fit(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    spec = resolved(spec, workshop)
    data = FitData.read(spec, workshop)
    with clock.phase("fit"):
        fit = fit_joint if spec["joint"] else fit_on_vectors
        predict, X_test, fitted = fit(spec, workshop, data)
    keep_history(fitted, writer)
    with clock.phase("predict"):
        k = len(data.labels.present)
        predicted = predict(X_test) if len(data.test) else np.empty((0, k))
        probabilities = data.labels.widen(predicted, spec["n_classes"])
    writer.save("probabilities", probabilities)


def fit_on_vectors(
    spec: Mapping[str, Any], workshop: Workshop, data: FitData
) -> tuple[Predict, Matrix, Any]:
    """Fit a head on fused vectors; return how it predicts, the test part's vectors, and it."""
    X, X_test, *rest = fused_vectors(
        spec["features"], workshop, spec["head"]["sparse"], *data.rowsets
    )
    validation = (rest[0], data.codes) if rest and data.codes is not None else None
    pooled = None
    if spec["pooled"]:
        pooled = np.asarray(workshop.store.open(spec["pooled"]).array("decisions"))
    heads: list[Any] = []

    def make() -> Any:
        heads.append(workshop.build(spec["head"], len(data.labels.present)))
        return heads[-1]

    predict = fit_head(make, X, data.labels, data.groups, validation, pooled)
    return predict, X_test, heads[0]


def fit_joint(
    spec: Mapping[str, Any], workshop: Workshop, data: FitData
) -> tuple[Predict, dict[str, Matrix], Any]:
    """Fit a joint fusion; return how it predicts, the test part's features, and it."""
    parts = [
        dict(accepted(spec["joint"], part))
        for part in features(spec["features"], workshop, *data.rowsets)
    ]
    model, predict = joint.fit(
        spec["joint"],
        spec["features"]["parts"],
        workshop,
        parts[0],
        data.labels.codes,
        validation=(parts[2], data.codes) if data.codes is not None else None,
    )
    return predict, parts[1], model


def _cross_fit(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    spec = resolved(spec, workshop)
    labels = Labels.of(workshop.array(spec["labels"]))
    groups = workshop.array(spec["groups"]) if spec["groups"] else None
    rows = workshop.array(spec["train"])
    folds = splits.folds(labels.codes, groups)

    def parts(number: int) -> Callable[[], tuple[Matrix, Matrix]]:
        def get() -> tuple[Matrix, Matrix]:
            test = rows[folds[number][1]]
            X, X_test = fused_vectors(spec["folds"][number], workshop, spec["head"]["sparse"], test)
            return X, X_test

        return get

    with clock.phase("fit"):
        probabilities, decisions = cross_fit(
            lambda: workshop.build(spec["head"], len(labels.present)),
            [parts(i) for i in range(len(folds))],
            labels,
            groups,
            nested=spec["nested"],
        )
    writer.save("probabilities", probabilities)
    if decisions is not None:
        writer.save("decisions", decisions)


# --- score ------------------------------------------------------------------------------------


def _score(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    metrics = {name: workshop.build(component) for name, component in spec["metrics"].items()}
    truth = np.asarray(workshop.array(spec["labels"]))
    groups = np.asarray(workshop.array(spec["groups"])) if spec["groups"] else None
    probabilities = np.asarray(workshop.store.open(spec["probabilities"]).array("probabilities"))
    writer.meta["metrics"] = evaluate_with_intervals(metrics, truth, probabilities, groups)


def _tune(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Choose between candidates; see `mmbench.tuning`."""
    from mmbench.tuning import tune

    with clock.phase("fit"):
        trials = tune(spec, workshop)
    values = spec["candidates"][trials.chosen]["values"]
    writer.meta["tuning"] = {"chosen": trials.chosen, "values": values, "score": trials.score}
    writer.meta["history"] = trials.history


def _predict(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Predict corrupted test samples; see `mmbench.corruption.predicting`."""
    from mmbench.corruption.predicting import predict

    predict(spec, workshop, writer, clock)


def _time(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Time a part of a combination; see `mmbench.measurement`."""
    from mmbench.measurement.measure import measure
    from mmbench.measurement.settings import Settings
    from mmbench.measurement.work import Timed

    row, seconds = measure(Timed(spec, workshop), Settings.from_dict(spec["settings"]))
    writer.save("seconds", seconds)
    writer.meta["timing"] = row


STEPS: dict[str, Callable[[Mapping[str, Any], Workshop, Writer, Clock], None]] = {
    "embed": embed,
    "align": _align,
    "fuse": _fuse,
    "distances": distances.store,
    "fit": _fit,
    "cross_fit": _cross_fit,
    "corrupt": embed_corrupted,
    "predict": _predict,
    "decide": decide,
    "score": _score,
    "tune": _tune,
    "time": _time,
}
