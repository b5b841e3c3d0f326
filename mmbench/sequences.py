"""Several vectors per sample (tokens, patches, frames), as many as it has: ragged, not padded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self, overload

import numpy as np

from mmbench.errors import PluginError


@dataclass(frozen=True, eq=False)
class Sequences:
    """A sequence of vectors per sample, of lengths that may differ.

    ``sequences[i]`` is sample i's array (t, d), a view; a slice, or an array of positions or of
    bools, gives the `Sequences` of these samples. Iteration goes over the samples' arrays.

    Parameters
    ----------
    values : ndarray of float32, shape (sum of t, d)
        The vectors of all samples, one sample after the other.
    offsets : ndarray of int64, shape (n + 1,)
        Sample i has the rows ``offsets[i]`` up to, not including, ``offsets[i + 1]``.

    Raises
    ------
    ValueError
        The arrays are of another type or shape, or the offsets do not divide all values.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __post_init__(self) -> None:
        for name, dimensions, dtype in (("values", 2, np.float32), ("offsets", 1, np.int64)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{name}: {type(array).__name__}; an array was expected")
            if array.dtype != dtype or array.ndim != dimensions:
                raise ValueError(
                    f"{name}: {array.dtype} of shape {array.shape}; {np.dtype(dtype)} of "
                    f"{dimensions} dimensions was expected"
                )
        if not len(self.offsets) or self.offsets[0] != 0 or (np.diff(self.offsets) < 0).any():
            raise ValueError("offsets: they start with 0 and never fall")
        if self.offsets[-1] != len(self.values):
            raise ValueError(f"offsets: {self.offsets[-1]} rows of {len(self.values)} are divided")

    @classmethod
    def of(cls, arrays: Iterable[np.ndarray]) -> Self:
        """Return the sequences of samples whose vectors are given, (t, d) each.

        Raises
        ------
        ValueError
            No sample is given, or d is not the same for all.
        """
        parts = [np.asarray(array, dtype=np.float32) for array in arrays]
        if len({part.shape[1:] for part in parts}) != 1 or parts[0].ndim != 2:
            told = ", ".join(map(str, sorted({part.shape for part in parts}))) or "none"
            raise ValueError(f"arrays (t, d) of the same d were expected, not {told}")
        return cls(np.concatenate(parts), _offsets([len(part) for part in parts]))

    @classmethod
    def concatenate(cls, pieces: Iterable[Sequences]) -> Self:
        """Return the samples of several, one after the other.

        Raises
        ------
        ValueError
            None are given, or their vectors have different numbers of columns.
        """
        given = list(pieces)
        lengths = np.concatenate([piece.lengths for piece in given])
        return cls(np.concatenate([piece.values for piece in given]), _offsets(lengths))

    @classmethod
    def of_rows(cls, values: np.ndarray) -> Self:
        """Return rows (n, d) as sequences of one vector; a row of NaN as an empty one."""
        there = ~np.isnan(values).any(axis=1)
        return cls(values[there].astype(np.float32), _offsets(there))

    def filled(self, vector: np.ndarray) -> Self:
        """Return the same with a vector (d,) in each empty sequence."""
        empty = self.lengths == 0
        if not empty.any():
            return self
        rows = vector.astype(np.float32)
        values = np.insert(self.values, self.offsets[:-1][empty], rows, axis=0)
        return type(self)(values, _offsets(np.maximum(self.lengths, 1)))

    def emptied(self, samples: np.ndarray) -> Self:
        """Return the same with nothing in the sequences of some samples, a bool array (n,)."""
        kept = np.repeat(~samples, self.lengths)
        return type(self)(self.values[kept], _offsets(np.where(samples, 0, self.lengths)))

    @property
    def lengths(self) -> np.ndarray:
        """How many vectors each sample has, int64 (n,)."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice | list[int] | np.ndarray) -> Self: ...
    def __getitem__(self, index: Any) -> np.ndarray | Self:
        if isinstance(index, int | np.integer):
            place = range(len(self))[index]
            return self.values[self.offsets[place] : self.offsets[place + 1]]
        chosen = np.arange(len(self))[index]
        offsets = _offsets(self.lengths[chosen])
        if isinstance(index, slice) and index.step in (None, 1):
            start = self.offsets[chosen[0]] if len(chosen) else 0
            return type(self)(self.values[start : start + offsets[-1]], offsets)
        shift = np.repeat(self.offsets[chosen] - offsets[:-1], np.diff(offsets))
        return type(self)(self.values[shift + np.arange(offsets[-1])], offsets)


def _offsets(lengths: Any) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def checked_sequences(made: Any, rows: int) -> Sequences:
    """Return what an encoder's ``encode_sequence`` has made, or raise `PluginError`."""
    if not isinstance(made, Sequences):
        raise PluginError(
            f"encode_sequence returned {type(made).__name__}; mmbench.Sequences was expected"
        )
    if len(made) != rows:
        raise PluginError(f"encode_sequence returned {len(made)} sequences of {rows} items")
    if not made.lengths.all():
        raise PluginError("encode_sequence returned a sequence without any vector")
    if not made.values.shape[1]:
        raise PluginError("encode_sequence returned vectors of no columns")
    if not np.isfinite(made.values).all():
        raise PluginError("encode_sequence returned NaN or infinite values")
    return made
