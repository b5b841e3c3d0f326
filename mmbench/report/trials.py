"""What reports tell of corrupted items and of smaller training parts, as small tables of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench.analysis.robustness import ALL, of_summary
from mmbench.corruption.model import Corruption
from mmbench.report import content
from mmbench.report.language import ENGLISH, Language
from mmbench.results import KEYS

if TYPE_CHECKING:
    import pandas as pd

MOST = 20
"""Combinations that a table shows."""


@dataclass(frozen=True)
class Sheet:
    """A small table.

    Attributes
    ----------
    title : str
        What it is of.
    columns : list of str
        Its headings; the first is of names, the others of figures.
    rows : list of list of str
        The fields.
    note : str
        What a reader has to know.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what is of clean items and whole training parts."""
    return rows[(rows["corruption"] == "") & (rows["train_size"] == "")]


def sheets(rows: pd.DataFrame, metric: str, say: Language = ENGLISH) -> list[Sheet]:
    """Return what is told of the trials of one dataset, given its rows of the summary."""
    full = rows[rows["train_size"] == ""]
    made = []
    if (full["corruption"] != "").any():
        made += _breaking(full, metric, say)
    if (rows["train_size"] != "").any():
        made.append(_learning(rows[rows["corruption"] == ""], metric, say))
    return made


def _breaking(rows: pd.DataFrame, metric: str, say: Language) -> list[Sheet]:
    """Tell what corruption costs each combination, and by what the best of clean items breaks."""
    found = of_summary(rows, metric)
    if found.empty:
        return []
    together = found[found["family"] == ALL]
    ordered = together.sort_values(
        "area", ascending=not content.higher_is_better(metric), kind="stable"
    )
    headings = (
        say("combination"), say("clean"), say("corrupted"), say("relative"), say("worst"),
        say("area"), say("worst modality"),
    )  # fmt: skip
    overall = Sheet(
        say("What corruption costs"),
        list(headings),
        [
            [
                _named(row, say),
                *(content.figure(row[name]) for name in ("clean", "mean", "relative")),
                content.figure(row["worst"]),
                content.figure(row["area"]),
                row["modality"],
            ]
            for row in ordered.head(MOST).to_dict("records")
        ],
        say(
            "{metric}, the {shown} of {n} combinations with the largest area under the curve over "
            "strengths. Corrupted: the mean over what was done to items; worst: the lowest; worst "
            "modality: whose corruption costs most.",
            metric=metric,
            shown=min(MOST, len(ordered)),
            n=len(ordered),
        ),
    )
    best = content.answer(plain(rows), metric).best
    return [overall] if best is None else [overall, _curves(rows, best, metric, say)]


def _named(row: Mapping[str, Any], say: Language) -> str:
    name = content.combination(row, say).said(say)
    return say("{combination} (trained on it, too)", combination=name) if row["training"] else name


def _curves(rows: pd.DataFrame, best: Mapping[str, Any], metric: str, say: Language) -> Sheet:
    same = [key for key in KEYS if key not in ("corruption", "missing")]
    policies = ("", best["missing"]) if best["missing"] else rows["missing"].unique()[:2]
    curves: dict[str, dict[str, str]] = {}
    for row in rows[rows["corruption"] != ""].to_dict("records"):
        if any(row[key] != best[key] for key in same) or row["missing"] not in policies:
            continue
        noise = Corruption.parse(row["corruption"])
        name = noise.family
        if noise.training:
            name = say("{corruption} (training too)", corruption=name)
        level = f"{noise.level:g}" if noise.is_noise or noise.takes_away else say("all")
        curves.setdefault(name, {})[level] = content.figure(row[metric])
    combination = content.combination(best, say).said(say)
    return Sheet(
        say("What breaks the best on clean items: {combination}", combination=combination),
        [say("corruption"), say("{metric} by strength or rate", metric=metric)],
        [
            [name, ", ".join(f"{level}: {value}" for level, value in points.items())]
            for name, points in curves.items()
        ],
        say("On clean items {figure}.", figure=content.figure(best[metric])),
    )


def _learning(rows: pd.DataFrame, metric: str, say: Language) -> Sheet:
    sizes = sorted(dict.fromkeys(rows["train_size"]), key=lambda size: float(size or 1))
    same = [key for key in KEYS if key != "train_size"]
    curves: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in content.ranked(rows, metric).to_dict("records"):
        curve = curves.setdefault(tuple(row[key] for key in same), {"first": row})
        curve[row["train_size"]] = content.figure(row[metric], row[f"{metric}_std"])
    ordered = sorted(curves.values(), key=lambda curve: sizes[-1] not in curve)
    return Sheet(
        say("Learning curves"),
        [say("combination"), *(size or "1" for size in sizes)],
        [
            [
                content.combination(curve["first"], say).said(say),
                *(curve.get(size, "") for size in sizes),
            ]
            for curve in ordered[:MOST]
        ],
        say(
            "{metric} (mean ± standard deviation over seeds and folds) by the share of the "
            "training part that was used.",
            metric=metric,
        ),
    )
