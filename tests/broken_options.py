"""Encoders, each with one defect in how it is registered, described, built or identified."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"kind": "vector", "summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)
    lazy = "a_library_that_nobody_has.encoders:Encoder"
    register("not-importable", lazy, kind="vector", summary="A library that nobody has.")


class Vectors:
    """The vectors as they are."""

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items).astype(np.float32)


# --- what is said at registration ---------------------------------------------------------------


@broken("no-summary", summary="")
class NoSummary(Vectors):
    pass


@broken("level-of-a-fusion", level="feature")
class LevelOfAFusion(Vectors):
    """A flag that says nothing of an encoder."""


@broken("supervised-not-trained", supervised=True)
class SupervisedNotTrained(Vectors):
    """It would be given labels, but is never fitted."""


# --- options ------------------------------------------------------------------------------------


@broken("mutable-default")
class MutableDefault(Vectors):
    """A list is shared by all objects.

    Parameters
    ----------
    columns : list of int
        Which to keep.
    """

    def __init__(self, *, columns: list[int] = [0, 1]) -> None:  # noqa: B006
        self.columns = columns

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items)[:, self.columns]


@broken("untyped-option")
class UntypedOption(Vectors):
    """Nobody knows what scale may be.

    Parameters
    ----------
    scale : float
        Factor.
    """

    def __init__(self, *, scale=2.0) -> None:  # type: ignore[no-untyped-def]
        self.scale = scale


@broken("unfound-type")
class UnfoundType(Vectors):
    """The annotation names what there is not.

    Parameters
    ----------
    scale : float
        Factor.
    """

    def __init__(self, *, scale: Flaot = 2.0) -> None:  # type: ignore[name-defined]  # noqa: F821
        self.scale = scale


@broken("default-of-another-type")
class DefaultOfAnotherType(Vectors):
    """None is no int.

    Parameters
    ----------
    size : int
        Number of columns.
    """

    def __init__(self, *, size: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
        self.size = size


@broken("default-that-no-file-can-hold")
class DefaultThatNoFileCanHold(Vectors):
    """A function is no plain value.

    Parameters
    ----------
    squash : callable
        Applied to the values.
    """

    def __init__(self, *, squash: Callable[[Any], Any] = np.tanh) -> None:
        self.squash = squash


@broken("undocumented-option")
class UndocumentedOption(Vectors):
    """Something can be chosen."""

    def __init__(self, *, exponent: float = 1.0) -> None:
        self.exponent = exponent


# --- building -----------------------------------------------------------------------------------


@broken("required-option")
class RequiredOption(Vectors):
    """A size must be given.

    Parameters
    ----------
    size : int
        Number of columns.
    """

    def __init__(self, *, size: int) -> None:
        self.size = size


@broken("constructor-raises")
class ConstructorRaises(Vectors):
    """It cannot be built with its own defaults."""

    def __init__(self) -> None:
        raise OSError("no such file: /nowhere/weights.bin")


_ONLY = Vectors()


@broken("one-object-for-all")
def one_object_for_all() -> Vectors:
    """All that build it share one object."""
    return _ONLY


@broken("raises")
class Raises(Vectors):
    """It fails on ordinary items."""

    def encode(self, items: Sequence[Any]) -> Any:
        raise KeyError("layer4")


# --- identity of what is stored -----------------------------------------------------------------


@broken("key-of-the-moment")
class KeyOfTheMoment(Vectors):
    """Another key whenever it is asked."""

    @classmethod
    def cache_key(cls, **params: Any) -> str:
        return f"{random.random()}"


@broken("key-of-an-object")
class KeyOfAnObject(Vectors):
    """The key is asked of an object that is built for it."""

    def __init__(self) -> None:
        self.weights = Path(__file__).read_bytes()

    @classmethod
    def cache_key(cls, **params: Any) -> str:
        return f"{len(cls(**params).weights)} bytes"
