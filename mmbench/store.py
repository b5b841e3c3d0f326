"""Content-addressed artefacts on disk: written once, checksummed, memory-mapped by all.

An artefact is a folder named by its key: ``meta.json`` beside one ``.npy`` file per array. It is
written under a temporary name and renamed, so that it is there wholly or not at all. A sparse
matrix is kept as its three CSR arrays, `Sequences` as their values and offsets.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.errors import DamagedArtefactError, UserError
from mmbench.sequences import Sequences

if TYPE_CHECKING:
    from scipy import sparse

FORMAT = "1"
ABANDONED = 86400.0
"""Seconds after which what is not whole was left behind by a process that died."""

_CSR = ("data", "indices", "indptr", "shape")


def default_location() -> str:
    """Return ``MMBENCH_STORE``, or the user's cache folder."""
    import platformdirs

    return os.environ.get("MMBENCH_STORE") or platformdirs.user_cache_dir("mmbench")


def store_at(location: str | Path | None = None) -> Store:
    """Return the store in a folder or, such as ``s3://bucket/prefix``, at a URL.

    Raises
    ------
    UserError
        It cannot be used.
    """
    place = default_location() if location is None else location
    if isinstance(place, str) and "://" in place and not place.startswith("file://"):
        from mmbench.remote import RemoteStore

        return RemoteStore(place)
    return Store(Path(str(place).removeprefix("file://")).expanduser())


def read_meta(content: bytes, key: str) -> dict[str, Any]:
    """Return the record in a ``meta.json``; raise `DamagedArtefactError`."""
    try:
        meta: dict[str, Any] = json.loads(content)
        files = meta["files"]
        if digest(canonical_meta(meta)) != meta["checksum"] or not isinstance(files, dict):
            raise ValueError("checksum")
    except (ValueError, KeyError, TypeError):
        raise DamagedArtefactError(key) from None
    return meta


class Artefact:
    """A stored result, opened for reading."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key

    @cached_property
    def meta(self) -> dict[str, Any]:
        """What was recorded with the arrays."""
        try:
            content = (self.folder / "meta.json").read_bytes()
        except OSError:
            raise DamagedArtefactError(self.key) from None
        return read_meta(content, self.key)

    def verify(self) -> None:
        """Compare every file with its checksum; raise `DamagedArtefactError`."""
        for name, expected in self.meta["files"].items():
            try:
                content = np.memmap(self.folder / name, mode="r")
                if digest(content) != expected:
                    raise DamagedArtefactError(self.key)
            except (OSError, ValueError):
                raise DamagedArtefactError(self.key) from None

    def __contains__(self, name: str) -> bool:
        files = self.meta["files"]
        return f"{name}.npy" in files or f"{name}.data.npy" in files

    def array(self, name: str) -> np.ndarray:
        """Return a dense array, memory-mapped and read-only."""
        try:
            array: np.ndarray = np.load(
                self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False
            )
        except (OSError, ValueError):
            raise DamagedArtefactError(self.key) from None
        return array

    def matrix(self, name: str) -> np.ndarray | sparse.csr_matrix | Sequences:
        """Return an array or, where such were stored, a CSR matrix or sequences."""
        if f"{name}.offsets.npy" in self.meta["files"]:
            return Sequences(self.array(name), self.array(f"{name}.offsets"))
        if f"{name}.data.npy" not in self.meta["files"]:
            return self.array(name)
        from scipy import sparse

        data, indices, indptr, shape = (self.array(f"{name}.{part}") for part in _CSR)
        return sparse.csr_matrix((data, indices, indptr), shape=tuple(shape))


class Writer:
    """Collects the arrays and the record of an artefact being made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = {}

    def save(self, name: str, value: Any) -> None:
        """Write a dense array or a CSR matrix."""
        if hasattr(value, "tocsr"):
            value = value.tocsr()
            value.sort_indices()
            parts = (value.data, value.indices, value.indptr, np.asarray(value.shape))
            for part, array in zip(_CSR, parts, strict=True):
                self.save(f"{name}.{part}", array)
        else:
            np.save(self.folder / f"{name}.npy", np.ascontiguousarray(value), allow_pickle=False)

    def memmap(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.memmap:
        """Return an array on disk to be filled piece by piece."""
        path = self.folder / f"{name}.npy"
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)

    @contextmanager
    def growing(self, name: str) -> Iterator[Callable[[np.ndarray], None]]:
        """Give what appends rows to an array on disk; the first ones set its type and columns."""
        header: dict[str, Any] = {}
        rows = 0
        with (self.folder / f"{name}.npy").open("wb") as file:

            def append(values: np.ndarray) -> None:
                nonlocal rows
                values = np.ascontiguousarray(values)
                if not header:
                    header.update(np.lib.format.header_data_from_array_1_0(values))
                    np.lib.format.write_array_header_1_0(file, header)
                file.write(values.tobytes())
                rows += len(values)

            yield append
            if header:  # NumPy leaves room for the number of rows to grow
                header["shape"] = (rows, *header["shape"][1:])
                file.seek(0)
                np.lib.format.write_array_header_1_0(file, header)


