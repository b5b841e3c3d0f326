"""Which runs lie in a folder, and whether what lies there may be read."""

from __future__ import annotations

import os
from pathlib import Path

from mmbench.folder import JOURNAL, PROGRESS, RunFolder

CELLS = "cells.parquet"
CONTENT = frozenset({"logs", "predictions", "fits", "timings"})
"""Folders of a run; no run is looked for in them."""

State = frozenset[tuple[str, int, int, int]]
"""What changes when something in a run's folder does."""


def find_runs(root: Path) -> dict[str, Path]:
    """Find the folders of runs in a folder and below it.

    Parameters
    ----------
    root : Path
        Where to look; may be a run's folder itself. Links to folders are not followed.

    Returns
    -------
    dict of str to Path
        By their place below ``root`` with ``/`` between its parts, empty for ``root`` itself.
    """
    found = {}
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in CONTENT)
        folder = Path(place)
        if not {CELLS, JOURNAL, PROGRESS}.isdisjoint(files) or _has_name(folder):
            name = folder.relative_to(root).as_posix()
            found["" if name == "." else name] = folder
    return found


def stray(folder: Path, root: Path) -> str:
    """Tell what of a run must not be read, empty where all may be.

    A link that leads out of ``root`` would show what does not lie there, and what is no file
    (a named pipe) could keep its reader waiting for ever.
    """
    entries = _entries(folder)
    for entry in [*entries, *(each for at in entries if _is_content(at) for each in _entries(at))]:
        name = Path(entry.path).relative_to(folder)
        if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
            return f"{name} is a link that leads out of the results folder"
        if os.path.exists(entry.path) and not entry.is_file() and not entry.is_dir():
            return f"{name} is neither a file nor a folder"
    return ""


def state_of(folder: Path) -> State:
    """Return the state that a run's folder is in."""
    told = set()
    for entry in _entries(folder):
        of = entry.stat(follow_symlinks=False)
        told.add((entry.name, of.st_ino, of.st_size, of.st_mtime_ns))
    return frozenset(told)


def _has_name(folder: Path) -> bool:
    """Whether a run has just begun here: all that it has written is what it is."""
    return (folder / "environment.json").is_file() and RunFolder(folder).name is not None


def _entries(folder: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_content(entry: os.DirEntry[str]) -> bool:
    return entry.name in CONTENT and entry.is_dir(follow_symlinks=False)
