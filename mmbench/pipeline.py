"""The one pipeline for everything fitted: impute -> standardise -> fuse -> head, on arrays.

Pure functions of arrays and built plugins, told which rows are the training part. Where the
arrays come from and go to is the business of `jobs`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench import splits
from mmbench.errors import PluginError
from mmbench.sequences import Sequences

if TYPE_CHECKING:
    from collections.abc import Iterator

Matrix = Any
"""A float64 array (n, d) or a CSR matrix of the same shape; for what takes them, `Sequences`."""


@dataclass
class Clock:
    """Wall seconds by phase: embed, fit, predict."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a phase."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed


@dataclass(frozen=True)
class Labels:
    """The labels of a training part, without gaps.

    Attributes
    ----------
    codes : ndarray of int64, shape (n,)
        ``0 .. k-1``, as plugins are given them.
    present : ndarray of int64, shape (k,)
        The classes they stand for, ascending.
    """

    codes: np.ndarray
    present: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray) -> Labels:
        """Return the labels of a training part, numbered anew."""
        present, codes = np.unique(labels, return_inverse=True)
        return cls(codes.astype(np.int64), present)

    def renumber(self, labels: np.ndarray) -> np.ndarray:
        """Return other labels as these codes, -1 for the classes unknown here."""
        position = np.searchsorted(self.present, labels)
        position = np.minimum(position, len(self.present) - 1)
        return np.where(self.present[position] == labels, position, -1)

    def widen(self, probabilities: np.ndarray, n_classes: int) -> np.ndarray:
        """Return probabilities (n, n_classes), 0 for the classes not trained on."""
        wide = np.zeros((len(probabilities), n_classes))
        wide[:, self.present] = probabilities
        return wide


@dataclass(frozen=True)
class Preparation:
    """What the training part says of one modality: what fills a missing row, and how to scale.

    Attributes
    ----------
    fill : ndarray of float64, shape (d,), or None
        The embedding of a sample without one; None leaves such rows NaN, for what handles them.
    scaler : sklearn.preprocessing.StandardScaler or None
        To mean 0 and variance 1; a CSR matrix is only scaled, so that it stays sparse.
    sequences : bool
        Whether `apply` returns `Sequences`.
    """

    fill: np.ndarray | None
    scaler: Any
    sequences: bool = False

    @classmethod
    def fit(
        cls,
        values: Matrix,
        missing: np.ndarray | None,
        *,
        standardise: bool,
        policy: str,
        impute: bool = True,
        sequences: bool = False,
    ) -> Preparation:
        """Estimate from the training part alone.

        Parameters
        ----------
        values : ndarray or CSR matrix, shape (n, d), or Sequences
            Embeddings of the training samples; of sequences, all vectors count alike.
        missing : ndarray of bool, shape (n,), optional
            Rows without an embedding.
        standardise : bool
            Whether to scale.
        policy : {"mean", "zero", "skip"}
            A missing embedding becomes the training mean, or the zero vector.
        impute : bool
            False leaves missing rows NaN, and their sequences empty.
        sequences : bool
            Whether `apply` shall return sequences, of one vector where embeddings are an array.

        Raises
        ------
        PluginError
            No training sample has this modality.
        """
        from scipy import sparse
        from sklearn.preprocessing import StandardScaler

        if isinstance(values, Sequences):
            values = values.values  # what is missing has none
        else:
            values = values.astype(np.float64)
            if missing is not None and missing.any():
                values = values[np.flatnonzero(~missing)]
        if not values.shape[0]:
            raise PluginError("no training sample has this modality")
        fill = None
        if impute:
            zeros = np.zeros(values.shape[1])
            mean = values.mean(axis=0, dtype=np.float64) if policy == "mean" else zeros
            fill = np.asarray(mean).ravel()
        scaler = None
        if standardise:
            scaler = StandardScaler(with_mean=not sparse.issparse(values)).fit(values)
        return cls(fill, scaler, sequences)

    def apply(self, values: Matrix, missing: np.ndarray | None = None) -> Matrix:
        """Return embeddings of any samples (n, d), filled in and scaled, as float64.

        Or as sequences, of float32.
        """
        from scipy import sparse

        if isinstance(values, Sequences):
            filled = values if self.fill is None else values.filled(self.fill)
            if self.scaler is None:
                return filled
            return Sequences(self.scaler.transform(filled.values), filled.offsets)
        values = values.astype(np.float64)
        if missing is not None and missing.any():
            if self.fill is not None:
                values = _filled(values, missing, self.fill)
            elif sparse.issparse(values):
                values = values.toarray()
                values[missing] = np.nan
        if self.scaler is not None:
            values = self.scaler.transform(values, copy=False)  # they are this call's own
        return Sequences.of_rows(to_dense(values)) if self.sequences else values


