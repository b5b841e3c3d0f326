"""Figures of predictions taken together, computed once for the predictions that they are of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.catalogue import Entry, load_catalogue
from mmbench.evidence import Evidence, Figures, Gatherer
from mmbench.metrics import bounds_of
from mmbench.results import predictions_file

POOLED = "pooled.json"
"""The figures known, each under a hash of all that it depends on."""

Cells = Mapping[int, Sequence[str]]
"""The cells of a combination by seed."""


class Pool:
    """Scores the pooled predictions of a run by the metrics that its matrix file names.

    Parameters
    ----------
    folder : Path or None
        The run's folder; without one nothing is scored.
    plugins : sequence of str
        Files and modules of metrics, besides what is installed.
    names : sequence of str
        The metrics asked for.
    headline : str
        The metric by which combinations are ranked.
    """

    def __init__(
        self, folder: Path | None, plugins: Sequence[str], names: Sequence[str], headline: str
    ) -> None:
        self.folder = folder
        self.plugins = plugins
        self.names = names
        self.headline = headline
        self._used: dict[str, Figures] = {}
        self._evidence: dict[tuple[str, ...], Evidence] = {}
        self._digests: dict[str, bytes] = {}

    def metrics(self, cells: Cells) -> dict[str, float]:
        """Return each metric of the predictions of a seed's cells, averaged over seeds.

        As ``<metric>``, with its standard deviation over seeds as ``<metric>_seed_std``. Nothing
        where there are no cells, or the predictions of one are not there.
        """
        if self.folder is None or not cells:
            return {}
        try:
            keys = self._keys(cells)
            found = [self._known_or(key, cells, seed) for seed, key in enumerate(keys)]
        except FileNotFoundError:
            return {}
        made: dict[str, float] = {}
        for name in found[0]:
            of_seeds = [np.nan if (value := s[name]) is None else value for s in found]
            made[name] = float(np.mean(of_seeds))
            made[f"{name}_seed_std"] = seed_std(of_seeds)
        return made

    def bounds(self, cells: Cells) -> dict[str, float]:
        """Return the confidence interval of each metric that `metrics` returns.

        As ``<metric>_low`` and ``<metric>_high``; nothing where `metrics` has nothing.
        """
        if self.folder is None or not cells:
            return {}
        try:
            digest = hashlib.blake2b(" ".join(self._keys(cells)).encode(), digest_size=16)
            found = self._known_or(digest.hexdigest(), cells, None)
        except FileNotFoundError:
            return {}
        return {name: np.nan if value is None else value for name, value in found.items()}

    def evidence(self, cells: Cells) -> Evidence:
        """Return what a combination's predictions say; raises `FileNotFoundError`.

        Of a single cell, of the headline alone: the table has the rest.
        """
        assert self.folder is not None
        known = tuple(cell for of_seed in cells.values() for cell in of_seed)
        if known not in self._evidence:
            self._evidence[known] = self._gatherer.gather(
                [[predictions_file(self.folder, c) for c in of] for of in cells.values()],
                headline_only=len(known) == 1,
            )
        return self._evidence[known]

    def keep(self) -> None:
        """Write down the figures asked for, where some are new and the folder can be written."""
        if self.folder is None or self._used.keys() <= self._known.keys():
            return
        temporary = self.folder / f".{POOLED}.new"
        with suppress(OSError):
            temporary.write_text(json.dumps(self._used), encoding="utf-8")
            os.replace(temporary, self.folder / POOLED)

    @cached_property
    def _known(self) -> dict[str, Figures]:
        assert self.folder is not None
        try:
            known: dict[str, Figures] = json.loads((self.folder / POOLED).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known

    @cached_property
    def _uses(self) -> dict[str, tuple[Entry, dict[str, Any]]]:
        """By name, the metrics that are installed, with their options."""
        assert self.folder is not None
        record = self.folder / "metrics.json"
        uses = json.loads(record.read_text()) if record.is_file() else {}
        entries = load_catalogue(self.plugins).entries["metric"]
        return {
            name: (entries[name], uses[name])
            for name in self.names
            if name in uses and name in entries
        }

    @cached_property
    def identity(self) -> bytes:
        """Bytes of what figures depend on besides predictions."""
        from mmbench.graph import harness_identity

        used = [[name, e.plugin.identity, params] for name, (e, params) in self._uses.items()]
        return json.dumps([harness_identity(), used]).encode()

    @cached_property
    def built(self) -> dict[str, Any]:
        """The metrics, by name."""
        from mmbench.options import build

        given = {"seed": 0, "threads": 1}
        return {name: build(entry, params, given) for name, (entry, params) in self._uses.items()}

    @cached_property
    def _gatherer(self) -> Gatherer:
        return Gatherer(self.built, self.headline)

    def _keys(self, cells: Cells) -> list[str]:
        """Return, by seed, what its figures are kept under."""
        keys = []
        for of_seed in cells.values():
            digest = hashlib.blake2b(self.identity, digest_size=16)
            for cell in of_seed:
                digest.update(self._digest(cell))
            keys.append(digest.hexdigest())
        return keys

    def _digest(self, cell: str) -> bytes:
        assert self.folder is not None
        if cell not in self._digests:
            content = predictions_file(self.folder, cell).read_bytes()
            self._digests[cell] = hashlib.blake2b(content).digest()
        return self._digests[cell]

    def _known_or(self, key: str, cells: Cells, seed: int | None) -> Figures:
        """Return the figures of a seed, or the intervals of all, read or computed."""
        if key not in self._used:
            found = self._known.get(key)
            if found is None:
                evidence = self.evidence(cells)
                found = _bounds(evidence) if seed is None else evidence.by_seed[seed]
            self._used[key] = found
        return self._used[key]


def seed_std(figures: Sequence[float]) -> float:
    """Return the sample standard deviation over seeds; NaN for one."""
    return float(np.std(figures, ddof=1)) if len(figures) > 1 else float("nan")


def _bounds(evidence: Evidence) -> Figures:
    return {
        column: bound if np.isfinite(bound) else None
        for name, pair in evidence.bounds.items()
        for column, bound in zip(bounds_of(name), pair, strict=True)
    }
