"""The data set ``arrays``."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
from mmbench_manifest.dataset import PARTS
from mmbench_manifest.items import Items, Texts, Vectors
from mmbench_manifest.labels import read_labels
from mmbench_manifest.tables import Table, nearest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmbench_datasets.base import Samples, nan_rows, unique_ids
from mmbench_datasets.items import ImageSlices, SoundSlices
from mmbench_datasets.reader import PART, Reader

Kind = Literal["image", "text", "audio", "vector"]


class Modality(BaseModel):
    """A modality as the matrix file says it: its kind and its array."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Kind
    key: str | None = None
    file: str | None = None
    axis: int = 0
    sample_rate: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.key is None and self.file is None:
            raise ValueError("one of key and file is needed")
        if (self.sample_rate is None) == (self.kind == "audio"):
            raise ValueError(
                "kind 'audio' needs sample_rate" if self.kind == "audio" else
                f"kind {self.kind!r} takes no sample_rate"
            )  # fmt: skip
        return self


class Arrays(Samples):
    """Samples in arrays, one array per modality, along the first axis.

    Nothing is unpickled. npy files are memory-mapped.

    Parameters
    ----------
    path : Path
        A ``.npz`` or ``.mat`` file (up to MATLAB's version 7), or a folder of ``.npy`` files,
        whose names without the extension are the keys.
    label : str
        Key of the labels: strings, integers or booleans, (n,) or (n, 1).
    modalities : dict of str to dict
        Per modality its ``kind`` (image, text, audio, vector) and ``key``. ``file`` names
        another file, relative to the folder of ``path``; an ``.npy`` needs no key. ``axis`` is
        the axis of the samples (default 0). Audio has its ``sample_rate``.
    id : str, optional
        Key of the ids; default: the row numbers from 0.
    split : str, optional
        Key of an array that says train, validation or test.
    fold : str, optional
        Key of an array of which every value is the test part once.
    group : str, optional
        Key of an array of which no value may stand in two parts of a split.
    parts : list of str, optional
        Where the parts of a given split have arrays or files of their own: what stands for
        ``{part}`` in path, keys and files, such as ``["train", "val", "test"]``.
    classes : dict of str to str, optional
        Label to the name of its class, for all labels; labels of one name are one class.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If anything else is wrong. Either has one line that names the file, the key and the row.
    """

    def __init__(
        self,
        path: Path,
        label: str,
        modalities: dict[str, dict[str, Any]],
        id: str | None = None,
        split: str | None = None,
        fold: str | None = None,
        group: str | None = None,
        parts: list[str] | None = None,
        classes: dict[str, str] | None = None,
    ) -> None:
        reader = Reader(Path(path), parts)
        if not modalities:
            raise reader.error("modalities: none is given; expected at least one")
        named = {"label": label, "id": id, "split": split, "fold": fold, "group": group}
        pieces = {o: reader.pieces(key, o) for o, key in named.items() if key is not None}
        columns = {option: list(chain.from_iterable(found)) for option, found in pieces.items()}
        n = len(columns["label"])
        for option, values in columns.items():
            if len(values) != n:
                raise reader.error(
                    f"{option}: {named[option]!r} has {len(values)} values; there are {n} labels"
                )
        by_key = {str(named[option]): values for option, values in columns.items()}
        table = Table(Path(path), list(by_key), n, by_key.__getitem__)
        lengths = [len(piece) for piece in pieces["label"]]
        self.ids = _row_numbers(parts, lengths) if id is None else unique_ids(table, id)
        table.ids = None if id is None else self.ids
        self.labels, self.classes = read_labels(table, label, classes)
        self.split = _split(table, split, parts, lengths)
        self.folds = _folds(table, fold)
        self.groups = None if group is None else np.array(table.keys(group, "group"))
        self._items = {
            name: _items(reader, table, f"modalities.{name}", options)
            for name, options in modalities.items()
        }
        self.modalities = {name: options["kind"] for name, options in modalities.items()}


def _row_numbers(parts: list[str] | None, lengths: list[int]) -> list[str]:
    """Return ids from row numbers, after the part where there are several."""
    names = [f"{part}-" for part in parts or ()] if len(lengths) > 1 else [""]
    pairs = zip(names, lengths, strict=True)
    return [f"{name}{row}" for name, length in pairs for row in range(length)]


