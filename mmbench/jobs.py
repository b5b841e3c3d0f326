"""What a job is and what it does: embed, align, fuse, fit, cross_fit, decide, score.

A job reads what other jobs left in the store, computes one thing and stores it; it never talks to
another job. `perform` is all that a runner has to call, in any process on any machine.
"""

from __future__ import annotations

import itertools
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import splits
from mmbench.catalogue import Catalogue, load_catalogue
from mmbench.contracts import Dataset
from mmbench.data import DatasetSpec, pick
from mmbench.errors import DamagedArtefactError, one_line
from mmbench.options import build, canonical
from mmbench.pipeline import (
    Clock,
    Labels,
    Matrix,
    PluginError,
    checked_matrix,
    checked_probabilities,
    cross_fit,
    dense,
    fit_head,
    fuse,
    prepare,
    to_dense,
)
from mmbench.store import Store, Writer

CHUNK = 64

VERSIONS = {
    "embed": 1,
    "align": 1,
    "fuse": 1,
    "fit": 1,
    "cross_fit": 1,
    "decide": 1,
    "score": 1,
}
"""Raised where a kind of job comes to give other results."""


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work. Cells that need the same share it, by its key."""

    key: str
    kind: str
    spec: Mapping[str, Any]
    """Plain values: what to do, and the keys of the arrays to do it on."""
    inputs: tuple[str, ...]
    """Keys of the jobs whose results it reads."""
    label: str

    def __repr__(self) -> str:
        return f"Job({self.kind}: {self.label}, {self.key[:8]})"


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    ``status`` is ok, failed, timeout, oom or crashed, or ``damaged``: an input was not what had
    been stored and ``reason`` is its key.
    """

    status: str
    reason: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Context:
    """What a worker needs besides jobs; small and picklable."""

    store: Path
    plugins: tuple[str, ...]
    registrations: bytes
    threads: int
    device: str
    logs: Path

    def open(self) -> Workshop:
        """Load the plugins and the store in this process, and bind its number of threads."""
        import threadpoolctl

        threadpoolctl.threadpool_limits(self.threads)
        catalogue = load_catalogue(self.plugins, self.registrations)
        return Workshop(Store(self.store), catalogue, self.threads, self.device)


@dataclass
class Workshop:
    """A worker's own: the store, the plugins, and what it keeps loaded between jobs."""

    store: Store
    catalogue: Catalogue
    threads: int
    device: str
    _datasets: dict[str, Dataset] = field(default_factory=dict)
    _encoders: dict[str, Any] = field(default_factory=dict)

    def build(self, component: Mapping[str, Any], n_classes: int | None = None) -> Any:
        """Build a plugin from its name, options and seed."""
        entry = self.catalogue.find(component["sort"], component["name"], "worker")
        given = {
            "seed": component["seed"],
            "threads": self.threads,
            "device": self.device,
            "n_classes": n_classes,
        }
        return build(entry, component["params"], given)

    def encoder(self, component: Mapping[str, Any]) -> Any:
        """Return a frozen encoder, the last one kept loaded."""
        key = canonical(component)
        if key not in self._encoders:
            self._encoders.clear()
            self._encoders[key] = self.build(component)
        return self._encoders[key]

    def items(self, dataset: Mapping[str, Any], modality: str) -> Sequence[Any]:
        """Return a modality's items, the dataset kept loaded."""
        key = canonical(dataset)
        if key not in self._datasets:
            entry = self.catalogue.find("dataset", dataset["use"], "worker")
            spec = DatasetSpec(entry, dataset["name"], dataset["params"])
            self._datasets[key] = spec.load(self.threads)
        return self._datasets[key].items(modality)

    def array(self, key: str) -> np.ndarray:
        """Return a small array that the plan stored."""
        return self.store.open(key).array("values")


def perform(job: Job, workshop: Workshop) -> Outcome:
    """Do a job and store its result; whatever goes wrong is the outcome, not an exception."""
    try:
        with workshop.store.create(job.key) as writer:
            clock = Clock()
            PERFORM[job.kind](job.spec, workshop, writer, clock)
            writer.meta |= {"kind": job.kind, "label": job.label, "seconds": clock.seconds}
    except DamagedArtefactError as error:
        return Outcome("damaged", error.key)
    except MemoryError as error:
        return Outcome("oom", one_line(error), traceback.format_exc())
    except PluginError as error:
        return Outcome("failed", str(error), traceback.format_exc())
    except SystemExit as error:
        return Outcome("failed", f"it called sys.exit({error.code!r})", traceback.format_exc())
    except BaseException as error:  # a worker outlives whatever a plugin raises
        status = "oom" if type(error).__name__ == "OutOfMemoryError" else "failed"
        return Outcome(status, one_line(error), traceback.format_exc())
    return Outcome("ok")


def death(exitcode: int | None) -> Outcome:
    """Return the outcome of a job whose process died."""
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = "unknown"
        hint = "; perhaps out of memory" if name == "SIGKILL" else ""
        return Outcome("crashed", f"its process was killed by signal {-exitcode} ({name}){hint}")
    return Outcome("crashed", f"its process ended with exit status {exitcode}")


# --- embed -------------------------------------------------------------------------------------


