"""The graph of jobs: each once, under the hash of all that its result depends on.

A job's key is the hash of all that its result depends on, its inputs' keys included; cells that
need the same job therefore name the same key. Labels and rows travel as small arrays of their own
(`JobGraph.arrays`), cut to the training part, so that no job that fits can see a test label.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from json.encoder import encode_basestring
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.identity import is_editable, source_hash
from mmbench.jobs import VERSIONS, Job
from mmbench.options import canonical

RESULT_LIBRARIES = ("numpy", "scipy", "scikit-learn")


@lru_cache(maxsize=1)
def harness_identity() -> str:
    """Return mmbench's version (and source hash where editable) and its numeric libraries'."""
    own = metadata.distribution("mmbench")
    parts = [f"mmbench {own.version}", *(f"{n} {metadata.version(n)}" for n in RESULT_LIBRARIES)]
    if is_editable(own):
        parts.append(source_hash(Path(__file__).parent))
    return "; ".join(parts)


class Shared(dict[str, Any]):
    """A part of the specs of many jobs: what stands for it in their keys is written once.

    It is not changed once it is made; another process is sent a plain dict.
    """

    __slots__ = ("text",)

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self.text = _text(dict(content))

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)


@dataclass
class JobGraph:
    """Jobs by key, inputs before what needs them, and the small arrays they read."""

    jobs: dict[str, Job] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    _named: dict[int, tuple[np.ndarray, str]] = field(default_factory=dict)
    """Arrays seen, each with its key, by `id`: they stay alive, so that it stays theirs."""

    def add(
        self,
        kind: str,
        label: str,
        inputs: Sequence[str | None],
        spec: dict[str, Any],
        hidden: Mapping[str, Any] | None = None,
    ) -> str:
        """Add a job once; ``hidden`` is for its execution only, no part of its key."""
        identity = f"[{_head(kind)}, {_text(spec)}]"
        key = hashlib.sha256(identity.encode()).hexdigest()[:40]
        if key not in self.jobs:
            needs = tuple(dict.fromkeys(k for k in inputs if k is not None))
            spec = {**spec, **hidden} if hidden else spec
            self.jobs[key] = Job(key, kind, spec, needs, sys.intern(label))
        return key

    def array(self, values: np.ndarray) -> str:
        """Add a small array, which is not to change, and return its key."""
        if id(values) in self._named:
            return self._named[id(values)][1]
        given, values = values, np.ascontiguousarray(values)
        content = hashlib.sha256(f"{values.dtype}{values.shape}".encode() + values.tobytes())
        key = f"a{content.hexdigest()[:39]}"
        self.arrays[key] = values
        self._named[id(given)] = given, key
        return key

    def keep(self, keys: Iterable[str]) -> None:
        """Drop the jobs that these do not need."""
        needed = {job.key for job in self.closure(list(keys))}
        self.jobs = {key: job for key, job in self.jobs.items() if key in needed}

    def closure(self, keys: Sequence[str]) -> Iterator[Job]:
        """Return the jobs that these need, themselves included, each once."""
        seen: set[str] = set()
        stack = list(keys)
        while stack:
            key = stack.pop()
            if key not in seen:
                seen.add(key)
                stack.extend(self.jobs[key].inputs)
                yield self.jobs[key]


@lru_cache
def _head(kind: str) -> str:
    """Return what a kind of job's identity begins with."""
    return canonical([kind, VERSIONS[kind], harness_identity()])[1:-1]


def _text(spec: Any) -> str:
    """Return canonical JSON without the options of plugins, which name files: see "identity"."""
    write = _WRITERS.get(type(spec), canonical)
    return write(spec)


def _object(spec: dict[Any, Any]) -> str:
    hidden = "params" if "identity" in spec else None
    told = [f"{_key(key)}: {_text(spec[key])}" for key in sorted(spec) if key != hidden]
    return f"{{{', '.join(told)}}}"


def _array(spec: list[Any]) -> str:
    return f"[{', '.join([_text(value) for value in spec])}]"


_atom = lru_cache(typed=True)(canonical)

_WRITERS: Mapping[type, Callable[[Any], str]] = {
    Shared: attrgetter("text"),
    str: encode_basestring,
    dict: _object,
    list: _array,
    int: _atom,
    bool: _atom,
    type(None): _atom,
}


@lru_cache(typed=True)
def _key(name: Any) -> str:
    """Return a key of an object, which JSON has as a string."""
    return canonical({name: None})[1 : -len(": null}")]
