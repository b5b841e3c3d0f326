"""One factory per metric, each returning a `Score`.

``truth`` and ``predicted`` are codes into the dataset's classes, shape (n,); ``probabilities``
is float64, shape (n, n_classes), a column for every class. F1, precision and recall are 0 where
their denominator is, and macro averages are over the classes in truth or prediction, as
scikit-learn has it. Counts and figures are made here, to the last bit as scikit-learn makes them:
its checks of what it is given, for each metric anew, take far longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Score:
    """A metric: a function of the truth and of what it needs."""

    function: Callable[[np.ndarray, np.ndarray], float]
    needs: Literal["labels", "probabilities"] = "labels"
    higher_is_better: bool = True

    def __call__(
        self, truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
    ) -> float:
        """Score the predicted labels or their probabilities; NaN where undefined."""
        scored = predicted if self.needs == "labels" else probabilities
        if scored is None:
            raise ValueError("this metric needs probabilities")
        return float(self.function(truth, scored))


def accuracy() -> Score:
    """Share of samples labelled right."""
    return Score(_accuracy)


def balanced_accuracy() -> Score:
    """Mean recall over the classes in truth."""
    return Score(_balanced_accuracy)


def f1_macro() -> Score:
    """F1, mean over classes."""
    return Score(_macro(Counts.f1))


def f1_weighted() -> Score:
    """F1, mean over classes weighted by their number of samples."""
    return Score(_f1_weighted)


def f1_micro() -> Score:
    """F1 of all decisions together; equals accuracy where every sample has one label."""
    return Score(_f1_micro)


def precision_macro() -> Score:
    """Precision, mean over classes."""
    return Score(_macro(Counts.precision))


def recall_macro() -> Score:
    """Recall, mean over classes."""
    return Score(_macro(Counts.recall))


def roc_auc() -> Score:
    """Area under the ROC curve of the last of two classes; else one-vs-rest, mean over classes.

    NaN where a class is absent from truth, or is all of it.
    """
    return Score(_roc_auc, needs="probabilities")


def log_loss() -> Score:
    """Mean negative log-likelihood; probabilities are clipped as scikit-learn does."""
    return Score(_log_loss, needs="probabilities", higher_is_better=False)


def ece(*, bins: int = 15) -> Score:
    """Measure the expected calibration error of the most probable class.

    Parameters
    ----------
    bins : int, default 15
        Number of bins of equal width, each open below and closed above.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    return Score(
        partial(_calibration_error, bins=bins), needs="probabilities", higher_is_better=False
    )


@dataclass(frozen=True)
class Counts:
    """Samples by class, of the classes in truth or prediction.

    Attributes
    ----------
    hit, true, predicted : ndarray of int64, shape (k,)
        Those labelled right, those of the class, and those labelled as it.
    """

    hit: np.ndarray
    true: np.ndarray
    predicted: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, predicted: np.ndarray) -> Counts:
        """Count samples by their codes, shape (n,)."""
        n_classes = int(max(truth.max(), predicted.max())) + 1
        labelled = (truth[truth == predicted], truth, predicted)
        counts = np.stack([np.bincount(codes, minlength=n_classes) for codes in labelled])
        return cls(*counts[:, counts[1:].any(axis=0)])

    def precision(self) -> np.ndarray:
        """Return the share of hits in what is labelled as a class, shape (k,)."""
        return np.asarray(self.hit / np.maximum(self.predicted, 1))

    def recall(self) -> np.ndarray:
        """Return the share of hits in each class, shape (k,)."""
        return np.asarray(self.hit / np.maximum(self.true, 1))

    def f1(self) -> np.ndarray:
        """Return their harmonic mean, shape (k,)."""
        return np.asarray(2 * self.hit / (self.true + self.predicted))


def _accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float((truth == predicted).mean())


def _balanced_accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    counts = Counts.of(truth, predicted)
    return float(counts.recall()[counts.true > 0].mean())


def _macro(figure: Callable[[Counts], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda truth, predicted: float(figure(Counts.of(truth, predicted)).mean())


def _f1_weighted(truth: np.ndarray, predicted: np.ndarray) -> float:
    counts = Counts.of(truth, predicted)
    return float(np.average(counts.f1(), weights=counts.true))


def _f1_micro(truth: np.ndarray, predicted: np.ndarray) -> float:
    counts = Counts.of(truth, predicted)
    return float(2 * counts.hit.sum() / (counts.true.sum() + counts.predicted.sum()))


def _roc_auc(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Take every class's area from its ranks (Mann-Whitney U), for all classes at once."""
    from scipy.stats import rankdata

    n, n_classes = probabilities.shape
    classes = np.arange(n_classes)[1 if n_classes == 2 else 0 :]
    positive = truth[:, np.newaxis] == classes
    n_positive = positive.sum(axis=0)
    n_pairs = n_positive * (n - n_positive)
    if not n_pairs.all():
        return float("nan")
    ranks = rankdata(probabilities[:, classes], axis=0)
    wins = (ranks * positive).sum(axis=0) - n_positive * (n_positive + 1) / 2
    return float(np.mean(wins / n_pairs))


def _log_loss(truth: np.ndarray, probabilities: np.ndarray) -> float:
    from scipy.special import xlogy

    normalised = probabilities / probabilities.sum(axis=1, keepdims=True)
    least = np.finfo(normalised.dtype).eps
    true = np.take_along_axis(normalised, truth[:, np.newaxis], axis=1)
    return float(-xlogy(1.0, np.clip(true, least, 1 - least)).mean())


def _calibration_error(truth: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    """Average the gap of accuracy and confidence over bins, weighted by their samples."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == truth
    inner_edges = np.linspace(0, 1, bins + 1)[1:-1]
    bin_of = np.searchsorted(inner_edges, confidence, side="left")
    gaps = np.bincount(bin_of, weights=correct - confidence)
    return float(np.abs(gaps).sum() / len(truth))
