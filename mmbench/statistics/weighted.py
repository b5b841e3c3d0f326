"""Metrics of weighted samples, for many sets of weights at once: what resampling stands on.

A metric of mmbench's own is a function of a few sums over samples: of the confusion table, of a
mean, of the bins of a calibration curve. Those sums, for all draws, are one product of a sparse
matrix with the weights. ROC AUC is taken to first order in the weights, through its placement
values (DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988). Of any other metric, samples are
taken as often as they were drawn and the metric itself is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.contracts import Metric
from mmbench.errors import PluginError
from mmbench.metrics import evaluate, predict

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BINS = 15
"""Of the expected calibration error, where its metric has no other number."""
CALLS = 200
"""How many draws are evaluated of a metric whose weighted form is not known."""
EXACT = 1e-9
"""How near a weighted form comes to its metric, where all weights are 1."""


@dataclass(frozen=True)
class Sums:
    """Weighted sums over samples, each of shape (m, draws)."""

    classes: np.ndarray
    """The weight of each class in truth."""
    of: Mapping[str, np.ndarray]
    """By kind of sum; see `COLUMNS`."""

    @property
    def total(self) -> np.ndarray:
        """The weight of all samples, shape (draws,)."""
        return np.asarray(self.classes.sum(axis=0))

    @property
    def hits(self) -> np.ndarray:
        """By class, the weight of its samples that were labelled right."""
        return self.of["confusion"][: len(self.classes)]

    @property
    def predicted(self) -> np.ndarray:
        """The weight of what was labelled each class."""
        wrong = self.of["confusion"][len(self.classes) :]
        return np.asarray(self.hits + wrong)


def resampled(
    metrics: Mapping[str, Metric],
    truth: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    figures: Mapping[str, float | None] | None = None,
    classes: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate metrics of a sample's every draw.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By their name in the table, which tells what is known of their form.
    truth : ndarray of int, shape (n,)
        Class codes.
    probabilities : ndarray of float64, shape (n, n_classes)
        What was predicted.
    weights : ndarray of float64, shape (n, 1 + draws)
        Of each sample in each draw; the first column is 1.
    figures : mapping of str to float or None, optional
        What the metrics are of the sample itself, where it is known.
    classes : ndarray of float64, shape (n_classes, 1 + draws), optional
        `class_weights` of the same, where it is known.

    Returns
    -------
    dict of str to ndarray of float64
        By metric, shape (1 + draws,): first its figure of the sample itself; NaN where it does
        not apply. At most `CALLS` draws of a metric of unknown form.
    """
    if figures is None:
        figures = evaluate(metrics, truth, probabilities)
    names = {name for name in metrics if name in FORMS}
    known = of_sums(names, truth, probabilities, weights, classes)
    found = {}
    for name, metric in metrics.items():
        figure = figures[name]
        if figure is None:
            found[name] = np.full(weights.shape[1], np.nan)
        elif name in known and _is_near(known[name][0], figure):
            found[name] = known[name]
        else:
            found[name] = _called(name, metric, truth, probabilities, weights[:, : 1 + CALLS])
    return found


def has_form(name: str, metric: Metric, truth: np.ndarray, probabilities: np.ndarray) -> bool:
    """Whether a metric is what its name says, so that its weighted form stands for it."""
    figure = evaluate({name: metric}, truth, probabilities)[name]
    known = of_sums({name} & FORMS.keys(), truth, probabilities, np.ones((len(truth), 1)))
    return name in known and _is_near(known[name][0], figure)


def _is_near(known: float, figure: float | None) -> bool:
    return figure is not None and abs(known - figure) <= EXACT * max(1.0, abs(figure))


