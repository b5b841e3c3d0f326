"""Decision-level fusion by a meta-classifier over the modalities' class probabilities."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from mmbench import folds

MOST_SVM_CLASSES = 250
"""Most classes for a meta-classifier that compares them in pairs: memory grows as their square."""


class Stacked(ABC):
    """A meta-classifier on the modalities' class probabilities, side by side.

    Equal to scikit-learn's ``StackingClassifier`` with ``stack_method="predict_proba"``: for two
    classes the first column of each modality is dropped, as it says nothing that the second does
    not.

    Attributes
    ----------
    modalities_ : list of str
        Modalities in the order of the fitted columns.
    classifier_ : sklearn classifier
    """

    def fit(self, probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> Self:
        """Fit on out-of-fold probabilities (n, k) per modality and labels (n,).

        Raises
        ------
        ValueError
            If probabilities are missing, or the meta-classifier cannot be fitted to such labels.
        """
        self.modalities_ = list(probabilities)
        self.classifier_ = self._meta(labels).fit(self._columns(probabilities), labels)
        return self

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the meta-classifier's class probabilities, shape (n, k).

        Raises
        ------
        ValueError
            If probabilities are missing.
        """
        fused: np.ndarray = self.classifier_.predict_proba(self._columns(probabilities))
        return fused

    @abstractmethod
    def _meta(self, labels: np.ndarray) -> Any:
        """Return the meta-classifier, not fitted."""

    def _columns(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        parts = [probabilities[modality] for modality in self.modalities_]
        for modality, part in zip(self.modalities_, parts, strict=True):
            if absent := np.isnan(part).any(axis=1).sum():
                raise ValueError(
                    f"stacking needs every modality of a sample: {absent} lack {modality!r}"
                )
        first = 1 if parts[0].shape[1] == 2 else 0
        return np.hstack([part[:, first:] for part in parts])


class Stacking(Stacked):
    """Stacking with a logistic regression or a support vector machine.

    Parameters
    ----------
    meta : {"logistic-regression", "svm"}
        The meta-classifier. ``svm`` has an RBF kernel and is calibrated by temperature scaling
        over inner folds, which keeps its decision; it needs two samples of every class and at most
        `MOST_SVM_CLASSES` classes.
    C : float, default 1.0
        Inverse strength of the meta-classifier's penalty.
    max_iter : int, default 1000
        Most iterations of the logistic regression's solver (L-BFGS).

    References
    ----------
    Wolpert, "Stacked generalization", Neural Networks 5(2), 1992.
    """

    def __init__(
        self,
        *,
        meta: Literal["logistic-regression", "svm"] = "logistic-regression",
        C: float = 1.0,
        max_iter: int = 1000,
    ) -> None:
        self.meta = meta
        self.C = C
        self.max_iter = max_iter

    def _meta(self, labels: np.ndarray) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import SVC

        if self.meta == "logistic-regression":
            return LogisticRegression(C=self.C, max_iter=self.max_iter)
        counts = np.bincount(labels)
        if len(counts) > MOST_SVM_CLASSES:
            raise ValueError(
                f"stacking with meta = 'svm' takes at most {MOST_SVM_CLASSES} classes, and there "
                f"are {len(counts)}: take 'logistic-regression'"
            )
        if counts.min() < 2:
            raise ValueError(
                "stacking with meta = 'svm' needs two training samples of every class to be "
                f"calibrated, and label {counts.argmin()} has {counts.min()}"
            )
        machine = SVC(C=self.C, break_ties=True)
        return CalibratedClassifierCV(
            machine, method="temperature", cv=folds(labels), ensemble=False
        )


class RandomForestStacking(Stacked):
    """Stacking with a random forest.

    Parameters
    ----------
    seed : int
        Random state.
    n_estimators : int, default 100
        Number of trees.
    min_samples_leaf : int, default 1
    max_depth : int, optional

    References
    ----------
    Wolpert, "Stacked generalization", Neural Networks 5(2), 1992.
    Breiman, "Random forests", Machine Learning 45, 2001.
    """

    def __init__(
        self,
        *,
        seed: int,
        n_estimators: int = 100,
        min_samples_leaf: int = 1,
        max_depth: int | None = None,
    ) -> None:
        self.seed = seed
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_depth = max_depth

    def _meta(self, labels: np.ndarray) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_depth=self.max_depth,
            random_state=self.seed,
        )
