"""The data set ``huggingface``: what the library `datasets` loads, from the hub or a folder."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmbench_manifest.dataset import PARTS
from mmbench_manifest.items import (
    Items,
    Texts,
    Vectors,
    hash_items,
    read_audio,
    read_image,
    unreadable,
)
from mmbench_manifest.labels import read_labels
from mmbench_manifest.tables import Table, nearest, why_missing

from mmbench_datasets.base import Samples, encode, nan_rows, unique_ids

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

CHUNK = 64
NUMBERS = ("int", "uint", "float", "bool")
EXPECTED = "an image, a sound, a text or a list of numbers"


class HuggingFace(Samples):
    """A set of the Hugging Face hub, or a local folder that the library `datasets` reads.

    No code of the set is run. Features are mapped to kinds: Image to image, Audio to audio (at the
    file's own rate), strings to text, lists of numbers to vector.

    Parameters
    ----------
    label : str
        The column of the labels; of a ClassLabel the names are kept.
    path : Path, optional
        A folder that `save_to_disk` wrote, or one of parquet files. Either this or ``hub``.
    hub : str, optional
        The set's name on the hub, ``"owner/name"``.
    config : str, optional
        Its configuration (``datasets.load_dataset(hub, config)``).
    revision : str, optional
        Its commit, branch or tag.
    split : str or dict of str to str, optional
        Which published splits are read: per part (train, validation, test) a split, or the name of
        one, of which nothing is given. Default: all, by their names.
    modalities : dict of str to str or list of str, optional
        Per modality a column, or several of one number each, which make a vector. Default: every
        column of a known kind, under its own name.
    id : str, optional
        The column of the ids; default: row numbers from 0, after the split where there are several.
    group : str, optional
        The column of which no value may stand in two parts of a split.

    Raises
    ------
    FileNotFoundError
        If the folder is not there.
    ValueError
        If anything else is wrong. Either has one line.
    """

    def __init__(
        self,
        label: str,
        path: Path | None = None,
        hub: str | None = None,
        config: str | None = None,
        revision: str | None = None,
        split: str | dict[str, str] | None = None,
        modalities: dict[str, str | list[str]] | None = None,
        id: str | None = None,
        group: str | None = None,
    ) -> None:
        if (path is None) == (hub is None):
            raise ValueError("one of path and hub is needed, and not both")
        if modalities is not None and not modalities:
            raise ValueError("modalities: none is given; leave it out to have all columns")
        where = Path(path) if path is not None else Path(str(hub))
        parts = _chosen(where.name, _load(path, hub, config, revision), split)
        rows = _concatenated(where.name, list(parts.values()))
        table = Table(
            where, rows.column_names, len(rows), lambda name: _arrow(rows, name).to_pylist()
        )
        lengths = [len(part) for part in parts.values()]
        named = [f"{name}-" for name in parts] if len(parts) > 1 else [""]
        self.ids = [f"{name}{i}" for name, n in zip(named, lengths, strict=True) for i in range(n)]
        if id is not None:
            self.ids = unique_ids(table, id)
        table.ids = self.ids
        self.labels, self.classes = _labels(rows, table, label)
        if len(parts) > 1:
            self.split = np.repeat(list(parts), lengths)
        self.groups = None if group is None else np.array(table.keys(group, "group"))
        roles = {name for name in (label, id, group) if name is not None}
        self._items, self.modalities = {}, {}
        for name, columns in (modalities or _all(rows, table, roles)).items():
            if label in ([columns] if isinstance(columns, str) else columns):
                raise table.error(f"modalities.{name}: {label!r} is the label, which is no input")
            items, kind = _read(rows, table, f"modalities.{name}", columns)
            self._items[name], self.modalities[name] = items, kind


class Encoded(Items):
    """Images or sounds, kept as their files' bytes and decoded on access.

    Parameters
    ----------
    rows : datasets.Dataset
        One column, of which each value has ``bytes`` or, where that is None, a ``path``.
    kind : str
        ``"image"`` or ``"audio"``.
    missing : ndarray of bool, shape (n,)
        True where there is no value.
    """

    def __init__(self, rows: datasets.Dataset, kind: str, missing: np.ndarray) -> None:
        super().__init__(missing)
        self._rows = rows
        self._kind = kind

    def _item(self, index: int) -> Any:
        read: Any = read_image if self._kind == "image" else read_audio  # from streams as well
        (value,) = self._rows[index].values()
        with unreadable(f"row {index + 1}", self._kind):
            return read(io.BytesIO(_bytes(value)))

    def digest(self) -> str:
        """Hash the files' bytes."""
        batches = self._rows.with_format("arrow").iter(batch_size=CHUNK)
        values = (value for batch in batches for value in batch.column(0).to_pylist())
        contents = (None if value is None else _bytes(value) for value in values)
        return hash_items(f"{self._kind} bytes, upright".encode(), contents)


def _bytes(value: Mapping[str, Any]) -> bytes:
    content: bytes | None = value["bytes"]
    return Path(value["path"]).read_bytes() if content is None else content


def _load(
    path: Path | None, hub: str | None, config: str | None, revision: str | None
) -> dict[str, datasets.Dataset]:
    """Return the published splits, a set without any under the empty name."""
    try:
        import datasets
    except ImportError as error:
        raise ValueError(
            "the library datasets is not installed; pip install 'mmbench-datasets[huggingface]'"
        ) from error
    if path is not None and not path.is_dir():
        what = "it is a file" if path.exists() else why_missing(path)
        raise FileNotFoundError(f"path: no folder {path.name!r}: {what}")
    try:
        if path is not None and any(
            (path / name).is_file() for name in ("dataset_dict.json", "state.json")
        ):
            loaded = datasets.load_from_disk(path)
        else:
            loaded = datasets.load_dataset(str(path or hub), config, revision=revision)
    except Exception as error:  # the library raises whatever its readers and the network do
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        option, name = ("path", path.name) if path is not None else ("hub", hub)
        raise ValueError(f"{option}: {name!r} cannot be loaded: {reason}") from error
    return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}


