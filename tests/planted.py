"""Plugins that the tests can redo by hand or watch at work; used with ``--plugin``.

Where an option ``log`` names a file, what the plugin was given is appended to it, a JSON object
per line, from whatever process it runs in. The first value of a watched vector is its sample's
number.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    register("counted", Counted, kind="vector")
    register("projected", Projected, kind="vector")
    register("picky", Picky, kind="vector")
    register("watched", Watched, kind="vector", trained=True)
    register("memory", Memory, kind="vector", trained=True, supervised=True)
    register("discriminant", Discriminant, kind="vector", trained=True, supervised=True)


@hookimpl
def mmbench_register_alignments(register: Any) -> None:
    register("principal", Principal)
    register("discriminating", Discriminating, supervised=True)


@hookimpl
def mmbench_register_fusions(register: Any) -> None:
    register("f-weighted", FWeighted, level="feature", trained=True, supervised=True)
    register(
        "reliability-weighted",
        ReliabilityWeighted,
        level="feature",
        trained=True,
        supervised=True,
        out_of_fold=True,
    )
    register("flagged", Flagged, level="feature", handles_missing=True)
    register("leading", Leading, level="feature")
    register("joint-logistic", JointLogistic, level="joint")


@hookimpl
def mmbench_register_heads(register: Any) -> None:
    register("counted-logistic", CountedLogistic)
    register("brittle", Brittle)


@hookimpl
def mmbench_register_metrics(register: Any) -> None:
    register("top-two", TopTwo)
    register("errors", Errors)


def note(log: str, **record: Any) -> None:
    """Append a line to a log, whole even where several processes write."""
    if log:
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, json.dumps(record).encode() + b"\n")
        os.close(file)


def numbers(items: Any) -> list[int]:
    return [int(item[0]) for item in items]


# --- encoders ----------------------------------------------------------------------------------


class Counted:
    """Vectors to a power; logs every item that it encodes."""

    def __init__(self, *, power: int = 1, log: str = "") -> None:
        self.power = power
        self.log = log

    def encode(self, items: Any) -> np.ndarray:
        note(self.log, event="encode", power=self.power, items=numbers(items))
        return np.stack(list(items)).astype(np.float32) ** self.power


class Projected:
    """A random projection, drawn with the seed that it is given."""

    def __init__(self, *, seed: int, d: int = 3) -> None:
        self.seed = seed
        self.d = d

    def encode(self, items: Any) -> np.ndarray:
        vectors = np.stack(list(items))
        weights = np.random.default_rng(self.seed).standard_normal((vectors.shape[1], self.d))
        return (vectors @ weights).astype(np.float32)


class Picky:
    """Raises at the first item, at once or after a while."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def encode(self, items: Any) -> np.ndarray:
        time.sleep(self.seconds)
        raise ValueError("cannot read | <b>this</b> *item*")


class Watched:
    """Centres vectors on the mean of the items it is fitted on, and logs which they are."""

    def __init__(self, *, log: str = "") -> None:
        self.log = log

    def fit(self, items: Any, labels: Any, *, validation: Any = None) -> Watched:
        held = None if validation is None else numbers(validation[0])
        note(
            self.log, event="fit", items=numbers(items), validation=held, labels=labels is not None
        )
        self.mean_ = np.mean(list(items), axis=0)
        return self

    def encode(self, items: Any) -> np.ndarray:
        return (np.stack(list(items)) - self.mean_).astype(np.float32)


class Memory:
    """Knows the label of every item it was fitted on, and takes any other for a random one."""

    def __init__(self, *, n_classes: int, log: str = "") -> None:
        self.n_classes = n_classes
        self.log = log

    def fit(self, items: Any, labels: Any, *, validation: Any = None) -> Memory:
        note(self.log, event="fit", items=numbers(items))
        self.known_ = {
            item.tobytes(): int(label) for item, label in zip(items, labels, strict=True)
        }
        return self

    def encode(self, items: Any) -> np.ndarray:
        guesses = [hashlib.sha256(item.tobytes()).digest()[0] % self.n_classes for item in items]
        recalled = [
            self.known_.get(item.tobytes(), guess)
            for item, guess in zip(items, guesses, strict=True)
        ]
        return np.eye(self.n_classes, dtype=np.float32)[recalled]


class Discriminant:
    """Fisher's discriminants."""

    def fit(self, items: Any, labels: Any, *, validation: Any = None) -> Discriminant:
        self.model_ = LinearDiscriminantAnalysis().fit(np.stack(list(items)), labels)
        return self

    def encode(self, items: Any) -> np.ndarray:
        return self.model_.transform(np.stack(list(items))).astype(np.float32)


# --- alignments and fusions --------------------------------------------------------------------


