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

from mmbench.pipeline import Clock, to_dense
from mmbench.prepared import features
from mmbench.scratch import Scratch
from mmbench.store import Writer
from mmbench.workshop import Workshop

BLOCK = 128
"""How many rows are worked on at once, so that they stay in the processor's cache."""

COLUMNS = 2048
"""How many columns are measured at once, so that wide vectors are not copied whole."""

KEPT_BYTES = 2**27
"""What the kernels that a table keeps may take together."""

SCRATCH = Scratch(2**29)
"""What a process works in."""


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
        total = SCRATCH.empty(first.squared.shape)
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
        """Return ``exp(-gamma * squared distance)``, none NaN; the last ones are kept."""
        key = (gamma, rows.tobytes(), columns.tobytes())
        if key in self._kernels:
            self._kernels.move_to_end(key)
            return self._kernels[key]
        made = SCRATCH.empty((len(rows), len(columns)))
        symmetric = len(columns) if np.array_equal(rows, columns) else 0
        for block, start in _above_diagonal(len(rows), symmetric):
            values = self.squared[rows[block]].take(columns[start:], axis=1)
            values *= -gamma
            np.exp(values, out=made[block, start:])
            if np.isnan(made[block, start:].sum()):
                raise ValueError("the vectors are too large: their distances are not finite")
        if symmetric:
            _mirror(made)
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
        parts = [train, *others]
        squared = SCRATCH.empty((sum(map(len, parts)), len(train)))
        measured = Measured(squared, *measure(parts, squared), train.shape[1])
        return cls.parted(Table([measured]), [len(part) for part in parts])

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

        The last ones asked for are kept, up to 128 MiB of them. None is NaN: `ValueError` where
        distances are.
        """
        return self._table.kernel(self._rows, train._rows, gamma)


def measure(parts: Sequence[np.ndarray], squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure vectors (n, d): those of the training part (n_train, d), then any others.

    All are moved to the training part's mean first, which changes no distance and keeps the
    difference of large squares exact.

    Parameters
    ----------
    parts : sequence of ndarray of float64, shape (n_part, d)
        Consecutive parts of the samples, the training part first.
    squared : ndarray of float64, shape (n, n_train)
        Is filled with the squared distances.

    Returns
    -------
    means, spreads : ndarray of float64, shape (n,)
        As in `Measured`.
    """
    train = parts[0]
    means = np.concatenate([part.mean(axis=1) for part in parts])[:, None]
    spreads = np.zeros(len(means))
    for columns in _blocks(train.shape[1], COLUMNS):
        rows = np.concatenate([part[:, columns] for part in parts])
        spreads += ((rows - means) ** 2).sum(axis=1)
        rows -= train[:, columns].mean(axis=0)
        lengths = np.einsum("ij,ij->i", rows, rows)[:, None]
        ones = np.ones_like(lengths)
        left = np.hstack([rows, lengths, ones])
        right = np.hstack([-2 * rows[: len(train)], ones[: len(train)], lengths[: len(train)]])
        for block, start in _above_diagonal(len(left), len(train)):
            product = left[block] @ right[start:].T  # |x|^2 - 2 xy + |y|^2
            np.maximum(product, 0, out=product)
            if columns.start:
                product += squared[block, start:]
            squared[block, start:] = product
    _mirror(squared)
    np.fill_diagonal(squared, 0)
    return means[:, 0], spreads


def store(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Measure one modality's features and store what `Measured` holds: a job."""
    with clock.phase("fit"):
        made = features(spec, workshop, workshop.array(spec["others"]))
        parts = [to_dense(part[spec["modality"]]) for part in made]
        n_train, width = parts[0].shape
        squared = writer.memmap("squared", (sum(map(len, parts)), n_train), np.float64)
        means, spreads = measure(parts, squared)
    writer.save("means", means)
    writer.save("spreads", spreads)
    writer.meta["width"] = width


def read(
    spec: Mapping[str, Any], workshop: Workshop, rowsets: Sequence[np.ndarray]
) -> list[Distances]:
    """Return the training part and further sets of rows, each of which was measured."""
    parts = []
    for key, weight in spec["measured"]:
        stored = workshop.store.open(key)
        squared, means, spreads = map(stored.array, ("squared", "means", "spreads"))
        parts.append(Measured(squared, means, spreads, stored.meta["width"], weight))
    known = np.concatenate([workshop.array(spec["train"]), workshop.array(spec["others"])])
    order = np.argsort(known)
    table = Table(parts)
    return [Distances(table, order[np.searchsorted(known, rows, sorter=order)]) for rows in rowsets]


def _above_diagonal(n: int, symmetric: int) -> Iterator[tuple[slice, int]]:
    """Give the rows of a matrix in blocks, each with the first column that is to be computed.

    In the first ``symmetric`` rows and columns, what lies left of a block on the diagonal is what
    lies above it.
    """
    for block in _blocks(symmetric):
        yield block, block.start
    for block in _blocks(n - symmetric):
        yield slice(symmetric + block.start, symmetric + block.stop), 0


def _mirror(values: np.ndarray) -> None:
    """Fill in what lies left of the diagonal's blocks in a matrix (n, m), n >= m, row by row."""
    m = values.shape[1]
    for block in _blocks(m):
        values[block.stop : m, block] = values[block, block.stop :].T


def _blocks(n: int, size: int | None = None) -> Iterator[slice]:
    size = size or BLOCK
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
