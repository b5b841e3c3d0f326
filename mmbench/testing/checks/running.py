"""Whether what turns rows into rows can be fitted and applied at all; other checks need that."""

from __future__ import annotations

from dataclasses import replace

from mmbench.environment import gpus
from mmbench.errors import one_line
from mmbench.testing import again
from mmbench.testing.arrays import take
from mmbench.testing.checks.common import asks_for_gpu
from mmbench.testing.kit import BrokenContractError, Suite
from mmbench.testing.subject import RowSubject, has_method

suite = Suite()


@suite.check(
    "trained-flag",
    why="The planner fits what is registered trained, per training part, and shares what is not: "
    "the wrong flag means a plugin that is never fitted, or one that learns from test rows.",
    mend="Register it with trained=True where it has `fit`; give it no `fit` where it learns "
    "nothing.",
    needs=("builds",),
)
def trained_flag(subject: RowSubject) -> None:
    """It is registered trained if, and only if, it has ``fit``."""
    try:
        has = has_method(subject.build(), "fit")
    except Exception:
        return  # told by cpu-fallback
    if has and not subject.fits:
        raise BrokenContractError(
            "it has a method `fit`, but is not registered trained: it is never fitted"
        )
    if subject.fits and not has:
        raise BrokenContractError("it is always fitted, or registered trained, but has no `fit`")


@suite.check(
    "runs",
    why="What fails on ordinary input has failed cells and nothing else.",
    mend="See the contract of this sort in `mmbench.contracts`.",
    needs=("trained-flag",),
)
def runs(subject: RowSubject) -> str:
    """It can be fitted and applied to ordinary rows."""
    try:
        built = subject.build()
        if not any(has_method(built, name) for name in subject.methods):
            raise BrokenContractError(f"it has no method {' or '.join(subject.methods)}")
        output = subject.output
    except BrokenContractError:
        raise
    except Exception as error:
        if asks_for_gpu(error):
            return "told by cpu-fallback"
        if _for_want_of_labels(subject):
            return "told by unsupervised"
        raise BrokenContractError(f"on ordinary rows it raises {one_line(error)}") from error
    return ", ".join(f"{name} {values.shape}".strip() for name, values in output.items())


@suite.check(
    "cpu-fallback",
    why="Most machines have no GPU, continuous integration among them.",
    mend="Take a parameter named `device` and use it; never ask for CUDA on your own.",
    needs=("runs",),
)
def cpu_fallback(subject: RowSubject) -> None:
    """It works on a CPU."""
    try:
        subject.apply(subject.made(device="cpu"), take(subject.test, [0, 1]))
        if gpus():
            again.repeat(subject.request)  # where none is seen
    except Exception as error:
        if asks_for_gpu(error):
            raise BrokenContractError(f"without a GPU it raises {one_line(error)}") from error


@suite.check(
    "unsupervised",
    why="What is not registered supervised is given no labels: it is fitted once for all of them.",
    mend="Register supervised=True if `fit` needs labels.",
    needs=("runs",),
)
def unsupervised(subject: RowSubject) -> None:
    """What is not registered supervised can be fitted without labels."""
    if error := _for_want_of_labels(subject):
        raise BrokenContractError(
            f"given no labels `fit` raises {one_line(error)}; given labels it does not"
        )


def _for_want_of_labels(subject: RowSubject) -> Exception | None:
    """Return what ``fit`` raises without labels, if it does not with them."""
    if not subject.fits or subject.takes_labels:
        return None
    try:
        _ = subject.first
    except Exception as error:
        supervised = replace(subject, entry=replace(subject.entry, supervised=True))
        try:
            supervised.made()
        except Exception:
            return None
        return error
    return None
