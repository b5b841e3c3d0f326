"""Plugins for tests, loaded with ``--plugin``: a synthetic dataset, and good and bad company.

``ZOO_LOG`` names a file to which ``logged-*`` plugins append a line each time they work.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Any) -> None:
    register("blobs", Blobs, summary="two vector modalities and notes")
    register("collapsing", Collapsing)


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    register("logged", Logged, kind="vector")
    register("flaky", Flaky, kind="vector")
    register("bad-encoder", BadEncoder, kind="vector")
    register("unimportable", "a_library_that_nobody_has.encoders:Encoder", kind="vector")


@hookimpl
def mmbench_register_fusions(register: Any) -> None:
    register("bad-fusion", BadFusion, level="feature")
    register("bad-decision", BadDecision, level="decision")


@hookimpl
def mmbench_register_heads(register: Any) -> None:
    register("logged-head", LoggedHead)
    register("bad-head", BadHead)


@hookimpl
def mmbench_register_metrics(register: Any) -> None:
    register("bad-metric", BadMetric)


@hookimpl
def mmbench_cell_finished(run: Any, row: dict[str, Any]) -> None:
    match os.environ.get("ZOO_EVENT"):
        case "raises":
            raise RuntimeError("this event hook always raises")
        case "exits":
            sys.exit(5)
        case "meddles":
            row.clear()


def log(what: str) -> None:
    """Append a line, in one write, so that lines of several processes do not mix."""
    if path := os.environ.get("ZOO_LOG"):
        with open(path, "ab", buffering=0) as file:
            file.write(f"{what}\n".encode())


class Items(Sequence[Any]):
    """Items of which one may be unreadable."""

    def __init__(self, values: Sequence[Any], torn: int) -> None:
        self.values = values
        self.torn = torn
        self.missing = np.zeros(len(values), dtype=bool)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        if index == self.torn:
            raise OSError(f"item {index} cannot be read")
        return self.values[index]


class Blobs:
    """Gaussian blobs in modalities ``a`` and ``b``, and a word or two in ``note``.

    ``touch`` names a modality whose first item is changed, ``relabel`` a sample that is given
    another label, ``torn`` an item of ``a`` that raises when it is read.
    """

    modalities: Mapping[str, str] = {"a": "vector", "b": "vector", "note": "text"}

    def __init__(
        self,
        *,
        n: int = 48,
        classes: int = 3,
        draw: int = 0,
        touch: str = "",
        relabel: int = -1,
        torn: int = -1,
    ) -> None:
        rng = np.random.default_rng(draw)
        self.labels = np.arange(n) % classes
        self.classes = [f"class {i}" for i in range(classes)]
        self.ids = [f"s{i}" for i in range(n)]
        self._torn = torn
        words = np.array(["alder", "birch", "cedar", "dogwood", "elm"])
        self._values: dict[str, Any] = {}
        for name, width in (("a", 4), ("b", 3)):
            centres = rng.normal(scale=1.2, size=(classes, width))
            self._values[name] = centres[self.labels] + rng.normal(size=(n, width))
        heard = np.where(rng.random(n) < 0.6, self.labels, rng.integers(classes, size=n))
        self._values["note"] = [
            f"{words[h]} {w}" for h, w in zip(heard, rng.choice(words, n), strict=True)
        ]
        if touch == "note":
            self._values[touch][0] += " oak"
        elif touch:
            self._values[touch][0] += 0.5
        if relabel >= 0:
            self.labels[relabel] = (self.labels[relabel] + 1) % classes

    def items(self, modality: str) -> Sequence[Any]:
        return Items(self._values[modality], self._torn if modality == "a" else -1)

    def fingerprint(self, modality: str) -> str:
        values = self._values[modality]
        content = "\n".join(values).encode() if modality == "note" else values.tobytes()
        content += f"torn {self._torn}".encode() if modality == "a" else b""
        return sha256(content).hexdigest()


class Collapsing:
    """A dataset whose constructor has a mistake."""

    def __init__(self) -> None:
        raise RuntimeError("this dataset always collapses")


class Logged:
    """Vectors as they are, one chunk for all; the work is logged, and may take a while."""

    chunk = 100_000

    def __init__(self, *, tag: int = 0, nap: float = 0.0) -> None:
        self.tag = tag
        self.nap = nap

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        log(f"embed {self.tag}")
        time.sleep(self.nap)
        return np.stack(list(items)).astype(np.float32) * (1 + self.tag)


class Flaky:
    """Raises until the file that ``ZOO_CURE`` names is there."""

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        if not os.path.exists(os.environ["ZOO_CURE"]):
            raise ConnectionError("the server is not there")
        return np.stack(list(items)).astype(np.float32)


class UnprintableError(Exception):
    """An exception that cannot even say what it is."""

    def __str__(self) -> str:
        raise TypeError("no words")


class BadEncoder:
    """Vectors as they are, but for what ``how`` names."""

    def __init__(self, *, how: str) -> None:
        self.how = how
        self.calls = 0
        if how == "constructor":
            raise ValueError("this encoder cannot be built")

    def encode(self, items: Sequence[np.ndarray]) -> Any:
        values = np.stack(list(items)).astype(np.float32)
        self.calls += 1
        match self.how:
            case "raises":
                raise ValueError("this encoder\nalways raises")
            case "unprintable":
                raise UnprintableError
            case "surrogate":
                raise ValueError("a name \udcff that is no text")
            case "rows":
                return values[1:]
            case "flat":
                return values.ravel()
            case "no columns":
                return values[:, :0]
            case "nan":
                values[3, 1] = np.nan
            case "infinity":
                values[3, 1] = np.inf
            case "list":
                return values.tolist()
            case "none":
                return None
            case "float64":
                return values.astype(np.float64)
            case "integers":
                return values.astype(np.int64)
            case "object":
                return values.astype(object)
            case "widths":
                return values[:, : self.calls]
            case "hang":
                time.sleep(600)
            case "sys.exit":
                sys.exit("gone")
            case "os._exit(0)":
                os._exit(0)
            case "os._exit(3)":
                os._exit(3)
            case "sigkill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "sigsegv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "orphan":  # a child that holds all that its parent held
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
                os.kill(os.getpid(), signal.SIGKILL)
            case "closes everything":
                os.closerange(3, 1024)
            case "memory":
                raise MemoryError("not even a byte")
            case "interrupt":
                raise KeyboardInterrupt
            case "generator exit":
                raise GeneratorExit
            case "loud":
                for _ in range(2000):
                    print("x" * 200)
                    print("y" * 200, file=sys.stderr)
            case "mute":
                sys.stdout.close()
                sys.stderr = None  # type: ignore[assignment]
            case other:
                raise AssertionError(other)
        return values


class LoggedHead:
    """Logistic regression; the work is logged, and may take a while."""

    def __init__(self, *, tag: int = 0, nap: float = 0.0) -> None:
        self.tag = tag
        self.nap = nap

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        log(f"fit {self.tag}")
        time.sleep(self.nap)
        self.model_ = LogisticRegression(C=1.0 + self.tag).fit(X, y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.model_.predict_proba(X))


class BadHead(LoggedHead):
    """Logistic regression, but for what ``how`` names."""

    def __init__(self, *, how: str) -> None:
        super().__init__()
        self.how = how
        if how == "constructor":
            raise ValueError("this head cannot be built")

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        if self.how == "raises":
            raise ValueError("this head always raises")
        if self.how == "sigsegv":
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().fit(X, y)

    def predict_proba(self, X: np.ndarray) -> Any:
        return spoilt(super().predict_proba(X), self.how)


def spoilt(probabilities: np.ndarray, how: str) -> Any:
    """Return probabilities that are wrong as ``how`` says."""
    match how:
        case "rows":
            return probabilities[:-1]
        case "columns":
            return probabilities[:, :-1]
        case "sums":
            return probabilities * 1.01
        case "negative":
            return probabilities * 3 - 2 / probabilities.shape[1]
        case "nan":
            probabilities[0, 0] = np.nan
            return probabilities
        case "list":
            return probabilities.tolist()
        case "text":
            return probabilities.astype(str)
    raise AssertionError(how)


class BadFusion:
    """Concatenation, but for what ``how`` names."""

    def __init__(self, *, how: Literal["raises", "rows", "nan", "dict"]) -> None:
        self.how = how

    def transform(self, features: Mapping[str, np.ndarray]) -> Any:
        fused = np.hstack(list(features.values()))
        match self.how:
            case "raises":
                raise KeyError("this fusion always raises")
            case "rows":
                return fused[:-1]
            case "nan":
                return np.full_like(fused, np.nan)
        return {"fused": fused}


class BadDecision:
    """The mean, but for what ``how`` names."""

    def __init__(self, *, how: str) -> None:
        self.how = how

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> Any:
        if self.how == "raises":
            raise ValueError("this decision always raises")
        return spoilt(np.mean(list(probabilities.values()), axis=0), self.how)


class BadMetric:
    """A metric that fails as ``how`` says."""

    higher_is_better = True
    needs = "labels"

    def __init__(self, *, how: str) -> None:
        self.how = how

    def __call__(self, truth: np.ndarray, predicted: np.ndarray, probabilities: None) -> Any:
        match self.how:
            case "raises":
                raise ZeroDivisionError("this metric always raises")
            case "sigkill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "text":
                return "good"
        raise AssertionError(self.how)
