"""Reading arrays by key from npz and mat files and from folders of npy files. Nothing is run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmbench_manifest.tables import nearest, why_missing

EXTENSIONS = (".npz", ".npy", ".mat")


@dataclass(frozen=True)
class Source:
    """A file or folder that holds arrays.

    Attributes
    ----------
    path : Path
        Its place; its name begins every error.
    keys : tuple of str
        What it holds, in its own order.
    load : callable
        Key to array; raises whatever its format's reader does.
    """

    path: Path
    keys: tuple[str, ...]
    load: Callable[[str], Any]

    def read(self, key: str, option: str) -> np.ndarray:
        """Return an array, bytes as texts; ``option`` is what names it in the matrix file.

        Raises
        ------
        ValueError
            If there is none of that key, or it is no array of numbers, texts or booleans.
        """
        if key not in self.keys:
            shown = ", ".join(map(repr, self.keys[:8])) + (", ..." if len(self.keys) > 8 else "")
            hint = nearest(key, self.keys) or f"; it holds {shown or 'none'}"
            raise ValueError(f"{self.path.name}: {option}: no array {key!r}{hint}")
        try:
            array = self.load(key)
        except MemoryError:
            raise
        except Exception as error:  # readers of foreign files raise whatever they like
            reason = str(error).partition("\n")[0] or type(error).__name__
            if "allow_pickle" in reason:
                reason = (
                    "it holds Python objects, which are not unpickled; "
                    "save numbers, or texts as np.array(texts, dtype=str)"
                )
            raise ValueError(f"{self.path.name}: {option}: {key!r} cannot be read: {reason}") from (
                error
            )
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufUS":
            raise ValueError(
                f"{self.path.name}: {option}: {key!r} is {_described(array)}; "
                "expected an array of numbers, texts or booleans"
            )
        if not array.ndim:
            raise ValueError(f"{self.path.name}: {option}: {key!r} is a single value")
        if array.dtype.kind == "S":
            try:
                return np.char.decode(array, "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{self.path.name}: {option}: {key!r} holds bytes that are not UTF-8 text"
                ) from error
        return array


def open_source(path: Path, option: str) -> Source:
    """Open an npz or mat file, an npy file, or a folder of npy files.

    The key of an npy file is its name without the extension.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    ValueError
        If it is no such file, or broken, or a mat file of version 7.3.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".npy")
        return _of_npy(path, files)
    if not path.is_file():
        raise FileNotFoundError(f"{option}: no file {path.name!r}: {why_missing(path)}")
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise ValueError(
            f"{path.name}: {option}: unknown extension {path.suffix!r}; "
            f"expected {', '.join(EXTENSIONS)} or a folder of .npy files"
        )
    if extension == ".npy":
        return _of_npy(path, [path])
    return _of_npz(path) if extension == ".npz" else _of_mat(path)


def _of_npy(path: Path, files: Iterable[Path]) -> Source:
    by_key = {file.stem: file for file in files}

    def load(key: str) -> np.ndarray:
        return np.load(by_key[key], mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    return Source(path, tuple(by_key), load)


def _of_npz(path: Path) -> Source:
    def load(key: str) -> np.ndarray:
        with np.load(path, allow_pickle=False) as file:
            return file[key]  # type: ignore[no-any-return]

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name}: cannot be read as npz: {error}") from error
    return Source(path, tuple(name.removesuffix(".npy") for name in names), load)


def _of_mat(path: Path) -> Source:
    from scipy.io import loadmat, whosmat

    def load(key: str) -> Any:
        return _texts(loadmat(path, variable_names=[key])[key])

    try:
        keys = tuple(name for name, _, _ in whosmat(path))
    except NotImplementedError as error:
        raise ValueError(
            f"{path.name}: a MATLAB file of version 7.3 (HDF5), which is not read; "
            "save it with '-v7', or as .npz"
        ) from error
    except Exception as error:  # broken files end in all sorts of errors
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path.name}: cannot be read as mat: {reason}") from error
    return Source(path, keys, load)


def _texts(array: Any) -> Any:
    """Return MATLAB's texts as an array of strings: cells of texts, or rows of characters."""
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype.kind == "U":  # rows are padded with blanks
        return np.char.rstrip(array)
    cells = list(array.ravel()) if array.dtype.kind == "O" else []
    if cells and all(isinstance(c, np.ndarray) and c.dtype.kind == "U" for c in cells):
        texts = [str(cell.ravel()[0]) if cell.size else "" for cell in cells]
        return np.array(texts).reshape(array.shape)
    return array


def _described(array: Any) -> str:
    if not isinstance(array, np.ndarray):
        sparse = hasattr(array, "tocsr")
        return "a sparse matrix" if sparse else f"a {type(array).__name__}"
    if array.dtype.names is not None:
        return "a struct"
    return "a cell array of mixed content" if array.dtype.kind == "O" else f"of {array.dtype}"
