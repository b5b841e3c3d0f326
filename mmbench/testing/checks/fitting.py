"""What is asked of everything that may be fitted: true flags, and nothing of the test part."""

from __future__ import annotations

import numbers
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.data import pick
from mmbench.errors import one_line
from mmbench.sequences import Sequences
from mmbench.testing import again, specimens
from mmbench.testing.arrays import copied, dense, difference, same, take
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.subject import (
    EncoderSubject,
    FeatureSubject,
    JointSubject,
    RowSubject,
    has_method,
)

suite = Suite()

ALWAYS_FITTED = ("alignment", "head", "joint")


def _needs_fit(subject: RowSubject) -> None:
    if not subject.fits:
        raise NotApplicable("nothing is fitted")


@suite.check(
    "fit-returns-self",
    why="The harness, as scikit-learn's users do, goes on with what `fit` returns.",
    mend="End `fit` with `return self`.",
    needs=("cpu-fallback", "unsupervised"),
)
def fit_returns_self(subject: RowSubject) -> None:
    """``fit`` returns the object."""
    _needs_fit(subject)
    built = subject.build()
    returned: list[Any] = []
    spy = _Spy(built, returned)
    subject.fit(spy, subject.train, subject.train_labels)
    if returned and returned[0] is not built:
        raise BrokenContractError(f"fit returned {type(returned[0]).__name__}")


class _Spy:
    """Passes ``fit`` on and notes what it returns."""

    def __init__(self, built: Any, returned: list[Any]) -> None:
        self._built = built
        self._returned = returned

    def fit(self, *given: Any, **keywords: Any) -> Any:
        self._returned.append(self._built.fit(*given, **keywords))
        return self._built


@suite.check(
    "supervised-flag",
    why="What is registered supervised is fitted anew in every inner fold, once per label vector; "
    "what is not gets no labels.",
    mend="Register supervised=True if, and only if, `fit` uses the labels.",
    needs=("determinism",),
)
def supervised_flag(subject: RowSubject) -> None:
    """What is registered supervised depends on the labels."""
    _needs_fit(subject)
    if not subject.entry.supervised:
        raise NotApplicable("it is not registered supervised: it is given no labels")
    shuffled = np.random.default_rng(8).permutation(subject.train_labels)
    parts = [(subject.train, subject.test)]
    if isinstance(subject, FeatureSubject):  # a selection may keep all of a few columns
        ragged = subject.entry.sequences
        wide = [
            specimens.features(n, (250, 250), seed, sequences=ragged)
            for n, seed in ((subject.n_train, 0), (subject.n_test, 1))
        ]
        parts.append((wide[0], wide[1]))
    for train, test in parts:
        results = [
            copied(subject.apply(subject.fit(subject.build(), train, labels), test))
            for labels in (subject.train_labels, shuffled)
        ]
        if not same(*results):
            return
    raise BrokenContractError("it is registered supervised, but other labels give the same result")


@suite.check(
    "validation",
    why="Where the split has a validation part, `fit` is given it.",
    mend="Take `validation=None` or `(rows, labels)`, its labels None where those of `fit` are; "
    "it may lack classes.",
    needs=("finite",),
)
def validation(subject: RowSubject) -> None:
    """With a validation part it learns something finite, too."""
    if not isinstance(subject, EncoderSubject | JointSubject) or not subject.fits:
        raise NotApplicable("it is given no validation part")
    held_out = (take(subject.rows(4, seed=2), [1, 2, 3]), specimens.labels(4)[1:])
    try:
        fitted = subject.fit(subject.build(), subject.train, subject.train_labels, held_out)
        output = subject.apply(fitted, subject.test)
    except Exception as error:
        raise BrokenContractError(f"given a validation part it raises {one_line(error)}") from error
    if not np.isfinite(dense(output[""])).all():
        raise BrokenContractError("given a validation part it returns NaN or infinite values")


class _Guarded(Sequence[Any]):
    """Items of which only the training part may be looked at."""

    def __init__(self, items: Sequence[Any], allowed: int) -> None:
        self._all = items
        self._allowed = allowed
        self.touched: set[int] = set()

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index >= self._allowed or index < 0:
            self.touched.add(int(index) % len(self))
        return self._all[index]


@suite.check(
    "hidden-rows",
    why="What `fit` is given may lie in the same memory as the test part: whoever looks beyond "
    "the rows handed over has seen the test set, and its score means nothing.",
    mend="Use the rows and labels that `fit` is given, and nothing reached through them.",
    needs=("determinism",),
)
def hidden_rows(subject: RowSubject) -> None:
    """The result of ``fit`` does not depend on rows and labels that it was not given."""
    _needs_fit(subject)
    n = subject.n_train
    results = []
    for trick in (0, 1):
        hidden = subject.rows(n, seed=20 + trick)
        labels = np.concatenate([subject.train_labels, (subject.train_labels + trick) % 4])[:n]
        if isinstance(subject.train, list):
            guarded = _Guarded([*subject.train, *hidden], n)
            fitted = subject.fit(subject.build(), pick(guarded, np.arange(n)), labels)
            results.append(copied(subject.apply(fitted, subject.test)))
            if guarded.touched:
                raise BrokenContractError(
                    f"fit looked at {len(guarded.touched)} items that it was not given"
                )
            continue
        rows = _views(subject.train, hidden, n)
        fitted = subject.fit(subject.build(), rows, labels)
        results.append(copied(subject.apply(fitted, subject.test)))
    if not same(*results):
        raise BrokenContractError(
            f"other hidden rows behind the same training rows give another result, by "
            f"{difference(*results):.1e} of the largest value"
        )


