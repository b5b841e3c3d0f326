"""What is asked of everything that is given features: alignments, fusions of them, and heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmbench.errors import one_line
from mmbench.sequences import Sequences
from mmbench.testing.arrays import copied, difference
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.subject import RowSubject

suite = Suite()


def _each(rows: Any, change: Any) -> Any:
    """Apply a change to the features of every modality."""
    if isinstance(rows, Mapping):
        return {name: _each(values, change) for name, values in rows.items()}
    if isinstance(rows, Sequences):
        return Sequences(change(rows.values), rows.offsets)
    return change(rows)


@suite.check(
    "sparse-input",
    why="What is registered sparse is given CSR matrices where encoders make them.",
    mend="Register sparse=True only where CSR is accepted, and see that columns keep their place.",
    needs=("finite",),
)
def sparse_input(subject: RowSubject) -> None:
    """What is registered sparse makes the same of CSR as of dense features."""
    if not subject.entry.sparse or subject.entry.sequences:
        raise NotApplicable("it is not registered sparse: it is given dense features")
    from scipy import sparse

    train, test = (_each(rows, sparse.csr_matrix) for rows in (subject.train, subject.test))
    try:
        fitted = subject.fit(subject.build(), train, subject.train_labels)
        made = copied(subject.apply(fitted, test))
    except Exception as error:
        raise BrokenContractError(f"given CSR it raises {one_line(error)}") from error
    if (gap := difference(subject.output, made)) > 1e-3:
        raise BrokenContractError(f"of CSR it makes another result, by {gap:.1e}")


@suite.check(
    "missing",
    why="What is registered handles_missing is given NaN rows, or empty sequences, where others "
    "are given the mean.",
    mend="Look for NaN rows, or for sequences of length 0, and leave them out of sums and means; "
    "else leave the flag out.",
    needs=("finite",),
)
def missing(subject: RowSubject) -> None:
    """What is registered handles_missing returns finite values where rows are NaN or empty."""
    if not subject.entry.handles_missing:
        raise NotApplicable("it is not registered handles_missing: it is given no NaN")
    train, test = without(subject.train, 3), without(subject.test, 3)
    try:
        fitted = subject.fit(subject.build(), train, subject.train_labels)
        made = copied(subject.apply(fitted, test))
    except Exception as error:
        raise BrokenContractError(f"given gaps it raises {one_line(error)}") from error
    for values in made.values():
        if values.shape[:1] != (subject.n_test,) or not np.isfinite(values).all():
            raise BrokenContractError("given gaps it returns rows wanting or not finite")


def without(rows: Any, every: int) -> Any:
    """Return rows where every so many samples lack the first modality."""
    if isinstance(rows, Sequences):
        return Sequences.of([v[:0] if i % every == 0 else v for i, v in enumerate(rows)])
    if not isinstance(rows, Mapping):
        holed = np.array(rows)
        holed[::every] = np.nan
        return holed
    first = next(iter(rows))
    return {name: without(v, every) if name == first else v for name, v in rows.items()}


@suite.check(
    "degenerate",
    why="Constant and single columns happen; made-up numbers there look like results.",
    mend="Guard divisions by a spread of zero; raise a ValueError where it cannot work.",
    needs=("tiny-fit",),
)
def degenerate(subject: RowSubject) -> str:
    """Of constant features, or of one column, it makes finite values, or raises."""
    raised = []
    for what, change in {
        "constant features": np.zeros_like,
        "one column": lambda values: values[:, :1].copy(),
    }.items():
        train, test = _each(subject.train, change), _each(subject.test, change)
        try:
            fitted = subject.fit(subject.build(), train, subject.train_labels)
            made = copied(subject.apply(fitted, test))
        except Exception as error:
            raised.append(f"{what}: {type(error).__name__}")
            continue
        for values in made.values():
            if not np.isfinite(values).all():
                raise BrokenContractError(f"of {what} it returns NaN or infinite values")
    return "; ".join(raised)
