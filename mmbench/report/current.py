"""Whether the reports that lie in a run's folder tell what lies there now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.graph import harness_identity
from mmbench.report.forms import FORMS, write

if TYPE_CHECKING:
    from mmbench.report.gather import Report

TOLD = (
    "cells.parquet", "environment.json", "matrix.toml", "pooled.json", "standings.json",
    "timings.parquet",
)  # fmt: skip
"""The files of a run that its reports are made from, or that change with what they are made from:
each cell that is evaluated anew has another time in its row."""

NOTE = ".reported"
"""What the reports were made from, and how they were left."""


def write_where_changed(folder: Path, forms: Sequence[str], make: Callable[[], Report]) -> None:
    """Write the reports of a run into its folder, unless nothing has changed since they were.

    Parameters
    ----------
    folder : pathlib.Path
        The run's.
    forms : sequence of str
        Of `FORMS`.
    make : callable
        Gathers the report.
    """
    files = [folder / FORMS[form] for form in forms]
    note = folder / NOTE
    made_from = _identity(folder)
    with suppress(OSError, ValueError):
        if json.loads(note.read_text("utf-8")) == [made_from, _left(files)]:
            return
    note.unlink(missing_ok=True)
    report = make()
    for form, file in zip(forms, files, strict=True):
        write(report, form, file)
    note.write_text(json.dumps([made_from, _left(files)]), encoding="utf-8")


def _identity(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{harness_identity()} plotly {metadata.version('plotly')}".encode())
    for name in TOLD:
        digest.update(f"\0{name}\0".encode())
        with suppress(FileNotFoundError):
            digest.update(folder.joinpath(name).read_bytes())
    return digest.hexdigest()


def _left(files: Sequence[Path]) -> list[list[int]]:
    """Return sizes and times of files, by which it is seen that somebody has changed them."""
    return [[found.st_size, found.st_mtime_ns] for found in (file.stat() for file in files)]
