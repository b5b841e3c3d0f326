"""scikit-learn's classifiers with what the heads add to them.

The factories of the heads import them when one is built: scikit-learn takes a second to import, and
a plan reads the factories' options alone.
"""

from __future__ import annotations

import warnings
from copy import copy
from typing import Any, Self

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier


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
