"""Encoders that are merely unusual: each keeps the contract, in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, Field, PositiveInt

from mmbench import Sequences, hookimpl

Features = Mapping[str, Any]


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    def say(name: str, target: Any, **flags: Any) -> None:
        register(name, target, summary="An unusual encoder.", **{"kind": "vector", **flags})

    say("one-column", OneColumn)
    say("many-columns", many_columns)
    say("large-chunk", LargeChunk)
    say("factory", by_function)
    say("namespace", namespace)
    say("partial", partial(Scaled, factor=3.0))
    say("rich-options", RichOptions)
    say("any-keyword", AnyKeyword)
    say("many-kinds", ManyKinds, kind=("text", "image", "video"))
    say("constant", Constant)
    say("double-inside", DoubleInside)
    say("slots", Slots)
    say("frozen-dataclass", FrozenDataclass)
    say("remembers", Remembers, kind="text")
    say("own-random-state", OwnRandomState)
    say("refuses-nothing", RefusesNothing)
    say("sparse", Sparse, kind="text", sparse=True, standardise=False)
    say("sparse-and-trained", SparseAndTrained, kind="text", sparse=True, trained=True)
    say("supervised", Supervised, trained=True, supervised=True)
    say("picky", Picky, trained=True, supervised=True)
    say("sorts-inside", SortsInside, kind="text")
    say("key", Key)
    say("saved", Saved, trained=True)
    say("as-sequences", AsSequences, kind="text", sequences=True)


class OneColumn:
    def encode(self, items: Sequence[Any]) -> Any:
        return np.array([[np.mean(item)] for item in items], dtype=np.float32)


def many_columns() -> Any:
    return SimpleNamespace(encode=lambda items: np.repeat(np.float32(np.stack(items)), 200, axis=1))


class AsSequences:
    def encode(self, items: Sequence[str]) -> Any:
        return np.array([[len(text)] for text in items], dtype=np.float32)

    def encode_sequence(self, items: Sequence[str]) -> Any:
        return Sequences.of([[[ord(c) % 50, c == " "] for c in f"{text}."] for text in items])


class LargeChunk(OneColumn):
    chunk = 500


def by_function(*, centre: bool = False) -> OneColumn:
    """Build an encoder.

    Parameters
    ----------
    centre : bool
        Not used.
    """
    return OneColumn()


def namespace() -> Any:
    def encode(items: Sequence[Any]) -> Any:
        return np.float32(np.stack(items))

    return SimpleNamespace(encode=encode)


class Scaled:
    """Vectors times a factor.

    Parameters
    ----------
    factor : float
    """

    def __init__(self, *, factor: float) -> None:
        self.factor = factor

    def encode(self, items: Sequence[Any]) -> Any:
        return np.float32(self.factor * np.stack(items))


class Window(BaseModel):
    """A range of columns."""

    first: int = 0
    last: PositiveInt = 12


class RichOptions:
    """An encoder with options of many types.

    Parameters
    ----------
    columns : tuple of int
    window : Window
    power : float, optional
    norm : {"l1", "l2"}, optional
    share : float
        Between 0 and 1.
    names : dict of int
    file : pathlib.Path, optional
    """

    def __init__(
        self,
        *,
        columns: tuple[int, ...] = (0, 1, 2),
        window: Window = Window(),  # noqa: B008 - immutable use
        power: float | None = None,
        norm: Literal["l1", "l2"] | None = "l2",
        share: Annotated[float, Field(ge=0, le=1)] = 0.5,
        names: Mapping[str, int] | None = None,
        file: Path | None = None,
    ) -> None:
        self.columns = columns

    def encode(self, items: Sequence[Any]) -> Any:
        return np.float32(np.stack(items)[:, list(self.columns)])


class AnyKeyword(OneColumn):
    """Whatever is given goes to a library.

    Parameters
    ----------
    size : int
    **options
        Passed on.
    """

    def __init__(self, *, size: int = 3, **options: Any) -> None:
        self.options = {"size": size, **options}


class ManyKinds:
    """How much there is of anything."""

    def encode(self, items: Sequence[Any]) -> Any:
        return np.array([[np.log1p(self.size(item)), 1.0] for item in items], dtype=np.float32)

    def size(self, item: Any) -> int:
        return len(item) if isinstance(item, (str, list)) else item.width * item.height


class Constant:
    def encode(self, items: Sequence[Any]) -> Any:
        return np.ones((len(items), 3), np.float32)


class DoubleInside:
    def encode(self, items: Sequence[Any]) -> Any:
        values = np.stack(items).astype(np.float64)
        return np.arctan(values @ np.linspace(-1, 1, 48).reshape(12, 4)).astype(np.float32)


class Slots:
    __slots__ = ("scale",)

    def __init__(self) -> None:
        self.scale = np.float32(2)

    def encode(self, items: Sequence[Any]) -> Any:
        return self.scale * np.stack(items).astype(np.float32)


@dataclass(frozen=True)
class FrozenDataclass:
    """A frozen dataclass.

    Parameters
    ----------
    shift, scale : float
    axes : tuple of int
    """

    shift: float = 0.0
    scale: float = 1.0
    axes: tuple[int, ...] = field(default=(0, 3))

    def encode(self, items: Sequence[Any]) -> Any:
        return np.float32(self.scale * (np.stack(items)[:, self.axes] + self.shift))


class Remembers:
    """Texts that were seen are looked up by their content."""

    def __init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}

    def encode(self, items: Sequence[str]) -> Any:
        for text in items:
            if text not in self._known:
                digest = sha256(text.encode("utf-8", "surrogatepass")).digest()
                self._known[text] = np.frombuffer(digest, np.uint8).astype(np.float32)
        return np.array([self._known[text] for text in items], np.float32).reshape(-1, 32)


class OwnRandomState:
    """The old generator, but one of its own."""

    def __init__(self, *, seed: int) -> None:
        self._projection = np.random.RandomState(seed).normal(size=(12, 7)).astype(np.float32)

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items).astype(np.float32) @ self._projection


class RefusesNothing:
    """Of no items it makes no rows."""

    def encode(self, items: Sequence[Any]) -> Any:
        values = np.empty((len(items), 12), np.float32)
        for row, item in zip(values, items, strict=True):
            row[:] = item
        return np.asfortranarray(values)


class Sparse:
    """Characters in 512 buckets."""

    def encode(self, items: Sequence[str]) -> Any:
        from scipy import sparse

        rows = sparse.lil_matrix((len(items), 512), dtype=np.float32)
        for row, text in enumerate(items):
            for character in text:
                rows[row, ord(character) % 512] += 1
        return rows.tocsr()


class SparseAndTrained:
    """The words of the training part."""

    def fit(self, items: Sequence[str], labels: Any, *, validation: Any = None) -> Self:
        words = sorted({word for text in items for word in text.split()})
        self.columns_ = {word: column for column, word in enumerate(words)}
        self.history_ = [{"words": len(words), "note": "all"}]
        return self

    def encode(self, items: Sequence[str]) -> Any:
        from scipy import sparse

        counts = [
            (row, self.columns_[word])
            for row, text in enumerate(items)
            for word in text.split()
            if word in self.columns_
        ]
        rows, columns = np.array(counts, dtype=int).reshape(-1, 2).T
        ones, shape = np.ones(len(rows), np.float32), (len(items), len(self.columns_))
        return sparse.csr_matrix((ones, (rows, columns)), shape=shape)


class Supervised:
    """Distances to the class means, of which there are as many as labels."""

    def __init__(self, *, n_classes: int, seed: int, device: str, threads: int) -> None:
        self.n_classes = n_classes

    def fit(self, items: Sequence[Any], labels: np.ndarray, *, validation: Any = None) -> Self:
        values = np.stack(list(items))
        self.means_ = [values[labels == label].mean(axis=0) for label in range(self.n_classes)]
        return self

    def encode(self, items: Sequence[Any]) -> Any:
        return np.array([[np.abs(item - m).sum() for m in self.means_] for item in items], "f4")


class Picky(Supervised):
    """It refuses small training parts, and says so."""

    def fit(self, items: Sequence[Any], labels: np.ndarray, *, validation: Any = None) -> Self:
        if len(items) < 20:
            raise ValueError(f"20 training items are needed, and there are {len(items)}")
        return super().fit(items, labels)


class SortsInside:
    """Short texts first, and then back in their places."""

    def encode(self, items: Sequence[str]) -> Any:
        order = sorted(range(len(items)), key=lambda i: len(items[i]))
        values = np.empty((len(items), 2), np.float32)
        for i in order:
            values[i] = len(items[i]), items[i].count("e")
        return values


class Key:
    """Weights of which the name says all.

    Parameters
    ----------
    release : {"2024", "2025"}
    """

    def __init__(self, *, release: Literal["2024", "2025"] = "2024") -> None:
        self.release = release

    @classmethod
    def cache_key(cls, *, release: str = "2024") -> str:
        return f"weights {release}"

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items).astype(np.float32) * int(self.release)


class Saved:
    """The spread of the training part, kept as text."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        self.spread_ = float(np.std(list(items))) + 1e-6
        return self

    def encode(self, items: Sequence[Any]) -> Any:
        return (np.stack(items) / self.spread_).astype(np.float32)

    def save(self, folder: Path) -> None:
        (folder / "spread").write_text(self.spread_.hex(), encoding="ascii")

    def load(self, folder: Path) -> Self:
        self.spread_ = float.fromhex((folder / "spread").read_text(encoding="ascii"))
        return self
