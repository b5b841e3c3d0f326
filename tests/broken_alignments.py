"""Alignments, each with one defect that its name tells, for `mmbench check`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from mmbench import hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []
Features = Mapping[str, Any]


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_alignments(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Centred:
    """Every modality less its mean over the training part."""

    def fit(self, features: Features, labels: Any) -> Self:
        self.means_ = {name: np.asarray(values.mean(axis=0)) for name, values in features.items()}
        return self

    def transform(self, features: Features) -> Any:
        return {name: values - self.means_[name] for name, values in features.items()}


@broken("no-fit")
class NoFit:
    """An alignment is always fitted."""

    def transform(self, features: Features) -> Any:
        return dict(features)


@broken("returns-a-tuple")
class ReturnsATuple(Centred):
    """Which part is whose is anybody's guess."""

    def transform(self, features: Features) -> Any:
        return tuple(super().transform(features).values())


@broken("renames-modalities")
class RenamesModalities(Centred):
    """What comes out has other names."""

    def transform(self, features: Features) -> Any:
        return {f"{name}-aligned": v for name, v in super().transform(features).items()}


@broken("drops-the-third")
class DropsTheThird(Centred):
    """Two modalities are aligned, others forgotten."""

    def transform(self, features: Features) -> Any:
        return dict(list(super().transform(features).items())[:2])


@broken("needs-labels")
class NeedsLabels(Centred):
    """It is given no labels, and cannot do without."""

    def fit(self, features: Features, labels: Any) -> Self:
        return super().fit({name: v[labels >= 0] for name, v in features.items()}, labels)


@broken("supervised-in-name", supervised=True)
class SupervisedInName(Centred):
    """Labels make no difference to it."""


@broken("fit-returns-another")
class FitReturnsAnother(Centred):
    """It returns a fitted copy."""

    def fit(self, features: Features, labels: Any) -> Any:
        return Centred().fit(features, labels)


@broken("means-of-the-batch")
class MeansOfTheBatch(Centred):
    """Centred by the rows at hand."""

    def transform(self, features: Features) -> Any:
        return Centred().fit(features, None).transform(features)


@broken("centres-in-place")
class CentresInPlace(Centred):
    """The features of others change."""

    def transform(self, features: Features) -> Any:
        for name, values in features.items():
            values -= self.means_[name]
        return dict(features)


@broken("peeks-at-the-base")
class PeeksAtTheBase(Centred):
    """The mean is that of the array of which the training part is a view."""

    def fit(self, features: Features, labels: Any) -> Self:
        whole = {n: v if v.base is None else v.base for n, v in features.items()}
        return super().fit(whole, labels)


@broken("means-on-the-class")
class MeansOnTheClass(Centred):
    """The means of all that were ever fitted."""

    seen: ClassVar[dict[str, list[Any]]] = {}

    def fit(self, features: Features, labels: Any) -> Self:
        super().fit(features, labels)
        for name, mean in self.means_.items():
            known = self.seen.setdefault(name, [])
            if not any(np.array_equal(mean, other) for other in known):
                known.append(mean)
            if mean.shape == known[0].shape:
                self.means_[name] = np.mean(known, axis=0)
        return self


@broken("scaled-by-nothing")
class ScaledByNothing(Centred):
    """Divided by a spread that may be zero."""

    def fit(self, features: Features, labels: Any) -> Self:
        self.spread_ = {n: v.max(axis=0) - v.min(axis=0) for n, v in features.items()}
        return super().fit(features, labels)

    def transform(self, features: Features) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):
            return {n: v / self.spread_[n] for n, v in super().transform(features).items()}


@broken("sparse-in-name", sparse=True)
class SparseInName(Centred):
    """It is given CSR, and takes it for an array."""

    def transform(self, features: Features) -> Any:
        return {n: np.tanh(v - self.means_[n][None, :]) for n, v in features.items()}


@broken("missing-in-name", handles_missing=True)
class MissingInName(Centred):
    """NaN goes in, and NaN comes out."""
