"""The data set ``image-folder``."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

import numpy as np
from mmbench_manifest.dataset import PARTS
from mmbench_manifest.items import Images
from mmbench_manifest.tables import nearest, why_missing

from mmbench_datasets.base import Samples, encode

ONLY_IDENTIFIED = {"BUFR", "GRIB", "HDF5", "MPEG"}
"""Formats of which Pillow reads the header alone."""


class ImageFolder(Samples):
    """Images in a folder with a sub-folder per class, at any depth below it.

    Where the folder holds a part ``train`` and another (``val``, ``validation``, ``valid``,
    ``dev``, ``test``, ``testing``; in any case), the class folders stand in these, and the split
    is kept. Hidden files and folders are skipped, links that leave the folder are refused.

    Parameters
    ----------
    path : Path
        The folder.
    split : bool, optional
        True: the folder holds parts, anything else in it is left out. False: every sub-folder is
        a class, whatever its name. Default: as found.
    test : str, optional
        The folder that is the test part, where none is called so (``"val"``, in sets whose test
        labels are unpublished).
    extensions : list of str, optional
        Of the files that are read, in any case, with or without the dot; default: all of the
        formats that Pillow decodes.
    modality : str, default="image"
        The modality's name.

    Attributes
    ----------
    modalities, labels, classes, split
        See `Samples`; classes are named after their folders.
    ids : list of str
        The images' paths below the folder, with ``/``, in the order of strings.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it has fewer than two classes, a class without images, or a link that leaves it.
    """

    def __init__(
        self,
        path: Path,
        split: bool | None = None,
        test: str | None = None,
        extensions: list[str] | None = None,
        modality: str = "image",
    ) -> None:
        root = Path(path)
        if not root.is_dir():
            what = "it is a file" if root.exists() else why_missing(root)
            raise FileNotFoundError(f"path: no folder {root.name!r}: {what}")
        if extensions is not None and not extensions:
            raise ValueError("extensions: the list names none")
        tree = _Tree(root, _decoded() if extensions is None else _dotted(extensions))
        parts = _parts(tree, split, test)
        tops = [""] if parts is None else [f"{folder}/" for folder in parts]
        found = []
        for prefix in tops:
            classes = tree.folders(prefix)
            if not classes:
                _no_classes(tree, prefix)
            for name in classes:
                images = tree.images(f"{prefix}{name}/")
                if not images:
                    raise ValueError(
                        f"{root.name}: the class folder '{prefix}{name}' holds no image"
                        f"{_others(root / prefix / name)}"
                    )
                found += [(image, name, prefix) for image in images]
        found.sort()
        self.ids = [image for image, _, _ in found]
        self.labels, self.classes = encode([name for _, name, _ in found])
        if len(self.classes) < 2:
            raise ValueError(
                f"{root.name}: it has the one class folder {self.classes[0]!r}; "
                "expected a folder per class, two or more"
            )
        if parts is not None:
            self.split = np.array([parts[prefix[:-1]] for _, _, prefix in found])
        self.modalities = {modality: "image"}
        self._items = {modality: Images(root, self.ids)}


class _Tree:
    """What of a folder counts: neither hidden entries nor files of other extensions."""

    def __init__(self, root: Path, extensions: Collection[str]) -> None:
        self.root = root
        self._real = os.path.realpath(root)
        self._extensions = extensions

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders in ``prefix``, a path below the root, or empty."""
        return sorted(entry.name for entry in self._entries(prefix) if self._is_folder(entry))

    def images(self, prefix: str, deep: bool = True) -> list[str]:
        """Return the images below ``prefix``, as paths below the root."""
        found = []
        for entry in self._entries(prefix):
            name = prefix + entry.name
            if self._is_folder(entry):
                found += self.images(f"{name}/") if deep else []
            elif os.path.splitext(entry.name)[1].casefold() in self._extensions:
                self._see_to(entry, name)
                found.append(name)
        return found

    def _entries(self, prefix: str) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self.root / prefix) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        if not entry.is_dir():
            return False
        if entry.is_symlink():
            name = Path(entry.path).relative_to(self.root).as_posix()
            raise ValueError(f"{self.root.name}: {name!r} is a link to a folder; expected a folder")
        return True

    def _see_to(self, entry: os.DirEntry[str], name: str) -> None:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{self.root.name}: the name {name!a} is not in UTF-8") from None
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if os.path.commonpath([self._real, target]) != self._real:
                raise ValueError(f"{self.root.name}: {name!r} is a link that leaves the folder")
            if not os.path.exists(target):
                raise ValueError(f"{self.root.name}: {name!r} is a link to nothing")


def _parts(tree: _Tree, split: bool | None, test: str | None) -> dict[str, str] | None:
    """Return the parts' folders with their part, or None where the folders are classes."""
    if split is False:
        if test is not None:
            raise ValueError("test: split = false takes no parts; leave one of them out")
        return None
    folders = tree.folders("")
    parts = {name: PARTS[name.casefold()] for name in folders if name.casefold() in PARTS}
    if test is not None:
        if test not in folders:
            hint = nearest(test, folders) or f"; it has {', '.join(map(repr, folders)) or 'none'}"
            raise ValueError(f"test: {tree.root.name!r} has no folder {test!r}{hint}")
        parts[test] = "test"
    given = sorted(parts.values())
    if "train" not in given or len(given) < 2:
        if split is None and test is None:
            return None
        shown = ", ".join(map(repr, folders)) or "none"
        raise ValueError(
            f"{tree.root.name}: expected folders train and test (or validation); it has {shown}"
        )
    for part in set(given):
        twice = [name for name in parts if parts[name] == part]
        if len(twice) > 1:
            raise ValueError(f"{tree.root.name}: {' and '.join(twice)} are both the {part} part")
    if "test" not in given:
        other = next(name for name in parts if parts[name] == "validation")
        raise ValueError(
            f"{tree.root.name}: it has no test part; write test = {other!r} to test on that"
        )
    strangers = [name for name in folders if name not in parts and tree.images(f"{name}/")]
    if strangers and split is None:
        raise ValueError(
            f"{tree.root.name}: the folder {strangers[0]!r} stands beside {', '.join(parts)}; "
            "split = true leaves it out, split = false takes all folders as classes"
        )
    return parts


def _no_classes(tree: _Tree, prefix: str) -> NoReturn:
    images = len(tree.images(prefix, deep=False))
    held = f"{images} images but no class folders" if images else "no class folders"
    where = f"the folder {prefix[:-1]!r}" if prefix else "it"
    hint = " (split = false takes the folders above as classes)" if prefix and images else ""
    raise ValueError(f"{tree.root.name}: {where} holds {held}; expected a folder per class{hint}")


def _others(folder: Path) -> str:
    """Say which extensions a folder without images has instead."""
    found = sorted({f.suffix.lower() for f in folder.rglob("*") if f.suffix and f.is_file()})
    return f" (only {', '.join(found[:5])})" if found else ""


@cache
def _decoded() -> frozenset[str]:
    from PIL import Image

    formats = Image.registered_extensions()
    return frozenset(
        extension
        for extension, name in formats.items()
        if name in Image.OPEN and name not in ONLY_IDENTIFIED
    )


def _dotted(extensions: Sequence[str]) -> frozenset[str]:
    return frozenset(f".{extension.removeprefix('.').casefold()}" for extension in extensions)