def of_sums(
    names: set[str],
    truth: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray,
    classes: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Evaluate metrics of known form, by name, of each column of weights (n, draws).

    ``classes``, where it is known, is `class_weights` of the same.
    """
    from scipy.sparse import hstack

    if not names:
        return {}
    kinds = sorted({FORMS[name][0] for name in names})
    columns = {kind: COLUMNS[kind](truth, probabilities) for kind in kinds}
    made = hstack(list(columns.values()), format="csr").T @ weights
    ends = np.cumsum([of.shape[1] for of in columns.values()])[:-1]
    if classes is None:
        classes = class_weights(truth, probabilities.shape[1], weights)
    sums = Sums(classes, dict(zip(kinds, np.split(made, ends), strict=True)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: FORMS[name][1](sums) for name in names}


def class_weights(truth: np.ndarray, n_classes: int, weights: np.ndarray) -> np.ndarray:
    """Return the weight (n_classes, draws) of each class in each draw."""
    summed: np.ndarray = _indicators(truth, n_classes).T @ weights
    return summed


def _called(
    name: str, metric: Metric, truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Call a metric on each draw's samples, taken as often as their weight says, rounded down."""
    values = np.empty(weights.shape[1])
    for draw, weight in enumerate(weights.T):
        rows = np.repeat(np.arange(len(truth)), weight.astype(np.int64))
        try:
            figure = evaluate({name: metric}, truth[rows], probabilities[rows])[name]
        except PluginError:  # of fewer samples
            figure = None
        values[draw] = np.nan if figure is None else figure
    return values


# --- columns: what is summed ---------------------------------------------------------------------


def _indicators(codes: np.ndarray, n_codes: int, values: Any = None) -> csr_array:
    """Return a matrix (n, n_codes) with one value in each row: 1, or those given."""
    from scipy.sparse import csr_array

    n = len(codes)
    data = np.ones(n) if values is None else values
    return csr_array((data, codes, np.arange(n + 1)), shape=(n, n_codes))


def _confusion(truth: np.ndarray, probabilities: np.ndarray) -> csr_array:
    """By class what was labelled right, then by class what was wrongly labelled so."""
    predicted, k = predict(probabilities), probabilities.shape[1]
    return _indicators(np.where(predicted == truth, truth, k + predicted), 2 * k)


def _likelihood(truth: np.ndarray, probabilities: np.ndarray) -> csr_array:
    """Return the negative log-likelihood, of probabilities clipped as scikit-learn does."""
    given = probabilities[np.arange(len(truth)), truth] / probabilities.sum(axis=1)
    small = np.finfo(probabilities.dtype).eps
    return _column(-np.log(np.clip(given, small, 1 - small)))


def _calibration(truth: np.ndarray, probabilities: np.ndarray) -> csr_array:
    """Return right or wrong less confidence, by bin of confidence."""
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    right = predict(probabilities) == truth
    return _indicators(np.searchsorted(edges, confidence, side="left"), BINS, right - confidence)


def _areas(truth: np.ndarray, probabilities: np.ndarray) -> csr_array:
    """Return the influence of each sample on ROC AUC, and the area itself in each row's share."""
    area, influence = auc_influence(truth, probabilities)
    return _column(influence + area / len(truth))


def _column(values: np.ndarray) -> csr_array:
    return _indicators(np.zeros(len(values), np.int64), 1, values)


COLUMNS: dict[str, Callable[[np.ndarray, np.ndarray], csr_array]] = {
    "confusion": _confusion,
    "likelihood": _likelihood,
    "calibration": _calibration,
    "areas": _areas,
}
"""From truth (n,) and probabilities (n, n_classes) to what is summed, a sparse (n, m)."""


def auc_influence(truth: np.ndarray, probabilities: np.ndarray) -> tuple[float, np.ndarray]:
    """Return ROC AUC and how each sample moves it.

    One-vs-rest and the mean over classes; of two classes that of the last. A sample's placement
    value is the share of the samples of the other side that it is ranked rightly against.

    Returns
    -------
    tuple of float and ndarray of float64, shape (n,)
        The area, and the centred placement values over the size of their side, the mean over
        classes; NaN where a class is absent.
    """
    n, k = probabilities.shape
    classes = np.arange(k)[1 if k == 2 else 0 :]
    positive = truth == classes[:, np.newaxis]
    n_positive = positive.sum(axis=1, keepdims=True)
    if not (n_positive * (n - n_positive)).all():
        return float("nan"), np.full(n, np.nan)
    scores = probabilities.T[classes]
    order = np.argsort(scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    sides = np.take_along_axis(positive, order, axis=1)
    below_positive, below_negative = _below(ordered, sides), _below(ordered, ~sides)
    n_negative = n - n_positive
    placed = np.where(sides, below_negative / n_negative, 1 - below_positive / n_positive)
    areas = (placed * sides).sum(axis=1, keepdims=True) / n_positive
    size = np.where(sides, n_positive, n_negative)
    influence = np.empty_like(placed)
    np.put_along_axis(influence, order, (placed - areas) / size, axis=1)
    return float(areas.mean()), influence.mean(axis=0)


def _below(ordered: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return, for ordered scores (k, n), how many counted ones are below; equal ones by half."""
    k, n = ordered.shape
    starts = np.ones((k, n), bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    before = np.zeros((k, n + 1))
    np.cumsum(counted, axis=1, out=before[:, 1:])
    if starts.all():
        return before[:, :-1] + counted / 2
    place = np.arange(n)
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    ends = np.concatenate([starts[:, 1:], np.ones((k, 1), bool)], axis=1)
    last = np.minimum.accumulate(np.where(ends, place, n)[:, ::-1], axis=1)[:, ::-1]
    taken = [np.take_along_axis(before, at, axis=1) for at in (first, last + 1)]
    return np.asarray((taken[0] + taken[1]) / 2)


# --- forms: what is made of the sums -------------------------------------------------------------


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a / b``, 0 where ``b`` is."""
    made = np.zeros(np.broadcast_shapes(a.shape, b.shape))
    np.divide(a, b, out=made, where=b > 0)
    return made


def _macro(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the mean over the classes that are there."""
    return np.asarray((values * there).sum(axis=0) / there.sum(axis=0))


def _f1(s: Sums) -> np.ndarray:
    return _ratio(2 * s.hits, np.asarray(s.classes + s.predicted))


def _seen(s: Sums) -> np.ndarray:
    """Return which classes are in truth or prediction."""
    return np.asarray(s.classes + s.predicted > 0)


def _accuracy(s: Sums) -> np.ndarray:
    return np.asarray(s.hits.sum(axis=0) / s.total)


def _area(s: Sums) -> np.ndarray:
    """Add what influences sum to; the first draw, of weights 1, has the area itself."""
    summed, total = s.of["areas"][0], s.total
    return np.asarray(summed - summed[0] * (total / total[0] - 1))


FORMS: dict[str, tuple[str, Callable[[Sums], np.ndarray]]] = {
    "accuracy": ("confusion", _accuracy),
    "f1_micro": ("confusion", _accuracy),
    "balanced_accuracy": (
        "confusion",
        lambda s: _macro(_ratio(s.hits, s.classes), s.classes > 0),
    ),
    "f1_macro": ("confusion", lambda s: _macro(_f1(s), _seen(s))),
    "f1_weighted": ("confusion", lambda s: (_f1(s) * s.classes).sum(axis=0) / s.total),
    "precision_macro": ("confusion", lambda s: _macro(_ratio(s.hits, s.predicted), _seen(s))),
    "recall_macro": ("confusion", lambda s: _macro(_ratio(s.hits, s.classes), _seen(s))),
    "log_loss": ("likelihood", lambda s: s.of["likelihood"][0] / s.total),
    "ece": ("calibration", lambda s: np.abs(s.of["calibration"]).sum(axis=0) / s.total),
    "roc_auc": ("areas", _area),
}
"""By a metric's name in the table, the sums that it needs and what it is of them."""
