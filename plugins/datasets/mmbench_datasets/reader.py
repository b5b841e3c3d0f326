"""The arrays of a data set by key, those of several parts one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmbench_manifest.dataset import PARTS
from mmbench_manifest.tables import nearest

from mmbench_datasets.sources import Source, open_source

PART = "{part}"


class Reader:
    """Arrays of a file, a folder, or of several that differ in the part's name.

    Parameters
    ----------
    path : Path
        Where keys are looked up; it may hold ``{part}``.
    parts : list of str or None
        What stands for ``{part}``, in this order.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file of the path cannot be opened, or parts are no train, validation and test.
    """

    def __init__(self, path: Path, parts: list[str] | None) -> None:
        self.path = path
        self.parts = parts
        self._sources: dict[Path, Source] = {}
        for part in parts or ():
            if part.casefold() not in PARTS:
                raise self.error(
                    f"parts: unknown part {part!r}; "
                    f"expected train, validation or test{nearest(part, PARTS)}"
                )
        meant = [PARTS[part.casefold()] for part in parts or ()]
        if parts is not None and not ({"train", "test"} <= set(meant) and _distinct(meant)):
            raise self.error(f"parts: given {', '.join(parts)}; expected train and test, each once")
        for name in self._named(str(path)):
            self._open(Path(name), "path")

    def error(self, message: str) -> ValueError:
        """Return the error to raise, beginning with the file's name."""
        return ValueError(f"{self.path.name}: {message}")

    def pieces(self, key: str, option: str) -> list[list[Any]]:
        """Return the values of a key, by part: one per sample, None where they are NaN.

        Raises
        ------
        ValueError
            If an array is more than one value per sample.
        """
        arrays = [self._values(array, key, option) for array in self._arrays(key, None, option)]
        return [[_plain(value) for value in array.tolist()] for array in arrays]

    def array(self, key: str | None, file: str | None, option: str, axis: int) -> np.ndarray:
        """Return an array with the samples along its first axis, of all parts together.

        Parameters
        ----------
        key : str or None
            None for a file of one array.
        file : str or None
            Relative to the folder of `path`; None for `path` itself.
        option : str
            What names it in the matrix file.
        axis : int
            The axis of the samples.
        """
        arrays = []
        for array in self._arrays(key, file, option):
            if not -array.ndim <= axis < array.ndim:
                shape = f"{key or file!r} is of shape {array.shape}"
                raise self.error(f"{option}.axis: {shape}, which has no axis {axis}")
            arrays.append(np.moveaxis(array, axis, 0))
        if len(arrays) == 1:
            return arrays[0]
        if not _alike(arrays):
            shapes = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
            raise self.error(f"{option}: the parts do not fit together: {shapes}")
        return np.concatenate(arrays)

    def _arrays(self, key: str | None, file: str | None, option: str) -> list[np.ndarray]:
        folder = self.path if self.path.is_dir() else self.path.parent
        path = str(self.path if file is None else folder / file)
        where = option if file is None else f"{option}.file"
        pairs = self._named(path, key or "")
        return [self._array(self._open(Path(p), where), k, option) for p, k in pairs]

    def _named(self, *texts: str) -> list[Any]:
        """Return texts as they are for each part; once, where they do not name the part."""
        if self.parts is None or not any(PART in text for text in texts):
            found = [texts]
        else:
            found = [tuple(text.replace(PART, p) for text in texts) for p in self.parts]
        return found if len(texts) > 1 else [text for (text,) in found]

    def _array(self, source: Source, key: str, option: str) -> np.ndarray:
        if not key:
            if len(source.keys) != 1:
                shown = ", ".join(map(repr, source.keys[:8])) or "none"
                raise ValueError(f"{source.path.name}: {option}: key is missing; it holds {shown}")
            key = source.keys[0]
        return source.read(key, option)

    def _open(self, path: Path, option: str) -> Source:
        if path not in self._sources:
            self._sources[path] = open_source(path, option)
        return self._sources[path]

    def _values(self, array: np.ndarray, key: str, option: str) -> np.ndarray:
        if array.size != max(array.shape):  # MATLAB gives (n, 1) or (1, n)
            raise self.error(
                f"{option}: {key!r} is of shape {array.shape}; expected one value per sample"
            )
        return array.ravel()


def _distinct(names: list[str]) -> bool:
    return len(set(names)) == len(names)


def _alike(arrays: list[np.ndarray]) -> bool:
    """Whether arrays can follow each other: texts of any length, else of one type and shape."""
    types = {"text" if array.dtype.kind == "U" else array.dtype for array in arrays}
    return len(types) == 1 and len({array.shape[1:] for array in arrays}) == 1


def _plain(value: Any) -> Any:
    """Return a value as a table holds it: MATLAB's whole doubles are integers."""
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else value
    return value