def _chosen(
    name: str, splits: Mapping[str, datasets.Dataset], wanted: str | Mapping[str, str] | None
) -> dict[str, datasets.Dataset]:
    """Return the splits to read by part; of one alone the part means nothing."""
    shown = ", ".join(map(repr, splits))
    if isinstance(wanted, str):
        wanted = {"train": wanted}
    elif wanted is None:
        if len(splits) == 1:
            return dict(splits)
        if strange := [split for split in splits if split.casefold() not in PARTS]:
            raise ValueError(
                f"{name}: split {strange[0]!r} is neither train, validation nor test; choose from "
                f'{shown}, such as split = {{ train = "train", test = "test" }}'
            )
        wanted = {PARTS[split.casefold()]: split for split in splits}
        if len(wanted) < len(splits):
            raise ValueError(f"{name}: two splits are the same part: {shown}; choose by split")
    for part, split in wanted.items():
        if part not in PARTS.values():
            raise ValueError(f"split: unknown part {part!r}{nearest(part, PARTS.values())}")
        if split not in splits:
            hint = nearest(split, splits) or f"; it has {shown}"
            raise ValueError(f"split: {name!r} has no split {split!r}{hint}")
    if len(wanted) > 1 and not {"train", "test"} <= set(wanted):
        raise ValueError(
            f"{name}: expected a train and a test part; given {', '.join(wanted)}; choose from "
            f'{shown}, such as split = {{ train = "train", test = "validation" }}'
        )
    return {part: splits[split] for part, split in wanted.items()}


def _concatenated(name: str, parts: list[datasets.Dataset]) -> datasets.Dataset:
    from datasets import concatenate_datasets

    try:
        rows = concatenate_datasets(parts)
    except Exception as error:  # features that differ end in errors of several libraries
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"{name}: the splits do not fit together: {reason}") from error
    if not len(rows):
        raise ValueError(f"{name}: it has no rows")
    return rows


def _labels(rows: datasets.Dataset, table: Table, column: str) -> tuple[np.ndarray, list[str]]:
    from datasets import ClassLabel

    feature = rows.features.get(column)
    if not isinstance(feature, ClassLabel):
        return read_labels(table, column)
    codes = table.column(column, "label")
    absent = [i for i, code in enumerate(codes) if code is None or code < 0]
    if absent:
        more = f" ({len(absent)} rows have none)" if len(absent) > 1 else ""
        raise table.error(f"label: column {column!r} is empty in {table.row(absent[0])}{more}")
    labels, classes = encode([feature.names[code] for code in codes])
    if len(classes) < 2:
        raise table.error(f"label: column {column!r} holds the one class {classes[0]!r}")
    return labels, classes