def _split(
    table: Table, key: str | None, parts: list[str] | None, lengths: list[int]
) -> np.ndarray | None:
    if parts is not None:
        if key is not None:
            raise table.error("split: parts say it already; leave one of them out")
        if len(lengths) < len(parts):
            raise table.error(f"parts: {PART} is missing in label and path")
        return np.repeat([PARTS[part.casefold()] for part in parts], lengths)
    if key is None:
        return None
    values = table.keys(key, "split")
    for index, value in enumerate(values):
        if value.casefold() not in PARTS:
            raise table.error(
                f"split: {key!r} holds {value!r} in {table.row(index)}; "
                f"expected train, validation or test{nearest(value, PARTS)}"
            )
    return np.array([PARTS[value.casefold()] for value in values])


def _folds(table: Table, key: str | None) -> np.ndarray | None:
    """Return the folds, integers where all are: they sort by value."""
    if key is None:
        return None
    texts, values = table.keys(key, "fold"), table.column(key, "fold")
    return np.array(values if all(isinstance(value, int) for value in values) else texts)


def _items(reader: Reader, table: Table, option: str, options: Any) -> Items:
    modality = _validated(table, option, options)
    array = reader.array(modality.key, modality.file, option, modality.axis)
    name = modality.key or modality.file
    n = table.n_rows
    if len(array) != n:
        hint = f" (another axis has {n}: write which as axis)" if n in array.shape else ""
        raise table.error(f"{option}: {name!r} has {len(array)} rows; there are {n} labels{hint}")
    expected = _EXPECTED[modality.kind]
    problem = f"{option}: {name!r} holds {array.dtype} of shape {array.shape}; expected {expected}"
    match modality.kind:
        case "text":
            texts = array.ravel()
            if array.dtype.kind != "U" or texts.size != n:
                raise table.error(problem)
            return Texts([value or None for value in texts.tolist()])
        case "image":
            channels = array.shape[3:] in ((), (1,), (2,), (3,), (4,))
            if array.dtype != np.uint8 or array.ndim < 3 or not channels or not array.size:
                raise table.error(problem)
            return ImageSlices(array, np.zeros(n, dtype=bool))
        case "audio":
            if array.dtype.kind not in "if" or array.ndim not in (2, 3) or not array.size:
                raise table.error(problem)
            assert modality.sample_rate is not None
            return SoundSlices(array, _empty(table, option, name, array), modality.sample_rate)
        case "vector":
            matrix = array[:, None] if array.ndim == 1 else array
            if matrix.dtype.kind not in "biuf" or matrix.ndim != 2 or not matrix.size:
                raise table.error(problem)
            return Vectors(matrix, _empty(table, option, name, matrix), str(name))


_EXPECTED = {
    "text": "texts (n,)",
    "image": "uint8 of shape (n, height, width) or (n, height, width, 1 to 4)",
    "audio": "floats or signed integers of shape (n, frames) or (n, frames, channels)",
    "vector": "numbers of shape (n, d)",
}


def _empty(table: Table, option: str, name: str | None, array: np.ndarray) -> np.ndarray:
    """Return which rows are all NaN; refuse those that are so in part, and infinity."""
    empty, broken = nan_rows(array)
    if broken is not None:
        raise table.error(
            f"{option}: {name!r} holds NaN or infinity in {table.row(broken)}; "
            "expected finite numbers, or NaN in the whole row where it is missing"
        )
    if empty.all():
        raise table.error(f"{option}: {name!r} is NaN in all rows")
    return empty


def _validated(table: Table, option: str, options: Any) -> Modality:
    try:
        return Modality.model_validate(options)
    except ValidationError as invalid:
        error = invalid.errors()[0]
    field = str(error["loc"][0]) if error["loc"] else ""
    given, kinds = error["input"], get_args(Kind)
    match error["type"]:
        case "extra_forbidden":
            known = list(Modality.model_fields)
            hint = nearest(field, known) or f"; expected {', '.join(known)}"
            raise table.error(f"{option}: unknown key {field!r}{hint}")
        case "missing":
            raise table.error(f"{option}: {field} is missing; expected one of {', '.join(kinds)}")
        case "literal_error":
            hint = nearest(str(given), kinds) or f"; expected one of {', '.join(kinds)}"
            raise table.error(f"{option}.kind: unknown kind {given!r}{hint}")
        case "value_error":
            raise table.error(f"{option}: {error['ctx']['error']}")
        case _ if not field:
            raise table.error(
                f'{option}: expected a table such as {{ key = "X", kind = "vector" }}, '
                f"given {options!r}"
            )
        case _:
            raise table.error(f"{option}.{field} = {given!r}: {error['msg']}")
