"""Decision-level fusion by means and fixed rules over the modalities' class probabilities.

Probabilities come as a mapping from modality to ``(n, k)``, column j for label j. A row of NaN
says that the sample lacks the modality: the others decide. A sample that lacks all gets equal
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from mmbench_fusions.absent import average, combined
from mmbench_fusions.weights import as_history, learned_by_modality, normalised


class MeanProbability:
    """Soft voting: the mean of the modalities' class probabilities."""

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the mean over modalities, shape (n, k)."""
        return combined(probabilities, average)


class WeightedMean:
    """The weighted mean of the modalities' class probabilities.

    Parameters
    ----------
    weights : list of float, optional
        One per modality, in the dataset's order, not negative; scaled to sum to 1 over those that
        a sample has. Default: equal.
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
        return combined(probabilities, lambda stacked: average(stacked, weights))


class LearnedWeightedMean:
    """`WeightedMean` with the weights of least log loss on out-of-fold probabilities.

    Attributes
    ----------
    weights_ : dict of str to float
        By modality, not negative, summing to 1.
    history_ : list of dict
        The same, to be kept with the fit.

    References
    ----------
    Smyth and Wolpert, "Linearly combining density estimators via stacking", Machine Learning 36,
    1999.
    """

    def fit(self, probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> Self:
        """Find the weights on out-of-fold probabilities (n, k) per modality and labels (n,)."""
        self.weights_ = learned_by_modality(probabilities, labels)
        self.history_: list[dict[str, Any]] = as_history(self.weights_, "weight")
        return self

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the weighted mean over modalities, shape (n, k)."""
        weights = np.array([self.weights_[modality] for modality in probabilities])
        return combined(probabilities, lambda stacked: average(stacked, weights))


class Rule:
    """A fixed rule over the modalities, class by class.

    Parameters
    ----------
    formula : callable
        Takes probabilities (m, n, k), NaN where a sample lacks a modality, to (n, k).

    References
    ----------
    Kittler, Hatef, Duin and Matas, "On combining classifiers", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 20(3), 1998.
    """

    def __init__(self, formula: Callable[[np.ndarray], np.ndarray]) -> None:
        self.formula = formula

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return class probabilities, shape (n, k)."""
        return combined(probabilities, self.formula)


def product_rule() -> Rule:
    """Build the product of the probabilities, scaled to sum to 1.

    It takes the modalities to be independent given the class, and the classes equally frequent.
    A probability of 0 counts as the smallest positive number: it rules the class out unless every
    class is ruled out.
    """

    def product(stacked: np.ndarray) -> np.ndarray:
        from scipy.special import softmax

        logarithms = np.log(np.maximum(stacked, np.finfo(np.float64).tiny))
        scaled: np.ndarray = softmax(np.nansum(logarithms, axis=0), axis=1)
        return scaled

    return Rule(product)


def max_rule() -> Rule:
    """Build the largest probability of each class, scaled to sum to 1.

    It takes the classes to be equally frequent.
    """
    return Rule(lambda stacked: _scaled(np.nanmax(stacked, axis=0), stacked))


def min_rule() -> Rule:
    """Build the smallest probability of each class, scaled to sum to 1.

    It takes the classes to be equally frequent. Where every class is ruled out by some modality
    the rule says nothing; the mean probabilities then stand in.
    """
    return Rule(lambda stacked: _scaled(np.nanmin(stacked, axis=0), stacked))


def median() -> Rule:
    """Build the median of the probabilities of each class, scaled to sum to 1.

    It takes the classes to be equally frequent. Where every median is 0 the rule says nothing; the
    mean probabilities then stand in.
    """
    return Rule(lambda stacked: _scaled(np.nanmedian(stacked, axis=0), stacked))


def _scaled(scores: np.ndarray, stacked: np.ndarray) -> np.ndarray:
    """Scale scores (n, k) to sum to 1; the mean probabilities where all scores are 0."""
    total = scores.sum(axis=1, keepdims=True)
    scaled: np.ndarray = np.divide(scores, total, out=average(stacked), where=total > 0)
    return scaled
