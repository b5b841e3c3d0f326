"""What is in one run only: cells, and what differs in environment and matrix file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from mmbench.comparison.sides import Side, place

Row = dict[str, Any]

LOST = ("only in A", "failed in B")
"""What is worse about the cells that B has."""
UNTOLD = ("run", "command")
"""What an environment says that is no difference of environments."""


def coverage(a: Side, b: Side, refused: Mapping[str, str]) -> list[Row]:
    """List the cells that cannot be compared, with the reason.

    Those that were left out by the plan, or failed, in both are not listed.

    Parameters
    ----------
    a, b : Side
    refused : mapping of str to str
        By cell, why two that were evaluated cannot be compared.

    Returns
    -------
    list of dict
        ``what``: ``only in A``, ``only in B``, ``failed in A``, ``failed in B`` or
        ``other samples``.
    """
    rows = []
    for side, other, name, else_name in ((a, b, "A", "B"), (b, a, "B", "A")):
        for cell, row in side.rows.items():
            if cell not in side.done:
                continue
            if cell not in other.rows:
                rows.append(_row(f"only in {name}", row, ""))
            elif cell not in other.done:
                lost = other.rows[cell]
                rows.append(
                    _row(f"failed in {else_name}", row, f"{lost['status']}: {lost['reason']}")
                )
    rows += [_row("other samples", a.rows[cell], why) for cell, why in refused.items()]
    return rows


def environments(a: Side, b: Side) -> list[Row]:
    """List what differs in the machines, the versions and the matrix files; None where absent."""
    ours, theirs = (dict(_told(side)) for side in (a, b))
    keys = sorted(ours.keys() | theirs.keys())
    return [
        {"what": key, "a": ours.get(key), "b": theirs.get(key)}
        for key in keys
        if ours.get(key) != theirs.get(key)
    ]


def _row(what: str, row: Mapping[str, Any], reason: str) -> Row:
    where = {"seed": int(row["seed"]), "fold": int(row["fold"])}
    return {"what": what, "cell": row["cell"], **place(row), **where, "reason": reason}


def _told(side: Side) -> Iterator[tuple[str, str]]:
    for key, value in side.record.environment.items():
        if key not in UNTOLD:
            yield from _leaves(key, value)
    try:
        matrix = tomllib.loads(side.record.matrix)
    except tomllib.TOMLDecodeError:
        matrix = {}
    yield from _leaves("matrix", matrix)


def _leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield a tree's leaves under dotted keys; a list without tables is a leaf."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _leaves(f"{key}.{name}", below)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, below in enumerate(value):
            yield from _leaves(f"{key}[{number}]", below)
    else:
        told = value if isinstance(value, str) else json.dumps(value, default=str)
        yield key, told
