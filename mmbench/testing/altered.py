"""A dataset altered: other options, other files, to see whether its fingerprints tell."""

from __future__ import annotations

import shutil
import tempfile
import time
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmbench.options import Option, signature
from mmbench.testing.arrays import Arrays
from mmbench.testing.samples import DatasetSubject

SECONDS = 30.0
"""What all alterations together may take, about."""

MOST_FILES, MOST_BYTES = 2_000, 64e6
"""What is copied to be altered."""


@dataclass(frozen=True)
class Alteration:
    """What was altered, and the modalities whose items that changed.

    ``untold`` are those of them whose fingerprint stayed the same.
    """

    what: str
    changed: tuple[str, ...]
    untold: tuple[str, ...]


@dataclass(frozen=True)
class _Before:
    ids: tuple[str, ...]
    contents: Arrays
    fingerprints: Mapping[str, str]

    @classmethod
    def of(cls, subject: DatasetSubject, dataset: Any) -> _Before:
        prints = {modality: dataset.fingerprint(modality) for modality in dataset.modalities}
        return cls(tuple(dataset.ids), subject.contents(dataset), prints)

    def beside(self, subject: DatasetSubject, dataset: Any, what: str) -> Alteration:
        """Compare; samples of other ids are other rows anyway, and tell nothing."""
        changed = []
        if tuple(dataset.ids) == self.ids:
            contents = subject.contents(dataset)
            changed = [
                m for m in self.contents if m in contents
                and not np.array_equal(contents[m], self.contents[m])
            ]  # fmt: skip
        untold = [m for m in changed if dataset.fingerprint(m) == self.fingerprints[m]]
        return Alteration(what, tuple(changed), tuple(untold))


def alterations(subject: DatasetSubject) -> Iterator[Alteration]:
    """Alter one option or file after the other; what does not build any more is left out."""
    deadline = time.monotonic() + SECONDS
    before = _Before.of(subject, subject.dataset)
    for option in signature(subject.entry).options.values():
        for value in _alternatives(option, subject.request.params.get(option.name, option.default)):
            if time.monotonic() > deadline:
                return
            params = {**subject.request.params, option.name: value}
            try:
                yield before.beside(subject, subject.build(params), f"{option.name} = {value!r}")
            except Exception:  # not every combination need exist
                continue
    for name, path in _paths(subject).items():
        yield from _with_other_files(subject, name, path, deadline)


def takes(option: Option, sort: type) -> bool:
    """Whether an option takes values of that type."""
    return sort in (option.annotation, *typing.get_args(option.annotation))


def _alternatives(option: Option, current: Any) -> list[Any]:
    """Return other values of an option that are easily thought of."""
    annotation = option.annotation
    found: list[Any] = []
    for choice in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(choice) is Literal:
            found += [value for value in typing.get_args(choice) if value != current][:2]
        elif choice is bool:
            found.append(not current)
        elif choice is int and isinstance(current, int) and not isinstance(current, bool):
            found.append(current + 1)
        elif choice is float and isinstance(current, float):
            found.append(current / 2 or 0.25)
    return found


def _paths(subject: DatasetSubject) -> dict[str, Path]:
    """Return the options given that name files or folders which can be copied."""
    typed = signature(subject.entry).validate(subject.request.params, subject.entry.name)
    paths = {
        name: value for name, value in typed.items() if isinstance(value, Path) and value.exists()
    }
    return {name: path for name, path in paths.items() if _can_be_copied(_root(path))}


def _root(path: Path) -> Path:
    """Return the folder that is copied: a file may name its neighbours."""
    return path if path.is_dir() else path.absolute().parent


def _can_be_copied(folder: Path) -> bool:
    """Whether a folder is small, and without links through which the original might be altered."""
    size = 0
    try:
        for number, path in enumerate(folder.rglob("*")):
            size += path.stat().st_size
            if path.is_symlink() or number > MOST_FILES or size > MOST_BYTES:
                return False
    except OSError:
        return False
    return True


def _with_other_files(
    subject: DatasetSubject, name: str, path: Path, deadline: float
) -> Iterator[Alteration]:
    """Alter files in a copy, each at its own place, where its path stays the same."""
    with tempfile.TemporaryDirectory(prefix="mmbench-check-") as temporary:
        root = Path(temporary) / "copy"
        shutil.copytree(_root(path), root)
        copy = root if path.is_dir() else root / path.name
        params = {**subject.request.params, name: copy}
        try:
            before = _Before.of(subject, subject.build(params))
        except Exception:  # it is not whole without what lies outside its folder
            return
        for what, contents in _edits(root, copy):
            if time.monotonic() > deadline:
                return
            originals = {file: file.read_bytes() for file in contents}
            for file, content in contents.items():
                file.write_bytes(content)
            try:
                yield before.beside(subject, subject.build(params), what)
            except Exception:  # what cannot be read any more tells nothing
                continue
            finally:
                for file, content in originals.items():
                    file.write_bytes(content)


def _edits(root: Path, copy: Path) -> Iterator[tuple[str, dict[Path, bytes]]]:
    """Yield new contents of files: two that change places, and letters and digits changed."""
    files = sorted(file for file in root.rglob("*") if file.is_file())
    by_suffix: dict[str, list[Path]] = {}
    for file in files:
        by_suffix.setdefault(file.suffix, []).append(file)
    for alike in by_suffix.values():
        first, content = alike[0], alike[0].read_bytes()
        other = next((file for file in alike[1:] if file.read_bytes() != content), None)
        if other is not None:
            swapped = {first: other.read_bytes(), other: content}
            yield f"{first.name} and {other.name} exchanged", swapped
    for file in [copy] if copy.is_file() else [alike[0] for alike in by_suffix.values()]:
        content = file.read_bytes()
        places = [i for i, byte in enumerate(content) if _next(byte) != byte]
        for share in np.linspace(0.2, 1, 8) if places else ():
            place = places[int(share * (len(places) - 1))]
            edited = bytearray(content)
            edited[place] = _next(content[place])
            yield f"a letter of {file.name} changed", {file: bytes(edited)}


def _next(byte: int) -> int:
    """Return the next letter or digit; what is neither, as it is."""
    text = chr(byte)
    if byte > 127 or not text.isalnum() or text in "zZ9":
        return byte
    return byte + 1
