"""Plugins with options of many types, for the tests of the matrix file."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse

from mmbench import hookimpl


class Scaled:
    """A vector times a factor; ``powers`` adds powers of its columns."""

    def __init__(self, *, factor: float = 1.0, powers: list[int] = [1]) -> None:  # noqa: B006
        self.factor = factor
        self.powers = powers

    def encode(self, items: list[np.ndarray]) -> np.ndarray:
        rows = np.stack(items).astype(np.float32)
        return np.hstack([self.factor * rows**power for power in self.powers])


class Length:
    """The length of a text, jittered by the seed: an encoder that asks for one."""

    def __init__(self, *, seed: int, jitter: float = 0.0) -> None:
        self.noise = np.random.default_rng(seed)
        self.jitter = jitter

    def encode(self, items: list[str]) -> np.ndarray:
        rows = np.array([[len(text), 1.0] for text in items], dtype=np.float32)
        return rows + self.jitter * self.noise.standard_normal(rows.shape).astype(np.float32)


class Weighed:
    """The embeddings side by side, each times a weight."""

    def __init__(self, *, weights: list[float], root: bool = False) -> None:
        self.weights = weights
        self.root = root

    def transform(self, features: dict[str, np.ndarray]) -> np.ndarray:
        scale = np.sqrt if self.root else np.asarray
        parts = zip(scale(self.weights), features.values(), strict=True)
        return np.hstack([weight * values for weight, values in parts])


class Shifted:
    """An alignment that centres the embeddings."""

    def fit(self, features: dict[str, np.ndarray], labels: None) -> Self:
        self.means = {name: values.mean(axis=0) for name, values in features.items()}
        return self

    def transform(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: values - self.means[name] for name, values in features.items()}


class Frequency:
    """A joint fusion that answers with the training part's class frequencies."""

    def fit(self, features: dict, labels: np.ndarray, *, validation: tuple | None = None) -> Self:
        self.shares = np.bincount(labels) / len(labels)
        return self

    def predict_proba(self, features: dict[str, np.ndarray | sparse.csr_matrix]) -> np.ndarray:
        rows = next(iter(features.values())).shape[0]
        return np.tile(self.shares, (rows, 1))


@hookimpl
def mmbench_register_encoders(register):
    register("scaled", Scaled, kind="vector")
    register("length", Length, kind="text")


@hookimpl
def mmbench_register_alignments(register):
    register("shifted", Shifted)


@hookimpl
def mmbench_register_fusions(register):
    register("weighed", Weighed, level="feature")
    register("frequency", Frequency, level="joint", trained=True, supervised=True)
