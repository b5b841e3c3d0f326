"""Squared distances, measured once per embedding and training part, in place of vectors.

Where vectors of several modalities stand side by side, their squared distances are the sums of
those within each modality. So what is quadratic in the samples is measured per embedding and
training part; combinations of encoders add it up, and inner folds and calibration take sub-blocks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from mmbench.store import Writer
from mmbench.workshop import Workshop

BLOCK = 128
"""How many rows are worked on at once, so that they stay in the processor's cache."""

KEPT_BYTES = 2**28
"""What the kernels that a table keeps may take together."""


@dataclass(frozen=True)
class Measured:
    """What one modality says of some samples, those of a training part first.

    Attributes
    ----------
    squared : ndarray of float64, shape (n, n_train)
        Squared Euclidean distances of its vectors to those of the training part.
    means, spreads : ndarray of float64, shape (n,)
        The mean over a vector's values, and their sum of squares about it.
    width : int
        How many values a vector has.
    weight : float
        What the vectors are multiplied by.
    """

    squared: np.ndarray
    means: np.ndarray
    spreads: np.ndarray
    width: int
    weight: float = 1.0


@dataclass
class Table:
    """The modalities' measures of the same samples, and what was made of them."""

    parts: Sequence[Measured]
    _kernels: OrderedDict[tuple[float, bytes, bytes], np.ndarray] = field(
        default_factory=OrderedDict
    )

    @cached_property
    def squared(self) -> np.ndarray:
        """Squared distances over all modalities, shape (n, n_train)."""
        first, *others = self.parts
        if not others and first.weight == 1:
            return first.squared
        total = np.empty(first.squared.shape)
        for rows in _blocks(len(total)):
            np.multiply(first.squared[rows], first.weight**2, out=total[rows])
            for part in others:
                total[rows] += part.squared[rows] * part.weight**2
        return total

    def variance(self, rows: np.ndarray) -> float:
        """Return the variance of all values of some samples' vectors."""
        count = len(rows) * sum(part.width for part in self.parts)
        means = [part.weight * part.means[rows] for part in self.parts]
        centre = sum(
            part.width * mean.sum() for part, mean in zip(self.parts, means, strict=True)
        ) / count  # fmt: skip
        within = sum(part.weight**2 * part.spreads[rows].sum() for part in self.parts)
        between = sum(
            part.width * ((mean - centre) ** 2).sum()
            for part, mean in zip(self.parts, means, strict=True)
        )
        return float((within + between) / count)

    def distances(
        self, rows: np.ndarray, columns: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Give the squared distances of samples to training samples, some rows at a time."""
        for block in _blocks(len(rows)):
            yield block, self.squared[rows[block]].take(columns, axis=1)

    def kernel(self, rows: np.ndarray, columns: np.ndarray, gamma: float) -> np.ndarray:
        """Return ``exp(-gamma * squared distance)``; the last ones are kept."""
        key = (gamma, rows.tobytes(), columns.tobytes())
        if key in self._kernels:
            self._kernels.move_to_end(key)
            return self._kernels[key]
        made = np.empty((len(rows), len(columns)))
        for block, values in self.distances(rows, columns):
            values *= -gamma
            np.exp(values, out=made[block])
        made.setflags(write=False)
        self._kernels[key] = made
        while sum(kept.nbytes for kept in self._kernels.values()) > KEPT_BYTES:
            self._kernels.popitem(last=False)
        return made


class Distances:
    """Samples that are known by their squared distances to those of a training part.

    It stands where a head is otherwise given vectors (n, d), and is cut like them: ``X[rows]``.

    Attributes
    ----------
    shape : tuple of int
        How many samples there are, and how many values their vectors have.
    """

    def __init__(self, table: Table, rows: np.ndarray) -> None:
        self._table = table
        self._rows = rows

    @classmethod
    def of(cls, train: np.ndarray, *others: np.ndarray) -> list[Self]:
        """Measure dense vectors (n, d): those of the training part, then any others."""
        rows = np.concatenate([train, *others])
        squared = np.empty((len(rows), len(train)))
        means, spreads = measure(train, rows, squared)
        return cls.parted(
            Table([Measured(squared, means, spreads, train.shape[1])]),
            [len(train), *map(len, others)],
        )

    @classmethod
    def parted(cls, table: Table, sizes: Sequence[int]) -> list[Self]:
        """Return the samples of a table in consecutive parts."""
        ends = np.cumsum(sizes)
        return [
            cls(table, np.arange(end - size, end)) for size, end in zip(sizes, ends, strict=True)
        ]

    @property
    def shape(self) -> tuple[int, int]:
        """How many samples there are, and how many values their vectors have."""
        return len(self._rows), sum(part.width for part in self._table.parts)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Self:
        """Return some of the samples, chosen as rows of an array are."""
        return type(self)(self._table, np.atleast_1d(self._rows[rows]))

    def var(self) -> float:
        """Return the variance of all values of the samples' vectors."""
        return self._table.variance(self._rows)

    def squared(self, train: Self) -> np.ndarray:
        """Return squared distances (n, m), float64, to ``m`` samples of the training part."""
        made = np.empty((len(self), len(train)))
        for block, values in self._table.distances(self._rows, train._rows):
            made[block] = values
        return made

    def gaussian(self, train: Self, gamma: float) -> np.ndarray:
        """Return ``exp(-gamma * squared distance)`` (n, m), float64 and read-only.

        The last ones asked for are kept, up to 256 MiB of them.
        """
        return self._table.kernel(self._rows, train._rows, gamma)


def measure(
    train: np.ndarray, rows: np.ndarray, squared: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measure vectors (n, d), the first of which are the training part's (n_train, d).

    Both are moved to the training part's mean first, which changes no distance and keeps the
    difference of large squares exact.

    Parameters
    ----------
    train, rows : ndarray of float64
    squared : ndarray of float64, shape (n, n_train)
        Filled with the squared distances, some rows at a time.

    Returns
    -------
    means, spreads : ndarray of float64, shape (n,)
        As in `Measured`.
    """
    origin = train.mean(axis=0)
    centred = train - origin
    lengths = np.einsum("ij,ij->i", centred, centred)
    for block in _blocks(len(rows)):
        given, into = rows[block] - origin, squared[block]
        np.matmul(given, centred.T, out=into)
        into *= -2
        into += lengths
        into += np.einsum("ij,ij->i", given, given)[:, None]
        np.maximum(into, 0, out=into)
    np.fill_diagonal(squared, 0)
    means = rows.mean(axis=1)
    return means, ((rows - means[:, None]) ** 2).sum(axis=1)


def store(spec: Mapping[str, Any], workshop: Workshop, writer: Writer) -> None:
    """Measure one modality's features and store what `Measured` holds."""
    from mmbench.pipeline import to_dense
    from mmbench.steps import features

    made = features(spec, workshop, workshop.array(spec["others"]))
    train, others = (to_dense(part[spec["modality"]]) for part in made)
    rows = np.concatenate([train, others])
    squared = writer.memmap("squared", (len(rows), len(train)), np.float64)
    means, spreads = measure(train, rows, squared)
    writer.save("means", means)
    writer.save("spreads", spreads)
    writer.meta["width"] = train.shape[1]


def read(
    spec: Mapping[str, Any], workshop: Workshop, rowsets: Sequence[np.ndarray]
) -> list[Distances]:
    """Return the training part and further sets of rows, each of which was measured."""
    parts = []
    for key, weight in spec["measured"]:
        artefact = workshop.store.open(key)
        arrays = (artefact.array(name) for name in ("squared", "means", "spreads"))
        parts.append(Measured(*arrays, artefact.meta["width"], weight))
    known = np.concatenate([workshop.array(spec["train"]), workshop.array(spec["others"])])
    order = np.argsort(known)
    table = Table(parts)
    return [
        Distances(table, order[np.searchsorted(known, rows, sorter=order)]) for rows in rowsets
    ]


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, start + BLOCK)
