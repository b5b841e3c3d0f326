"""Columns that name files: whether they are there, and the items that are read from them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbench_manifest.items import Segments
from mmbench_manifest.tables import Table, number, why_missing
from mmbench_manifest.video import Videos, why_no_video


def find_files(table: Table, key: str, column: str, *, folders: bool = False) -> list[str | None]:
    """Return a column's paths, None where missing, and check that all of them are there.

    A path with backslashes that is not there is taken with slashes instead.
    """
    values = table.column(column, key)
    sought = "file or folder" if folders else "file"
    for index, value in enumerate(values):
        if value is not None and (not isinstance(value, str) or not value):
            raise table.error(
                f"{key}: column {column!r} holds {value!r} in {table.row(index)}; "
                f"expected a {sought}'s path"
            )
    exists = os.path.exists if folders else os.path.isfile
    found: dict[str | None, str | None] = {None: None}
    for name in set(values) - {None}:
        spellings = dict.fromkeys((name, _slashed(name)))
        there = (s for s in spellings if exists(os.path.join(table.path.parent, s)))
        found[name] = next(there, None)
    absent = [i for i, name in enumerate(values) if name is not None and found[name] is None]
    if absent:
        raise _not_there(table, f"{key}: column {column!r} names no {sought}", values, absent)
    return [found[name] for name in values]


def _not_there(
    table: Table, problem: str, values: Sequence[Any], absent: Sequence[int]
) -> FileNotFoundError:
    name = values[absent[0]]
    slashed = _slashed(name)
    reason = why_missing(Path(table.path.parent, slashed))
    if os.sep == "/" and slashed[1:3] == ":/":
        reason = "it is a path of another system; expected one relative to the manifest's folder"
    elif slashed != name:
        reason += " (backslashes were read as slashes)"
    more = f" ({len(absent)} of {len(values)} are not there)" if len(absent) > 1 else ""
    return FileNotFoundError(
        f"{table.path.name}: {problem} in {table.row(absent[0])}, {name!r}: {reason}{more}"
    )


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def read_segments(
    table: Table, key: str, names: Sequence[str | None], start: str | None, end: str | None
) -> Segments:
    """Build the items of parts of sound files; ``start`` and ``end`` are columns of seconds.

    Raises
    ------
    ValueError
        If a value is no number from 0, or a part does not end after its start.
    """
    starts, ends = _seconds(table, f"{key}.start", start), _seconds(table, f"{key}.end", end)
    for index, (first, last) in enumerate(zip(starts, ends, strict=True)):
        if last is not None and last <= (first or 0.0):
            raise table.error(
                f"{key}.end: column {end!r} holds {last:g} in {table.row(index)}; "
                f"expected more than its start, {first or 0.0:g}"
            )
    return Segments(table.path.parent, names, starts, ends)


def read_videos(
    table: Table,
    key: str,
    column: str,
    names: Sequence[str | None],
    frame_rate: float | None,
    frames: int | None,
) -> Videos:
    """Build the items of videos; ``names`` are those that ``column`` holds.

    Raises
    ------
    ValueError
        If a folder holds no image, has no frame rate, or a file needs what is not installed.
    """
    rows: dict[str, int] = {}
    for index, name in enumerate(names):
        if name is not None:
            rows.setdefault(name, index)
    for name, index in rows.items():
        if wrong := why_no_video(table.path.parent / name, frame_rate):
            raise table.error(
                f"{key}: column {column!r} names {name!r} in {table.row(index)}: {wrong}"
            )
    return Videos(table.path.parent, names, frame_rate, frames)


def _seconds(table: Table, key: str, column: str | None) -> list[float | None]:
    if column is None:
        return [None] * table.n_rows
    seconds: list[float | None] = []
    for index, value in enumerate(table.column(column, key)):
        try:
            seconds.append(None if value is None or value == "" else number(value))
        except (TypeError, ValueError):
            seconds.append(-1.0)
        if (seconds[-1] or 0.0) < 0:
            raise table.error(
                f"{key}: column {column!r} holds {value!r} in {table.row(index)}; "
                "expected seconds, a number from 0"
            )
    return seconds
