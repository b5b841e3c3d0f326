"""The graph of jobs: each once, under the hash of all that its result depends on.

A job's key is the hash of all that its result depends on, its inputs' keys included; cells that
need the same job therefore name the same key. Labels and rows travel as small arrays of their own
(`JobGraph.arrays`), cut to the training part, so that no job that fits can see a test label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
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


@dataclass
class JobGraph:
    """Jobs by key, inputs before what needs them, and the small arrays they read."""

    jobs: dict[str, Job] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        label: str,
        inputs: Sequence[str | None],
        spec: dict[str, Any],
        hidden: Mapping[str, Any] | None = None,
    ) -> str:
        """Add a job once; ``hidden`` is for its execution only, no part of its key."""
        identity = canonical([kind, VERSIONS[kind], harness_identity(), _identifying(spec)])
        key = hashlib.sha256(identity.encode()).hexdigest()[:40]
        if key not in self.jobs:
            needs = tuple(dict.fromkeys(k for k in inputs if k is not None))
            self.jobs[key] = Job(key, kind, {**spec, **(hidden or {})}, needs, label)
        return key

    def array(self, values: np.ndarray) -> str:
        """Add a small array and return its key."""
        values = np.ascontiguousarray(values)
        content = hashlib.sha256(f"{values.dtype}{values.shape}".encode() + values.tobytes())
        key = f"a{content.hexdigest()[:39]}"
        self.arrays[key] = values
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


def _identifying(spec: Any) -> Any:
    """Return a spec without the options of plugins, which name files by path: see "identity"."""
    if isinstance(spec, dict):
        hidden = "params" if "identity" in spec else None
        return {key: _identifying(value) for key, value in spec.items() if key != hidden}
    return [_identifying(value) for value in spec] if isinstance(spec, list) else spec
