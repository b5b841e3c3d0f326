"""What each modality gives to the best fusions."""

from __future__ import annotations

from typing import Any

from mmbench.report import content
from mmbench.report.figures.listing import listed, spread
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, numbers, records, whiskers, wrapped
from mmbench.report.figures.style import COLOURS, tint
from mmbench.results import KEYS

MOST = 4
"""Fusions that are shown."""
MOST_READ = 32
"""Combinations whose predictions are read, so that a report does not wait for them."""
BAR = 14
"""Thickness of a bar, in pixels."""


def contributions(scene: Scene) -> list[Picture]:
    """Draw the Shapley values of the modalities in the best fusions of most modalities."""
    from mmbench.analysis.modalities import contributions as shapley

    fused = [row for row in scene.ranked if row["fusion"] != "none" and row["coverage"] == 1]
    most = max((row["modalities"].count("+") for row in fused), default=0)
    chosen = [row for row in fused if row["modalities"].count("+") == most][:MOST]
    while len(chosen) > 1 and len(_needed(scene, chosen)) > MOST_READ:
        chosen.pop()
    if not chosen:
        return []
    found: dict[tuple[Any, ...], dict[str, Row]] = {}
    for each in records(shapley(scene.cells(_needed(scene, chosen)), scene.metric)):
        found.setdefault(tuple(each[key] for key in KEYS), {})[each["modality"]] = each
    shares = [(row, found[key]) for row in chosen if (key := _key(row)) in found]
    if not shares:
        return []
    say, metric = scene.say, scene.metric
    modalities = list(shares[0][1])
    marks = BAR * len(modalities) + 8
    layout, pixel = listed([scene.names.short(row) for row, _ in shares], marks)
    data = [
        _trace(scene, [of[name] for _, of in shares], place, len(modalities), pixel)
        for place, name in enumerate(modalities)
    ]
    columns = ("shapley", "shapley_low", "shapley_high")
    values = [of[name][column] for _, of in shares for name in modalities for column in columns]
    layout["xaxis"] = {
        "title": {"text": say("Shapley value, {metric}", metric=wrapped(metric))},
        "range": spread([0.0, *numbers(values)]),
        "zeroline": True,
    }
    layout["legend"] = {"traceorder": "normal"}
    best, of_best = shares[0]
    told = [f"{name} {content.figure(of_best[name]['shapley'])}" for name in modalities]
    return [
        Picture(
            scene.file("contributions"),
            "contributions",
            say("What each modality gives to the best fusions"),
            say(
                "Of {full} that {name} reaches, {none} is reached without any modality; the rest "
                "is shared: {shares}.",
                full=content.figure(next(iter(of_best.values()))["full"]),
                none=content.figure(next(iter(of_best.values()))["none"]),
                name=scene.names.short(best),
                shares=", ".join(told),
            ),
            say(
                "Shapley values: what a modality adds to {metric}, averaged over all orders in "
                "which modalities could be brought in. Whiskers are 95 % intervals.",
                metric=metric,
            ),
            {"data": data, "layout": layout},
        )
    ]


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[key] for key in KEYS)


def _needed(scene: Scene, chosen: list[Row]) -> list[Row]:
    """Return the combinations that the values of some follow from."""
    encoders = [name for name in scene.part.cells.columns if name.startswith("encoder_")]
    rows = []
    for row in scene.ranked:
        for whole in chosen:
            same = all(row[key] == whole[key] for key in ("alignment", "fusion", "head"))
            is_part = all(row[name] in ("", whole[name]) for name in encoders)
            if is_part and (same or row["fusion"] == "none"):
                rows.append(row)
                break
    return rows


def _trace(scene: Scene, of: list[Row], place: int, n: int, pixel: float) -> dict[str, Any]:
    colour = COLOURS[place % len(COLOURS)]
    bounds = ([row[name] for row in of] for name in ("shapley", "shapley_low", "shapley_high"))
    return {
        "type": "bar",
        "orientation": "h",
        "name": wrapped(of[0]["modality"]),
        "x": numbers(row["shapley"] for row in of),
        "y": [-i + BAR * pixel * ((n - 1) / 2 - place) for i in range(len(of))],
        "width": (BAR - 2) * pixel,
        "error_x": whiskers(*bounds, thickness=2, color=colour),
        "marker": {"color": tint(colour, 0.35), "line": {"color": colour, "width": 1}},
        "hovertext": [
            f"<b>{wrapped(row['modality'])}</b><br>"
            + scene.say(
                "Shapley value {value} ({low} to {high}); alone {alone}, lost without it {added}",
                value=content.figure(row["shapley"]),
                low=content.figure(row["shapley_low"]),
                high=content.figure(row["shapley_high"]),
                alone=content.figure(row["alone"]),
                added=content.figure(row["added"]),
            )
            for row in of
        ],
        "hoverinfo": "text",
    }
