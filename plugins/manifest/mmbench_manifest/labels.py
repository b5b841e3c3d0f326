"""From a column of labels to codes and classes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from mmbench_manifest.tables import Table, nearest

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
MOST_FLOATS = 20
MOST_SHOWN = 8


def read_labels(
    table: Table, column: str, names: Mapping[str, str] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Read the labels.

    Labels are strings, integers or booleans and keep their spelling (``007`` and ``7`` are two
    classes), but for booleans, which become ``false`` and ``true``.

    Parameters
    ----------
    table : Table
        The manifest.
    column : str
        Where the labels stand.
    names : mapping of str to str, optional
        Label to the name of its class; labels of one name are one class.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        Indices into the classes.
    classes : list of str
        false before true if all labels are spelt so (in any case); by value if all are numbers;
        else by string. Named ones stand in the order of their labels.

    Raises
    ------
    ValueError
        If a label is missing, if all are the same, if the column is a regression target, or if
        labels and `names` do not match.
    """
    values = _present(table, column)
    if names is None:
        _refuse_regression(table, column, values)
    labels = [_spelling(table, column, index, value) for index, value in enumerate(values)]
    if {label.casefold() for label in labels} <= {"false", "true"}:
        labels = [label.casefold() for label in labels]
        names = None if names is None else _folded(table, names)
    ordered = sorted(set(labels))
    if all(map(NUMBER.fullmatch, ordered)):
        ordered.sort(key=Decimal)
    if names is None:
        names = {label: label for label in ordered}
    else:
        _check_names(table, column, labels, names)
    classes = list(dict.fromkeys(names[label] for label in ordered))
    if len(classes) < 2:
        raise table.error(
            f"label: column {column!r} holds the one class {classes[0]!r}; expected two or more"
        )
    codes = {label: classes.index(names[label]) for label in ordered}
    return np.array([codes[label] for label in labels], dtype=np.int64), classes


def _folded(table: Table, names: Mapping[str, str]) -> dict[str, str]:
    folded = {label.casefold(): name for label, name in names.items()}
    if len(folded) < len(names):
        raise table.error(f"classes: {', '.join(map(repr, names))}: a label stands there twice")
    return folded


def _check_names(
    table: Table, column: str, labels: Sequence[str], names: Mapping[str, str]
) -> None:
    for index, label in enumerate(labels):
        if label not in names:
            raise table.error(
                f"classes: no name for {label!r}, which column {column!r} holds in "
                f"{table.row(index)}{_hint(label, names, 'the names are for')}"
            )
    present = dict.fromkeys(labels)
    for label, name in names.items():
        if label not in present:
            hint = _hint(label, present, "its labels are")
            raise table.error(f"classes: column {column!r} holds no {label!r}{hint}")
        if not name:
            raise table.error(f"classes: the name of {label!r} is empty")


def _hint(label: str, known: Collection[str], these: str) -> str:
    shown = ", ".join(map(repr, sorted(known)[:MOST_SHOWN]))
    more = ", ..." if len(known) > MOST_SHOWN else ""
    return f"; {these} {shown}{more}{nearest(label, known)}"


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
