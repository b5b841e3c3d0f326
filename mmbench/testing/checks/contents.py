"""What is asked of a dataset as a whole: the same everywhere, told apart where it is not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.errors import one_line
from mmbench.options import signature
from mmbench.testing import again
from mmbench.testing.altered import alterations, takes
from mmbench.testing.arrays import Arrays
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.samples import FEW, DatasetSubject

suite = Suite()


@suite.check(
    "determinism",
    why="Each process builds the dataset for itself; a row number means the same in all of them.",
    mend="Seed what is drawn with an option (`draw`), never with the clock or a global generator; "
    "sort what a folder lists.",
    needs=("item-repeatable", "class-order"),
)
def determinism(subject: DatasetSubject) -> None:
    """Built twice, it is the same, to the last bit."""
    snapshots = []
    for stir in (1, 2):
        random.seed(stir)
        np.random.seed(stir)
        snapshots.append(subject.snapshot(subject.build()))
    if other := _different(*snapshots):
        raise BrokenContractError(f"built twice with the same options, the {other} differ")


@suite.check(
    "fresh-process",
    why="Workers on any machine build it from name and options, and read its rows by number.",
    mend="Look for the order of sets and of `os.listdir` (use sorted), for `hash()`, and for state "
    "at module level.",
    needs=("determinism",),
)
def fresh_process(subject: DatasetSubject) -> None:
    """In a fresh process, with other hash seeds, it is the same."""
    here = subject.snapshot(subject.dataset)
    there = {n: v for n, v in _elsewhere(subject).items() if not n.startswith("fingerprint of ")}
    if other := _different(here, there):
        raise BrokenContractError(f"in a fresh process the {other} are others")


def _elsewhere(subject: DatasetSubject) -> Arrays:
    if subject.elsewhere is None:
        subject.elsewhere = again.repeat(subject.request)
    return subject.elsewhere


def _different(a: Arrays, b: Arrays) -> str:
    """Return the name of what differs first; empty where nothing does."""
    names = {**a, **b}
    return next((n for n in names if not np.array_equal(a.get(n, ""), b.get(n, ""))), "")


@suite.check(
    "fingerprint",
    why="Embeddings are stored under it: one that changes for nothing embeds everything anew in "
    "every run, one that is not told apart gives the embeddings of other items.",
    mend="Hash the content (hashlib over the items' or files' bytes), not objects: `hash()` and "
    "`id()` differ in every process.",
    needs=("determinism",),
)
def fingerprint(subject: DatasetSubject) -> None:
    """``fingerprint`` is a text that stays the same, and tells modalities apart."""
    dataset, rebuilt = subject.dataset, subject.build()
    told: dict[str, str] = {}
    for modality in dataset.modalities:
        found = dataset.fingerprint(modality)
        if not isinstance(found, str) or not found:
            raise BrokenContractError(f"{modality}: it returned {found!r}; a text was expected")
        if dataset.fingerprint(modality) != found:
            raise BrokenContractError(f"{modality}: asked twice, it gave two fingerprints")
        if rebuilt.fingerprint(modality) != found:
            raise BrokenContractError(f"{modality}: built again, it has another fingerprint")
        if str(_elsewhere(subject)[f"fingerprint of {modality}"]) != found:
            raise BrokenContractError(f"{modality}: a fresh process has another fingerprint")
        told[modality] = found
    contents = subject.contents(dataset, FEW)
    for modality, found in told.items():
        for other in told:
            if found == told[other] and not np.array_equal(contents[modality], contents[other]):
                raise BrokenContractError(
                    f"{modality} and {other} hold other items under the same fingerprint"
                )


@suite.check(
    "fingerprint-content",
    why="Where items change and the fingerprint does not, stored embeddings of the old items are "
    "taken for theirs.",
    mend="Let the hash cover all that an item depends on: the bytes of files, and the options.",
    needs=("fingerprint",),
)
def fingerprint_content(subject: DatasetSubject) -> str:
    """With other options or files, other items have another fingerprint."""
    changed, tried = 0, 0
    for alteration in alterations(subject):
        tried += 1
        changed += len(alteration.changed)
        if alteration.untold:
            raise BrokenContractError(
                f"{alteration.untold[0]}: with {alteration.what} its items are others, under the "
                "same fingerprint"
            )
    if not tried:
        raise NotApplicable("no option or file of it can be altered here")
    return f"{changed} changes of items by {tried} alterations"


@suite.check(
    "mistakes",
    why="What a user gets wrong in a matrix file is one clear line before any work, not a "
    "traceback, nor failed cells an hour later.",
    mend="In the constructor, see that files are there; raise ValueError or OSError with one line "
    "that names the file or the option.",
    needs=("members",),
)
def mistakes(subject: DatasetSubject) -> str:
    """A path to nothing is refused in one line that names it."""
    options = signature(subject.entry).options
    paths = [name for name, option in options.items() if takes(option, Path)]
    if not paths:
        raise NotApplicable("no option of it is a path")
    for name in paths:
        params: dict[str, Any] = {**subject.request.params, name: Path("no-such-folder/no-such.x")}
        try:
            subject.build(params)
        except (ValueError, OSError) as error:
            told = str(error)
        except Exception as error:
            raise BrokenContractError(
                f"{name} = a path to nothing raises {one_line(error)}; ValueError or OSError was "
                "expected"
            ) from error
        else:
            raise BrokenContractError(f"{name} = a path to nothing is accepted")
        if "\n" in told.strip() or not any(word in told for word in (name, "no-such")):
            raise BrokenContractError(
                f"{name} = a path to nothing is refused, but not in one line that names it: "
                f"{told[:80]!r}"
            )
    return ", ".join(paths)
