"""What is asked of everything that turns rows into rows: encoders, alignments, fusions, heads."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import numpy as np

from mmbench.environment import gpus
from mmbench.sequences import Sequences
from mmbench.testing import again
from mmbench.testing.arrays import Arrays, copied, dense, difference, is_sparse, same, take
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.specimens import content_of
from mmbench.testing.subject import RowSubject

suite = Suite()


@suite.check(
    "rows",
    why="Row i is taken to belong to sample i: a missing or surplus row shifts all others.",
    mend="Return an array with one row per sample given, also where one could not be used.",
    needs=("cpu-fallback", "unsupervised"),
)
def rows(subject: RowSubject) -> None:
    """The result is a two-dimensional array with a row per sample."""
    for values in subject.apply(subject.first, subject.test).values():
        if not isinstance(values, np.ndarray) and not is_sparse(values):
            raise BrokenContractError(
                f"it returned {type(values).__name__}; a NumPy array was expected"
            )
        flat = values.ndim == 1 and subject.entry.sort == "head"  # a binary decision_function
        if (values.ndim != 2 and not flat) or values.shape[0] != subject.n_test:
            raise BrokenContractError(
                f"of {subject.n_test} samples it returned shape {values.shape}"
            )
        if not flat and values.shape[1] == 0:
            raise BrokenContractError("it returned vectors of no columns")
        if not np.issubdtype(values.dtype, np.floating):
            raise BrokenContractError(f"it returned {values.dtype}; floating point was expected")


@suite.check(
    "finite",
    why="One NaN spoils standardising and with it the whole column, for all samples.",
    mend="Guard divisions and logarithms; decide what a sample without content becomes.",
    needs=("rows",),
)
def finite(subject: RowSubject) -> None:
    """All values are finite."""
    for values in subject.output.values():
        bad = np.flatnonzero(~np.isfinite(values).all(axis=-1))
        if len(bad):
            raise BrokenContractError(f"row {bad[0]} of {len(values)} has NaN or infinite values")


@suite.check(
    "width",
    why="All chunks of a dataset go into one table of a fixed number of columns.",
    mend="Decide the number of columns by parameters or in `fit`, never by the rows at hand.",
    needs=("rows",),
)
def width(subject: RowSubject) -> None:
    """The number of columns is the same in every call."""
    for rows_given in ([0], [1, 2, 3], range(4, subject.n_test)):
        part = subject.apply(subject.first, take(subject.test, rows_given))
        for name, values in part.items():
            expected = subject.output[name].shape[1:]
            if dense(values).shape != (len(rows_given), *expected):
                raise BrokenContractError(
                    f"of {len(rows_given)} samples it returned shape {dense(values).shape} where "
                    f"({len(rows_given)}, {', '.join(map(str, expected))}) was expected"
                )


@suite.check(
    "input-untouched",
    why="The same items and arrays are given to other plugins after this one.",
    mend="Work on a copy: no in-place operators on what is given.",
    needs=("rows",),
)
def input_untouched(subject: RowSubject) -> None:
    """Neither fit nor apply changes what it is given."""
    train, test = subject.rows(subject.n_train, 0), subject.rows(subject.n_test, 1)
    labels = subject.train_labels.copy()
    before = [_contents(train), _contents(test), labels.tobytes()]
    subject.apply(subject.fit(subject.build(), train, labels), test)
    for what, was, is_now in zip(
        ("the training rows", "the rows it is applied to", "the labels"),
        before,
        [_contents(train), _contents(test), labels.tobytes()],
        strict=True,
    ):
        if was != is_now:
            raise BrokenContractError(f"it changed {what}")


def _contents(given: Any) -> list[bytes]:
    if isinstance(given, dict):
        return [part for name, v in given.items() for part in (name.encode(), *_contents(v))]
    if isinstance(given, list):
        return [content_of(item) for item in given]
    if isinstance(given, Sequences):
        return [given.values.tobytes(), given.offsets.tobytes()]
    return [given.tobytes()]


@suite.check(
    "determinism",
    why="The same file must give the same table; unseeded noise makes every comparison void.",
    mend="Take a parameter `seed` and draw from `numpy.random.default_rng(seed)` (or a seeded "
    "torch.Generator); call no global random function.",
    needs=("input-untouched",),
)
def determinism(subject: RowSubject) -> str:
    """Two objects of the same seed give the same, to the last bit."""
    results, states = [], []
    for stir in (1, 2):
        _stir(stir)
        results.append(copied(subject.apply(subject.made(seed=7), subject.test)))
        states.append(_states())
    if not same(*results):
        gap = difference(*results)
        raise BrokenContractError(
            f"two objects built with the same options and seed differ by {gap:.1e}"
        )
    subject.reseeds = tuple(n for n, was in states[0].items() if was == states[1].get(n))
    return "seeded" if "seed" in subject.asks else "asks for no seed"


def _stir(seed: int) -> None:
    """Put the global generators into a known state."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _states() -> dict[str, bytes]:
    _, keys, position, *_ = np.random.get_state(legacy=True)
    found = {
        "random": repr(random.getstate()).encode(),
        "numpy.random": np.asarray(keys).tobytes() + str(position).encode(),
    }
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].random.get_rng_state().numpy().tobytes()
    return found


