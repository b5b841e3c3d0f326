"""Reading a manifest into columns, whatever its format, without guessing at what a field means."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

LONGEST_FIELD = 2**31 - 1


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the most similar name, or an empty string."""
    folded = {known.casefold(): known for known in names}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def number(value: Any) -> float:
    """Convert a finite number or a string that spells one; Python's ``1_000`` is not one.

    Raises
    ------
    ValueError, TypeError
        If it is anything else.
    """
    if isinstance(value, (list, bytes, np.ndarray)) or (isinstance(value, str) and "_" in value):
        raise ValueError("no number")
    converted = float(value)
    if not math.isfinite(converted):
        raise ValueError("no finite number")
    return converted


def is_number(value: Any) -> bool:
    """Whether `number` converts a value."""
    try:
        number(value)
    except (TypeError, ValueError):
        return False
    return True


def why_missing(path: Path) -> str:
    """Say which part of a path that is no file does not exist, and what stands there instead."""
    if path.is_dir():
        return "it is a folder"
    while not path.parent.is_dir() and path.parent != path:
        path = path.parent
    try:
        present = os.listdir(path.parent)
    except OSError:
        present = []
    return f"{path.name!r} is not in {str(path.parent)!r}{nearest(path.name, present)}"


class Table:
    """A manifest's rows, given column by column.

    Parameters
    ----------
    path : Path
        The manifest; its name begins every error.
    names : sequence of str
        Column names in file order.
    n_rows : int
        Number of rows.
    load : callable
        Column name to its values, one per row, None where missing.

    Attributes
    ----------
    ids : sequence of str or None
        Set once they are read from a column, so that errors can name a row by its id.
    """

    def __init__(
        self, path: Path, names: Sequence[str], n_rows: int, load: Callable[[str], list[Any]]
    ) -> None:
        self.path = path
        self.names = tuple(names)
        self.n_rows = n_rows
        self.ids: Sequence[str] | None = None
        self._load = load

    def column(self, name: str, key: str) -> list[Any]:
        """Return a column's values, None where missing; ``key`` is the option that names it."""
        if name not in self.names:
            shown = ", ".join(map(repr, self.names[:8])) + (", ..." if len(self.names) > 8 else "")
            hint = nearest(name, self.names) or f"; the columns are {shown}"
            raise self.error(f"{key}: no column {name!r}{hint}")
        return self._load(name)

    def texts(self, name: str, key: str) -> list[str | None]:
        """Return a column as strings: integers in digits, booleans as ``false`` and ``true``.

        Raises
        ------
        ValueError
            Where a value is none of these.
        """
        return [
            None if value is None else self._text(value, name, key, index)
            for index, value in enumerate(self.column(name, key))
        ]

    def keys(self, name: str, key: str) -> list[str]:
        """Return a column as strings of which none may be missing or empty."""
        values = self.texts(name, key)
        absent = [index for index, value in enumerate(values) if not value]
        if absent:
            more = f" ({len(absent)} rows have none)" if len(absent) > 1 else ""
            raise self.error(f"{key}: column {name!r} is empty in {self.row(absent[0])}{more}")
        return [value for value in values if value]

    def row(self, index: int) -> str:
        """Name a row: its number, counted from 1 without the header, and its id."""
        known = "" if self.ids is None else f" (id {self.ids[index]!r})"
        return f"row {index + 1}{known}"

    def error(self, message: str) -> ValueError:
        """Return the error to raise, beginning with the manifest's name."""
        return ValueError(f"{self.path.name}: {message}")

    def _text(self, value: Any, name: str, key: str, index: int) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        raise self.error(
            f"{key}: column {name!r} holds a {type(value).__name__} in {self.row(index)}; "
            "expected text, an integer or a boolean"
        )


def read_table(path: Path) -> Table:
    """Read a manifest.

    csv and tsv fields are strings, quoted as the csv module does; an empty one is missing and
    nothing else is. jsonl is read by a JSON parser: null and absent keys are missing, blank lines
    are skipped. Both are UTF-8, with or without a byte order mark. parquet goes through pyarrow.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is none of these formats, or broken, or holds no row.
    """
    if not path.is_file():
        raise FileNotFoundError(f"path: no manifest {path.name!r}: {why_missing(path)}")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path.name}: path: unknown extension {path.suffix!r}; expected {', '.join(READERS)}"
        )
    table = reader(path)
    if not table.n_rows:
        raise table.error("path: the manifest has no rows")
    return table


def _read_csv(path: Path, delimiter: str = ",") -> Table:
    lines = io.StringIO(_decoded(path), newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    names: list[str] | None = None
    last = 0
    try:
        with _long_fields():
            for fields in reader:
                first, last = last + 1, reader.line_num
                if names is None:
                    names = fields or None
                elif fields and len(fields) != len(names):
                    raise ValueError(
                        f"{path.name}: line {first} has {len(fields)} fields; "
                        f"the header has {len(names)}"
                    )
                elif fields:
                    rows.append(fields)
    except csv.Error as error:
        raise ValueError(
            f"{path.name}: line {last + 1}: {error} "
            "(a field with a quote in it stands in quotes, and the quote is written twice)"
        ) from error
    names = names or []
    _refuse_duplicates(path, names)
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    return Table(path, names, len(rows), lambda name: [field or None for field in columns[name]])


def _read_tsv(path: Path) -> Table:
    return _read_csv(path, delimiter="\t")


def _read_jsonl(path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_unique, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path.name}: line {number}: {error.msg} at character {error.colno}; "
                "expected one JSON object per line"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path.name}: line {number}: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(
                f"{path.name}: line {number} holds a {type(row).__name__}; "
                "expected one JSON object per line"
            )
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return Table(path, list(names), len(rows), lambda name: [row.get(name) for row in rows])


def _read_parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path.name}: cannot be read as parquet: {reason}") from error
    _refuse_duplicates(path, table.column_names)

    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)

    def load(name: str) -> list[Any]:
        column = table.column(name)
        # Lists become arrays: as Python lists, long vectors would take several times the memory.
        if any(is_list(column.type) for is_list in lists):
            return list(column.to_numpy(zero_copy_only=False))
        return column.to_pylist()  # type: ignore[no-any-return]

    return Table(path, table.column_names, table.num_rows, load)


READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path.name}: not UTF-8 text (byte 0x{data[error.start]:02x} in line {line})"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path.name}: not a text file (a NUL byte in line {line})")
    return text


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a field while a manifest is read."""
    before = csv.field_size_limit(LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _refuse_duplicates(path: Path, names: Sequence[str]) -> None:
    name, count = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise ValueError(f"{path.name}: {count} columns are named {name!r}; names must differ")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        name = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {name!r} stands there more than once")
    return row


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON; a missing value is null")