def _embed(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    items = pick(workshop.items(spec["dataset"], spec["modality"]), workshop.array(spec["rows"]))
    missing = workshop.array(spec["missing"]) if spec["missing"] else np.zeros(len(items), bool)
    if spec["train"] is None:
        with clock.phase("embed"):
            encoder = workshop.encoder(spec["encoder"])
    else:
        encoder = _fit_encoder(spec, items, missing, workshop, writer, clock)
    with clock.phase("embed"):
        _encode(encoder, items, missing, spec["sparse"], writer)
    if missing.any():
        writer.save("missing", missing)


def _fit_encoder(
    spec: Mapping[str, Any],
    items: Sequence[Any],
    missing: np.ndarray,
    workshop: Workshop,
    writer: Writer,
    clock: Clock,
) -> Any:
    """Fit a trained encoder on its training part alone."""

    def part(name: str) -> tuple[Sequence[Any], np.ndarray | None] | None:
        if spec[name] is None:
            return None
        rows = workshop.array(spec[name])
        known = ~missing[rows]
        labels = workshop.array(spec[f"{name}_labels"])[known] if spec["supervised"] else None
        return pick(items, rows[known]), labels

    train = part("train")
    assert train is not None
    labels, numbering = train[1], None
    if labels is not None:
        numbering = Labels.of(labels)
        labels = numbering.codes
    validation = part("validation")
    if validation is not None and numbering is not None:
        assert validation[1] is not None
        codes = renumber(validation[1], numbering)
        kept = np.flatnonzero(codes >= 0)
        validation = (pick(validation[0], kept), codes[kept])
    with clock.phase("fit"):
        encoder = workshop.build(
            spec["encoder"], None if numbering is None else len(numbering.present)
        )
        encoder.fit(train[0], labels, validation=validation)
    _keep_history(encoder, writer)
    return encoder


def _encode(
    encoder: Any, items: Sequence[Any], missing: np.ndarray, is_sparse: bool, writer: Writer
) -> None:
    """Encode in chunks of a fixed size and stream the rows into the store."""
    from scipy import sparse

    known = np.flatnonzero(~missing)
    size = max(CHUNK, int(getattr(encoder, "chunk", CHUNK)))
    out: np.ndarray | None = None
    pieces: list[Any] = []
    for start in range(0, len(known), size):
        rows = known[start : start + size]
        values = checked_matrix(encoder.encode([items[i] for i in rows]), len(rows), "encode")
        if values.dtype != np.float32:
            raise PluginError(f"encode returned {values.dtype}; float32 was expected")
        if sparse.issparse(values) != is_sparse:
            shape = "a CSR matrix" if is_sparse else "a dense array"
            raise PluginError(f"encode did not return {shape}, as it was registered to")
        if is_sparse:
            pieces.append(values)
            continue
        if out is None:
            out = writer.memmap("values", (len(items), values.shape[1]), np.float32)
            out[missing] = np.nan
        if values.shape[1] != out.shape[1]:
            raise PluginError(f"encode returned {values.shape[1]} columns after {out.shape[1]}")
        out[rows] = values
    if out is None and not pieces:
        raise PluginError("every item is missing")
    if is_sparse:
        stacked = sparse.vstack(pieces, format="csr", dtype=np.float32)
        position = np.zeros(len(items), dtype=np.int64)
        position[known] = np.arange(len(known))
        counts = np.where(missing, 0, np.diff(stacked.indptr)[position])
        indptr = np.concatenate([[0], np.cumsum(counts)])
        csr = (stacked.data, stacked.indices, indptr)
        writer.save("values", sparse.csr_matrix(csr, (len(items), stacked.shape[1])))


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
    _keep_history(alignment, writer)


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
    _keep_history(fusion, writer)


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
        codes = renumber(workshop.array(spec["validation_labels"]), labels)
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
    _keep_history(heads[0], writer)
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
    _keep_history(model, writer)
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


def renumber(labels: np.ndarray, numbering: Labels) -> np.ndarray:
    """Return labels as codes of a training part, -1 for the classes unknown there."""
    position = np.searchsorted(numbering.present, labels)
    position = np.minimum(position, len(numbering.present) - 1)
    return np.where(numbering.present[position] == labels, position, -1)


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
        _keep_history(fusion, writer)
    given = {
        modality: np.asarray(workshop.store.open(key).array("probabilities"))[:, labels.present]
        for modality, key in spec["probabilities"].items()
    }
    n = len(next(iter(given.values())))
    with clock.phase("predict"):
        decided = checked_probabilities(fusion.predict_proba(given), n, k, "predict_proba")
    writer.save("probabilities", labels.widen(decided, spec["n_classes"]))


def _score(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    from mmbench.metrics import evaluate

    metrics = {name: workshop.build(component) for name, component in spec["metrics"].items()}
    truth = np.asarray(workshop.array(spec["labels"]))
    probabilities = np.asarray(workshop.store.open(spec["probabilities"]).array("probabilities"))
    writer.meta["metrics"] = evaluate(metrics, truth, probabilities)


def _keep_history(fitted: Any, writer: Writer) -> None:
    history = getattr(fitted, "history_", None)
    if history is not None:
        writer.meta["history"] = [
            {str(k): v if isinstance(v, str) else float(v) for k, v in row.items()}
            for row in history
        ]


PERFORM: dict[str, Callable[[Mapping[str, Any], Workshop, Writer, Clock], None]] = {
    "embed": _embed,
    "align": _align,
    "fuse": _fuse,
    "fit": _fit,
    "cross_fit": _cross_fit,
    "decide": _decide,
    "score": _score,
}
