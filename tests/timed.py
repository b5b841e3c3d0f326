"""Plugins for tests of timing, loaded with ``--plugin``: known costs, and what goes wrong.

``ZOO_LOG`` names a file to which they append a line for each object built and each call.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, Self

import numpy as np
from sklearn.linear_model import LogisticRegression

import mmbench
from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Any) -> None:
    register("pairs", Pairs, summary="two vector modalities and a text, with gaps if wanted")


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    register("clocked", Clocked, kind="vector")
    register("whimsical", Whimsical, kind="vector")
    register("linear", Linear, kind="vector")


@hookimpl
def mmbench_register_alignments(register: Any) -> None:
    register("centred", Centred)


@hookimpl
def mmbench_register_fusions(register: Any) -> None:
    register("drowsy", Drowsy, level="feature")
    register("nearest", Nearest, level="joint")


@hookimpl
def mmbench_register_heads(register: Any) -> None:
    register("napping", Napping)


def log(*what: object) -> None:
    if path := os.environ.get("ZOO_LOG"):
        with open(path, "ab", buffering=0) as file:
            file.write((" ".join(map(str, what)) + "\n").encode())


class Gappy(Sequence[Any]):
    """Items of which some are missing."""

    def __init__(self, values: Sequence[Any], gaps: slice) -> None:
        self.values, self.missing = values, np.zeros(len(values), dtype=bool)
        self.missing[gaps] = True

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return None if self.missing[index] else self.values[index]


GAPS = {
    "none": {},
    "some": {"a": slice(0, None, 5), "note": slice(2, None, 5)},
    "apart": {"a": slice(0, None, 2), "b": slice(1, None, 2)},
}
"""Which samples lack a modality."""


class Pairs:
    """Blobs in ``a`` and ``b`` of equal width, and a word in ``note``."""

    modalities: Mapping[str, str] = {"a": "vector", "b": "vector", "note": "text"}
    classes = ("one", "two", "three")

    def __init__(self, *, n: int = 45, gaps: Literal["none", "some", "apart"] = "none") -> None:
        rng = np.random.default_rng(0)
        self.labels = np.arange(n) % 3
        self.ids = [f"p{i}" for i in range(n)]
        centres = rng.normal(size=(2, 3, 4)) * 2
        noise = rng.normal(size=(2, n, 4))
        a, b = (c[self.labels] + e for c, e in zip(centres, noise, strict=True))
        note = [f"{self.classes[label]} {'xyz'[i % 2]}" for i, label in enumerate(self.labels)]
        self._items = {
            name: Gappy(values, GAPS[gaps].get(name, slice(0)))
            for name, values in (("a", a), ("b", b), ("note", note))
        }

    def items(self, modality: str) -> Sequence[Any]:
        return self._items[modality]

    def fingerprint(self, modality: str) -> str:
        held = self._items[modality]
        return sha256(f"{list(held.values)} {held.missing}".encode()).hexdigest()


def as_rows(items: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack(list(items)).astype(np.float32)


class Clocked:
    """Vectors as they are; sleeps, in milliseconds, in stages and outside of them."""

    def __init__(
        self, *, preprocess: float = 0.0, transfer: float = 0.0, compute: float = 0.0, tag: int = 0
    ) -> None:
        self.preprocess, self.transfer, self.compute, self.tag = preprocess, transfer, compute, tag
        log("load", tag, os.getpid())

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        start = time.monotonic()
        with mmbench.stage("preprocess"):
            rows = as_rows(items) + self.tag
            time.sleep(self.preprocess / 1e3)
        with mmbench.stage("transfer"):
            time.sleep(self.transfer / 1e3)
        time.sleep(self.compute / 1e3)
        log("call", self.tag, os.getpid(), len(items), start, time.monotonic())
        return rows


class Whimsical:
    """Vectors as they are, but for what ``how`` names. A run embeds all items in one call."""

    def __init__(self, *, how: str) -> None:
        self.how = how
        self._hoard = np.ones(150 * 2**20, dtype=np.uint8) if how == "hoards" else None

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        rows = as_rows(items)
        match self.how:
            case "by process":
                return rows + os.getpid() % 997
            case "large batches":
                if len(items) > 64:
                    raise MemoryError(f"no room for {len(items)}")
            case "alone":
                if len(items) == 1:
                    raise ValueError("one item is too few")
            case "dies alone":
                if len(items) == 1:
                    os._exit(7)
        return rows


class Linear:
    """A torch network, called as networks are or by its ``forward``."""

    def __init__(self, *, width: int = 4, direct: bool = False) -> None:
        import torch

        self.direct = direct
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            self._network = torch.nn.Linear(width, 6).eval()

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        network = self._network.forward if self.direct else self._network
        with torch.inference_mode():
            embedded: np.ndarray = network(torch.from_numpy(as_rows(items))).float().numpy()
        return embedded


class Centred:
    """Subtracts each modality's training mean."""

    def fit(self, features: Mapping[str, np.ndarray], labels: None) -> Self:
        self.means_ = {name: values.mean(axis=0) for name, values in features.items()}
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {name: values - self.means_[name] for name, values in features.items()}


class Drowsy:
    """Concatenation that sleeps some milliseconds."""

    def __init__(self, *, nap: float) -> None:
        self.nap = nap

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        time.sleep(self.nap / 1e3)
        return np.hstack(list(features.values()))


class Nearest:
    """Softmax of distances to the centroids of the concatenated features."""

    def fit(
        self, features: Mapping[str, np.ndarray], labels: np.ndarray, *, validation: Any = None
    ) -> Self:
        X = np.hstack(list(features.values()))
        self.centres_ = np.stack([X[labels == c].mean(axis=0) for c in np.unique(labels)])
        return self

    def predict_proba(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        X = np.hstack(list(features.values()))
        nearness = np.exp(-np.linalg.norm(X[:, None] - self.centres_, axis=2))
        return nearness / nearness.sum(axis=1, keepdims=True)


class Napping:
    """Logistic regression that sleeps some milliseconds before it predicts."""

    def __init__(self, *, nap: float = 0.0) -> None:
        self.nap = nap

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        self.model_ = LogisticRegression().fit(X, y)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        time.sleep(self.nap / 1e3)
        return np.asarray(self.model_.predict_proba(X))
