"""What is asked of metrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mmbench.errors import one_line
from mmbench.metrics import predict
from mmbench.testing import specimens
from mmbench.testing.kit import BrokenContractError, Suite
from mmbench.testing.subject import Subject

suite = Suite()


def _case(n: int = 200, sharp: float = 1.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true labels, predicted labels and probabilities that are mostly right."""
    probabilities = specimens.probabilities(n, 1, sharp=sharp)["m0"]
    return specimens.labels(n), predict(probabilities), probabilities


def _score(metric: Any, case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    """Score as the harness does."""
    truth, predicted, probabilities = case
    given = probabilities if metric.needs == "probabilities" else None
    return float(metric(truth, predicted, given))


@suite.check(
    "attributes",
    why="What is better, and what a metric is to be given, is read from them.",
    mend='Give it `higher_is_better` (bool) and `needs` ("labels" or "probabilities").',
    needs=("builds",),
)
def attributes(subject: Subject) -> None:
    """It says whether higher is better and what it needs."""
    metric = subject.build()
    if not isinstance(getattr(metric, "higher_is_better", None), bool | np.bool_):
        raise BrokenContractError("it has no bool `higher_is_better`")
    if getattr(metric, "needs", None) not in ("labels", "probabilities"):
        raise BrokenContractError('its `needs` is neither "labels" nor "probabilities"')
    if not callable(metric):
        raise BrokenContractError("it cannot be called")


@suite.check(
    "needs",
    why="A metric of labels is given no probabilities; one of probabilities decides by them.",
    mend='Say needs = "probabilities" where they make a difference.',
    needs=("attributes",),
)
def needs(subject: Subject) -> None:
    """It needs probabilities if, and only if, it says so."""
    metric, (truth, predicted, probabilities) = subject.build(), _case()
    order = np.random.default_rng(3).permutation(len(truth))
    try:
        found = metric(truth, predicted, probabilities)
        other = metric(truth, predicted, probabilities[order])
    except Exception:
        return  # told by value
    if metric.needs == "probabilities":
        if np.array_equal(found, other):
            raise BrokenContractError("it says that it needs probabilities, but does not use them")
        return
    try:
        metric(truth, predicted, None)
    except Exception as error:
        raise BrokenContractError(
            f"it says that it needs labels alone; given no probabilities it raises "
            f"{one_line(error)}"
        ) from error


@suite.check(
    "value",
    why="A metric is one column of the table.",
    mend="Return one float, NaN where the metric does not apply.",
    needs=("needs",),
)
def value(subject: Subject) -> str:
    """Of ordinary predictions it returns one finite number."""
    metric, (truth, predicted, probabilities) = subject.build(), _case()
    given = probabilities if metric.needs == "probabilities" else None
    try:
        found = metric(truth, predicted, given)
    except Exception as error:
        raise BrokenContractError(f"it raises {one_line(error)}") from error
    if np.ndim(found) != 0 or not isinstance(found, float | int | np.number):
        raise BrokenContractError(f"it returned {type(found).__name__}; a float was expected")
    if not math.isfinite(found):
        raise BrokenContractError(f"of ordinary predictions it returned {found}")
    return f"{float(found):.4g}"


@suite.check(
    "input-untouched",
    why="All metrics are given the same arrays.",
    mend="Work on a copy.",
    needs=("value",),
)
def input_untouched(subject: Subject) -> None:
    """It does not change what it is given."""
    metric, case = subject.build(), _case()
    before = [values.tobytes() for values in case]
    metric(*case[:2], case[2] if metric.needs == "probabilities" else None)
    if [values.tobytes() for values in case] != before:
        raise BrokenContractError("it changed labels or probabilities")


@suite.check(
    "state",
    why="One object scores many cells, in any order.",
    mend="Keep nothing between calls.",
    needs=("input-untouched",),
)
def state(subject: Subject) -> None:
    """A call gives the same whatever was asked before."""
    metric, case = subject.build(), _case()
    first = _score(metric, case)
    _score(metric, _case(50, sharp=0.3))
    if (once_more := _score(metric, case)) != first:
        raise BrokenContractError(f"it is {first!r}; asked again after others, {once_more!r}")


@suite.check(
    "sample-order",
    why="The order of samples means nothing.",
    mend="Use sums and counts over all samples.",
    needs=("state",),
)
def sample_order(subject: Subject) -> None:
    """The same samples in another order have the same score."""
    metric = subject.build()
    case = _case()
    order = np.random.default_rng(3).permutation(len(case[0]))
    first = _score(metric, case)
    shuffled = _score(metric, (case[0][order], case[1][order], case[2][order]))
    if not math.isclose(first, shuffled, rel_tol=1e-9, abs_tol=1e-12):
        raise BrokenContractError(f"it is {first!r}; of the samples in other order {shuffled!r}")


@suite.check(
    "direction",
    why="The best combination is the first by this metric: with the wrong sign, it is the worst.",
    mend="Set `higher_is_better` to what is true.",
    needs=("state",),
)
def direction(subject: Subject) -> str:
    """Perfect predictions score better than random ones."""
    metric = subject.build()
    truth, _, _ = _case()
    perfect = _score(metric, (truth, truth, np.eye(specimens.CLASSES)[truth]))
    rng = np.random.default_rng(9)
    noise = rng.dirichlet(np.full(specimens.CLASSES, 0.3), size=len(truth))
    random = _score(metric, (truth, predict(noise), noise))
    if perfect == random:
        raise BrokenContractError(f"perfect and random predictions both score {perfect:g}")
    if (perfect > random) != bool(metric.higher_is_better):
        raise BrokenContractError(
            f"perfect predictions score {perfect:g}, random ones {random:g}, and "
            f"higher_is_better is {metric.higher_is_better}"
        )
    return f"perfect {perfect:.3g}, random {random:.3g}"


@suite.check(
    "odd-cases",
    why="A test part may lack a class or have one sample; an exception costs the whole cell.",
    mend="Return NaN where the metric does not apply.",
    needs=("state",),
)
def odd_cases(subject: Subject) -> str:
    """Where a class is absent, or one sample is left, it returns a number or NaN."""
    metric, (truth, predicted, probabilities) = subject.build(), _case()
    cases = {
        "a class absent from the truth": np.flatnonzero(truth != 2),
        "a class that is never predicted": np.flatnonzero(predicted != 1),
        "one class": np.flatnonzero(truth == 0),
        "one sample": np.array([0]),
    }
    told = []
    for what, rows in cases.items():
        try:
            found = _score(metric, (truth[rows], predicted[rows], probabilities[rows]))
        except Exception as error:
            raise BrokenContractError(f"of {what} it raises {one_line(error)}") from error
        if math.isnan(found):
            told.append(what)
        elif math.isinf(found):
            raise BrokenContractError(f"of {what} it returns {found}")
    return f"does not apply to {' and '.join(told)}" if told else ""
