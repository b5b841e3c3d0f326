"""How combinations rank on one dataset, and which cannot be told from each other."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

from mmbench.metrics import bounds_of
from mmbench.report.figures.listing import listed, rest, spread
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, numbers, rank_group, whiskers, wrapped
from mmbench.report.figures.style import COLOURS, NEUTRAL, SYMBOLS

MOST = 30
"""Combinations that are shown."""


def ranks(scene: Scene) -> list[Picture]:
    """Draw the best combinations by the metric, with intervals and rank groups."""
    known, metric = scene.ranked, scene.metric
    if len(known) < 2:
        return []
    say = scene.say
    listing = known[:MOST]
    layout, _ = listed([scene.names.short(row) for row in listing])
    low, high = bounds_of(metric)
    values = [row.get(name, math.nan) for row in listing for name in (metric, low, high)]
    layout["xaxis"] = {"title": {"text": wrapped(metric)}, "range": spread(numbers(values))}
    layout["shapes"] = _bands(listing, layout["yaxis"]["range"][1])
    groups = sorted({rank_group(row) or 0 for row in listing}, key=lambda n: n or math.inf)
    layout["showlegend"] = groups != [0]
    first = listing[0]
    note = scene.whiskers()
    if groups != [0]:
        note += " " + say(
            "What is in the best rank group cannot be told from the best; the best of the rest "
            "opens the next (5 %, corrected for all pairs)."
        )
    tied = sum(rank_group(row) == 1 for row in known)
    return [
        Picture(
            scene.file("ranks"),
            "ranks",
            say("Combinations by {metric}", metric=metric),
            say(
                "The best of {n} combinations is {name}, {metric} {figure}.",
                n=len(known),
                name=scene.names.short(first),
                metric=metric,
                figure=scene.interval(first),
            )
            + (" " + say("{n} are in its rank group.", n=tied) if tied else ""),
            note + rest(say, len(listing), len(known)),
            {"data": [_trace(scene, listing, group) for group in groups], "layout": layout},
        )
    ]


def _trace(scene: Scene, listing: list[Row], group: int) -> dict[str, Any]:
    chosen = [(i, row) for i, row in enumerate(listing) if (rank_group(row) or 0) == group]
    say, metric = scene.say, scene.metric
    rows = [row for _, row in chosen]
    bars = ([row.get(name, math.nan) for row in rows] for name in (metric, *bounds_of(metric)))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": say("rank group {n}", n=group) if group else say("not ranked"),
        "x": numbers(row[metric] for row in rows),
        "y": [-place for place, _ in chosen],
        "error_x": whiskers(*bars, thickness=1.5),
        "marker": {
            "size": 9,
            "color": COLOURS[(group - 1) % len(COLOURS)] if group else NEUTRAL,
            "symbol": SYMBOLS[(group - 1) % len(SYMBOLS)] if group else "circle",
        },
        "hovertext": [
            f"<b>{wrapped(scene.names.short(row), most=4)}</b><br>{scene.interval(row)}"
            for row in rows
        ],
        "hoverinfo": "text",
    }


def _bands(listing: list[Row], above: float) -> list[dict[str, Any]]:
    """Return a band behind each run of combinations of one group, from so far above its marks."""
    made = []
    for group, run in groupby(enumerate(listing), key=lambda each: rank_group(each[1])):
        places = [place for place, _ in run]
        if group is not None:
            made.append(
                {
                    "type": "rect",
                    "xref": "paper",
                    "x0": 0,
                    "x1": 1,
                    "y0": -places[0] + above,
                    "y1": -places[-1] - 1 + above,
                    "layer": "below",
                    "line": {"width": 0},
                    "fillcolor": COLOURS[(group - 1) % len(COLOURS)],
                    "opacity": 0.1,
                }
            )
    return made
