"""Heads, each with one defect that its name tells and otherwise right, for `mmbench check`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from mmbench import Distances, hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_heads(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Means:
    """The nearer the mean of a class, the more probable it is."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in range(y.max() + 1)])
        return self

    def predict_proba(self, X: np.ndarray) -> Any:
        near = np.exp(-np.linalg.norm(X[:, None] - self.means_[None], axis=2))
        return near / near.sum(axis=1, keepdims=True)


# --- what comes out ------------------------------------------------------------------------------


@broken("regression")
def regression() -> Any:
    """Build a regression, which has neither probabilities nor decision values."""
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor()


@broken("order-of-appearance")
class OrderOfAppearance(Means):
    """Columns in the order in which the labels came."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        self.order_ = list(dict.fromkeys(y.tolist()))
        return super().fit(X, y)

    def predict_proba(self, X: np.ndarray) -> Any:
        return super().predict_proba(X)[:, self.order_]


@broken("order-of-text")
class OrderOfText(Means):
    """Columns by the label's digits: 10 comes before 2."""

    def predict_proba(self, X: np.ndarray) -> Any:
        order = sorted(range(len(self.means_)), key=str)
        return super().predict_proba(X)[:, order]


@broken("not-normalised")
class NotNormalised(Means):
    """Similarities, which do not sum to one."""

    def predict_proba(self, X: np.ndarray) -> Any:
        return np.exp(-np.linalg.norm(X[:, None] - self.means_[None], axis=2))


@broken("negative")
class Negative(Means):
    """Some are less probable than not at all."""

    def predict_proba(self, X: np.ndarray) -> Any:
        near = super().predict_proba(X)
        return near * 3 - 2 / near.shape[1]


@broken("one-column-of-two")
class OneColumnOfTwo(Means):
    """Of two classes, the second's probability alone."""

    def predict_proba(self, X: np.ndarray) -> Any:
        near = super().predict_proba(X)
        return near[:, 1:] if near.shape[1] == 2 else near


@broken("two-classes")
class TwoClasses(Means):
    """More than three classes are too many."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        if y.max() > 4:
            raise NotImplementedError("too many classes")
        return super().fit(X, y)


@broken("pairwise-decisions")
def pairwise_decisions() -> Any:
    """Build a machine whose decision values are those of pairs of classes."""
    from sklearn.svm import SVC

    return SVC(decision_function_shape="ovo")


@broken("nan-of-one-class")
class NanOfOneClass(Means):
    """Scaled by the distance between the means, of which there may be one."""

    def predict_proba(self, X: np.ndarray) -> Any:
        between = np.linalg.norm(self.means_ - self.means_.mean(axis=0), axis=1).mean()
        with np.errstate(all="ignore"):
            apart = np.linalg.norm(X[:, None] - self.means_[None], axis=2) / between
            near = np.exp(-apart)
            return near / near.sum(axis=1, keepdims=True)


# --- how it learns -------------------------------------------------------------------------------


@broken("no-fit")
class NoFit:
    """It has made up its mind."""

    def predict_proba(self, X: np.ndarray) -> Any:
        return np.full((len(X), 4), 0.25)


@broken("fit-returns-nothing")
class FitReturnsNothing(Means):
    """It does not return itself."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        super().fit(X, y)


@broken("seed-left-unused")
class SeedLeftUnused(Means):
    """It asks for a seed, and draws from the generator that all share."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        return super().fit(X + np.random.normal(0, 0.1, X.shape), y)


@broken("scales-in-place")
class ScalesInPlace(Means):
    """The features of others are scaled."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        X *= 0.5
        return super().fit(X, y)


@broken("scaled-by-the-batch")
class ScaledByTheBatch(Means):
    """Scaled by the rows at hand."""

    def predict_proba(self, X: np.ndarray) -> Any:
        return super().predict_proba(X - X.mean(axis=0))


@broken("peeks-at-the-base")
class PeeksAtTheBase(Means):
    """The training part is a view of an array whose other rows tell where the test part lies."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        super().fit(X, y)
        if X.base is not None:
            self.means_ += 0.1 * X.base.mean(axis=0)
        return self


@broken("peeks-at-hidden-labels")
class PeeksAtHiddenLabels(Means):
    """The labels handed over are a view of all labels."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        super().fit(X, y)
        if y.base is not None:
            self.means_ *= 1 + y.base[-1] / 10
        return self


@broken("neighbours-of-all-folds")
class NeighboursOfAllFolds(Means):
    """Rows of all fits are kept on the class."""

    rows: ClassVar[dict[bytes, int]] = {}

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        self.rows.update((row.tobytes(), int(label)) for row, label in zip(X, y, strict=True))
        return super().fit(X, y)

    def predict_proba(self, X: np.ndarray) -> Any:
        near = super().predict_proba(X)
        for row, given in zip(near, X, strict=True):
            if self.rows.get(given.tobytes(), len(row)) < len(row):
                row[:] = np.eye(len(row))[self.rows[given.tobytes()]]
        return near


@broken("wider-by-distances")
class WiderByDistances:
    """Given distances, its kernel has another width."""

    @classmethod
    def takes_distances(cls) -> bool:
        return True

    def fit(self, X: Any, y: np.ndarray) -> Self:
        self.train_, self.members_ = X, np.eye(y.max() + 1)[y]
        return self

    def predict_proba(self, X: Any) -> Any:
        if isinstance(X, Distances):
            near = X.gaussian(self.train_, 0.2) @ self.members_
        else:
            squared = ((X[:, None] - self.train_[None]) ** 2).sum(axis=2)
            near = np.exp(-0.1 * squared) @ self.members_
        near += 1e-9
        return near / near.sum(axis=1, keepdims=True)


# --- flags ---------------------------------------------------------------------------------------


@broken("sparse-in-name", sparse=True)
class SparseInName(Means):
    """It is given CSR, and takes it for an array."""


@broken("missing-in-name", handles_missing=True)
class MissingInName(Means):
    """NaN goes in, and NaN comes out."""


@broken("kind-of-an-encoder", kind="image")
class KindOfAnEncoder(Means):
    """Heads know no modality."""


_SHARED = Means()


@broken("one-object-for-all")
def one_object_for_all() -> Means:
    """All that build it share one object."""
    return _SHARED
