"""What is asked of fusions of every level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmbench.errors import one_line
from mmbench.testing import specimens
from mmbench.testing.arrays import copied
from mmbench.testing.checks.features import without
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.subject import (
    ClassifyingSubject,
    DecisionSubject,
    FeatureFusionSubject,
    RowSubject,
    has_method,
)

suite = Suite()


def _given(subject: RowSubject, widths: tuple[int, ...]) -> tuple[Any, Any]:
    """Return training and other rows of as many modalities as widths."""
    sizes = ((subject.n_train, 0), (subject.n_test, 1))
    if subject.entry.level == "decision":
        made = [specimens.probabilities(n, len(widths), seed) for n, seed in sizes]
    else:
        ragged = subject.entry.sequences
        made = [specimens.features(n, widths, seed, sequences=ragged) for n, seed in sizes]
    return made[0], made[1]


@suite.check(
    "modality-count",
    why="Datasets have two modalities, or ten; a fusion that cannot serve them says so.",
    mend="Go over the mapping that is given, whatever its length; else raise a ValueError.",
    needs=("finite",),
)
def modality_count(subject: RowSubject) -> str:
    """With one to ten modalities it works, or raises; with two it works."""
    raised = []
    for count in (1, 2, 3, 10):
        train, test = _given(subject, (5,) * count)
        try:
            fitted = subject.fit(subject.build(), train, subject.train_labels)
            values = copied(subject.apply(fitted, test))[""]
        except Exception as error:
            if count == 2:
                raise BrokenContractError(f"with two it raises {one_line(error)}") from error
            raised.append(f"{count}: {type(error).__name__}")
            continue
        if values.shape[:1] != (subject.n_test,) or not np.isfinite(values).all():
            raise BrokenContractError(f"with {count} modalities rows are wanting or not finite")
    return "; ".join(raised)


@suite.check(
    "finetune-methods",
    why="Cells that fine-tune encoders call these instead of `fit` and `predict_proba`.",
    mend="Offer both methods, or leave finetune=True out.",
    needs=("builds",),
)
def finetune_methods(subject: RowSubject) -> None:
    """A joint fusion registered finetune offers ``fit_items`` and ``predict_proba_items``."""
    if subject.entry.level != "joint" or not subject.entry.finetune:
        raise NotApplicable("it is no joint fusion registered finetune")
    built = subject.build()
    for name in ("fit_items", "predict_proba_items"):
        if not has_method(built, name):
            raise BrokenContractError(f"it has no method {name}")


@suite.check(
    "decision-missing",
    why="What is registered handles_missing is given NaN rows where a sample lacks a modality.",
    mend="Decide by the modalities that are there; else leave the flag out.",
    needs=("finite", "probabilities"),
)
def decision_missing(subject: RowSubject) -> None:
    """A decision-level fusion registered handles_missing decides where a modality is NaN."""
    if subject.entry.level != "decision" or not subject.entry.handles_missing:
        raise NotApplicable("it is no decision-level fusion registered handles_missing")
    assert isinstance(subject, ClassifyingSubject)
    fitted = subject.made()
    holed = without(subject.test, 3)
    made = subject.probabilities(fitted, holed, subject.n_test, specimens.CLASSES)
    whole = subject.output[""]
    untouched = np.arange(subject.n_test) % 3 != 0
    if not np.allclose(made[untouched], whole[untouched], atol=1e-9):
        raise BrokenContractError("rows that lack nothing change where others lack a modality")


@suite.check(
    "certainty",
    why="Heads such as forests give probabilities of exactly 0 and 1, and may contradict each "
    "other; one NaN fails the whole cell.",
    mend="Guard products, logarithms and divisions against 0; where all rule each other out, "
    "decide for none.",
    needs=("finite", "probabilities"),
)
def certainty(subject: RowSubject) -> None:
    """A decision-level fusion decides where modalities are certain of different classes."""
    if not isinstance(subject, DecisionSubject):
        raise NotApplicable("it is given no probabilities")
    sure = np.eye(specimens.CLASSES)[specimens.labels(subject.n_test)]
    rows = {name: np.roll(sure, shift, 1) for shift, name in enumerate(subject.test)}
    subject.probabilities(subject.made(), rows, subject.n_test, specimens.CLASSES)


@suite.check(
    "distance-weights",
    why="Kernel heads are given distances that are put together from the modalities' own; with "
    "wrong weights they classify by other distances than the fused vectors have, or take another "
    "width of the kernel for the right one.",
    mend="Return per modality the w by which its vectors stand side by side with the others' in "
    "the fused ones (squared distances are the sum of w squared times the modality's), or None.",
    needs=("finite",),
)
def distance_weights(subject: RowSubject) -> str:
    """``distance_weights``, where there is one, tells the distances of the fused vectors."""
    if not isinstance(subject, FeatureFusionSubject) or not has_method(
        subject.first, "distance_weights"
    ):
        raise NotApplicable("it offers no distance_weights")
    if subject.entry.sequences:
        raise BrokenContractError("it takes sequences, which have no distances to be weighted")
    weights = subject.first.distance_weights(list(subject.test))
    if weights is None:
        return "none for these options"
    if set(weights) != set(subject.test):
        raise BrokenContractError(f"it gives weights of {sorted(weights)}")
    told = sum(weights[m] ** 2 * _squared(values) for m, values in subject.test.items())
    real = _squared(subject.output[""])
    if not np.allclose(told, real, rtol=1e-6, atol=1e-9 * max(1.0, float(real.max()))):
        raise BrokenContractError(
            f"squared distances of fused vectors differ by up to {np.abs(told - real).max():.1e} "
            "from what the weights tell"
        )
    parts = [weights[m] * values for m, values in subject.test.items() if weights[m]]
    _check_values(subject.output[""], parts)
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())


def _check_values(fused: np.ndarray, parts: Sequence[np.ndarray]) -> None:
    """Look whether fused vectors hold the parts' values, as far as width and variance tell."""
    width = sum(part.shape[1] for part in parts)
    if fused.shape[1] != width:
        raise BrokenContractError(f"fused vectors have {fused.shape[1]} columns, not {width}")
    told = np.concatenate([part.ravel() for part in parts]).var()
    if not np.isclose(fused.var(), told, rtol=1e-6):
        raise BrokenContractError(
            f"the variance of all values is {fused.var():.6g}, not {told:.6g}"
        )


def _squared(values: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(values, values, "sqeuclidean"))
