"""Methods across datasets: how each way to fuse and to classify does on all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.report.content import Combination, combination, higher_is_better, ranked

if TYPE_CHECKING:
    from mmbench.report.gather import Part
    from mmbench.report.language import Language


@dataclass(frozen=True)
class Method:
    """What can be used on any dataset: alignment, fusion and head, each with its options.

    Attributes
    ----------
    name : str
        Of these; what stands at its default is not named.
    figures : tuple of float
        By part, the metric of its best combination there, over modalities and encoders; NaN where
        there is none.
    mean_rank : float
        Over parts, among the methods that every part has; 1 is the best, ties shared. NaN where a
        part lacks it.
    """

    name: str
    figures: tuple[float, ...]
    mean_rank: float


@dataclass(frozen=True)
class Across:
    """Methods × parts.

    Attributes
    ----------
    parts : tuple of Part
        The datasets of the runs.
    methods : tuple of Method
        By mean rank, the best first; then those that a part lacks, those of most parts first.
    best : tuple of float
        By part, the best figure in it.
    """

    parts: tuple[Part, ...]
    methods: tuple[Method, ...]
    best: tuple[float, ...]


def across(parts: Sequence[Part], say: Language) -> Across:
    """Hold methods against each other on the datasets of a report.

    Combinations some of whose cells failed take part only where their part has no complete one.
    """
    from mmbench.statistics.datasets import mean_ranks

    names: dict[str, dict[int, float]] = {}
    for place, part in enumerate(parts):
        done = part.rows[part.rows[part.metric].notna()]
        complete = done[done["coverage"] == 1]
        for row in ranked(complete if len(complete) else done, part.metric).to_dict("records"):
            names.setdefault(method(row, say), {}).setdefault(place, row[part.metric])
    figures = np.full((len(names), len(parts)), np.nan)
    for line, found in zip(figures, names.values(), strict=True):
        line[list(found)] = list(found.values())
    everywhere = ~np.isnan(figures).any(axis=1)
    ranks = np.full(len(names), np.nan)
    signs = np.array([1.0 if higher_is_better(part.metric) else -1.0 for part in parts])
    if everywhere.any():
        ranks[everywhere] = mean_ranks(figures[everywhere] * signs)
    order = np.lexsort((-len(parts) + np.isnan(figures).sum(axis=1), ranks))
    listed = list(names)
    best = [signs[i] * np.nanmax(signs[i] * column) if len(column) and not np.isnan(column).all()
            else np.nan for i, column in enumerate(figures.T)]  # fmt: skip
    return Across(
        tuple(parts),
        tuple(Method(listed[i], tuple(figures[i].tolist()), float(ranks[i])) for i in order),
        tuple(map(float, best)),
    )


def method(row: Mapping[str, Any], say: Language) -> str:
    """Name the method of a row of the summary."""
    roles = json.loads(row["params"] or "{}")
    kept = {role: given for role, given in roles.items() if not role.startswith("encoder.")}
    named = combination({**row, "params": json.dumps(kept, ensure_ascii=False)}, say)
    steps = named.steps if row["fusion"] != "none" else (say("one modality"), *named.steps)
    return Combination((), steps, named.options).said(say)
