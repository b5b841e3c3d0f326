"""Decision-level fusion: the class probabilities of one head per modality to one decision.

Probabilities come as a mapping from modality to ``(n, k)``, column j for label j.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from mmbench_fusions.weights import normalised

TIE_BREAK = 1e-9
"""What `Vote` adds to the class it decides for, in votes."""


class MeanProbability:
    """Soft voting: the mean of the modalities' class probabilities."""

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the mean over modalities, shape (n, k)."""
        mean: np.ndarray = np.mean(list(probabilities.values()), axis=0)
        return mean


class WeightedMean:
    """The weighted mean of the modalities' class probabilities.

    Parameters
    ----------
    weights : list of float, optional
        One per modality, in the dataset's order, not negative; scaled to sum to 1. Default: equal.
    """

    def __init__(self, *, weights: list[float] | None = None) -> None:
        self.weights = weights

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the weighted mean over modalities, shape (n, k).

        Raises
        ------
        ValueError
            If the weights are not one per modality, finite, not negative and not all 0.
        """
        weights = normalised(self.weights, len(probabilities))
        mean: np.ndarray = np.average(list(probabilities.values()), axis=0, weights=weights)
        return mean


class Rule:
    """A fixed rule over the modalities, class by class.

    Parameters
    ----------
    formula : callable
        Takes probabilities (m, n, k) to probabilities (n, k).

    References
    ----------
    Kittler, Hatef, Duin and Matas, "On combining classifiers", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 20(3), 1998.
    """

    def __init__(self, formula: Callable[[np.ndarray], np.ndarray]) -> None:
        self.formula = formula

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return class probabilities, shape (n, k)."""
        return self.formula(np.stack(list(probabilities.values())))


def product_rule() -> Rule:
    """Build the product of the probabilities, scaled to sum to 1.

    It takes the modalities to be independent given the class, and the classes equally frequent.
    A probability of 0 counts as the smallest positive number: it rules the class out unless every
    class is ruled out.
    """

    def product(stacked: np.ndarray) -> np.ndarray:
        smallest = np.finfo(np.float64).tiny
        scaled: np.ndarray = softmax(np.log(np.maximum(stacked, smallest)).sum(axis=0), axis=1)
        return scaled

    return Rule(product)


def max_rule() -> Rule:
    """Build the largest probability of each class, scaled to sum to 1.

    It takes the classes to be equally frequent.
    """

    def largest(stacked: np.ndarray) -> np.ndarray:
        most = stacked.max(axis=0)
        scaled: np.ndarray = most / most.sum(axis=1, keepdims=True)
        return scaled

    return Rule(largest)


class Vote:
    """Hard majority vote: every modality votes for its most probable class.

    Among classes with equally many votes the one with the highest mean probability wins, then the
    first. (scikit-learn's ``VotingClassifier`` takes the first at once.)
    """

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return every class's share of the votes, shape (n, k).

        The winner has `TIE_BREAK` of a vote more, so that the largest share is the decision.
        """
        stacked = np.stack(list(probabilities.values()))
        _, n, k = stacked.shape
        votes = np.eye(k)[stacked.argmax(axis=2)].sum(axis=0)
        leading = votes == votes.max(axis=1, keepdims=True)
        winner = np.where(leading, stacked.mean(axis=0), -1.0).argmax(axis=1)
        votes[np.arange(n), winner] += TIE_BREAK
        shares: np.ndarray = votes / votes.sum(axis=1, keepdims=True)
        return shares


class Stacking:
    """Logistic regression on the modalities' class probabilities, side by side.

    Equal to scikit-learn's ``StackingClassifier`` with
    ``final_estimator=LogisticRegression(C=C, max_iter=max_iter)`` and
    ``stack_method="predict_proba"``: for two classes the first column of each modality is
    dropped, as it says nothing that the second does not.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the L2 penalty.
    max_iter : int, default 1000
        Most iterations of the solver (L-BFGS).

    Attributes
    ----------
    modalities_ : list of str
        Modalities in the order of the fitted columns.
    classifier_ : sklearn.linear_model.LogisticRegression

    References
    ----------
    Wolpert, "Stacked generalization", Neural Networks 5(2), 1992.
    """

    def __init__(self, *, C: float = 1.0, max_iter: int = 1000) -> None:
        self.C = C
        self.max_iter = max_iter

    def fit(self, probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> Self:
        """Fit on out-of-fold probabilities (n, k) per modality and labels (n,)."""
        self.modalities_ = list(probabilities)
        self.classifier_ = LogisticRegression(C=self.C, max_iter=self.max_iter)
        self.classifier_.fit(self._columns(probabilities), labels)
        return self

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the meta-classifier's class probabilities, shape (n, k)."""
        fused: np.ndarray = self.classifier_.predict_proba(self._columns(probabilities))
        return fused

    def _columns(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        parts = [probabilities[modality] for modality in self.modalities_]
        first = 1 if parts[0].shape[1] == 2 else 0
        return np.hstack([part[:, first:] for part in parts])
