"""What is asked of datasets: modalities, ids, labels, classes, and columns that may be there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from mmbench.contracts import KINDS
from mmbench.errors import did_you_mean
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.samples import DatasetSubject
from mmbench.testing.subject import has_method

suite = Suite()

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
PARTS = ("train", "validation", "test")


@suite.check(
    "members",
    why="The harness reads these, and nothing else, to know what there is.",
    mend="Write the attributes modalities, labels, classes and ids, and the methods items and "
    "fingerprint.",
    needs=("builds",),
)
def members(subject: DatasetSubject) -> None:
    """It has all that a dataset has."""
    for name in ("modalities", "labels", "classes", "ids"):
        if getattr(subject.dataset, name, None) is None:
            raise BrokenContractError(f"it has no attribute {name!r}")
    for name in ("items", "fingerprint"):
        if not has_method(subject.dataset, name):
            raise BrokenContractError(f"it has no method {name!r}")


@suite.check(
    "modalities",
    why="Encoders are chosen by a modality's name, else by its kind; names are columns.",
    mend=f"Let modalities map each name to one of {', '.join(KINDS)}; name none after a kind that "
    "it is not.",
    needs=("members",),
)
def modalities(subject: DatasetSubject) -> str:
    """``modalities`` maps names to known kinds, one at least."""
    found = subject.dataset.modalities
    if not isinstance(found, Mapping):
        raise BrokenContractError(f"modalities is {type(found).__name__}; a mapping was expected")
    if not found:
        raise BrokenContractError("it has no modality")
    for name, kind in found.items():
        if not isinstance(name, str) or not name.strip() or "+" in name:
            raise BrokenContractError(f"{name!r} is no name: a text without '+' was expected")
        if kind not in KINDS:
            raise BrokenContractError(
                f"{name!r} is of unknown kind {kind!r}{did_you_mean(str(kind), KINDS)}"
            )
        if name in KINDS and name != kind:
            raise BrokenContractError(
                f"the modality {name!r} is of kind {kind!r}: encoders of kind {name} would be "
                "given its items"
            )
    return ", ".join(f"{name}: {kind}" for name, kind in found.items())


@suite.check(
    "ids",
    why="Predictions of different runs are joined by id; noise and masks are drawn from it.",
    mend="Give every sample a string of its own that does not change with the order.",
    needs=("members",),
)
def ids(subject: DatasetSubject) -> str:
    """Ids are strings, each once."""
    found = list(subject.dataset.ids)
    if not found:
        raise BrokenContractError("it has no samples")
    for name in found:
        if not isinstance(name, str) or not name:
            raise BrokenContractError(f"the id {name!r} is no string, or an empty one")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise BrokenContractError(f"the id {twice!r} stands there {found.count(twice)} times")
    return f"{len(found)} samples"


@suite.check(
    "labels",
    why="A label is a position in `classes`; whatever else it is, is another class, or none.",
    mend="Make labels a NumPy array of int64, one code per id, from 0 to len(classes) - 1.",
    needs=("ids",),
)
def labels(subject: DatasetSubject) -> None:
    """Labels are int64 codes into the classes, one per id."""
    found, n = subject.dataset.labels, len(subject.dataset.classes)
    if not isinstance(found, np.ndarray) or found.dtype != np.int64:
        shown = getattr(found, "dtype", type(found).__name__)
        raise BrokenContractError(f"labels are {shown}; an array of int64 was expected")
    if found.shape != (subject.n,):
        raise BrokenContractError(f"labels are of shape {found.shape}; there are {subject.n} ids")
    if outside := sorted({int(label) for label in found if not 0 <= label < n}):
        raise BrokenContractError(f"the label {outside[0]} is no position in {n} classes")


@suite.check(
    "classes",
    why="Columns of probabilities and of confusion matrices are named after classes.",
    mend="Let classes be a sequence of at least two strings, each once.",
    needs=("labels",),
)
def classes(subject: DatasetSubject) -> str:
    """Classes are strings, each once, at least two."""
    found = list(subject.dataset.classes)
    for name in found:
        if not isinstance(name, str):
            raise BrokenContractError(f"the class {name!r} is no string")
    if len(found) < 2:
        raise BrokenContractError(f"it has {len(found)} class; classification needs two")
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise BrokenContractError(f"the class {twice!r} stands there {found.count(twice)} times")
    unused = len(found) - len(np.unique(subject.dataset.labels))
    return f"{len(found)} classes" + (f", {unused} of them without a sample" if unused else "")


@suite.check(
    "class-order",
    why="Of two classes the last is the positive one: in another order, precision, recall and ROC "
    "curves are those of the other class.",
    mend="Sort classes: false before true; by value where all are numbers; else by string. Where "
    "an option `classes` names them, the order is that of the labels that it names.",
    needs=("classes",),
)
def class_order(subject: DatasetSubject) -> str | None:
    """Classes stand in the order false, true; or by value; or by string."""
    if subject.request.params.get("classes"):
        return "an option names the classes"
    found = list(subject.dataset.classes)
    expected = sorted(found)
    if all(map(NUMBER.fullmatch, found)):
        expected.sort(key=Decimal)
        if [Decimal(name) for name in found] == [Decimal(name) for name in expected]:
            return None
    elif {name.casefold() for name in found} == {"false", "true"}:
        expected.sort(key=str.casefold)
    if found != expected:
        raise BrokenContractError(
            f"the classes are {_shown(found)}; {_shown(expected)} was expected"
        )
    return None


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


# --- columns -----------------------------------------------------------------------------------


def _column(subject: DatasetSubject, name: str) -> np.ndarray:
    """Return a column that need not be there, a value per sample."""
    values = getattr(subject.dataset, name, None)
    if values is None:
        raise NotApplicable(f"it brings no {name}")
    column = np.asarray(values)
    if column.shape != (subject.n,):
        raise BrokenContractError(
            f"{name} is of shape {column.shape}; there are {subject.n} samples"
        )
    absent = [i for i, value in enumerate(column.tolist()) if value is None or value != value]
    if absent:
        raise BrokenContractError(
            f"{name} has no value for {len(absent)} samples, {subject.dataset.ids[absent[0]]!r} "
            "first"
        )
    return column


@suite.check(
    "split",
    why="A given split is run as it is given.",
    mend='Say "train", "validation" or "test" for each sample; set it to None where there is none.',
    needs=("ids",),
)
def split(subject: DatasetSubject) -> str:
    """``split`` says train, validation or test of each sample."""
    column = _column(subject, "split")
    counts = {part: int((column == part).sum()) for part in PARTS}
    for value in np.unique(column.astype(str)):
        if value not in PARTS:
            raise BrokenContractError(
                f"unknown part {str(value)!r}{did_you_mean(str(value), PARTS)}"
            )
    for part in ("train", "test"):
        if not counts[part]:
            raise BrokenContractError(f"no sample is in the part {part!r}")
    return ", ".join(f"{n} {part}" for part, n in counts.items() if n)


@suite.check(
    "folds",
    why="Every fold is the test part once, and trained on the others.",
    mend="Give each sample a fold, of at least two; set `folds` to None where there are none.",
    needs=("ids",),
)
def folds(subject: DatasetSubject) -> str:
    """``folds`` has a value per sample, and two at least."""
    values = set(_column(subject, "folds").tolist())
    if len(values) < 2:
        raise BrokenContractError("all samples are in one fold")
    return f"{len(values)} folds"


@suite.check(
    "groups",
    why="Samples of one group (a person, a recording) must not stand in both training and test.",
    mend="Give each sample its group; set `groups` to None where there are none.",
    needs=("ids",),
)
def groups(subject: DatasetSubject) -> str:
    """``groups`` has a value per sample, and two at least."""
    column = _column(subject, "groups")
    values = set(column.tolist())
    if len(values) < 2:
        raise BrokenContractError("all samples are of one group: nothing could be held out")
    return f"{len(values)} groups"


@suite.check(
    "attributes",
    why="Results are given by group of these columns, row by row.",
    mend="Make `attributes` a pandas DataFrame with a row per sample, in the order of the ids.",
    needs=("ids",),
)
def attributes(subject: DatasetSubject) -> str:
    """``attributes`` is a data frame with a row per sample."""
    found = getattr(subject.dataset, "attributes", None)
    if found is None:
        raise NotApplicable("it brings no attributes")
    import pandas as pd

    if not isinstance(found, pd.DataFrame):
        raise BrokenContractError(f"attributes is {type(found).__name__}; a DataFrame was expected")
    if len(found) != subject.n:
        raise BrokenContractError(f"attributes has {len(found)} rows; there are {subject.n} ids")
    if not all(isinstance(name, str) for name in found.columns) or not found.columns.is_unique:
        raise BrokenContractError("the columns of attributes are not named by strings, each once")
    return f"{len(found.columns)} columns"
