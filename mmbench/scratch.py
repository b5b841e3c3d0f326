"""Memory for large arrays that is used again as soon as nothing refers to it."""

from __future__ import annotations

import math
import mmap
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Scratch:
    """Makes arrays of float64, in memory that earlier ones have left.

    A large array that is made anew costs a page fault for every 4 KiB: more, on many machines,
    than what it is filled with.

    Parameters
    ----------
    most : int
        The bytes that are held on to; an array for which there is no room has memory of its own.
    """

    most: int
    _held: list[tuple[mmap.mmap, weakref.ref[Any]]] = field(default_factory=list)

    def empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array whose values are not set."""
        size = 8 * math.prod(shape)
        idle = [memory for memory, user in self._held if user() is None]
        found = min((m for m in idle if len(m) >= size), key=len, default=None)
        if found is None:
            while idle and self._total() + size > self.most:
                self._drop(idle.pop())
            if not size or self._total() + size > self.most:
                return np.empty(shape)
            found = mmap.mmap(-1, size)
        made = np.frombuffer(found, count=size // 8)  # the base of all views of the memory
        self._drop(found)
        self._held.append((found, weakref.ref(made)))
        return made.reshape(shape)

    def _total(self) -> int:
        return sum(len(memory) for memory, _ in self._held)

    def _drop(self, memory: mmap.mmap) -> None:
        self._held = [held for held in self._held if held[0] is not memory]
