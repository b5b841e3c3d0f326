"""What the data sets of this package share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np
from mmbench_manifest.items import Items
from mmbench_manifest.labels import NUMBER
from mmbench_manifest.tables import Table, nearest

CHUNK = 1024


class Samples:
    """Labelled samples whose items are known by modality.

    Attributes
    ----------
    modalities : dict of str to str
        Name to kind.
    labels : ndarray of int64, shape (n,)
        Codes into `classes`.
    classes : list of str
        false, true; or by value; or by string.
    ids : list of str
        Unique.
    split : ndarray of str, shape (n,), or None
        ``"train"``, ``"validation"`` or ``"test"``.
    folds : ndarray, shape (n,), or None
        Every value is the test part once.
    groups : ndarray, shape (n,), or None
        No value may stand in two parts of a split.
    """

    modalities: dict[str, str]
    labels: np.ndarray
    classes: list[str]
    ids: list[str]
    split: np.ndarray | None = None
    folds: np.ndarray | None = None
    groups: np.ndarray | None = None
    _items: Mapping[str, Items]

    def items(self, modality: str) -> Items:
        """Return a modality's items, decoded on access, with the bool array ``missing``.

        Raises
        ------
        ValueError
            If there is no such modality.
        """
        if modality not in self._items:
            raise ValueError(f"no modality {modality!r}{nearest(modality, self._items)}")
        return self._items[modality]

    def fingerprint(self, modality: str) -> str:
        """Return a hash of the items' content in sample order, of files their bytes.

        Labels, ids, splits, names and places of files do not enter.
        """
        return self.items(modality).digest()


def in_order(names: Iterable[str]) -> list[str]:
    """Return class names, each once: false, true; by value if all are numbers; else by string."""
    classes = sorted(set(names))
    if all(map(NUMBER.fullmatch, classes)):
        classes.sort(key=Decimal)
    elif {name.casefold() for name in classes} == {"false", "true"}:
        classes.sort(key=str.casefold)
    return classes


def encode(names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return the labels as int64 codes into the classes, and the classes in order."""
    classes = in_order(names)
    codes = {name: code for code, name in enumerate(classes)}
    return np.array([codes[name] for name in names], dtype=np.int64), classes


def unique_ids(table: Table, key: str) -> list[str]:
    """Return a column of ids.

    Raises
    ------
    ValueError
        If one is missing, or stands there twice.
    """
    ids = table.keys(key, "id")
    rows: dict[str, int] = {}
    for index, name in enumerate(ids):
        first = rows.setdefault(name, index)
        if first != index:
            raise table.error(f"id: {key!r} holds {name!r} in rows {first + 1} and {index + 1}")
    return ids


def nan_rows(array: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Find the rows that are missing, without more than a part of a mapped array in memory.

    Parameters
    ----------
    array : ndarray of shape (n, ...)
        Numbers.

    Returns
    -------
    missing : ndarray of bool, shape (n,)
        The rows that are all NaN.
    broken : int or None
        The first row that is not missing and holds NaN or infinity.
    """
    missing = np.zeros(len(array), dtype=bool)
    broken = None
    for start in range(0, len(array) if array.dtype.kind == "f" else 0, CHUNK):
        rows = array[start : start + CHUNK]
        rows = rows.reshape(len(rows), -1)
        missing[start : start + CHUNK] = np.isnan(rows).all(axis=1)
        found = np.flatnonzero(~np.isfinite(rows).all(axis=1) & ~missing[start : start + CHUNK])
        if len(found) and broken is None:
            broken = start + int(found[0])
    return missing, broken
