"""scikit-learn's classifiers with what the heads add to them.

The factories of the heads import them when one is built: scikit-learn takes a second to import, and
a plan reads the factories' options alone.
"""

from __future__ import annotations

import warnings
from copy import copy
from typing import Any, Self

import numpy as np
from sklearn import config_context
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from mmbench import Distances


class ReproducibleForest:
    """A forest whose probabilities do not depend on the number of threads.

    Trees are grown by ``n_jobs`` threads. Their probabilities are added up by one, in order: as
    threads finish in any order, scikit-learn's sum differs in the last bit from call to call.
    """

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, shape (n, k)."""
        serial: Any = copy(self)
        serial.n_jobs = 1
        averaged = super(ReproducibleForest, serial).predict_proba(X)  # type: ignore[misc]
        return np.asarray(averaged)


class RandomForest(ReproducibleForest, RandomForestClassifier):  # type: ignore[misc]
    """A reproducible random forest."""


class ExtraTrees(ReproducibleForest, ExtraTreesClassifier):  # type: ignore[misc]
    """Reproducible extremely randomised trees."""


class GaussianNaiveBayes(GaussianNB):  # type: ignore[misc]
    """Gaussian naive Bayes that refuses variances of 0, which give no probabilities."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Fit.

        Raises
        ------
        ValueError
            A variance is 0.
        """
        super().fit(X, y)
        if not self.var_.all():
            raise ValueError(
                "naive-bayes: a feature has variance 0 within a class: every feature is constant "
                f"in the training part, or var_smoothing = {self.var_smoothing} is too small"
            )
        return self


class Perceptron(MLPClassifier):  # type: ignore[misc]
    """A multi-layer perceptron that keeps the loss of every epoch.

    To stop after ``max_iter`` epochs is what was asked for, so it is no warning; ``history_``
    shows whether the loss was still falling.

    Attributes
    ----------
    history_ : list of dict
        ``epoch``, ``loss`` and, with early stopping, ``validation_accuracy``.
    """

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y)
        self.history_ = [
            {"epoch": epoch, "loss": loss} for epoch, loss in enumerate(self.loss_curve_, 1)
        ]
        if self.early_stopping:
            for row, score in zip(self.history_, self.validation_scores_, strict=True):
                row["validation_accuracy"] = float(score)
        return self


class KernelMachine(SVC):  # type: ignore[misc]
    """A support vector machine that takes `mmbench.Distances`, too, where its kernel is RBF.

    The machines of all pairs of classes then read one matrix of the kernel, made once, where
    scikit-learn has every pair compute its own part from the vectors.

    Attributes
    ----------
    precomputed_ : SVC
        The machine that was fitted to the kernel of distances.
    """

    def fit(self, X: Any, y: np.ndarray) -> Self:
        """Fit to vectors (n, d) or distances."""
        self.precomputed_ = None
        if not isinstance(X, Distances):
            super().fit(X, y)
            return self
        order = np.argsort(y, kind="stable")  # each pair of classes reads two blocks
        self._train, self._width = X[order], _width(self.gamma, X)
        machine = SVC(**{**self.get_params(), "kernel": "precomputed"})
        kernel = self._train.gaussian(self._train, self._width)
        with config_context(assume_finite=True):  # as its kernel is
            self.precomputed_ = machine.fit(kernel, y[order])
        self.classes_ = machine.classes_
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return decision values, shape (n, k), or (n,) of two classes."""
        if self.precomputed_ is None:
            return np.asarray(super().decision_function(X))
        kernel = X.gaussian(self._train, self._width)
        with config_context(assume_finite=True):
            return np.asarray(self.precomputed_.decision_function(kernel))


def _width(gamma: Any, X: Distances) -> float:
    """Return what ``gamma`` stands for, as scikit-learn has it."""
    columns = X.shape[1]
    if gamma == "auto":
        return 1.0 / columns
    if gamma != "scale":
        return float(gamma)
    variance = X.var()
    return 1.0 / (columns * variance) if variance else 1.0
