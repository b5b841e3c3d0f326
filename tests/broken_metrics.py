"""Metrics, each with one defect that its name tells and otherwise right, for `mmbench check`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from mmbench import hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_metrics(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Accuracy:
    """The share of right predictions."""

    higher_is_better: Any = True
    needs: Any = "labels"

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return float((truth == predicted).mean())


class LogLoss(Accuracy):
    """The mean negative logarithm of the true class's probability."""

    higher_is_better = False
    needs = "probabilities"

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return float(-np.log(probabilities[np.arange(len(truth)), truth] + 1e-12).mean())


@broken("wrong-direction")
class WrongDirection(LogLoss):
    """A loss, of which more is said to be better."""

    higher_is_better = True


@broken("no-direction")
class NoDirection(Accuracy):
    """Nobody knows what is better."""

    higher_is_better = None


@broken("needs-something-else")
class NeedsSomethingElse(Accuracy):
    """It needs what there is not."""

    needs = "logits"


@broken("says-labels")
class SaysLabels(LogLoss):
    """It says labels, and needs probabilities."""

    needs = "labels"


@broken("says-probabilities")
class SaysProbabilities(Accuracy):
    """It says probabilities, and uses labels."""

    needs = "probabilities"


@broken("per-sample")
class PerSample(Accuracy):
    """A value for each sample."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return (truth == predicted).astype(float)


@broken("text")
class Text(Accuracy):
    """A percentage to be read."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return f"{100 * super().__call__(truth, predicted, probabilities):.1f} %"


@broken("nan")
class Nan(Accuracy):
    """Of ordinary predictions it knows nothing."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return float("nan")


@broken("constant")
class Constant(Accuracy):
    """All are equally good."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return 0.5


@broken("runs-of-luck")
class RunsOfLuck(Accuracy):
    """The longest run of right predictions, which hangs on the order of samples."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        longest = run = 0
        for right in truth == predicted:
            run = run + 1 if right else 0
            longest = max(longest, run)
        return longest / len(truth)


@broken("running-mean")
class RunningMean(Accuracy):
    """The mean of all that was ever scored."""

    def __init__(self) -> None:
        self._right = self._n = 0

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        self._right += int((truth == predicted).sum())
        self._n += len(truth)
        return self._right / self._n


@broken("sorts-labels")
class SortsLabels(Accuracy):
    """Labels are put in order where they lie."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        score = super().__call__(truth, predicted, probabilities)
        truth.sort()
        return score


@broken("clips-in-place")
class ClipsInPlace(LogLoss):
    """Probabilities are clipped where they lie."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        np.clip(probabilities, 0.01, 0.99, out=probabilities)
        return super().__call__(truth, predicted, probabilities)


@broken("needs-every-class")
class NeedsEveryClass(Accuracy):
    """The recall of a class that is absent cannot be had."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        right = [(truth == predicted)[truth == label] for label in range(4)]
        return sum(int(hits.sum()) / len(hits) for hits in right) / 4


@broken("infinite")
class Infinite(Accuracy):
    """The odds of a right prediction, where one class is left."""

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        right = super().__call__(truth, predicted, probabilities)
        return float("inf") if len(set(truth.tolist())) == 1 else right
