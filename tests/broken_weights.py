"""Encoders with weights in a file, each with one defect in how it tells them apart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    for name, target in {
        "key-of-the-path": KeyOfThePath,
        "key-of-the-size": KeyOfTheSize,
        "key-of-the-head": KeyOfTheHead,
        "no-key": NoKey,
        "key-by-instance": KeyByInstance,
    }.items():
        register(name, target, kind="vector", summary="A projection by the weights in a file.")


class Projection:
    """A projection by the weights in a file.

    Parameters
    ----------
    weights : pathlib.Path
        A matrix of 12 rows, as .npy.
    """

    def __init__(self, *, weights: Path) -> None:
        self.weights = weights

    def encode(self, items: Sequence[Any]) -> Any:
        return (np.stack(items) @ np.load(self.weights)).astype(np.float32)


class KeyOfThePath(Projection):
    __doc__ = Projection.__doc__

    @classmethod
    def cache_key(cls, *, weights: Path) -> str:
        return weights.name


class KeyOfTheSize(Projection):
    __doc__ = Projection.__doc__

    @classmethod
    def cache_key(cls, *, weights: Path) -> str:
        return f"{weights.stat().st_size} bytes"


class KeyOfTheHead(Projection):
    __doc__ = Projection.__doc__

    @classmethod
    def cache_key(cls, *, weights: Path) -> str:
        return hashlib.sha256(weights.read_bytes()[:64]).hexdigest()


class NoKey(Projection):
    __doc__ = Projection.__doc__


class KeyByInstance(Projection):
    __doc__ = Projection.__doc__

    def cache_key(self) -> str:
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()