class Store:
    """A folder of artefacts, shared by any number of processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.objects = folder / f"v{FORMAT}"
        self._verified: set[str] = set()
        try:
            self.objects.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"store {folder}: cannot be used: {error.strerror}") from None

    @property
    def location(self) -> str | Path:
        """Where it is, as `store_at` takes it, for any process."""
        return self.folder.resolve()

    def _path(self, key: str) -> Path:
        return self.objects / key[:2] / key

    def __contains__(self, key: str) -> bool:
        return (self._path(key) / "meta.json").is_file()

    def present(self, keys: Iterable[str]) -> set[str]:
        """Return which of the keys are there: of those that are not, no file is asked for."""
        known = set(self)
        return {key for key in keys if key in known and key in self}

    def open(self, key: str) -> Artefact:
        """Open an artefact, its files verified once in this process.

        Raises
        ------
        DamagedArtefactError
            It is not there, or not what was written; what is left of it is removed.
        """
        artefact = Artefact(self._path(key), key)
        if key not in self._verified:
            try:
                artefact.verify()
            except DamagedArtefactError:
                self.remove(key)
                raise
            self._verified.add(key)
        return artefact

    def verify(self, key: str) -> None:
        """Compare an artefact with its checksums; raise `DamagedArtefactError`, as `open` does."""
        self.open(key)

    def meta(self, key: str) -> dict[str, Any] | None:
        """Return what was recorded with an artefact; None where it is not there or damaged."""
        try:
            return Artefact(self._path(key), key).meta
        except DamagedArtefactError:
            return None

    def size(self, key: str) -> int:
        """Return an artefact's bytes on disk."""
        return sum(file.stat().st_size for file in self._path(key).iterdir())

    def made(self, key: str) -> float:
        """Return when an artefact was written, in seconds since the epoch."""
        return self._path(key).stat().st_mtime

    @contextmanager
    def create(self, key: str) -> Iterator[Writer]:
        """Write an artefact: all of it appears at the end of the block, or nothing.

        Where another process was faster, its artefact stays and this one is dropped.
        """
        with self._new(key) as folder:
            writer = Writer(folder)
            yield writer
            files = {
                file.name: digest(np.memmap(file, mode="r")) for file in sorted(folder.iterdir())
            }
            meta = {**writer.meta, "files": files}
            meta["checksum"] = digest(canonical_meta(meta))
            (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), "utf-8")
            self._publish(folder, key)

    @contextmanager
    def _new(self, key: str) -> Iterator[Path]:
        """Give a folder beside the artefact's place; it is gone after the block."""
        self._path(key).parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=self.objects))
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, folder: Path, key: str) -> None:
        """Rename a finished artefact to its place, unless a whole one is there."""
        for last in (False, True):
            try:
                folder.rename(self._path(key))
            except OSError:
                if key in self:  # another process was faster: verified when it is opened
                    return
                if last:
                    raise
                self.remove(key)  # its record is missing: what is left is no use
            else:
                self._verified.add(key)
                return

    def put_array(self, key: str, array: np.ndarray) -> None:
        """Store one small array under a key made from its content."""
        if key not in self:
            with self.create(key) as writer:
                writer.meta["kind"] = "array"
                writer.save("values", array)

    def remove(self, key: str) -> None:
        """Remove an artefact, whatever state it is in."""
        self._verified.discard(key)
        path = self._path(key)
        if path.exists():
            gone = Path(tempfile.mkdtemp(prefix=".old-", dir=self.objects))
            with suppress(OSError):  # another process was faster
                path.rename(gone / key)
            shutil.rmtree(gone, ignore_errors=True)

    def __iter__(self) -> Iterator[str]:
        """Return the keys of all artefacts."""
        for shelf in sorted(self.objects.glob("??")):
            yield from sorted(folder.name for folder in shelf.iterdir())

    def sweep(self) -> None:
        """Remove folders that killed processes left behind: those not written to for a day."""
        newest = time.time() - ABANDONED
        for folder in (*self.objects.glob(".new-*"), *self.objects.glob(".old-*")):
            if _changed(folder) < newest:
                shutil.rmtree(folder, ignore_errors=True)


def _changed(folder: Path) -> float:
    """Return when anything in a folder was last written; now where it is being removed."""
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:
        return time.time()


def canonical_meta(meta: dict[str, Any]) -> bytes:
    """Return the record as bytes, without its own checksum."""
    content = {k: v for k, v in meta.items() if k != "checksum"}
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()


def digest(content: Any) -> str:
    """Return a checksum of bytes or of a memory-mapped file."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()
