"""What is asked of everything that decides: heads, decision-level and joint fusions."""

from __future__ import annotations

import numpy as np

from mmbench.errors import PluginError, one_line
from mmbench.testing import specimens
from mmbench.testing.kit import BrokenContractError, Suite
from mmbench.testing.subject import ClassifyingSubject, has_method

suite = Suite()


@suite.check(
    "probabilities",
    why="The argmax is the prediction, and ROC AUC, log loss and calibration believe the values.",
    mend="Return (n, k) values of at least 0 whose rows sum to 1; a head may offer only "
    "`decision_function`: then mmbench calibrates it.",
    needs=("rows",),
)
def probabilities(subject: ClassifyingSubject) -> str:
    """It returns class probabilities, or, of a head, decision values."""
    subject.probabilities(subject.first, subject.test, subject.n_test, specimens.CLASSES)
    return "" if has_method(subject.first, "predict_proba") else "decision values"


@suite.check(
    "class-count",
    why="Two classes and many go different ways through most classifiers.",
    mend="Return a column per label that was fitted, two where there are two.",
    needs=("probabilities",),
)
def class_count(subject: ClassifyingSubject) -> None:
    """With two, three and twelve classes it returns as many columns."""
    for k in (2, 3, 12):
        n_train, n_test = 12 * k, 3 * k
        train, test = subject.of_classes(n_train, 0, k), subject.of_classes(n_test, 1, k)
        labels = (k - 1 - np.arange(n_train) % k).astype(np.int64)
        try:
            fitted = subject.fit(subject.build(n_classes=k), train, labels)
            subject.probabilities(fitted, test, n_test, k)
        except PluginError as error:
            raise BrokenContractError(f"of {k} classes, {error}") from error
        except Exception as error:
            raise BrokenContractError(f"of {k} classes it raises {one_line(error)}") from error


_BETTER = 0.25
"""Such a gain in accuracy by another order of columns is no chance."""


@suite.check(
    "label-order",
    why="Column j is class j: in another order every prediction is another class, and the score "
    "is that of a bad classifier.",
    mend="Order columns by label, ascending (scikit-learn's `classes_`), not by first appearance.",
    needs=("class-count",),
)
def label_order(subject: ClassifyingSubject) -> str:
    """Column j stands for label j, of two classes and of many."""
    told = []
    for k in (2, specimens.CLASSES, 12):
        train, test = subject.of_classes(12 * k, 0, k), subject.of_classes(9 * k, 1, k)
        labels = (k - 1 - np.arange(12 * k) % k).astype(np.int64)
        truth = k - 1 - np.arange(9 * k) % k
        fitted = subject.fit(subject.build(n_classes=k), train, labels)
        made = subject.probabilities(fitted, test, 9 * k, k)
        confusion = np.zeros((k, k))
        np.add.at(confusion, (truth, made.argmax(axis=1)), 1)
        right = np.trace(confusion) / len(truth)
        told.append(f"{right:.0%} of {k}")
        if right > 1 - _BETTER:
            continue
        columns = _best_order(confusion)
        best = confusion[np.arange(k), columns].sum() / len(truth)
        if best > right + _BETTER:
            raise BrokenContractError(
                f"on {k} classes that stand apart it is right in {right:.0%}; were its columns "
                f"read in the order {columns.tolist()}, in {best:.0%}"
            )
    return f"right in {', '.join(told)} easy classes"


def _best_order(confusion: np.ndarray) -> np.ndarray:
    from scipy.optimize import linear_sum_assignment

    order: np.ndarray = linear_sum_assignment(-confusion)[1]
    return order
