"""Metrics of predictions taken together, computed once for the predictions that they are of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.catalogue import Entry, load_catalogue
from mmbench.results import predictions_file

POOLED = "pooled.json"
"""The figures known, each under a hash of all that it depends on."""

Figures = dict[str, float | None]


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
    """

    def __init__(self, folder: Path | None, plugins: Sequence[str], names: Sequence[str]) -> None:
        self.folder = folder
        self.plugins = plugins
        self.names = names
        self._used: dict[str, Figures] = {}

    def metrics(self, cells: Mapping[int, Sequence[str]]) -> dict[str, float]:
        """Return each metric of the predictions of a seed's cells, averaged over seeds.

        Nothing where there are no cells, or the predictions of one are not there.
        """
        if self.folder is None or not cells:
            return {}
        try:
            by_seed = [self._figures(self.folder, of_seed) for of_seed in cells.values()]
        except FileNotFoundError:
            return {}
        return {
            name: float(np.mean([np.nan if s[name] is None else s[name] for s in by_seed]))
            for name in by_seed[0]
        }

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
    def _identity(self) -> bytes:
        """What figures depend on besides predictions."""
        from mmbench.graph import harness_identity

        used = [[name, e.plugin.identity, params] for name, (e, params) in self._uses.items()]
        return json.dumps([harness_identity(), used]).encode()

    @cached_property
    def _built(self) -> dict[str, Any]:
        from mmbench.options import build

        given = {"seed": 0, "threads": 1}
        return {name: build(entry, params, given) for name, (entry, params) in self._uses.items()}

    def _figures(self, folder: Path, cells: Iterable[str]) -> Figures:
        files = [predictions_file(folder, cell) for cell in cells]
        digest = hashlib.blake2b(self._identity, digest_size=16)
        for file in files:
            digest.update(hashlib.blake2b(file.read_bytes()).digest())
        key = digest.hexdigest()
        if key not in self._used:
            known = self._known.get(key)
            self._used[key] = self._evaluate(files) if known is None else known
        return self._used[key]

    def _evaluate(self, files: Sequence[Path]) -> Figures:
        import pandas as pd

        from mmbench.metrics import evaluate

        parts = [pd.read_parquet(file) for file in files]
        names = [c for c in parts[0].columns if c.startswith("p_")]
        code = {name.removeprefix("p_"): i for i, name in enumerate(names)}
        truth = np.concatenate([part["truth"].map(code).to_numpy() for part in parts])
        probabilities = np.concatenate([part[names].to_numpy() for part in parts])
        return evaluate(self._built, truth, probabilities)