def _filled(values: Matrix, missing: np.ndarray, fill: np.ndarray) -> Matrix:
    from scipy import sparse

    if not sparse.issparse(values):
        values[missing] = fill
        return values
    rows = sparse.csr_matrix((missing.astype(np.float64), (np.arange(len(missing)),) * 2))
    return (values + rows @ sparse.csr_matrix(np.tile(fill, (len(missing), 1)))).tocsr()


def fuse(fusion: Any, features: Mapping[str, Matrix], accepts_sparse: bool) -> Matrix:
    """Apply a fitted or parameter-free feature-level fusion; no fusion passes one modality on."""
    if fusion is None:
        (only,) = features.values()
        return only
    fused = fusion.transform(features if accepts_sparse else dense(features))
    return checked_matrix(fused, count(features), "transform").astype(np.float64, copy=False)


def count(features: Mapping[str, Matrix]) -> int:
    """Return how many samples there are features of."""
    first = next(iter(features.values()))
    return int(first.shape[0]) if hasattr(first, "shape") else len(first)


def dense(features: Mapping[str, Matrix]) -> dict[str, np.ndarray]:
    """Return the features as dense arrays."""
    return {name: to_dense(values) for name, values in features.items()}


def to_dense(values: Matrix) -> np.ndarray:
    """Return one matrix as a dense array."""
    array: np.ndarray = values.toarray() if hasattr(values, "toarray") else values
    return array


def checked_matrix(values: Any, rows: int, method: str) -> Matrix:
    """Return a plugin's vectors, or raise `PluginError` where they break the contract."""
    from scipy import sparse

    if not isinstance(values, np.ndarray) and not sparse.issparse(values):
        raise PluginError(f"{method} returned {type(values).__name__}; an array was expected")
    if values.ndim != 2 or values.shape[0] != rows:
        raise PluginError(f"{method} returned shape {values.shape}; ({rows}, d) was expected")
    if values.shape[1] == 0:
        raise PluginError(f"{method} returned vectors of no columns")
    if not np.issubdtype(values.dtype, np.floating):
        raise PluginError(f"{method} returned {values.dtype}; floating point was expected")
    if not np.isfinite(values.data if sparse.issparse(values) else values).all():
        raise PluginError(f"{method} returned NaN or infinite values")
    return values.tocsr() if sparse.issparse(values) else values


def checked_probabilities(values: Any, rows: int, k: int, method: str) -> np.ndarray:
    """Return a plugin's class probabilities as float64, or raise `PluginError`."""
    if not isinstance(values, np.ndarray):
        raise PluginError(f"{method} returned {type(values).__name__}; an array was expected")
    if values.shape != (rows, k):
        raise PluginError(f"{method} returned shape {values.shape}; ({rows}, {k}) was expected")
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise PluginError(f"{method} returned {values.dtype}; numbers were expected")
    checked: np.ndarray = values.astype(np.float64)
    if not np.isfinite(checked).all():
        raise PluginError(f"{method} returned NaN or infinite values")
    if checked.min(initial=0) < -1e-9 or np.abs(checked.sum(axis=1) - 1).max(initial=0) > 1e-4:
        raise PluginError(f"{method} returned rows that are no probabilities: they do not sum to 1")
    return checked


HeadFactory = Callable[[], Any]


def is_calibrated(head: Any) -> bool:
    """Whether a head gives probabilities itself; else the harness calibrates its decision."""
    return hasattr(head, "predict_proba")


def fit_head(
    make: HeadFactory,
    X: Matrix,
    labels: Labels,
    groups: np.ndarray | None,
    validation: tuple[Matrix, np.ndarray] | None,
    pooled: np.ndarray | None = None,
) -> Callable[[Matrix], np.ndarray]:
    """Fit a head and return its ``predict_proba``.

    A head without probabilities is calibrated by temperature scaling (Guo et al., 2017) of its
    decision values: on the validation part where there is one, else on out-of-fold values.

    Parameters
    ----------
    make : callable
        Returns a fresh head.
    X : ndarray or CSR matrix, shape (n, d)
        The training part, standardised.
    labels : Labels
        Its labels.
    groups : ndarray, shape (n,), optional
        Its groups, which inner folds do not cut.
    validation : tuple, optional
        Features and labels (codes of the training part, -1 for classes unknown there).
    pooled : ndarray, optional
        Out-of-fold decision values from `cross_decisions`, where features were themselves fitted
        with labels and decisions over `X` would be too sure.
    """
    head = make().fit(X, labels.codes)
    k = len(labels.present)
    if is_calibrated(head):
        return lambda rows: checked_probabilities(
            head.predict_proba(rows), rows.shape[0], k, "predict_proba"
        )
    if validation is not None and (known := validation[1] >= 0).any():
        decisions, codes = decide(head, validation[0], k)[known], validation[1][known]
    else:
        decisions = cross_decisions(make, X, labels, groups) if pooled is None else pooled
        codes = labels.codes
    scale = temperature(decisions, codes)
    return lambda rows: scale(decide(head, rows, k))


