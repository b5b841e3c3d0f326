"""From a modality's table in the matrix file to its items."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Literal, Self, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmbench_manifest.files import find_files, read_segments, read_videos
from mmbench_manifest.items import (
    Files,
    Images,
    Items,
    Texts,
    VectorFiles,
    Vectors,
    as_vector,
    read_audio,
)
from mmbench_manifest.tables import Table, is_number, nearest, number, why_missing

Kind = Literal["image", "text", "audio", "vector", "video"]
SOURCES = {"vector": ("column", "columns", "file"), "text": ("column", "columns")}
OWNERS = {
    "separator": "text",
    "start": "audio",
    "end": "audio",
    "frame_rate": "video",
    "frames": "video",
}
EXPECTED = {
    "columns": "a string or a list of strings",
    "frame_rate": "a positive number",
    "frames": "a positive integer",
}


class Modality(BaseModel):
    """A modality as the matrix file says it: its kind and where its items stand."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Kind
    column: str | None = None
    columns: str | list[str] | None = None
    file: str | None = None
    separator: str = "\n"
    start: str | None = None
    end: str | None = None
    frame_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    frames: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        allowed = SOURCES.get(self.kind, ("column",))
        given = [name for name in ("column", "columns", "file") if getattr(self, name) is not None]
        if len(given) != 1 or given[0] not in allowed:
            raise ValueError(
                f"kind {self.kind!r} takes {'one of ' * (len(allowed) > 1)}{', '.join(allowed)}; "
                f"given {' and '.join(given) or 'none'}"
            )
        return self

    @model_validator(mode="after")
    def _own_options(self) -> Self:
        for name, kind in OWNERS.items():
            if name in self.model_fields_set and self.kind != kind:
                raise ValueError(f"{name} is for kind {kind!r}; given kind {self.kind!r}")
        if "separator" in self.model_fields_set and self.columns is None:
            raise ValueError("separator is for several columns; write columns")
        return self


def read_modality(table: Table, name: str, options: Any, roles: Mapping[str, str]) -> Items:
    """Build a modality's items and check all that can be known without decoding.

    Parameters
    ----------
    table : Table
        The manifest.
    name : str
        The modality's name.
    options : dict
        Its table in the matrix file.
    roles : mapping of str to str
        The columns with a role of their own (label, id, ...), which a glob leaves out.

    Raises
    ------
    ValueError, FileNotFoundError
        With one line that names the key, the column and the row.
    """
    key = f"modalities.{name}"
    modality = _validated(table, key, options)
    if modality.file is not None:
        return _row_aligned(table, f"{key}.file", modality.file)
    if modality.columns is not None:
        columns = _matching(table, f"{key}.columns", modality.columns, roles)
        if modality.kind == "text":
            return _joined(table, f"{key}.columns", columns, modality.separator)
        return _numeric(table, f"{key}.columns", columns)
    used = {"column": modality.column, "start": modality.start, "end": modality.end}
    for option, named in used.items():
        _refuse_label(table, f"{key}.{option}", [named or ""], roles)
    column = modality.column or ""
    if modality.kind == "text":
        return Texts(table.texts(column, f"{key}.column"))
    if modality.kind == "vector":
        return _vectors(table, f"{key}.column", column)
    return _files(table, key, column, modality)


def _validated(table: Table, key: str, options: Any) -> Modality:
    try:
        return Modality.model_validate(options)
    except ValidationError as invalid:
        error = invalid.errors()[0]
    field = str(error["loc"][0]) if error["loc"] else ""
    kinds = get_args(Kind)
    match error["type"]:
        case "extra_forbidden":
            known = list(Modality.model_fields)
            hint = nearest(field, known) or f"; expected {', '.join(known)}"
            raise table.error(f"{key}: unknown key {field!r}{hint}")
        case "missing":
            raise table.error(f"{key}: {field} is missing; expected one of {', '.join(kinds)}")
        case "literal_error":
            hint = nearest(str(error["input"]), kinds) or f"; expected one of {', '.join(kinds)}"
            raise table.error(f"{key}.kind: unknown kind {error['input']!r}{hint}")
        case "value_error":
            raise table.error(f"{key}: {error['ctx']['error']}")
        case _ if not field:
            raise table.error(
                f'{key}: expected a table such as {{ column = "image", kind = "image" }}, '
                f"given {options!r}"
            )
        case _:
            expected = EXPECTED.get(field, "a string")
            raise table.error(f"{key}.{field}: expected {expected}, given {options[field]!r}")


def _refuse_label(table: Table, key: str, names: Collection[str], roles: Mapping[str, str]) -> None:
    if roles["label"] in names:
        raise table.error(f"{key}: column {roles['label']!r} is the label, which is no input")


