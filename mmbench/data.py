"""Datasets as the harness sees them: loaded once, checked, limited, with what is missing."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.catalogue import Catalogue, Entry
from mmbench.config import DatasetBlock, Source
from mmbench.contracts import KINDS, Dataset
from mmbench.errors import UserError, did_you_mean, one_line
from mmbench.options import build, signature
from mmbench.splits import subsample

if TYPE_CHECKING:
    import pandas as pd

MOST_SHOWN = 3
"""Samples that are named for each modality that they lack."""

UNBALANCED = 20
"""How many times the smallest class the largest has to be for a line in the plan."""


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset by name and options: what a worker needs to load it."""

    entry: Entry
    name: str
    params: dict[str, Any]

    def load(self, threads: int) -> Dataset:
        """Build the dataset."""
        dataset: Dataset = build(self.entry, self.params, {"threads": threads, "device": "cpu"})
        return dataset


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of a dataset that a run uses, in dataset order.

    All arrays are aligned with `ids`; `rows` are the samples' positions in the dataset itself
    (they differ under ``--limit``).
    """

    spec: DatasetSpec
    dataset: Dataset
    modalities: dict[str, str]
    ids: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray | None
    split: np.ndarray | None
    folds: np.ndarray | None
    rows: np.ndarray
    limit: int | None = None
    _missing: dict[str, np.ndarray] = field(default_factory=dict)
    _fingerprints: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The dataset's name in the table."""
        return self.spec.name

    @cached_property
    def ids_hash(self) -> str:
        """Hash of the ordered ids."""
        return hashlib.sha256("\0".join(self.ids).encode()).hexdigest()

    def fingerprint(self, modality: str) -> str:
        """Return the dataset's fingerprint of a modality, for which it may read all of it."""
        if modality not in self._fingerprints:
            self._fingerprints[modality] = self.dataset.fingerprint(modality)
        return self._fingerprints[modality]

    def missing(self, modality: str) -> np.ndarray:
        """Return which samples lack the modality, a bool array (n,)."""
        if modality not in self._missing:
            items = self.dataset.items(modality)
            known = getattr(items, "missing", None)
            self._missing[modality] = (
                np.array([items[i] is None for i in self.rows], dtype=bool)
                if known is None
                else np.asarray(known, dtype=bool)[self.rows]
            )
        return self._missing[modality]

    @cached_property
    def attributes(self) -> pd.DataFrame | None:
        """What results may be told apart by, a row per sample; None where there is nothing.

        Raises `UserError` where the dataset gives something else.
        """
        table = getattr(self.dataset, "attributes", None)
        if table is None:
            return None
        import pandas as pd

        if not isinstance(table, pd.DataFrame):
            kind = type(table).__name__
            raise UserError(f"dataset {self.name!r}: attributes of type {kind}, not DataFrame")
        n = len(self.dataset.ids)
        if len(table) != n:
            raise UserError(f"dataset {self.name!r}: attributes of {len(table)} samples, not {n}")
        return table.iloc[self.rows]

    def describe(self) -> dict[str, Any]:
        """Return what ``mmbench plan`` says of the data."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        described: dict[str, Any] = {
            "name": self.name,
            "samples": len(self.ids),
            "classes": {c: int(n) for c, n in zip(self.classes, counts, strict=True)},
            "groups": None if self.groups is None else len(np.unique(self.groups)),
            "modalities": {},
            "problems": label_problems(self.ids, self.labels, self.classes),
        }
        for modality, kind in self.modalities.items():
            missing = self.missing(modality)
            described["modalities"][modality] = {"kind": kind, "missing": int(missing.sum())}
            described["problems"] += [
                f"sample {self.ids[i]!r}: {modality} is missing"
                for i in np.flatnonzero(missing)[:MOST_SHOWN]
            ]
        return described


def label_problems(ids: Sequence[str], labels: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Return what is suspicious about labels: a line for each problem, with a sample that has it.

    A class without a name; classes whose names differ in case, blanks or the spelling of a number
    alone; classes of one sample and of none; a class `UNBALANCED` times as large as another.

    Parameters
    ----------
    ids : sequence of str, length n
        Of the samples.
    labels : ndarray of int64, shape (n,)
        Codes into ``classes``.
    classes : sequence of str
        Their names.

    Returns
    -------
    list of str
    """
    counts = np.bincount(labels, minlength=len(classes))

    def first(code: int) -> str:
        return ids[int(np.argmax(labels == code))]

    alike: dict[str, list[int]] = {}
    for code in np.flatnonzero(counts).tolist():
        alike.setdefault(_spelt(classes[code]), []).append(code)
    told = [
        f"sample {first(code)!r}: its class {classes[code]!r} is blank ({counts[code]} samples)"
        for code in alike.pop("", [])
    ]
    for codes in alike.values():
        if len(codes) > 1:
            names = " and ".join(f"{classes[code]!r} ({counts[code]})" for code in codes)
            rarest = min(codes, key=lambda code: int(counts[code]))
            told.append(f"sample {first(rarest)!r}: classes {names} may be one, spelt differently")
    if alone := np.flatnonzero(counts == 1).tolist():
        more = f" ({len(alone)} such classes)" if len(alone) > 1 else ""
        told.append(
            f"sample {first(alone[0])!r}: the only one of class {classes[alone[0]]!r}{more}"
        )
    if empty := np.flatnonzero(counts == 0).tolist():
        more = f" ({len(empty)} such classes)" if len(empty) > 1 else ""
        told.append(f"class {classes[empty[0]]!r} has no sample{more}")
    most = int(np.argmax(counts))
    least = int(np.argmin(np.where(counts, counts, len(ids))))
    if counts[most] >= UNBALANCED * counts[least]:
        told.append(
            f"unbalanced: {classes[most]!r} has {counts[most]} of {len(ids)} samples, "
            f"{classes[least]!r} {counts[least]}"
        )
    return told


