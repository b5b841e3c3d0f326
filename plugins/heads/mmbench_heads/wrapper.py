"""What all heads share: over-sampling of small classes, and a fixed number of threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from threadpoolctl import ThreadpoolController


def balanced_rows(labels: np.ndarray) -> np.ndarray:
    """Return the rows that give every class as many samples as the largest has.

    All rows come first, in their order. Then, class by class, those of a smaller one are repeated
    in turn, in their order: each equally often, up to once. Nothing is drawn at random.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int64, shape (k * size of the largest class,)
        Positions in ``labels``.
    """
    classes, counts = np.unique(labels, return_counts=True)
    repeats = [
        np.resize(np.flatnonzero(labels == label), counts.max())[count:]
        for label, count in zip(classes, counts, strict=True)
    ]
    return np.concatenate([np.arange(len(labels)), *repeats])


@cache
def _pools() -> ThreadpoolController:
    """Find the thread pools of the loaded libraries, which takes milliseconds, once."""
    return ThreadpoolController()


def _offers(method: str) -> Callable[[Head], bool]:
    return lambda head: hasattr(head.classifier, method)


class Head(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier fitted on over-sampled rows, or with its number of threads bound, or both.

    It offers ``predict_proba`` and ``decision_function`` where the classifier does.

    Parameters
    ----------
    classifier : scikit-learn classifier
    oversample : bool, default False
        Fit on `balanced_rows`.
    threads : int, optional
        Of the linear algebra and OpenMP libraries, in fitting and predicting. 1 where sums would
        be taken in another order by more, so that the last bits of the result would differ.

    Attributes
    ----------
    classifier_ : scikit-learn classifier
        The fitted one.
    classes_ : ndarray of int, shape (k,)
    """

    def __init__(
        self, classifier: Any, *, oversample: bool = False, threads: int | None = None
    ) -> None:
        self.classifier = classifier
        self.oversample = oversample
        self.threads = threads

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit a clone of the classifier.

        Raises
        ------
        ValueError
            Of one class there is nothing to learn; some classifiers would make up a second.
        """
        if (y == y[0]).all():
            raise ValueError("the training part has one class; a head needs two or more")
        if self.oversample:
            rows = balanced_rows(y)
            X, y = X[rows], y[rows]
        with self._limit():
            self.classifier_ = clone(self.classifier).fit(X, y)
        self.classes_ = self.classifier_.classes_
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return labels, shape (n,)."""
        return self._ask("predict", X)

    @available_if(_offers("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, shape (n, k)."""
        return self._ask("predict_proba", X)

    @available_if(_offers("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> np.ndarray:
        """Return decision values, shape (n, k), or (n,) of two classes."""
        return self._ask("decision_function", X)

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The classifier's, where it keeps one."""
        history: list[dict[str, Any]] = self.classifier_.history_
        return history

    def _ask(self, method: str, X: Any) -> np.ndarray:
        with self._limit():
            answer: np.ndarray = getattr(self.classifier_, method)(X)
        return answer

    def _limit(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.threads is None else _pools().limit(limits=self.threads)


def wrapped(classifier: Any, *, oversample: bool, threads: int | None = None) -> Any:
    """Return a `Head`, or the classifier itself where there is nothing to add to it."""
    if oversample or threads is not None:
        return Head(classifier, oversample=oversample, threads=threads)
    return classifier