class Principal:
    """The first principal components of every modality."""

    def __init__(self, *, n: int = 2) -> None:
        self.n = n

    def fit(self, features: Any, labels: Any) -> Principal:
        assert labels is None
        self.models_ = {m: PCA(self.n, svd_solver="full").fit(X) for m, X in features.items()}
        return self

    def transform(self, features: Any) -> Any:
        return {m: self.models_[m].transform(X) for m, X in features.items()}


class Discriminating:
    """Fisher's discriminants of every modality."""

    def fit(self, features: Any, labels: Any) -> Discriminating:
        self.models_ = {m: LinearDiscriminantAnalysis().fit(X, labels) for m, X in features.items()}
        return self

    def transform(self, features: Any) -> Any:
        return {m: self.models_[m].transform(X) for m, X in features.items()}


class FWeighted:
    """Concatenation, each modality multiplied by a weight that grows with its mean F statistic."""

    def fit(self, features: Any, labels: Any) -> FWeighted:
        f = {m: np.mean(f_classif(X, labels)[0]) for m, X in features.items()}
        self.weights_ = {m: value / (value + 10) for m, value in f.items()}
        return self

    def transform(self, features: Any) -> np.ndarray:
        return np.hstack([self.weights_[m] * X for m, X in features.items()])


class ReliabilityWeighted:
    """Concatenation, each modality multiplied by its head's out-of-fold accuracy."""

    def fit(self, features: Any, labels: Any, *, out_of_fold: Any) -> ReliabilityWeighted:
        self.weights_ = {m: np.mean(p.argmax(axis=1) == labels) for m, p in out_of_fold.items()}
        return self

    def transform(self, features: Any) -> np.ndarray:
        return np.hstack([self.weights_[m] * X for m, X in features.items()])


class Leading:
    """The modalities side by side, the first one doubled."""

    def transform(self, features: dict[str, np.ndarray]) -> np.ndarray:
        first, *others = features.values()
        return np.hstack([*others, 2.0 * first])

    def distance_weights(self, modalities: list[str]) -> dict[str, float]:
        return {m: 2.0 if m == modalities[0] else 1.0 for m in modalities}


class Flagged:
    """Concatenation, with 0 and a flag for what is missing."""

    def transform(self, features: Any) -> np.ndarray:
        flags = np.stack([np.isnan(X).any(axis=1) for X in features.values()], axis=1)
        return np.hstack([*(np.nan_to_num(X) for X in features.values()), flags])


class JointLogistic:
    """Logistic regression on the concatenation; its C is the better one on a validation part."""

    def fit(self, features: Any, labels: Any, *, validation: Any = None) -> JointLogistic:
        X = np.hstack(list(features.values()))
        choices = {C: LogisticRegression(C=C, max_iter=1000).fit(X, labels) for C in (1.0, 0.01)}
        best = 1.0
        if validation is not None:
            held = np.hstack(list(validation[0].values()))
            best = min(
                choices, key=lambda C: log_loss(validation[1], choices[C].predict_proba(held))
            )
        self.model_ = choices[best]
        self.history_ = [{"C": best, "n": len(X)}]
        return self

    def predict_proba(self, features: Any) -> np.ndarray:
        return self.model_.predict_proba(np.hstack(list(features.values())))


# --- heads and metrics -------------------------------------------------------------------------


class CountedLogistic(LogisticRegression):
    """Logistic regression that logs every fit."""

    def __init__(self, *, C: float = 1.0, log: str = "") -> None:
        super().__init__(C=C, max_iter=1000)
        self.log = log

    def fit(self, X: Any, y: Any) -> CountedLogistic:
        note(self.log, event="fit", C=self.C, n=len(X), d=X.shape[1])
        return super().fit(X, y)


class Brittle(LogisticRegression):
    """Logistic regression that cannot be fitted on so many samples."""

    def __init__(self, *, fails_at: int) -> None:
        super().__init__(max_iter=1000)
        self.fails_at = fails_at

    def fit(self, X: Any, y: Any) -> Brittle:
        if len(X) == self.fails_at:
            raise ValueError(f"{len(X)} samples | <i>are wrong</i>")
        return super().fit(X, y)


class TopTwo:
    """Share of samples whose class is among the two most probable."""

    higher_is_better = True
    needs = "probabilities"

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> float:
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
        return float((best == truth[:, np.newaxis]).any(axis=1).mean())


class Errors:
    """How many samples are labelled wrong; does not apply to fewer than three."""

    higher_is_better = False
    needs = "labels"

    def __call__(self, truth: Any, predicted: Any, probabilities: Any) -> float:
        wrong = int((truth != predicted).sum())
        return float(wrong) if wrong >= 3 else float("nan")
