"""What combinations reach with smaller training parts."""

from __future__ import annotations

import math
from typing import Any

from mmbench.metrics import bounds_of
from mmbench.report import content
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, numbers, records, whiskers, wrapped
from mmbench.report.figures.style import COLOURS, SYMBOLS
from mmbench.results import KEYS

MOST = 6
"""Combinations that are shown."""

SAME = [key for key in KEYS if key != "train_size"]


def learning(scene: Scene) -> list[Picture]:
    """Draw the metric by the share of the training part, of the best combinations."""
    rows = scene.part.all_rows
    clean = rows[rows["corruption"] == ""]
    if not (clean["train_size"] != "").any():
        return []
    curves: dict[tuple[Any, ...], dict[float, Row]] = {}
    for row in records(content.ranked(clean[clean[scene.metric].notna()], scene.metric)):
        size = float(row["train_size"] or 1)
        curves.setdefault(tuple(row[key] for key in SAME), {})[size] = row
    drawn = [curve for curve in curves.values() if len(curve) > 1]
    sizes = sorted({size for curve in drawn for size in curve})
    drawn.sort(key=lambda curve: sizes[-1] not in curve)
    if not drawn:
        return []
    say, metric = scene.say, scene.metric
    chosen = drawn[:MOST]
    best = chosen[0]
    first, last = min(best), max(best)
    is_wide = sizes[-1] / sizes[0] > 5
    return [
        Picture(
            scene.file("learning"),
            "learning",
            say("Learning curves by {metric}", metric=metric),
            say(
                "{name} goes from {low} with {first} of the training part to {high} with {last}.",
                name=scene.names.short(next(iter(best.values()))),
                low=scene.interval(best[first]),
                high=scene.interval(best[last]),
                first=_percent(first),
                last=_percent(last),
            ),
            say("The best {n} of {all} combinations.", n=len(chosen), all=len(drawn))
            + " "
            + scene.whiskers(),
            {
                "data": [_trace(scene, curve, place) for place, curve in enumerate(chosen)],
                "layout": {
                    "height": 440,
                    "xaxis": {
                        "type": "log" if is_wide else "linear",
                        "title": {"text": say("share of the training part")},
                        "tickmode": "array",
                        "tickvals": sizes,
                        "ticktext": [_percent(size) for size in sizes],
                    },
                    "yaxis": {"title": {"text": wrapped(metric)}},
                },
            },
        )
    ]


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _trace(scene: Scene, curve: dict[float, Row], place: int) -> dict[str, Any]:
    sizes = sorted(curve)
    rows = [curve[size] for size in sizes]
    metric = scene.metric
    name = wrapped(scene.names.short(rows[-1]), most=4)
    bounds = ([row.get(each, math.nan) for row in rows] for each in (metric, *bounds_of(metric)))
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": sizes,
        "y": numbers(row[metric] for row in rows),
        "error_y": whiskers(*bounds),
        "line": {"color": COLOURS[place]},
        "marker": {"symbol": SYMBOLS[place], "size": 8},
        "hovertext": [
            f"<b>{name}</b><br>{_percent(size)}: {scene.interval(row)}"
            for size, row in zip(sizes, rows, strict=True)
        ],
        "hoverinfo": "text",
    }
