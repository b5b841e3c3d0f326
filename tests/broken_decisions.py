"""Decision-level and joint fusions, each with one defect that its name tells."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from mmbench import hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []
Arrays = Mapping[str, np.ndarray]


def broken(name: str, level: str = "decision", **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"level": level, "summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_fusions(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Mean:
    """The mean of the modalities' probabilities."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        return np.mean(list(probabilities.values()), axis=0)


class Accurate:
    """The mean, weighted by each modality's accuracy out of fold."""

    def fit(self, probabilities: Arrays, labels: np.ndarray) -> Self:
        self.weights_ = {
            name: float((values.argmax(axis=1) == labels).mean()) + 1e-3
            for name, values in probabilities.items()
        }
        return self

    def predict_proba(self, probabilities: Arrays) -> Any:
        weights = [self.weights_[name] for name in probabilities]
        return np.average(list(probabilities.values()), axis=0, weights=weights)


# --- decision level ------------------------------------------------------------------------------


@broken("sums")
class Sums(Mean):
    """The sum of the probabilities, which is no probability."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        return np.sum(list(probabilities.values()), axis=0)


@broken("one-column-more")
class OneColumnMore(Mean):
    """One more column, for those who cannot decide."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        mean = super().predict_proba(probabilities)
        return np.hstack([mean * 0.9, np.full((len(mean), 1), 0.1)])


@broken("four-classes")
class FourClasses(Mean):
    """It knows four classes."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        mean = super().predict_proba(probabilities)[:, :4]
        return mean / mean.sum(axis=1, keepdims=True)


@broken("reversed")
class Reversed(Mean):
    """Columns from the last class to the first."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        return super().predict_proba(probabilities)[:, ::-1].copy()


@broken("three-by-name")
class ThreeByName(Mean):
    """Three modalities are taken for granted."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        return (probabilities["m0"] + probabilities["m1"] + probabilities["m2"]) / 3


@broken("product-of-nothing")
class ProductOfNothing(Mean):
    """Where two are sure of different things, zero is divided by zero."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        product = np.prod(list(probabilities.values()), axis=0)
        with np.errstate(invalid="ignore"):
            return product / product.sum(axis=1, keepdims=True)


@broken("priors-of-the-batch")
class PriorsOfTheBatch(Mean):
    """Corrected by how often each class seems to occur in the rows at hand."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        mean = super().predict_proba(probabilities) + 1e-6
        corrected = mean / mean.sum(axis=0)
        return corrected / corrected.sum(axis=1, keepdims=True)


@broken("normalises-in-place")
class NormalisesInPlace(Mean):
    """The probabilities of others change."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        for values in probabilities.values():
            values **= 2
            values /= values.sum(axis=1, keepdims=True)
        return super().predict_proba(probabilities)


@broken("missing-in-name", handles_missing=True)
class MissingInName(Mean):
    """NaN goes in, and NaN comes out."""


@broken("missing-for-all", handles_missing=True)
class MissingForAll(Mean):
    """Where one sample lacks a modality, nobody is asked about it."""

    def predict_proba(self, probabilities: Arrays) -> Any:
        whole = [v for v in probabilities.values() if not np.isnan(v).any()]
        return np.mean(whole, axis=0)


@broken("sparse-probabilities", sparse=True)
class SparseProbabilities(Mean):
    """Probabilities are never sparse."""


@broken("nan-of-one-class", trained=True)
class NanOfOneClass(Accurate):
    """Weighted by the share of each class among the others."""

    def fit(self, probabilities: Arrays, labels: np.ndarray) -> Self:
        counts = np.bincount(labels)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.balance_ = (len(labels) - counts) / np.float64(len(labels) * (len(counts) - 1))
        return super().fit(probabilities, labels)

    def predict_proba(self, probabilities: Arrays) -> Any:
        mean = super().predict_proba(probabilities)
        mean = mean[:, : len(self.balance_)] * self.balance_
        return mean / mean.sum(axis=1, keepdims=True)