def _spelt(name: str) -> str:
    """Return a class name in one spelling: case, blanks, underscores and numbers."""
    folded = " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())
    try:
        return repr(float(folded))
    except ValueError:
        return folded


def specify(block: DatasetBlock, source: Source, catalogue: Catalogue, index: int) -> DatasetSpec:
    """Read a ``[[datasets]]`` block: find the plugin, check its options, settle the name."""
    where = f"{source.label}: datasets[{index}]"
    entry = catalogue.find("dataset", block.use, f"{where}.use")
    try:
        accepted = signature(entry)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{where}: dataset {entry.name!r} cannot be imported: {one_line(error)}"
        ) from error
    params = accepted.validate(block.options, where)
    params = {
        option: (source.folder / value.expanduser()).resolve() if isinstance(value, Path) else value
        for option, value in params.items()
    }
    name = block.name
    if name is None:
        path = params.get("path")
        if isinstance(path, Path):
            name = path.name if path.is_dir() else path.parent.name
        name = name or block.use
    return DatasetSpec(entry, name, params)


def load_samples(spec: DatasetSpec, source: Source, limit: int | None, threads: int) -> Samples:
    """Load a dataset and check what it hands over.

    Raises
    ------
    UserError
        The dataset's own `ValueError` or `OSError` (a mistake in the user's data), in one line.
    Exception
        Anything else that the plugin raises: a mistake of its own.
    """
    try:
        dataset = spec.load(threads)
    except (ValueError, OSError) as error:
        message = " ".join(str(error).split()) or one_line(error)
        raise UserError(f"{source.label}: dataset {spec.name!r}: {message}") from error
    samples = _checked(spec, dataset)
    if limit is not None and limit < len(samples.ids):
        samples = _limited(samples, limit)
    return samples


def _checked(spec: DatasetSpec, dataset: Dataset) -> Samples:
    ids = tuple(map(str, dataset.ids))
    labels = np.asarray(dataset.labels)
    classes = tuple(map(str, dataset.classes))
    problems = [
        (not ids, "it has no samples"),
        (len(set(ids)) != len(ids), "its ids are not unique"),
        (labels.shape != (len(ids),), f"{len(ids)} ids, but labels of shape {labels.shape}"),
        (not np.issubdtype(labels.dtype, np.integer), f"labels of type {labels.dtype}"),
        (len(classes) < 2, f"{len(classes)} class; classification needs two"),
        (len(set(classes)) != len(classes), "its classes are not unique"),
    ]
    for wrong, message in problems:
        if wrong:
            raise UserError(f"dataset {spec.name!r}: {message}")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise UserError(f"dataset {spec.name!r}: labels are not codes into its classes")
    for modality, kind in dataset.modalities.items():
        if kind not in KINDS:
            raise UserError(
                f"dataset {spec.name!r}: {modality} is of unknown kind {kind!r}"
                f"{did_you_mean(kind, KINDS)}"
            )
        if len(dataset.items(modality)) != len(ids):
            raise UserError(
                f"dataset {spec.name!r}: {modality} has {len(dataset.items(modality))} items, "
                f"but there are {len(ids)} ids"
            )
    return Samples(
        spec=spec,
        dataset=dataset,
        modalities=dict(dataset.modalities),
        ids=ids,
        labels=labels.astype(np.int64),
        classes=classes,
        groups=_column(spec, dataset, "groups", len(ids)),
        split=_column(spec, dataset, "split", len(ids)),
        folds=_column(spec, dataset, "folds", len(ids)),
        rows=np.arange(len(ids)),
    )


def _column(spec: DatasetSpec, dataset: Dataset, name: str, n: int) -> np.ndarray | None:
    values = getattr(dataset, name, None)
    if values is None:
        return None
    column = np.asarray(values)
    if column.shape != (n,):
        raise UserError(f"dataset {spec.name!r}: {name} of shape {column.shape}, {n} expected")
    if name == "split":
        for value in np.unique(column):
            if value not in (valid := ("train", "validation", "test")):
                raise UserError(
                    f"dataset {spec.name!r}: unknown split {str(value)!r}"
                    f"{did_you_mean(str(value), valid)}"
                )
    if column.dtype == object:
        column = column.astype(str)
    return column


def _limited(samples: Samples, limit: int) -> Samples:
    rows = subsample(samples.labels, limit)

    def take(column: np.ndarray | None) -> np.ndarray | None:
        return None if column is None else column[rows]

    return Samples(
        spec=samples.spec,
        dataset=samples.dataset,
        modalities=samples.modalities,
        ids=tuple(samples.ids[i] for i in rows),
        labels=samples.labels[rows],
        classes=samples.classes,
        groups=take(samples.groups),
        split=take(samples.split),
        folds=take(samples.folds),
        rows=rows,
        limit=limit,
    )


def pick(items: Sequence[Any], rows: Sequence[int] | np.ndarray) -> Sequence[Any]:
    """Return a lazy view of some items."""
    return _Picked(items, np.asarray(rows))


class _Picked(Sequence[Any]):
    def __init__(self, items: Sequence[Any], rows: np.ndarray) -> None:
        self._items = items
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice | np.ndarray):
            return _Picked(self._items, self._rows[index])
        return self._items[int(self._rows[index])]
