"""The checks: what is asked of every plugin, of everything with rows, and of each sort."""

from __future__ import annotations

import importlib

from mmbench.catalogue import Entry
from mmbench.testing.kit import Check

_SUITES = {
    "dataset": ("common", "datasets", "items", "contents"),
    "encoder": ("common", "running", "rows", "fitting", "encoders"),
    "alignment": ("common", "running", "rows", "fitting", "features", "alignments"),
    "feature": ("common", "running", "rows", "fitting", "features", "fusions"),
    "decision": ("common", "running", "rows", "fitting", "probabilities", "fusions"),
    "joint": ("common", "running", "rows", "fitting", "features", "probabilities", "fusions"),
    "head": ("common", "running", "rows", "fitting", "features", "probabilities", "heads"),
    "metric": ("common", "metrics"),
    "runner": ("common", "runners"),
}


def checks_for(entry: Entry) -> list[Check]:
    """Return the checks of a plugin's sort, in order."""
    found: list[Check] = []
    for name in _SUITES[entry.level if entry.sort == "fusion" else entry.sort]:
        module = importlib.import_module(f"mmbench.testing.checks.{name}")
        found += module.suite.checks
    return found