@suite.check(
    "random-state",
    why="Seeding a global generator takes away the randomness of everything else in the process.",
    mend="Use a generator of your own; with torch, `torch.random.fork_rng`.",
    needs=("determinism",),
)
def random_state(subject: RowSubject) -> None:
    """It does not seed the global generators."""
    if subject.reseeds:
        raise BrokenContractError(f"it seeds the generator of {' and '.join(subject.reseeds)}")


@suite.check(
    "fresh-process",
    why="Jobs run in any process of any machine, built from name and options alone.",
    mend="Look for state at module level, for the order of sets (use sorted), for `hash()` and "
    "for what only this process has set up.",
    needs=("determinism",),
)
def fresh_process(subject: RowSubject) -> None:
    """A fresh process, with other hash seeds and no GPU, gives the same to the last bit."""
    mine = copied(subject.apply(subject.made(seed=7), subject.test))
    other = again.repeat(subject.request)
    if not same(mine, other):
        raise BrokenContractError(
            f"a fresh process gives another result, by {difference(mine, other):.1e}"
        )


@suite.check(
    "state",
    why="Which rows come first depends on the dataset's order and on `--limit`; a result that "
    "depends on earlier calls is no property of the sample.",
    mend="Keep nothing between calls: only `fit` may learn.",
    needs=("determinism",),
)
def state(subject: RowSubject) -> None:
    """A call gives the same whatever was asked before."""
    fitted = subject.made()
    half = subject.n_test // 2
    ours, others = take(subject.test, range(half)), take(subject.test, range(half, subject.n_test))
    first = copied(subject.apply(fitted, ours))
    if not same(first, copied(subject.apply(fitted, ours))):
        raise BrokenContractError("the same call twice gave two results")
    subject.apply(fitted, others)
    if not same(first, copied(subject.apply(fitted, ours))):
        raise BrokenContractError("after a call with other rows, the same call gave another result")
    for seed in (30, 31):  # rows that are gone by the next call, which may lie where they lay
        subject.apply(fitted, subject.rows(half, seed))
        again_ours = take(subject.rows(subject.n_test, 1), range(half))
        if not same(first, copied(subject.apply(fitted, again_ours))):
            raise BrokenContractError(
                "rows equal to earlier ones, as other objects, gave another result"
            )


@suite.check(
    "own-memory",
    why="The harness keeps what it was given while it asks for more.",
    mend="Return a new array from every call, not a buffer that is used again.",
    needs=("determinism",),
)
def own_memory(subject: RowSubject) -> None:
    """What was returned does not change with later calls."""
    fitted = subject.made()
    half = subject.n_test // 2
    kept = subject.apply(fitted, take(subject.test, range(half)))
    before = copied(kept)
    subject.apply(fitted, take(subject.test, range(half, 2 * half)))
    if not same(before, copied(kept)):
        raise BrokenContractError("an array that it had returned was overwritten by the next call")


@suite.check(
    "row-order",
    why="Row i is joined to the label of sample i: swapped rows are wrong labels, and look like a "
    "poor encoder.",
    mend="After sorting (by length, say), put the results back in the order of the input.",
    needs=("finite", "width", "state"),
)
def row_order(subject: RowSubject) -> None:
    """Rows come back in the order in which they were given."""
    order = np.random.default_rng(4).permutation(subject.n_test)
    shuffled = copied(subject.apply(subject.first, take(subject.test, order)))
    expected = {name: values[order] for name, values in subject.output.items()}
    if (gap := difference(expected, shuffled)) <= max(subject.tolerance, 1e-12):
        return
    wrong = next(
        i
        for i in range(subject.n_test)
        if difference(take(expected, [i]), take(shuffled, [i])) > subject.tolerance
    )
    found = [
        j
        for j in range(subject.n_test)
        if difference(take(subject.output, [j]), take(shuffled, [wrong])) <= subject.tolerance
    ]
    whose = f"belongs to sample {found[0]}" if found else f"is another by {gap:.1e}"
    raise BrokenContractError(
        f"given the rows in another order, row {wrong} of the result, of sample {order[wrong]}, "
        f"{whose}"
    )


