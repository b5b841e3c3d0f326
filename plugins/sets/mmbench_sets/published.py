"""A folder of published files: what must be there, and one line where it is not."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmbench_manifest.tables import nearest, why_missing

TOLERATED = 0.01
"""The share of a modality's files that may be absent, and by which counts may be off."""
POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Published:
    """The folder into which a user unpacked a published set.

    Attributes
    ----------
    path : Path
        The folder; its name begins every error.
    source : str
        Where the files are to be had; every error about a missing file ends with it.
    """

    path: Path
    source: str

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            what = "it is a file" if self.path.exists() else why_missing(self.path)
            raise FileNotFoundError(
                f"path: no folder {self.path.name!r}: {what}; the files are at {self.source}"
            )

    def file(self, *places: str) -> Path:
        """Return the first of several places, relative to the folder, at which there is a file.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        return self._first("file", places)

    def folder(self, *places: str) -> Path:
        """Return the first of several places at which there is a folder.

        Raises
        ------
        FileNotFoundError
            If there is none.
        """
        return self._first("folder", places)

    def present(self, what: str, folder: Path, names: Sequence[str | None]) -> list[str | None]:
        """Return the names of a modality's files, None where one is absent.

        Parameters
        ----------
        what : str
            The modality.
        folder : Path
            What the names are relative to.
        names : sequence of str or None
            A file per sample.

        Raises
        ------
        FileNotFoundError
            If more than 1 in 100 are absent.
        ValueError
            If the first is a pointer of Git LFS.
        """
        there = {name: os.path.isfile(folder / name) for name in set(names) if name is not None}
        absent = [name for name in names if name is not None and not there[name]]
        if len(absent) > TOLERATED * len(names):
            where = folder / absent[0]
            more = f" ({len(absent)} of {len(names)} are absent)" if len(absent) > 1 else ""
            raise FileNotFoundError(
                f"{self.path.name}: {what}: no file {self._shown(where)!r}{more}; "
                f"the files are at {self.source}"
            )
        first = next((name for name in names if name is not None and there[name]), None)
        if first is not None:
            with (folder / first).open("rb") as file:
                if file.read(len(POINTER)) == POINTER:
                    raise self.error(
                        f"{what}: {self._shown(folder / first)!r} is a pointer of Git LFS and no "
                        "content; run 'git lfs pull' in the repository"
                    )
        return [name if name is not None and there[name] else None for name in names]

    def check_counts(
        self, found: Mapping[str, int], expected: Mapping[str, int], subset: bool
    ) -> None:
        """Refuse a number of samples that is not, within 1 in 100, the published one.

        Parameters
        ----------
        found, expected : mapping of str to int
            Number of samples by part.
        subset : bool
            Accept any number above 0.

        Raises
        ------
        ValueError
            With the part, both numbers and the source.
        """
        for part, published in expected.items():
            count = found.get(part, 0)
            differs = not subset and abs(count - published) > TOLERATED * published
            if differs or not count:
                hint = "; subset = true accepts a part of it" if count else ""
                raise self.error(
                    f"{part}: {count:,} samples; published are {published:,} (the files are at "
                    f"{self.source}{hint})"
                )

    def check_ids(self, ids: Sequence[str]) -> None:
        """Refuse an id that stands there twice."""
        name, count = Counter(ids).most_common(1)[0]
        if count > 1:
            raise self.error(f"the id {name!r} stands there {count} times")

    def error(self, message: str) -> ValueError:
        """Return the error to raise, beginning with the folder's name."""
        return ValueError(f"{self.path.name}: {message}")

    def _first(self, kind: str, places: Sequence[str]) -> Path:
        for place in places:
            path = self.path / place
            if path.is_file() if kind == "file" else path.is_dir():
                return path
        others = f" (nor at {', '.join(map(repr, places[1:]))})" if len(places) > 1 else ""
        raise FileNotFoundError(
            f"{self.path.name}: no {kind} {places[0]!r}{others}; the files are at {self.source}"
        )

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()


def chosen(wanted: Sequence[str] | None, known: Mapping[str, str]) -> dict[str, str]:
    """Return the modalities that are wanted, name to kind, in the set's order; None: all.

    Raises
    ------
    ValueError
        If the list is empty, or names one that the set does not have.
    """
    if wanted is None:
        return dict(known)
    if not wanted:
        raise ValueError("modalities: the list names none; leave it out to have all")
    for name in wanted:
        if name not in known:
            hint = nearest(name, known) or f"; expected {', '.join(known)}"
            raise ValueError(f"modalities: no modality {name!r}{hint}")
    return {name: kind for name, kind in known.items() if name in wanted}


def parts_of(lengths: Mapping[str, int]) -> np.ndarray:
    """Return the part of each sample, where the parts' samples follow each other."""
    return np.repeat(list(lengths), list(lengths.values()))
