"""The benchmark harness for multimodal machine learning: the public face, imported lazily."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmbench.hookspecs import hookimpl

if TYPE_CHECKING:
    from mmbench import plot
    from mmbench.analysis.classes import class_gains
    from mmbench.analysis.groups import by_group
    from mmbench.analysis.modalities import contributions, diversity, levels
    from mmbench.analysis.robustness import robustness
    from mmbench.analysis.samples import calibration, confusion, hardest
    from mmbench.catalogue import register
    from mmbench.comparison.runs import compare
    from mmbench.distances import Distances
    from mmbench.execution import run
    from mmbench.images import rgb
    from mmbench.measurement.table import read_timings
    from mmbench.planning import make_plan as plan
    from mmbench.results import TIMING_COLUMNS, read_results, summarise
    from mmbench.sequences import Sequences
    from mmbench.splits import derive_seed, folds
    from mmbench.stages import stage
    from mmbench.workshop import progress

_FACE = {
    "Distances": "mmbench.distances:Distances",
    "Sequences": "mmbench.sequences:Sequences",
    "TIMING_COLUMNS": "mmbench.results:TIMING_COLUMNS",
    "by_group": "mmbench.analysis.groups:by_group",
    "calibration": "mmbench.analysis.samples:calibration",
    "class_gains": "mmbench.analysis.classes:class_gains",
    "compare": "mmbench.comparison.runs:compare",
    "confusion": "mmbench.analysis.samples:confusion",
    "contributions": "mmbench.analysis.modalities:contributions",
    "derive_seed": "mmbench.splits:derive_seed",
    "diversity": "mmbench.analysis.modalities:diversity",
    "folds": "mmbench.splits:folds",
    "hardest": "mmbench.analysis.samples:hardest",
    "levels": "mmbench.analysis.modalities:levels",
    "plan": "mmbench.planning:make_plan",
    "plot": "mmbench.plot:",
    "progress": "mmbench.workshop:progress",
    "read_results": "mmbench.results:read_results",
    "read_timings": "mmbench.measurement.table:read_timings",
    "register": "mmbench.catalogue:register",
    "rgb": "mmbench.images:rgb",
    "robustness": "mmbench.analysis.robustness:robustness",
    "run": "mmbench.execution:run",
    "stage": "mmbench.stages:stage",
    "summarise": "mmbench.results:summarise",
}

__all__ = [
    "TIMING_COLUMNS",
    "Distances",
    "Sequences",
    "by_group",
    "calibration",
    "class_gains",
    "compare",
    "confusion",
    "contributions",
    "derive_seed",
    "diversity",
    "folds",
    "hardest",
    "hookimpl",
    "levels",
    "plan",
    "plot",
    "progress",
    "read_results",
    "read_timings",
    "register",
    "rgb",
    "robustness",
    "run",
    "stage",
    "summarise",
]


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module 'mmbench' has no attribute {name!r}")
    module, _, attribute = _FACE[name].partition(":")
    value = importlib.import_module(module)
    value = getattr(value, attribute) if attribute else value
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