@suite.check(
    "batch-size",
    why="Chunks, `--limit` and serving one sample at a time must give the same vectors; what "
    "depends on its neighbours has seen the test set.",
    mend="Switch networks to `eval()`; mask padding; take statistics in `fit`, not from the batch.",
    needs=("row-order",),
)
def batch_size(subject: RowSubject) -> str:
    """A row's result does not depend on the rows beside it."""
    worst = 0.0
    for size in (1, 3):
        parts = [
            copied(subject.apply(subject.first, take(subject.test, range(start, start + size))))
            for start in range(0, subject.n_test, size)
        ]
        joined: Arrays = {
            name: np.concatenate([part[name] for part in parts]) for name in subject.output
        }
        worst = max(worst, difference(subject.output, joined))
        if worst > subject.tolerance:
            raise BrokenContractError(
                f"in batches of {size} the result is another than in one of {subject.n_test}, "
                f"by {worst:.1e} of the largest value"
            )
    return f"largest difference {worst:.0e}"


THOUSAND = 1_100
THOUSAND_SECONDS = 6.0
"""After which no more rows are asked for."""


@suite.check(
    "thousandth",
    why="A dataset has thousands of samples, and they come in larger pieces than these.",
    mend="Keep nothing that grows, runs down or is exhausted between calls; put pieces that are "
    "worked on one by one together in their order.",
    needs=("batch-size",),
)
def thousandth(subject: RowSubject) -> str:
    """The thousandth row, in pieces of the harness's size, is treated as the first."""
    fitted = subject.made()
    expected = copied(subject.apply(fitted, subject.test))
    size = subject.chunk(fitted)
    start, done = time.monotonic(), subject.n_test
    while done < THOUSAND and time.monotonic() - start < THOUSAND_SECONDS:
        chosen = (done + np.arange(size)) % subject.n_test
        wanted = {name: values[chosen] for name, values in expected.items()}
        made = copied(subject.apply(fitted, take(subject.test, chosen)))
        if not difference(wanted, made) <= subject.tolerance:
            raise BrokenContractError(_first_unlike(wanted, made, done, subject.tolerance))
        done += size
    return f"{done} rows, {size} at once"


def _first_unlike(wanted: Arrays, made: Arrays, done: int, tolerance: float) -> str:
    for row in range(len(next(iter(wanted.values())))):
        for name, values in made.items():
            if len(values) != len(wanted[name]):
                return f"of {len(wanted[name])} rows it returned shape {values.shape}"
            if not difference({"": wanted[name][[row]]}, {"": values[[row]]}) <= tolerance:
                return f"row {done + row + 1} is another than when the same sample came first"
    raise AssertionError


@suite.check(
    "empty",
    why="A subset can be empty; made-up rows would be scored.",
    mend="Return an array of 0 rows, or raise a ValueError.",
    needs=("rows",),
)
def empty(subject: RowSubject) -> str:
    """Of no rows it returns no rows, or raises."""
    try:
        output = subject.apply(subject.first, take(subject.test, []))
    except Exception as error:
        return f"raises {type(error).__name__}"
    for values in output.values():
        if dense(values).shape[:1] != (0,):
            raise BrokenContractError(f"of no rows it returned shape {dense(values).shape}")
    return "no rows of no rows"


@suite.check(
    "gpu",
    why="On a machine with a GPU the same cell runs there.",
    mend="Move inputs and weights to `device`, the result back; no lower precision unasked.",
    needs=("rows",),
)
def gpu(subject: RowSubject) -> str:
    """On a GPU it gives what it gives on the CPU, within floating-point tolerance."""
    if "device" not in subject.asks:
        raise NotApplicable("it asks for no device")
    if not gpus():
        raise NotApplicable("there is no GPU here")
    if subject.fits:
        raise NotApplicable("training on a GPU need not give the same weights")
    there = copied(subject.apply(subject.made(device="cuda"), subject.test))
    gap = difference(subject.output, there)
    if gap > 1e-2:
        raise BrokenContractError(
            f"on the GPU the result differs by {gap:.1e} of the largest value"
        )
    return f"largest difference {gap:.0e}"
