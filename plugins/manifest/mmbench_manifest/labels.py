"""From a column of labels to codes and classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from mmbench_manifest.tables import Table

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
MOST_FLOATS = 20


def read_labels(table: Table, column: str) -> tuple[np.ndarray, list[str]]:
    """Read the labels.

    Labels are strings, integers or booleans and keep their spelling (``007`` and ``7`` are two
    classes), but for booleans, which become ``false`` and ``true``.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        Indices into the classes.
    classes : list of str
        false before true if all labels are spelt so (in any case); by value if all are numbers;
        else by string.

    Raises
    ------
    ValueError
        If a label is missing, if all are the same, or if the column is a regression target.
    """
    labels = [
        _spelling(table, column, index, value)
        for index, value in enumerate(_present(table, column))
    ]
    if {label.casefold() for label in labels} <= {"false", "true"}:
        labels = [label.casefold() for label in labels]
    classes = sorted(set(labels))
    if all(map(NUMBER.fullmatch, classes)):
        classes.sort(key=Decimal)
    if len(classes) < 2:
        raise table.error(
            f"label: column {column!r} holds the one class {classes[0]!r}; expected two or more"
        )
    codes = {label: code for code, label in enumerate(classes)}
    return np.array([codes[label] for label in labels], dtype=np.int64), classes


def _present(table: Table, column: str) -> list[Any]:
    values = table.column(column, "label")
    absent = [
        index
        for index, value in enumerate(values)
        if value is None or (isinstance(value, str) and not value)
    ]
    if absent:
        more = f" ({len(absent)} rows have none)" if len(absent) > 1 else ""
        raise table.error(f"label: column {column!r} is empty in {table.row(absent[0])}{more}")
    _refuse_regression(table, column, values)
    return values


def _refuse_regression(table: Table, column: str, values: Sequence[Any]) -> None:
    """Refuse floats with many values.

    Floats: all are numbers, and one is of type float (jsonl, parquet) or has a fractional part.
    Many: more than two, and more than 20 or than half of the rows.
    """
    distinct = set(map(str, values))
    if len(distinct) <= max(2, min(MOST_FLOATS, len(values) / 2)):
        return
    if not all(map(NUMBER.fullmatch, distinct)):
        return
    numbers = map(Decimal, distinct)
    if any(isinstance(value, float) for value in values) or any(
        number != number.to_integral_value() for number in numbers
    ):
        raise table.error(
            f"label: column {column!r} holds {len(distinct)} different floats, a target for "
            "regression; expected classes (strings, integers or booleans)"
        )


def _spelling(table: Table, column: str, index: int, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)) or (isinstance(value, float) and np.isfinite(value)):
        return str(value)
    shown = repr(value) if isinstance(value, float) else f"a {type(value).__name__}"
    raise table.error(
        f"label: column {column!r} holds {shown} in {table.row(index)}; "
        "expected a string, an integer or a boolean"
    )