def decide(head: Any, X: Matrix, k: int) -> np.ndarray:
    """Return decision values as logits (n, k); of two classes, (-x, x)."""
    values = np.asarray(head.decision_function(X), dtype=np.float64)
    if k == 2:
        values = values.reshape(-1, 1) * [-1.0, 1.0]
    if values.shape != (X.shape[0], k) or not np.isfinite(values).all():
        raise PluginError(
            f"decision_function returned shape {values.shape} or values that are not finite; "
            f"finite ({X.shape[0]}, {k}) was expected"
        )
    return values


def cross_decisions(
    make: HeadFactory, X: Matrix, labels: Labels, groups: np.ndarray | None
) -> np.ndarray:
    """Return out-of-fold decision values (n, k) over the inner folds."""
    out = np.empty((X.shape[0], len(labels.present)))
    for train, test in splits.folds(labels.codes, groups):
        out[test] = fold_decisions(make, X[train], labels.codes[train], X[test], out.shape[1])
    return out


def fold_decisions(
    make: HeadFactory, X: Matrix, codes: np.ndarray, test: Matrix, k: int
) -> np.ndarray:
    """Fit on one inner fold and return decision values (n_test, k) on its test part.

    A class that the fold does not train on gets each row's lowest value.
    """
    fold = Labels.of(codes)
    values = decide(make().fit(X, fold.codes), test, len(fold.present))
    wide = np.repeat(values.min(axis=1, keepdims=True), k, axis=1)
    wide[:, fold.present] = values
    return wide


def temperature(decisions: np.ndarray, codes: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a temperature to decision values (n, k) and return the calibrated softmax.

    The inverse temperature minimises the log loss (Guo et al., 2017), within the bounds and to the
    tolerance of scikit-learn's ``CalibratedClassifierCV(method="temperature")``, which cannot be
    told decision values that were made elsewhere.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax, softmax

    rows = np.arange(len(codes))

    def loss(log_scale: float) -> float:
        return float(-log_softmax(np.exp(log_scale) * decisions, axis=1)[rows, codes].mean())

    tolerance = 64 * np.finfo(np.float64).eps
    found = minimize_scalar(loss, bounds=(-10.0, 10.0), options={"xatol": tolerance})
    scale = np.exp(found.x)
    return lambda values: np.asarray(softmax(scale * values, axis=1))


def cross_fit(
    make: HeadFactory,
    features: Sequence[Callable[[], tuple[Matrix, Matrix]]],
    labels: Labels,
    groups: np.ndarray | None,
    *,
    nested: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return out-of-fold probabilities over the inner folds, everything fitted anew in each.

    Parameters
    ----------
    make : callable
        Returns a fresh head.
    features : sequence of callables
        Per inner fold, returns the features of its training and of its test part, from steps
        fitted on its training part alone.
    labels : Labels
        Labels of the whole training part.
    groups : ndarray, shape (n,), optional
        Its groups.
    nested : bool
        Calibrate inside each fold's training part. False where features were fitted with labels:
        then one temperature is fitted to the pooled out-of-fold decision values.

    Returns
    -------
    probabilities : ndarray of float64, shape (n, k)
    decisions : ndarray of float64, shape (n, k), or None
        The pooled decision values, where not nested and the head has no probabilities.
    """
    n, k = len(labels.codes), len(labels.present)
    pooled = not nested and not is_calibrated(make())
    out = np.zeros((n, k))
    for (train, test), get in zip(splits.folds(labels.codes, groups), features, strict=True):
        X, X_test = get()
        if pooled:
            out[test] = fold_decisions(make, X, labels.codes[train], X_test, k)
            continue
        fold = Labels.of(labels.codes[train])
        predict = fit_head(make, X, fold, None if groups is None else groups[train], None)
        out[test] = fold.widen(predict(X_test), k)
    if not pooled:
        return out, None
    return temperature(out, labels.codes)(out), out
