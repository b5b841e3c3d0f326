"""Encoders, each with one defect that its name tells and otherwise right, for `mmbench check`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmbench import Sequences, hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"kind": "vector", "summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Vectors:
    """The vectors as they are."""

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items).astype(np.float32)


class Words:
    """Length, vowels and blanks of a text."""

    def encode(self, items: Sequence[str]) -> Any:
        return np.stack([self.of(text) for text in items])

    def of(self, text: str) -> np.ndarray:
        counts = [len(text), sum(map(text.count, "aeiou")), text.count(" ")]
        return np.array(counts, dtype=np.float32)


# --- what comes out -----------------------------------------------------------------------------


@broken("drops-a-row")
class DropsARow(Vectors):
    """The last item is left out."""

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items)[:-1]


@broken("list")
class ReturnsAList(Vectors):
    """A list of rows."""

    def encode(self, items: Sequence[Any]) -> Any:
        return list(super().encode(items))


@broken("flat")
class Flat(Vectors):
    """All rows in one."""

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items).ravel()


@broken("no-columns")
class NoColumns(Vectors):
    """Vectors of nothing."""

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items)[:, :0]


@broken("float64")
class Float64(Vectors):
    """Twice as large as need be."""

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items)


@broken("integers")
class Integers(Vectors):
    """Rounded."""

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items).astype(np.int64)


@broken("nan")
class Nan(Vectors):
    """The square root of a negative number."""

    def encode(self, items: Sequence[Any]) -> Any:
        with np.errstate(invalid="ignore"):
            return np.sqrt(super().encode(items))


@broken("nan-for-blank-text", kind="text")
class NanForBlankText(Words):
    """The share of vowels, of nothing."""

    def of(self, text: str) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return super().of(text) / np.float32(len(text.strip()))


@broken("rgb-only", kind="image")
class RgbOnly:
    """Three channels are taken for granted."""

    def encode(self, items: Sequence[Any]) -> Any:
        rows = [np.asarray(image, dtype=np.float32).mean((0, 1)) for image in items]
        return np.stack(rows).reshape(-1, 3)


@broken("nan-on-the-thousandth")
class NanOnTheThousandth(Vectors):
    """Its buffers are worn out after 999 items."""

    def __init__(self) -> None:
        self._done = 0

    def encode(self, items: Sequence[Any]) -> Any:
        values = super().encode(items)
        values[max(999 - self._done, 0) :] = np.nan
        self._done += len(items)
        return values


@broken("row-of-no-rows")
class RowOfNoRows(Vectors):
    """Of nothing it makes a row of zeros."""

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items) if len(items) else np.zeros((1, 12), np.float32)


@broken("chunk-of-text")
class ChunkOfText(Vectors):
    """The chunk is no number."""

    chunk = "64"


@broken("csr-not-registered")
class CsrNotRegistered(Vectors):
    """Sparse, and nobody knows."""

    def encode(self, items: Sequence[Any]) -> Any:
        from scipy import sparse

        return sparse.csr_matrix(super().encode(items))


@broken("dense-registered-sparse", sparse=True)
class DenseRegisteredSparse(Vectors):
    """Sparse is what it is said to be."""


@broken("csc", sparse=True)
class Csc(Vectors):
    """Sparse, by columns."""

    def encode(self, items: Sequence[Any]) -> Any:
        from scipy import sparse

        return sparse.csc_matrix(super().encode(items))


# --- rows and their order -----------------------------------------------------------------------


@broken("sorted-by-length", kind="text")
class SortedByLength(Words):
    """Short texts first, and they stay there."""

    def encode(self, items: Sequence[str]) -> Any:
        return super().encode(sorted(items, key=len))


@broken("order-swapped-in-large-batches")
class OrderSwappedInLargeBatches(Vectors):
    """Pieces of 32 are put together from the last to the first."""

    def encode(self, items: Sequence[Any]) -> Any:
        pieces = [super(OrderSwappedInLargeBatches, self).encode(items[i : i + 32])
                  for i in range(0, max(len(items), 1), 32)]  # fmt: skip
        return np.concatenate(pieces[::-1])


@broken("batch-mean")
class BatchMean(Vectors):
    """Centred by what is at hand."""

    def encode(self, items: Sequence[Any]) -> Any:
        values = super().encode(items)
        return values - values.mean(axis=0)


@broken("padded", kind="text")
class Padded:
    """Mean and deviation of characters, the padding to the longest of the batch included."""

    def encode(self, items: Sequence[str]) -> Any:
        codes = np.zeros((len(items), max(map(len, items), default=0) + 1), np.float32)
        for row, text in zip(codes, items, strict=True):
            row[: len(text)] = [min(ord(character), 1_000) for character in text]
        return np.stack([codes.mean(axis=1), codes.std(axis=1)], axis=1)


@broken("width-of-the-batch", kind="text")
class WidthOfTheBatch:
    """A column per word of the batch."""

    def encode(self, items: Sequence[str]) -> Any:
        words = sorted({word for text in items for word in text.split()} | {"the"})
        counts = [[text.split().count(word) for word in words] for text in items]
        return np.array(counts, dtype=np.float32).reshape(len(items), len(words))


@broken("padded-sequences", kind="text", sequences=True)
class PaddedSequences(Words):
    """Characters as sequences, all as long as the longest of the batch."""

    def encode_sequence(self, items: Sequence[str]) -> Any:
        longest = max(map(len, items)) + 1
        padded = [text.ljust(longest, "\0") for text in items]
        return Sequences.of([[[min(ord(c), 1_000)] for c in text] for text in padded])


@broken("sorted-sequences", kind="text", sequences=True)
class SortedSequences(Words):
    """Characters as sequences, short texts first, and they stay there."""

    def encode_sequence(self, items: Sequence[str]) -> Any:
        texts = sorted(items, key=len)
        return Sequences.of([[[min(ord(c), 1_000)] for c in f"{text}."] for text in texts])


class Doubled(Vectors):
    """Twice the vectors, by a network of torch."""

    factor, detached = 2.0, False

    def __init__(self) -> None:
        self._network: Any = None

    def encode(self, items: Sequence[Any]) -> Any:
        return 2 * super().encode(items)

    def module(self) -> Any:
        import torch

        if self._network is None:
            detached = self.detached

            class Network(torch.nn.Module):
                def __init__(self, factor: float) -> None:
                    super().__init__()
                    self.factor = torch.nn.Parameter(torch.tensor(factor))

                def forward(self, batch: Any) -> Any:
                    made = self.factor * batch
                    return made.detach() if detached else made

            self._network = Network(self.factor)
        return self._network

    def collate(self, items: Sequence[Any]) -> Any:
        import torch

        return torch.from_numpy(super().encode(items))


@broken("network-with-other-weights", finetune=True)
class OtherWeights(Doubled):
    """Twice the vectors, but three times by its network."""

    factor = 3.0


@broken("network-detached", finetune=True)
class Detached(Doubled):
    """Twice the vectors, by a network that cannot be trained."""

    detached = True


# --- randomness and state -----------------------------------------------------------------------


@broken("unseeded-noise")
class UnseededNoise(Vectors):
    """A projection that nobody can draw again."""

    def __init__(self) -> None:
        self._projection = np.random.default_rng().normal(size=(12, 5)).astype(np.float32)

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items) @ self._projection


@broken("global-noise")
class GlobalNoise(UnseededNoise):
    """A projection from the generator that all share."""

    def __init__(self) -> None:
        self._projection = np.random.normal(size=(12, 5)).astype(np.float32)


@broken("seeds-numpy")
class SeedsNumpy(UnseededNoise):
    """It seeds the generator that all share."""

    def __init__(self, *, seed: int) -> None:
        np.random.seed(seed)
        self._projection = np.random.normal(size=(12, 5)).astype(np.float32)


@broken("hash", kind="text")
class Hash:
    """Words are counted in sixteen buckets by `hash`, which differs between processes."""

    def encode(self, items: Sequence[str]) -> Any:
        counts = np.zeros((len(items), 16), np.float32)
        for row, text in zip(counts, items, strict=True):
            for word in text.split():
                row[hash(word) % 16] += 1
        return counts


@broken("running-mean")
class RunningMean(Vectors):
    """Centred by all that was seen so far."""

    def __init__(self) -> None:
        self._sum, self._n = np.zeros(12), 0

    def encode(self, items: Sequence[Any]) -> Any:
        values = super().encode(items)
        self._sum += values.sum(axis=0)
        self._n += len(values)
        return (values - self._sum / max(self._n, 1)).astype(np.float32)


@broken("cached-by-position")
class CachedByPosition(Vectors):
    """The vector of an item is kept under its number in the batch."""

    def __init__(self) -> None:
        self._known: dict[int, np.ndarray] = {}

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack([self._known.setdefault(i, np.float32(x)) for i, x in enumerate(items)])


@broken("cached-by-id")
class CachedById(Vectors):
    """The vector of an item is kept under its address, where another item may lie next time."""

    def __init__(self) -> None:
        self._known: dict[int, np.ndarray] = {}

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack([self._known.setdefault(id(x), np.float32(x)) for x in items])


@broken("buffer")
class Buffer(Vectors):
    """One array is returned again and again."""

    def __init__(self) -> None:
        self._buffer = np.empty((4_096, 12), np.float32)

    def encode(self, items: Sequence[Any]) -> Any:
        out = self._buffer[: len(items)]
        for row, item in zip(out, items, strict=True):
            row[:] = item
        return out


# --- what it does to others ---------------------------------------------------------------------


@broken("shifts-vectors")
class ShiftsVectors(Vectors):
    """The vectors are centred where they lie."""

    def encode(self, items: Sequence[Any]) -> Any:
        for item in items:
            item += 1
        return super().encode(items)


@broken("scribbles-on-images", kind="image")
class ScribblesOnImages:
    """Images are framed in white where they lie."""

    def encode(self, items: Sequence[Any]) -> Any:
        for image in items:
            image.paste(image.resize((1, 1)), (0, 0))
        return np.stack([np.float32(image.convert("RGB")).mean((0, 1)) for image in items])


@broken("cuda")
class Cuda(Vectors):
    """It computes on a GPU or not at all."""

    def encode(self, items: Sequence[Any]) -> Any:
        import torch

        return torch.from_numpy(super().encode(items)).cuda().cpu().numpy()