def _matching(
    table: Table, key: str, wanted: str | Sequence[str], roles: Mapping[str, str]
) -> list[str]:
    if not isinstance(wanted, str):
        _refuse_label(table, key, wanted, roles)
        if not wanted:
            raise table.error(f"{key}: the list names no column")
        return list(wanted)
    free = [name for name in table.names if name not in roles.values()]
    found = [name for name in free if fnmatchcase(name, wanted)]
    if not found:
        raise table.error(f"{key}: no column matches {wanted!r}{nearest(wanted, free)}")
    return found


def _joined(table: Table, key: str, columns: Sequence[str], separator: str) -> Texts:
    """Join the fields of each row that are not empty."""
    fields = zip(*(table.texts(column, key) for column in columns), strict=True)
    return Texts([separator.join(filter(None, row)) or None for row in fields])


def _vectors(table: Table, key: str, column: str) -> Items:
    values = table.column(column, key)
    if any(isinstance(value, (list, np.ndarray)) for value in values):
        return _listed(table, key, column, values)
    if is_number(next((value for value in values if value is not None), None)):
        raise table.error(
            f"{key}: column {column!r} holds single numbers; write columns = {column!r}"
        )
    return VectorFiles(table.path.parent, find_files(table, key, column))


def _files(table: Table, key: str, column: str, modality: Modality) -> Items:
    folder = table.path.parent
    names = find_files(table, f"{key}.column", column, folders=modality.kind == "video")
    if modality.kind == "image":
        return Images(folder, names)
    if modality.kind == "video":
        rate, frames = modality.frame_rate, modality.frames
        return read_videos(table, f"{key}.column", column, names, rate, frames)
    if modality.start is None and modality.end is None:
        return Files("audio", folder, names, read_audio)
    return read_segments(table, key, names, modality.start, modality.end)


def _numeric(table: Table, key: str, columns: Sequence[str]) -> Vectors:
    matrix = np.empty((table.n_rows, len(columns)))
    for position, column in enumerate(columns):
        values = table.column(column, key)
        try:
            matrix[:, position] = [math.nan if v is None else number(v) for v in values]
        except (TypeError, ValueError):
            index = next(i for i, v in enumerate(values) if v is not None and not is_number(v))
            raise table.error(
                f"{key}: column {column!r} holds {values[index]!r} in {table.row(index)}; "
                "expected a finite number"
            ) from None
    empty = np.isnan(matrix)
    filled = np.count_nonzero(~empty, axis=1)
    partly = np.flatnonzero((filled > 0) & (filled < len(columns)))
    if len(partly):
        column = columns[int(np.argmax(empty[partly[0]]))]
        more = f" ({len(partly)} rows are incomplete)" if len(partly) > 1 else ""
        raise table.error(
            f"{key}: column {column!r} is empty in {table.row(int(partly[0]))} while others are "
            f"not; expected all or none{more}"
        )
    return Vectors(matrix, filled == 0, table.path.name)


def _listed(table: Table, key: str, column: str, values: Sequence[Any]) -> Vectors:
    rows: dict[int, np.ndarray] = {}
    for index, value in enumerate(values):
        if value is None:
            continue
        try:
            rows[index] = as_vector(value)
        except ValueError:
            raise table.error(
                f"{key}: column {column!r} holds something else than a list of finite numbers "
                f"in {table.row(index)}"
            ) from None
        first = next(iter(rows))
        if len(rows[index]) != len(rows[first]):
            raise table.error(
                f"{key}: column {column!r} holds {len(rows[index])} numbers in "
                f"{table.row(index)}; expected {len(rows[first])} as in {table.row(first)}"
            )
    present = np.stack(list(rows.values()))
    matrix = np.zeros((len(values), present.shape[1]), dtype=present.dtype)
    matrix[list(rows)] = present
    return Vectors(matrix, (index not in rows for index in range(len(values))), table.path.name)


def _row_aligned(table: Table, key: str, name: str) -> Vectors:
    path = table.path.parent / name
    if not path.is_file():
        raise FileNotFoundError(f"{table.path.name}: {key}: no file {name!r}: {why_missing(path)}")
    try:
        matrix = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise table.error(f"{key}: {name} cannot be read as npy: {reason}") from error
    if matrix.ndim != 2 or not matrix.shape[1] or matrix.dtype.kind not in "biuf":
        raise table.error(
            f"{key}: {name} holds {matrix.dtype} of shape {matrix.shape}; "
            "expected numbers in rows and columns"
        )
    if len(matrix) != table.n_rows:
        raise table.error(f"{key}: {name} has {len(matrix)} rows; the manifest has {table.n_rows}")
    return Vectors(matrix, np.zeros(len(matrix), dtype=bool), name)
