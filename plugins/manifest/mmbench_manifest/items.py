"""A modality's items: sequences that decode on access, know what is missing and hash content."""

from __future__ import annotations

import hashlib
import operator
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np


@dataclass(frozen=True)
class Audio:
    """A sound.

    Attributes
    ----------
    samples : ndarray of float32, shape (frames, channels)
        In [-1, 1] where the file holds integers.
    sample_rate : int
        Frames per second.
    """

    samples: np.ndarray
    sample_rate: int


class Items(Sequence[Any]):
    """A modality's items, one per sample, None where missing.

    Attributes
    ----------
    missing : ndarray of bool, shape (n,)
        Known without decoding.
    """

    def __init__(self, missing: Iterable[bool]) -> None:
        self.missing = np.array(list(missing), dtype=bool)

    def __len__(self) -> int:
        return len(self.missing)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"no item {position} among {len(self)}")
        position %= len(self)
        return None if self.missing[position] else self._item(position)

    @abstractmethod
    def _item(self, index: int) -> Any:
        """Decode an item that is not missing."""

    @abstractmethod
    def digest(self) -> str:
        """Hash the content of all items in row order, and nothing else."""


class Texts(Items):
    """Strings."""

    def __init__(self, values: Sequence[str | None]) -> None:
        super().__init__(value is None for value in values)
        self._values = values

    def _item(self, index: int) -> str:
        return self._values[index]  # type: ignore[return-value]

    def digest(self) -> str:
        """Hash the strings."""
        texts = (
            None if value is None else value.encode(errors="surrogatepass")
            for value in self._values
        )
        return hash_items(b"text", texts)


class Vectors(Items):
    """The rows of a matrix in memory or memory-mapped, given as float32 or float64.

    Parameters
    ----------
    matrix : ndarray of shape (n, d)
        float32 and float64 stay; other numbers are widened on access.
    missing : iterable of bool
        True for rows to be given as None.
    source : str
        Named where a row turns out to hold NaN or infinity.
    """

    def __init__(self, matrix: np.ndarray, missing: Iterable[bool], source: str) -> None:
        super().__init__(missing)
        self._matrix = matrix
        self._source = source

    def _item(self, index: int) -> np.ndarray:
        try:
            return as_vector(self._matrix[index])
        except ValueError as error:
            raise ValueError(f"{self._source}, row {index + 1}: {error}") from error

    def digest(self) -> str:
        """Hash the numbers, their type and the shape."""
        head = f"vector {self._matrix.dtype.str} {self._matrix.shape[1]}".encode()
        rows = zip(self._matrix, self.missing, strict=True)
        return hash_items(head, (None if missing else row.tobytes() for row, missing in rows))


class Files(Items):
    """Files read on access.

    Parameters
    ----------
    kind : str
        Part of the hash: the same bytes read as another kind are other items.
    folder : Path
        What the names are relative to.
    names : sequence of str or None
        A file per sample, as the manifest names it.
    read : callable
        Path to item.

    Notes
    -----
    An access raises `OSError` that names the file if it cannot be read.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        names: Sequence[str | None],
        read: Callable[[Path], Any],
    ) -> None:
        super().__init__(name is None for name in names)
        self._kind = kind
        self._folder = folder
        self._names = names
        self._read = read

    def _item(self, index: int) -> Any:
        name = self._names[index]
        assert name is not None
        with unreadable(name, self._kind):
            return self._read(self._folder / name)

    def digest(self) -> str:
        """Hash the bytes of the files; their names do not matter."""
        return hash_items(f"{self._kind} {self._reading}".encode(), self._hashes())

    _reading = "files"
    """Part of the hash: the same bytes read in another way are other items."""

    def _hashes(self) -> Iterator[bytes | None]:
        """Give a hash per row; a file that many rows name is read once."""
        known: dict[str, bytes] = {}
        for name in self._names:
            if name is not None and name not in known:
                known[name] = self._content_hash(self._folder / name)
            yield None if name is None else known[name]

    def _content_hash(self, path: Path) -> bytes:
        return file_hash(path)


class Images(Files):
    """Images in files of their own, given upright."""

    _reading = "files, upright"

    def __init__(self, folder: Path, names: Sequence[str | None]) -> None:
        super().__init__("image", folder, names, read_image)


class Segments(Files):
    """Parts of sound files.

    Parameters
    ----------
    folder : Path
        What the names are relative to.
    names : sequence of str or None
        A file per sample, as the manifest names it.
    starts, ends : sequence of float or None
        Seconds; None is the beginning, and the end, of the file.

    Notes
    -----
    Only the frames of the part are read. An access raises `OSError` that names file and row if
    the part is not wholly within the file.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str | None],
        starts: Sequence[float | None],
        ends: Sequence[float | None],
    ) -> None:
        super().__init__("audio", folder, names, read_audio)
        self._starts = starts
        self._ends = ends

    def _item(self, index: int) -> Audio:
        name = self._names[index]
        assert name is not None
        with unreadable(f"{name}, row {index + 1},", self._kind):
            return read_audio(self._folder / name, self._starts[index] or 0.0, self._ends[index])

    def digest(self) -> str:
        """Hash the bytes of the files and the borders of the parts."""
        borders = zip(self._starts, self._ends, strict=True)
        parts = (
            content and content + f"{start or 0.0!r} {end!r}".encode()
            for content, (start, end) in zip(self._hashes(), borders, strict=True)
        )
        return hash_items(b"audio segments", parts)


