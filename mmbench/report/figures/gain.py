"""What fusing gains over the best single modality."""

from __future__ import annotations

from typing import Any

from mmbench.report.figures.listing import listed, rest, spread
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, number, numbers, whiskers, wrapped
from mmbench.report.figures.style import COLOURS, NEUTRAL

MOST = 30
"""Combinations that are shown."""


def gain(scene: Scene) -> list[Picture]:
    """Draw the gains of the fusions that gain most, with their intervals."""
    known = [row for row in scene.ranked if number(row.get("gain")) is not None]
    if not known:
        return []
    say, metric = scene.say, scene.metric
    known.sort(key=lambda row: row["gain"], reverse=True)
    listing = known[:MOST]
    kinds = (
        (say("a gain: the interval is above 0"), COLOURS[0], "circle", 1),
        (say("not told from 0: the interval holds it"), NEUTRAL, "circle-open", 0),
        (say("a loss: the interval is below 0"), COLOURS[1], "square", -1),
    )
    data = []
    for name, colour, symbol, sign in kinds:
        chosen = [(place, row) for place, row in enumerate(listing) if _sign(row) == sign]
        if chosen:
            data.append(_trace(scene, chosen, name, {"color": colour, "symbol": symbol}))
    bounds = [row[name] for row in listing for name in ("gain", "gain_low", "gain_high")]
    first = listing[0]
    above = sum(row["gain_low"] > 0 for row in known)
    layout, _ = listed([scene.names.short(row) for row in listing])
    title = say("{metric} less that of the best modality alone", metric=metric)
    layout["showlegend"] = True
    layout["xaxis"] = {
        "title": {"text": wrapped(title)},
        "range": spread([0.0, *numbers(bounds)]),
        "zeroline": True,
    }
    return [
        Picture(
            scene.file("gain"),
            "gain",
            say("What fusing gains over the best of its modalities alone"),
            say(
                "{n} fusions; for {above} of them the interval of the gain is above 0. "
                "The largest gain, {gain} ({low} to {high}), is that of {name}.",
                n=len(known),
                above=above,
                gain=f"{first['gain']:+.3f}",
                low=f"{first['gain_low']:+.3f}",
                high=f"{first['gain_high']:+.3f}",
                name=scene.names.short(first),
            ),
            say("Whiskers are 95 % intervals of the gain, paired by sample.")
            + rest(say, len(listing), len(known)),
            {"data": data, "layout": layout},
        )
    ]


def _told(scene: Scene, row: Row) -> str:
    figures = {name: f"{row[name]:+.3f}" for name in ("gain", "gain_low", "gain_high")}
    return scene.say("{gain} ({gain_low} to {gain_high})", **figures)


def _sign(row: Row) -> int:
    return 1 if row["gain_low"] > 0 else -1 if row["gain_high"] < 0 else 0


def _trace(
    scene: Scene, chosen: list[tuple[int, Row]], name: str, marker: dict[str, Any]
) -> dict[str, Any]:
    rows = [row for _, row in chosen]
    bars = ([row[column] for row in rows] for column in ("gain", "gain_low", "gain_high"))
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": numbers(row["gain"] for row in rows),
        "y": [-place for place, _ in chosen],
        "error_x": whiskers(*bars, thickness=1.5),
        "marker": {"size": 9, **marker},
        "hovertext": [
            f"<b>{wrapped(scene.names.short(row), most=4)}</b><br>{_told(scene, row)}"
            for row in rows
        ],
        "hoverinfo": "text",
    }
