"""Alignments, fusions, heads and metrics that are merely unusual, and keep the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self

import numpy as np

from mmbench import hookimpl

Features = Mapping[str, Any]


@hookimpl
def mmbench_register_alignments(register: Any) -> None:
    register("other-widths", OtherWidths, summary="Projections to one width.")
    register("only-pairs", OnlyPairs, supervised=True, summary="Two modalities and no more.")
    register("lazy-mapping", LazyMapping, summary="What it returns is made when asked for.")


@hookimpl
def mmbench_register_fusions(register: Any) -> None:
    def say(name: str, target: Any, level: str, **flags: Any) -> None:
        register(name, target, level=level, summary="An unusual fusion.", **flags)

    say("equal-widths", EqualWidths, "feature")
    say("first-only", FirstOnly, "feature")
    say("drawn-projection", DrawnProjection, "feature")
    say("csr-to-csr", CsrToCsr, "feature", sparse=True)
    say("missing-as-zero", MissingAsZero, "feature", handles_missing=True)
    say("stacked", Stacked, "feature", trained=True, supervised=True, out_of_fold=True)
    say("loudest", Loudest, "decision")
    say("majority", Majority, "decision")
    say("learnt-weights", LearntWeights, "decision", trained=True)
    say("ridge", Ridge, "joint")
    say("ends", Ends, "feature", trained=True, sequences=True, handles_missing=True)
    say("ridge-of-ends", RidgeOfEnds, "joint", sequences=True)


@hookimpl
def mmbench_register_heads(register: Any) -> None:
    register("decisions-only", decisions_only, summary="Decision values, of two classes (n,).")
    register("pipeline", pipeline, sparse=True, summary="A scikit-learn pipeline.")
    register("majority-class", MajorityClass, summary="Always the most frequent class.")


@hookimpl
def mmbench_register_metrics(register: Any) -> None:
    register("agreement", agreement, summary="A plain function with attributes.")
    register("regret", Regret, summary="Lower is better.")
    register("first-class", FirstClass, summary="Does not apply everywhere.")
    register("numpy-scalar", NumpyScalar, summary="A number of NumPy's.")


# --- alignments and fusions ----------------------------------------------------------------------


class OtherWidths:
    """All modalities are brought to 3 columns.

    Parameters
    ----------
    width : int
    """

    def __init__(self, *, seed: int, width: int = 3) -> None:
        self.width = width
        self.seed = seed

    def fit(self, features: Features, labels: Any) -> Self:
        rng = np.random.default_rng(self.seed)
        self.axes_ = {n: rng.normal(size=(v.shape[1], self.width)) for n, v in features.items()}
        return self

    def transform(self, features: Features) -> Any:
        return {name: values @ self.axes_[name] for name, values in features.items()}


class OnlyPairs:
    """The class means of two modalities are laid upon each other."""

    def fit(self, features: Features, labels: np.ndarray) -> Self:
        if len(features) != 2:
            raise ValueError(f"two modalities are aligned, and there are {len(features)}")
        present = np.unique(labels)
        self.targets_ = {
            name: np.linalg.pinv(np.stack([v[labels == c].mean(axis=0) for c in present]))
            for name, v in features.items()
        }
        return self

    def transform(self, features: Features) -> Any:
        return {name: values @ self.targets_[name] for name, values in features.items()}


class Lazily(Mapping[str, Any]):
    def __init__(self, makers: dict[str, Callable[[], Any]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Any:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class LazyMapping:
    def fit(self, features: Features, labels: Any) -> Self:
        return self

    def transform(self, features: Features) -> Any:
        return Lazily({n: partial(np.multiply, v, 2.0) for n, v in reversed(features.items())})


class EqualWidths:
    """The sum of modalities of one width."""

    def transform(self, features: Features) -> Any:
        widths = {name: values.shape[1] for name, values in features.items()}
        if len(set(widths.values())) > 1:
            raise ValueError(f"modalities of one width are needed, and they have {widths}")
        return np.sum(list(features.values()), axis=0)


class FirstOnly:
    """The first modality, whatever the others are."""

    def transform(self, features: Features) -> Any:
        return next(iter(features.values()))

    def distance_weights(self, modalities: Sequence[str]) -> dict[str, float]:
        return {name: float(name == modalities[0]) for name in modalities}


class DrawnProjection:
    """Drawn by the seed once the widths are known."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def transform(self, features: Features) -> Any:
        joined = np.hstack(list(features.values()))
        return joined @ np.random.default_rng(self.seed).normal(size=(joined.shape[1], 4))

    def distance_weights(self, modalities: Sequence[str]) -> None:
        return None


class CsrToCsr:
    """Side by side, sparse where the parts are."""

    def transform(self, features: Features) -> Any:
        from scipy import sparse

        parts = list(features.values())
        if any(map(sparse.issparse, parts)):
            return sparse.hstack(parts, format="csr")
        return np.hstack(parts)


class MissingAsZero:
    """What is missing is zero."""

    def transform(self, features: Features) -> Any:
        return np.hstack([np.nan_to_num(values) for values in features.values()])


class Stacked:
    """Features weighted by how right their heads are out of fold."""

    def fit(self, features: Features, labels: np.ndarray, *, out_of_fold: Features) -> Self:
        self.weights_ = {
            name: (values.argmax(axis=1) == labels).mean() + 0.01
            for name, values in out_of_fold.items()
        }
        return self

    def transform(self, features: Features) -> Any:
        return np.hstack([self.weights_[name] * values for name, values in features.items()])


