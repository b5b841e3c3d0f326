"""An encoder and a head that wait: work that any number of nodes of one machine can do at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np

from mmbench import hookimpl


class WaitingEncoder:
    """The vectors themselves, to a power, after some seconds for all of them.

    Parameters
    ----------
    power : int
        Tells one encoder from another.
    seconds : float
        How long it waits.
    """

    chunk = 100_000

    def __init__(self, *, power: int = 1, seconds: float = 1.0) -> None:
        self.power = power
        self.seconds = seconds

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Wait, and return the vectors."""
        time.sleep(self.seconds)
        return (np.stack(list(items)) ** self.power).astype(np.float32)


class WaitingHead:
    """Probabilities that fall with the distance from the classes' means, after some seconds.

    Parameters
    ----------
    seconds : float
        How long it waits.
    """

    def __init__(self, *, seconds: float = 1.0) -> None:
        self.seconds = seconds

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Wait, and take the mean of each class."""
        time.sleep(self.seconds)
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in np.unique(y)])
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return what the inverse distances are of their sum, (n, k)."""
        near = 1 / (1e-6 + np.linalg.norm(X[:, None] - self.means_, axis=2))
        shares: np.ndarray = near / near.sum(axis=1, keepdims=True)
        return shares


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoder."""
    register("waiting", WaitingEncoder, kind="vector")


@hookimpl
def mmbench_register_heads(register: Callable[..., None]) -> None:
    """Register the head."""
    register("waiting", WaitingHead)
