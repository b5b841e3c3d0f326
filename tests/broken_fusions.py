"""Feature-level fusions, each with one defect that its name tells, for `mmbench check`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from mmbench import hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []
Features = Mapping[str, Any]


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"level": "feature", "summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_fusions(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Concat:
    """All modalities side by side."""

    def transform(self, features: Features) -> Any:
        return np.hstack(list(features.values()))


class Weighted:
    """Side by side, each weighted by its spread over the training part."""

    def fit(self, features: Features, labels: Any) -> Self:
        self.weights_ = {name: float(values.std()) for name, values in features.items()}
        return self

    def transform(self, features: Features) -> Any:
        return np.hstack([self.weights_[name] * values for name, values in features.items()])


@broken("decision-as-feature")
class DecisionAsFeature:
    """A decision-level fusion, registered at the wrong level."""

    def predict_proba(self, probabilities: Features) -> Any:
        return np.mean(list(probabilities.values()), axis=0)


@broken("stacked-on-top")
class StackedOnTop(Concat):
    """Rows below each other in place of beside each other."""

    def transform(self, features: Features) -> Any:
        return np.vstack([values[:, :3] for values in features.values()])


@broken("out-of-fold-in-name", trained=True, supervised=True, out_of_fold=True)
class OutOfFoldInName(Weighted):
    """It is given out-of-fold probabilities, and has no place for them."""


@broken("out-of-fold-not-trained", out_of_fold=True)
class OutOfFoldNotTrained(Concat):
    """What is never fitted is given no out-of-fold probabilities."""


@broken("scaled-by-the-batch")
class ScaledByTheBatch(Concat):
    """Scaled by the largest value at hand."""

    def transform(self, features: Features) -> Any:
        return np.hstack([v / max(np.abs(v).max(), 1e-9) for v in features.values()])


@broken("as-wide-as-the-batch")
class AsWideAsTheBatch(Concat):
    """Columns that do not vary over the rows at hand are left out."""

    def transform(self, features: Features) -> Any:
        fused = super().transform(features)
        return fused[:, : max(1, (fused.std(axis=0) > 0).sum())]


@broken("blocks-backwards")
class BlocksBackwards(Concat):
    """Blocks of 500 rows are put together from the last to the first."""

    def transform(self, features: Features) -> Any:
        fused = super().transform(features)
        return np.vstack([fused[start : start + 500] for start in range(0, len(fused), 500)][::-1])


@broken("in-place")
class InPlace(Concat):
    """Each part is squashed where it lies."""

    def transform(self, features: Features) -> Any:
        return np.hstack([np.tanh(values, out=values) for values in features.values()])


@broken("spread-over-modalities")
class SpreadOverModalities(Concat):
    """The sample variance of the parts' means: of one part there is none."""

    def transform(self, features: Features) -> Any:
        means = np.stack([values.mean(axis=1) for values in features.values()])
        squares = ((means - means.mean(axis=0)) ** 2).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return (squares / np.float64(len(means) - 1))[:, None]


@broken("needs-three")
class NeedsThree(Concat):
    """With two modalities it is lost."""

    def transform(self, features: Features) -> Any:
        if len(features) == 2 and [v.shape[1] for v in features.values()] == [5, 5]:
            raise IndexError("list index out of range")
        return super().transform(features)


@broken("sparse-in-name", sparse=True)
class SparseInName(Concat):
    """It is given CSR, and takes it for an array."""

    def transform(self, features: Features) -> Any:
        return np.concatenate([np.maximum(v, 0) for v in features.values()], axis=1)


@broken("missing-in-name", handles_missing=True)
class MissingInName(Concat):
    """NaN goes in, and NaN comes out."""


@broken("unit-length")
class UnitLength(Concat):
    """Each part has length one, whatever it is divided by."""

    def transform(self, features: Features) -> Any:
        with np.errstate(invalid="ignore"):
            return np.hstack([v / np.linalg.norm(v, axis=1)[:, None] for v in features.values()])


@broken("wrong-distances")
class WrongDistances(Concat):
    """Weights that are squared already."""

    def transform(self, features: Features) -> Any:
        return np.hstack([0.5 * values for values in features.values()])

    def distance_weights(self, modalities: Sequence[str]) -> Any:
        return dict.fromkeys(modalities, 0.25)


@broken("distances-of-some")
class DistancesOfSome(Concat):
    """Weights of the first modality alone."""

    def distance_weights(self, modalities: Sequence[str]) -> Any:
        return {modalities[0]: 1.0}


@broken("distances-that-are-none")
class DistancesThatAreNone(Concat):
    """Squared distances of a product are no sum."""

    def transform(self, features: Features) -> Any:
        parts = list(features.values())
        return np.einsum("ni,nj->nij", parts[0], parts[-1]).reshape(len(parts[0]), -1)

    def distance_weights(self, modalities: Sequence[str]) -> Any:
        return dict.fromkeys(modalities, 1.0)


@broken("distances-of-more")
class DistancesOfMore(Concat):
    """Columns of zeros change no distance, but what a kernel takes for its width."""

    def transform(self, features: Features) -> Any:
        first = next(iter(features.values()))
        return np.hstack([*features.values(), np.zeros_like(first)])

    def distance_weights(self, modalities: Sequence[str]) -> Any:
        return dict.fromkeys(modalities, 1.0)


@broken("peeks-at-the-base", trained=True)
class PeeksAtTheBase(Weighted):
    """The spread is that of the array of which the training part is a view."""

    def fit(self, features: Features, labels: Any) -> Self:
        whole = {n: v if v.base is None else v.base for n, v in features.items()}
        return super().fit(whole, labels)


@broken("best-so-far", trained=True)
class BestSoFar(Weighted):
    """The largest spread that any object has met."""

    best: ClassVar[dict[str, float]] = {}

    def fit(self, features: Features, labels: Any) -> Self:
        super().fit(features, labels)
        for name, weight in self.weights_.items():
            self.best[name] = self.weights_[name] = max(weight, self.best.get(name, 0.0))
        return self