def _views(train: Any, hidden: Any, n: int) -> Any:
    """Return the training rows as views of arrays in which other rows follow, as the harness."""
    if isinstance(train, Mapping):
        return {m: _views(train[m], hidden[m], n) for m in train}
    if isinstance(train, Sequences):
        return Sequences.concatenate([train, hidden])[:n]
    return np.concatenate([train, hidden])[:n]


@suite.check(
    "isolation",
    why="One process fits the same plugin for many folds; what one fold's labels leave behind in "
    "a global or a class attribute is test labels to the next.",
    mend="Keep everything learnt on the object (self), nothing in the module or the class.",
    needs=("determinism",),
)
def isolation(subject: RowSubject) -> None:
    """An object does not know what another was fitted on."""
    _needs_fit(subject)
    before = subject.output
    seen = subject.fit(subject.build(), subject.test, subject.train_labels[: subject.n_test])
    subject.apply(seen, subject.train)
    after = copied(subject.apply(subject.made(), subject.test))
    if not same(before, after):
        raise BrokenContractError(
            "after another object was fitted on the test rows and their labels, a fresh one gives "
            f"another result, by {difference(before, after):.1e} of the largest value"
        )


@suite.check(
    "tiny-fit",
    why="Small classes and small folds happen; made-up numbers there look like results.",
    mend="Raise a ValueError that says what is wanting, or return finite values.",
    needs=("finite",),
)
def tiny_fit(subject: RowSubject) -> str:
    """Of one sample, one class, or two samples a class it learns something finite, or raises."""
    _needs_fit(subject)
    labels = subject.train_labels
    chosen = {
        "one sample": np.array([0]),
        "one class": np.flatnonzero(labels == labels[0]),
        "two samples a class": np.arange(8),
    }
    raised = []
    for what, rows in chosen.items():
        k, codes = np.unique(labels[rows], return_inverse=True)
        try:
            built = subject.build(n_classes=len(k))
            fitted = subject.fit(built, take(subject.train, rows), codes.astype(np.int64))
            output = subject.apply(fitted, subject.test)
        except Exception as error:
            raised.append(f"{what}: {type(error).__name__}")
            continue
        for values in output.values():
            if dense(values).shape[:1] != (subject.n_test,) or not np.isfinite(dense(values)).all():
                raise BrokenContractError(
                    f"fitted on {what} it returns rows that are wanting or not finite"
                )
    return "; ".join(raised)


@suite.check(
    "save-load",
    why="A fitted object is kept by `save` and used again by `load`; what is loaded must be what "
    "was scored, and loading it must not run code.",
    mend="Save arrays as .npy, .safetensors or JSON (heads: skops), no pickle; let "
    "`build().load(folder)` return an object that gives the same results.",
    needs=("fresh-process",),
)
def save_load(subject: RowSubject) -> None:
    """What was saved and loaded in a fresh process gives the same, and is no pickle."""
    fitted = subject.made(seed=7)
    saves, loads = has_method(fitted, "save"), has_method(fitted, "load")
    if not saves and not loads:
        raise NotApplicable("it has neither `save` nor `load`: it is fitted anew")
    if not (saves and loads):
        raise BrokenContractError(f"it has `{'save' if saves else 'load'}` without the other")
    with tempfile.TemporaryDirectory(prefix="mmbench-check-") as name:
        folder = Path(name)
        fitted.save(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        if not files:
            raise BrokenContractError("save wrote no file")
        for path in files:
            content = path.read_bytes()
            if content[:1] == b"\x80" and content[1:2] <= b"\x05" and content[-1:] == b".":
                raise BrokenContractError(f"save wrote a pickle, {path.name}")
        loaded = again.repeat(subject.request, load=folder)
    if not same(copied(subject.apply(fitted, subject.test)), loaded):
        raise BrokenContractError("what was loaded in a fresh process gives another result")


@suite.check(
    "history",
    why="Training curves are shown in the report, and kept in `fits/`.",
    mend='Leave in `history_` a list of dicts of numbers: [{"epoch": 1, "loss": 0.7}, ...].',
    needs=("cpu-fallback", "unsupervised"),
)
def history(subject: RowSubject) -> str:
    """``history_``, where there is one, is a list of dicts of numbers."""
    _needs_fit(subject)
    found = getattr(subject.first, "history_", None)
    if found is None:
        raise NotApplicable("it leaves no history_")
    try:
        good = all(
            isinstance(row, Mapping)
            and all(isinstance(v, str | numbers.Real) for v in row.values())
            for row in found
        )
    except TypeError as error:
        raise BrokenContractError(f"history_ is no list: {one_line(error)}") from None
    if not good:
        raise BrokenContractError("history_ holds what is no mapping of names to numbers")
    return f"{len(found)} rows"
