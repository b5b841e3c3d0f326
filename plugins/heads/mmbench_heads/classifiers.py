"""Factories of scikit-learn classifiers; parameters mean what they mean there."""

from __future__ import annotations

from copy import copy
from typing import Any, Literal

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC


def svm(
    *,
    C: float = 1.0,
    kernel: Literal["linear", "rbf", "poly"] = "rbf",
    gamma: float | Literal["scale", "auto"] = "scale",
    degree: int = 3,
    class_weight: Literal["balanced"] | None = None,
) -> SVC:
    """Build a support vector machine; it has `decision_function` and no probabilities.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty.
    kernel : {"rbf", "linear", "poly"}
    gamma : float or {"scale", "auto"}, default "scale"
        Coefficient of ``rbf`` and ``poly``: 1 / (features * variance), or 1 / features.
    degree : int, default 3
        Degree of ``poly``.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.

    References
    ----------
    Cortes and Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """
    return SVC(
        C=C,
        kernel=kernel,
        gamma=gamma,
        degree=degree,
        class_weight=class_weight,
        break_ties=True,
    )


class ReproducibleForest(RandomForestClassifier):  # type: ignore[misc]
    """A random forest whose probabilities do not depend on the number of threads.

    Trees are grown by ``n_jobs`` threads. Their probabilities are added up by one, in order: as
    threads finish in any order, scikit-learn's sum differs in the last bit from call to call.
    """

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities, shape (n, k)."""
        serial = copy(self)
        serial.n_jobs = 1
        probabilities: np.ndarray = super(ReproducibleForest, serial).predict_proba(X)
        return probabilities


def random_forest(
    *,
    seed: int,
    threads: int,
    n_estimators: int = 100,
    max_features: int | float | Literal["sqrt", "log2"] | None = "sqrt",
    min_samples_leaf: int = 1,
    max_depth: int | None = None,
    class_weight: Literal["balanced", "balanced_subsample"] | None = None,
) -> ReproducibleForest:
    """Build a random forest.

    Parameters
    ----------
    seed, threads : int
        Random state, and threads that grow trees; the result does not depend on ``threads``.
    n_estimators : int, default 100
        Number of trees.
    max_features : int, float, {"sqrt", "log2"} or None, default "sqrt"
        Features tried at a split: a number, a share, a function of all, or all.
    min_samples_leaf : int, default 1
    max_depth : int, optional
    class_weight : {"balanced", "balanced_subsample"}, optional
        Weigh samples by the inverse frequency of their class, in all or in each tree's samples.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45, 2001.
    """
    return ReproducibleForest(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        max_depth=max_depth,
        class_weight=class_weight,
        random_state=seed,
        n_jobs=threads,
    )


def logistic_regression(
    *,
    C: float = 1.0,
    class_weight: Literal["balanced"] | None = None,
    max_iter: int = 1000,
) -> LogisticRegression:
    """Build a multinomial logistic regression with an L2 penalty, solved by L-BFGS.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    max_iter : int, default 1000
        Most iterations of the solver.
    """
    return LogisticRegression(C=C, class_weight=class_weight, max_iter=max_iter)