def _all(
    rows: datasets.Dataset, table: Table, roles: Collection[str]
) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {
        name: name
        for name, feature in rows.features.items()
        if name not in roles and _kind(feature)
    }
    if not found:
        raise table.error(f"modalities: no column holds {EXPECTED}")
    return found


def _kind(feature: Any) -> str:
    """Return the kind of a feature's values; empty where it is none."""
    import datasets as d

    if isinstance(feature, d.Image | d.Audio):
        return "image" if isinstance(feature, d.Image) else "audio"
    if isinstance(feature, d.Value):
        return "text" if feature.dtype in ("string", "large_string") else ""
    if isinstance(feature, d.List | d.LargeList):
        return "vector" if _is_number(feature.feature) else ""
    return ""


def _is_number(feature: Any) -> bool:
    from datasets import Value

    return isinstance(feature, Value) and feature.dtype.rstrip("0123456789") in NUMBERS


def _read(
    rows: datasets.Dataset, table: Table, option: str, columns: str | list[str]
) -> tuple[Items, str]:
    """Return a modality's items and their kind."""
    for column in [columns] if isinstance(columns, str) else columns:
        if column not in rows.column_names:
            shown = ", ".join(map(repr, rows.column_names[:8]))
            hint = nearest(column, rows.column_names) or f"; the columns are {shown}"
            raise table.error(f"{option}: no column {column!r}{hint}")
    if not isinstance(columns, str):
        return _numbers(rows, table, option, columns), "vector"
    feature = rows.features[columns]
    kind = _kind(feature)
    if not kind:
        hint = f"; write [{columns!r}]" if _is_number(feature) else ""
        raise table.error(f"{option}: column {columns!r} is {feature}; expected {EXPECTED}{hint}")
    if kind == "text":
        return Texts(table.column(columns, option)), kind
    if kind == "vector":
        return _listed(rows, table, option, columns), kind
    one = rows.select_columns([columns])
    missing = np.asarray(_arrow(rows, columns).is_null())
    if missing.all():
        raise table.error(f"{option}: column {columns!r} is empty in all rows")
    return Encoded(one.cast_column(columns, type(feature)(decode=False)), kind, missing), kind


def _numbers(rows: datasets.Dataset, table: Table, option: str, columns: list[str]) -> Vectors:
    if not columns:
        raise table.error(f"{option}: the list names no column")
    for column in columns:
        if not _is_number(rows.features[column]):
            raise table.error(f"{option}: column {column!r} is no column of numbers")
    matrix = np.array([table.column(column, option) for column in columns], dtype=float).T
    return _vectors(table, option, ", ".join(map(repr, columns)), matrix)


def _listed(rows: datasets.Dataset, table: Table, option: str, column: str) -> Vectors:
    import pyarrow.compute as pc

    values = _arrow(rows, column)
    lengths = np.asarray(pc.list_value_length(values).to_numpy(), dtype=float)  # NaN where null
    present = np.flatnonzero(~np.isnan(lengths))
    length = int(lengths[present[0]]) if len(present) else 0
    if not length:
        raise table.error(f"{option}: column {column!r} holds no numbers")
    other = present[lengths[present] != length]
    if len(other):
        raise table.error(
            f"{option}: column {column!r} holds {lengths[other[0]]:.0f} numbers in "
            f"{table.row(int(other[0]))}; expected {length} as in {table.row(int(present[0]))}"
        )
    flat = pc.list_flatten(values).to_numpy()
    narrow = np.result_type(flat.dtype, np.float32) == np.float32
    matrix = np.full((len(lengths), length), np.nan, dtype=np.float32 if narrow else np.float64)
    matrix[present] = flat.reshape(-1, length)
    return _vectors(table, option, repr(column), matrix)


def _arrow(rows: datasets.Dataset, column: str) -> pa.ChunkedArray:
    return rows.select_columns([column]).with_format("arrow")[:].column(0)


def _vectors(table: Table, option: str, shown: str, matrix: np.ndarray) -> Vectors:
    missing, broken = nan_rows(matrix)
    if broken is not None:
        raise table.error(
            f"{option}: {shown} holds null, NaN or infinity in {table.row(broken)}; "
            "expected finite numbers, or none in the whole row"
        )
    if missing.all():
        raise table.error(f"{option}: {shown} is empty in all rows")
    return Vectors(matrix, missing, table.path.name)