class Loudest:
    """The modality that is surest decides alone; the last of equals."""

    def predict_proba(self, probabilities: Features) -> Any:
        stacked = np.stack(list(probabilities.values())[::-1])
        surest = stacked.max(axis=2).argmax(axis=0)
        return stacked[surest, np.arange(stacked.shape[1])]


class Majority:
    """Votes, as probabilities of 0 and 1; ties by the mean."""

    def predict_proba(self, probabilities: Features) -> Any:
        stacked = np.stack(list(probabilities.values()))
        k = stacked.shape[2]
        votes = np.eye(k)[stacked.argmax(axis=2)].sum(axis=0) + 0.1 * stacked.mean(axis=0)
        return np.eye(k)[votes.argmax(axis=1)]


class LearntWeights:
    """A weight for each modality, and one for none."""

    def fit(self, probabilities: Features, labels: np.ndarray) -> Self:
        right = [v[np.arange(len(labels)), labels].mean() for v in probabilities.values()]
        self.weights_ = dict(zip(probabilities, np.array(right) + 1e-3, strict=True))
        return self

    def predict_proba(self, probabilities: Features) -> Any:
        uniform = np.full_like(next(iter(probabilities.values())), 0.0) + 0.05
        total = sum(self.weights_[name] * values for name, values in probabilities.items())
        return (total + uniform) / (total + uniform).sum(axis=1, keepdims=True)


class Ridge:
    """Least squares on one-hot labels; the penalty is chosen on the validation part."""

    def __init__(self, *, n_classes: int) -> None:
        self.n_classes = n_classes

    def fit(self, features: Features, labels: np.ndarray, *, validation: Any = None) -> Self:
        X, Y = self._columns(features), np.eye(self.n_classes)[labels]
        tried = {}
        for penalty in (0.1, 10.0):
            gram = X.T @ X + penalty * np.eye(X.shape[1])
            self.weights_ = np.linalg.solve(gram, X.T @ Y)
            held_out, codes = (features, labels) if validation is None else validation
            right = (self.predict_proba(held_out).argmax(axis=1) == codes).mean()
            tried[penalty] = (right, self.weights_)
        self.weights_ = max(tried.values(), key=lambda one: one[0])[1]
        self.history_ = [{"penalty": p, "accuracy": right} for p, (right, _) in tried.items()]
        return self

    def predict_proba(self, features: Features) -> Any:
        scores = np.exp(np.clip(self._columns(features) @ self.weights_, -20, 20))
        return scores / scores.sum(axis=1, keepdims=True)

    def _columns(self, features: Features) -> np.ndarray:
        joined = np.hstack(list(features.values()))
        return np.hstack([joined, np.ones((len(joined), 1))])


class Ends:
    """The first and the last vector of each sequence, centred; zeros where there is none."""

    def fit(self, features: Features, labels: Any) -> Self:
        self.means_ = {name: s.values.mean(axis=0) for name, s in features.items()}
        return self

    def transform(self, features: Features) -> Any:
        return np.hstack([
            np.stack([np.ravel(s[[0, -1]] - self.means_[name]) if len(s) else
                      np.zeros(2 * len(self.means_[name])) for s in sequences])
            for name, sequences in features.items()
        ])  # fmt: skip


class RidgeOfEnds(Ridge):
    """Least squares on the last vector of each sequence."""

    def _columns(self, features: Features) -> np.ndarray:
        return super()._columns({n: np.stack([v[-1] for v in s]) for n, s in features.items()})


# --- heads and metrics ---------------------------------------------------------------------------


def decisions_only() -> Any:
    """Build a linear machine without probabilities."""
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier()


def pipeline() -> Any:
    """Build a pipeline that takes CSR too."""
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Binarizer

    return make_pipeline(Binarizer(), MultinomialNB())


class MajorityClass:
    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        self.shares_ = np.bincount(y) / len(y)
        return self

    def predict_proba(self, X: np.ndarray) -> Any:
        return np.tile(self.shares_.astype(np.float32), (len(X), 1))


def agreement() -> Any:
    return _agreement


def _agreement(truth: Any, predicted: Any, probabilities: Any = None) -> float:
    return float(np.mean(truth == predicted))


_agreement.higher_is_better = True  # type: ignore[attr-defined]
_agreement.needs = "labels"  # type: ignore[attr-defined]


class Regret:
    """The mean probability that the true class was denied.

    Parameters
    ----------
    power : float
    """

    higher_is_better = False
    needs = "probabilities"

    def __init__(self, *, power: float = 1.0) -> None:
        self.power = power

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> float:
        denied = 1 - probabilities[np.arange(len(truth)), truth]
        return float((denied**self.power).mean())


class FirstClass:
    """Recall of the first class; not a number where there is none of it."""

    higher_is_better = True
    needs = "labels"

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> float:
        of_it = truth == 0
        return float((predicted[of_it] == 0).mean()) if of_it.any() else float("nan")


class NumpyScalar:
    """Right predictions, counted."""

    higher_is_better = np.True_
    needs = "labels"

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> Any:
        return np.sum(truth == predicted)
