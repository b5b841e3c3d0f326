"""A dataset of any number of items, each made when it is asked for, and of one that few have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from mmbench import hookimpl

WIDTH = 768
WORDS = 60
PATTERNS = 1000
"""Items are made of that many, so that to make one costs little."""


class Items(Sequence[Any]):
    """Items that are not kept.

    Parameters
    ----------
    make : callable
        Returns the item of a number.
    missing : ndarray of bool, shape (n,)
        Which are not there.
    """

    def __init__(self, make: Callable[[int], Any], missing: np.ndarray) -> None:
        self.make = make
        self.missing = missing

    def __len__(self) -> int:
        return len(self.missing)

    def __getitem__(self, index: Any) -> Any:
        return None if self.missing[index] else self.make(int(index))


class Stream:
    """Samples of two classes: all have ``many``, and the first of them also ``few``.

    Parameters
    ----------
    items : int
        Samples.
    having : int
        How many have both.
    kind : {"vector", "text"}
        Of ``many``: `WIDTH` floats, or about `WORDS` words.
    """

    classes = ("a", "b")

    def __init__(
        self, *, items: int, having: int = 200, kind: Literal["vector", "text"] = "vector"
    ) -> None:
        self.modalities = {"many": kind, "few": "vector"}
        self.labels = np.arange(items) // 2 % 2
        self.split = np.where(np.arange(items) % 2, "test", "train")
        self._having = having
        rng = np.random.default_rng(0)
        self._vectors = rng.standard_normal((PATTERNS, WIDTH))
        words = rng.integers(10**6, size=(PATTERNS, WORDS))
        self._texts = [" ".join(f"w{word}" for word in row) for row in words.tolist()]

    @property
    def ids(self) -> Sequence[str]:
        """Made when asked for, as a process that embeds does not ask."""
        return [str(i) for i in range(len(self.labels))]

    def items(self, modality: str) -> Items:
        """Return items that are made on access."""
        numbers = np.arange(len(self.labels))
        if modality == "few":
            return Items(lambda i: self._vectors[i % PATTERNS, :1], numbers >= self._having)
        make = self._text if self.modalities["many"] == "text" else self._vector
        return Items(make, np.zeros(len(numbers), dtype=bool))

    def fingerprint(self, modality: str) -> str:
        """Return what the items depend on."""
        return f"{modality} {self.modalities[modality]} {len(self.labels)} {self._having}"

    def _vector(self, number: int) -> np.ndarray:
        return np.asarray(self._vectors[number % PATTERNS] * (1 + number))

    def _text(self, number: int) -> str:
        return f"{self._texts[number % PATTERNS]} n{number}"


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register the stream."""
    register("stream", Stream, summary="items made when they are asked for")