class VectorFiles(Files):
    """Vectors in npy files of their own, all of one length."""

    def __init__(self, folder: Path, names: Sequence[str | None]) -> None:
        super().__init__("vector", folder, names, read_vector)

    @cached_property
    def _length(self) -> int:
        return len(super()._item(int(np.argmin(self.missing))))

    def _item(self, index: int) -> np.ndarray:
        vector: np.ndarray = super()._item(index)
        if len(vector) != self._length:
            raise ValueError(
                f"{self._names[index]} holds {len(vector)} numbers; "
                f"the first file of the column holds {self._length}"
            )
        return vector


@contextmanager
def unreadable(name: str, kind: str) -> Iterator[None]:
    """Turn what a decoder raises into `OSError` with one line that names the file."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # decoders of foreign files raise whatever they like
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise OSError(f"{name} cannot be read as {kind}: {reason}") from error


def read_image(path: Path) -> Any:
    """Decode an image file in its own mode and size, upright: turned as its EXIF data asks."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        return image


def read_audio(path: Path, start: float = 0.0, end: float | None = None) -> Audio:
    """Decode a sound file, or a part of it, at its own rate and with all its channels.

    Parameters
    ----------
    path : Path
        The file.
    start, end : float
        Seconds, rounded to the nearest frame; None is the end of the file.

    Raises
    ------
    ValueError
        If there is no sound, or less than is asked for.
    """
    import soundfile

    with soundfile.SoundFile(path) as file:
        rate, frames = file.samplerate, file.frames
        if not frames:
            raise ValueError("it holds no sound")
        first, last = round(start * rate), frames if end is None else round(end * rate)
        if first >= frames:
            raise ValueError(f"the segment begins at {start} s of {frames / rate:.6g} s")
        if last > frames:
            raise ValueError(f"the segment ends at {end} s of {frames / rate:.6g} s")
        if first == last:
            raise ValueError(f"from {start} to {end} s there is no frame at {rate} Hz")
        file.seek(first)
        samples = file.read(last - first, dtype="float32", always_2d=True)
    if end is not None and len(samples) < last - first:
        raise ValueError(f"the segment ends at {end} s; the file is cut short before")
    return Audio(samples, rate)


def read_vector(path: Path) -> np.ndarray:
    """Read an npy file that holds one vector."""
    return as_vector(np.load(path, allow_pickle=False))


def as_vector(values: Any) -> np.ndarray:
    """Return a copy as float32 where that holds every value of its type, else as float64.

    Raises
    ------
    ValueError
        If it is anything else than finite numbers in one dimension.
    """
    row = np.asarray(values)
    if row.ndim != 1 or not row.size or row.dtype.kind not in "biuf":
        raise ValueError("expected numbers in one dimension")
    narrow = np.result_type(row.dtype, np.float32) == np.float32
    vector = np.array(row, dtype=np.float32 if narrow else np.float64)
    if not np.isfinite(vector).all():
        raise ValueError("NaN or infinity is no number to learn from")
    return vector


def hash_items(head: bytes, items: Iterable[bytes | None]) -> str:
    """Hash items so that neither their borders nor a missing one can be mistaken."""
    digest = hashlib.blake2b(head + b"\0", digest_size=20)
    for item in items:
        digest.update(b"\0" if item is None else b"\1" + len(item).to_bytes(8, "little"))
        digest.update(item or b"")
    return digest.hexdigest()


def file_hash(path: Path) -> bytes:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).digest()