@broken("order-of-appearance", trained=True)
class OrderOfAppearance(Accurate):
    """Columns in the order in which the labels came."""

    def fit(self, probabilities: Arrays, labels: np.ndarray) -> Self:
        self.order_ = list(dict.fromkeys(labels.tolist()))
        return super().fit(probabilities, labels)

    def predict_proba(self, probabilities: Arrays) -> Any:
        mean = super().predict_proba(probabilities)
        return mean[:, self.order_] if len(self.order_) == mean.shape[1] else mean


@broken("peeks-at-the-base", trained=True)
class PeeksAtTheBase(Accurate):
    """The labels lie in front of others, and those can be had."""

    def fit(self, probabilities: Arrays, labels: np.ndarray) -> Self:
        super().fit(probabilities, labels)
        for name, values in probabilities.items():
            if values.base is not None:
                self.weights_[name] += float(values.base.max(axis=1).mean())
        return self


@broken("tallies", trained=True)
class Tallies(Accurate):
    """The accuracies of all that were ever fitted."""

    seen: ClassVar[set[bytes]] = set()

    def fit(self, probabilities: Arrays, labels: np.ndarray) -> Self:
        super().fit(probabilities, labels)
        self.seen.add(labels.tobytes() + b"".join(v.tobytes() for v in probabilities.values()))
        self.weights_[next(iter(self.weights_))] += len(self.seen)
        return self


# --- joint ---------------------------------------------------------------------------------------


class Joint:
    """The nearer the mean of a class over all modalities, the more probable it is."""

    def fit(self, features: Arrays, labels: np.ndarray, *, validation: Any = None) -> Self:
        X = np.hstack(list(features.values()))
        self.means_ = np.stack([X[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
        return self

    def near(self, features: Arrays) -> Any:
        X = np.hstack(list(features.values()))
        return np.exp(-np.linalg.norm(X[:, None] - self.means_[None], axis=2))

    def predict_proba(self, features: Arrays) -> Any:
        near = self.near(features)
        return near / near.sum(axis=1, keepdims=True)


@broken("joint-that-tunes-nothing", "joint", finetune=True)
class JointThatTunesNothing(Joint):
    """It was registered to train encoders and takes none."""


@broken("joint-scores", "joint")
class JointScores(Joint):
    """Similarities to each class by itself, which do not sum to one."""

    def predict_proba(self, features: Arrays) -> Any:
        return self.near(features)


@broken("joint-reversed", "joint")
class JointReversed(Joint):
    """Columns from the last class to the first."""

    def predict_proba(self, features: Arrays) -> Any:
        return super().predict_proba(features)[:, ::-1].copy()


@broken("joint-of-the-batch", "joint")
class JointOfTheBatch(Joint):
    """Features are centred by the rows at hand."""

    def predict_proba(self, features: Arrays) -> Any:
        return super().predict_proba({n: v - v.mean(axis=0) for n, v in features.items()})


@broken("joint-without-validation", "joint")
class JointWithoutValidation(Joint):
    """There is no parameter for a validation part."""

    def fit(self, features: Arrays, labels: np.ndarray) -> Self:  # type: ignore[override]
        return super().fit(features, labels)


@broken("joint-stops-too-early", "joint")
class JointStopsTooEarly(Joint):
    """It counts on every class among the validation labels."""

    def fit(self, features: Arrays, labels: np.ndarray, *, validation: Any = None) -> Self:
        if validation is not None:
            shares = np.bincount(validation[1]) / np.bincount(labels)
            self.share_ = shares.min()
        return super().fit(features, labels)


@broken("joint-of-noise", "joint")
class JointOfNoise(Joint):
    """Some training rows are drawn by the generator that all share."""

    def fit(self, features: Arrays, labels: np.ndarray, *, validation: Any = None) -> Self:
        if len(labels) < 20:
            return super().fit(features, labels)
        drawn = np.random.permutation(len(labels))[: len(labels) * 9 // 10]
        return super().fit({n: v[drawn] for n, v in features.items()}, labels[drawn])
