"""The data set ``manifest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench_manifest.items import Items
from mmbench_manifest.labels import read_labels
from mmbench_manifest.modalities import read_modality
from mmbench_manifest.tables import Table, nearest, read_table

if TYPE_CHECKING:
    import pandas as pd

PARTS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


class Manifest:
    """Samples described by a csv, tsv, jsonl or parquet file, one per row.

    All that can be known without decoding an item is checked when it is built.

    Parameters
    ----------
    path : Path
        The manifest. What it names is relative to its folder.
    label : str
        Column of the labels.
    modalities : dict of str to dict
        Per modality its ``kind`` (image, text, audio, vector, video) and where its items stand:
        ``column``; for text and vectors instead ``columns`` (a glob or a list); for vectors instead
        ``file`` (row-aligned npy). Text also ``separator``, audio ``start`` and ``end`` (columns of
        seconds), video ``frame_rate`` and ``frames``.
    id : str, optional
        Column of the ids; default: the row numbers from 0.
    split : str, optional
        Column that says train, validation or test.
    fold : str, optional
        Column of which every value is the test part once.
    group : str, optional
        Column of which no value may stand in two parts of a split.
    attributes : list of str, optional
        Columns by whose values results may be told apart.
    classes : dict of str to str, optional
        Label to the name of its class, for all labels; labels of one name are one class.

    Attributes
    ----------
    modalities : dict of str to str
        Name to kind.
    labels : ndarray of int64, shape (n,)
        Codes into `classes`.
    classes : list of str
        false, true; or by value; or by string; named ones in the order of their labels.
    ids : list of str
        Unique.
    split : ndarray of str, shape (n,), or None
        ``"train"``, ``"validation"`` or ``"test"``.
    folds : ndarray of int64 or str, shape (n,), or None
        Integers where all values are integers in their usual spelling.
    groups : ndarray of str, shape (n,), or None
        As given.
    attributes : pandas.DataFrame or None
        The columns asked for, as they stand in the manifest.

    Raises
    ------
    FileNotFoundError
        If the manifest, or a file that it names, is not there.
    ValueError
        If anything else is wrong. Either has one line that names the manifest, the key, the
        column and the row.
    """

    modalities: dict[str, str]

    def __init__(
        self,
        path: Path,
        label: str,
        modalities: dict[str, dict[str, Any]],
        id: str | None = None,
        split: str | None = None,
        fold: str | None = None,
        group: str | None = None,
        attributes: list[str] | None = None,
        classes: dict[str, str] | None = None,
    ) -> None:
        table = read_table(Path(path))
        named = {"label": label, "id": id, "split": split, "fold": fold, "group": group}
        roles = {key: column for key, column in named.items() if column is not None}
        if not modalities:
            raise table.error("modalities: none is given; expected at least one")
        self.ids = _ids(table, id)
        table.ids = None if id is None else self.ids
        self.labels, self.classes = read_labels(table, label, classes)
        self.split = None if split is None else _split(table, split)
        self.folds = None if fold is None else _folds(table.keys(fold, "fold"))
        self.groups = None if group is None else np.array(table.keys(group, "group"))
        self.attributes = None if attributes is None else _attributes(table, attributes)
        self._items = {
            name: read_modality(table, name, options, roles) for name, options in modalities.items()
        }
        self.modalities = {name: options["kind"] for name, options in modalities.items()}
        self._fingerprints: dict[str, str] = {}

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
        """Return a hash of the items' content in row order, of files their bytes.

        Labels, ids, splits, names and places of files do not enter.
        """
        if modality not in self._fingerprints:
            self._fingerprints[modality] = self.items(modality).digest()
        return self._fingerprints[modality]


def _ids(table: Table, column: str | None) -> list[str]:
    if column is None:
        return [str(index) for index in range(table.n_rows)]
    ids = table.keys(column, "id")
    rows: dict[str, int] = {}
    for index, name in enumerate(ids):
        first = rows.setdefault(name, index)
        if first != index:
            raise table.error(
                f"id: column {column!r} holds {name!r} twice, in rows {first + 1} and {index + 1}"
            )
    return ids


def _attributes(table: Table, columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: table.column(name, "attributes") for name in columns})


def _split(table: Table, column: str) -> np.ndarray:
    values = table.keys(column, "split")
    for index, value in enumerate(values):
        if value.casefold() not in PARTS:
            expected = "train, validation or test"
            raise table.error(
                f"split: column {column!r} holds {value!r} in {table.row(index)}; "
                f"expected {expected}{nearest(value, PARTS)}"
            )
    return np.array([PARTS[value.casefold()] for value in values])


def _folds(values: list[str]) -> np.ndarray:
    """Give folds as integers, which sort by value, where that loses nothing of their spelling."""
    try:
        numbers = np.array([int(value) for value in values], dtype=np.int64)
    except (ValueError, OverflowError):
        return np.array(values)
    return numbers if list(map(str, numbers)) == values else np.array(values)
