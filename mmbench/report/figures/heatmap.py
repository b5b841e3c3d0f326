"""Quality by encoders and fusion."""

from __future__ import annotations

from typing import Any

from mmbench.report import content
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, wrapped
from mmbench.report.figures.tiles import Scale, Tile, named, traces

MOST_TOLD = 400
"""Tiles up to which each has its figure on it."""
MOST_LINES = 40
"""Encoders that are shown; of more, the best."""
NAME = 22
"""Characters of a name beside the tiles, so that these have room on a phone."""


def heatmap(scene: Scene, head: str | None = None) -> list[Picture]:
    """Draw the combinations as tiles, a map per head, all on one scale.

    Where several combinations share a place (other options, alignments, ...), the best is shown.

    Parameters
    ----------
    scene : Scene
        The dataset.
    head : str, optional
        This head's map alone.
    """
    heads: dict[str, dict[Any, Row]] = {}
    for row in scene.ranked:
        place = (row["modalities"], row["encoders"], row["fusion"])
        heads.setdefault(row["head"], {}).setdefault(place, row)
    heads = {name: of for name, of in heads.items() if any(fusion != "none" for *_, fusion in of)}
    values = [row[scene.metric] for found in heads.values() for row in found.values()]
    if not values:
        return []
    scale = Scale(min(values), max(values), scene.higher)
    return [
        _picture(scene, name, found, scale)
        for name, found in heads.items()
        if len(found) > 1 and head in (None, name)
    ]


def _picture(scene: Scene, head: str, by_place: dict[Any, Row], scale: Scale) -> Picture:
    """Draw a head's combinations, given best first."""
    say, metric = scene.say, scene.metric
    found = list(by_place.values())
    encoders: dict[Any, str] = {}
    fusions: dict[str, str] = {}
    for row in sorted(found, key=lambda row: row["fusion"] == "none"):
        encoders.setdefault((row["modalities"], row["encoders"]), scene.names.encoders(row))
        fusions[row["fusion"]] = row["fusion"] if row["fusion"] != "none" else say("alone")
    shown = dict(list(encoders.items())[:MOST_LINES])
    if len(fusions) > len(shown):
        down, across = fusions, shown
        places = [[(*place, fusion) for place in across] for fusion in down]
    else:
        down, across = shown, fusions
        places = [[(*place, fusion) for fusion in across] for place in down]
    is_told = len(shown) * len(fusions) <= MOST_TOLD
    tiles = [[_tile(scene, by_place.get(place), is_told) for place in line] for line in places]
    labels = [wrapped(name, NAME, 3) for name in down.values()]
    height = 15 * max(label.count("<br>") + 1 for label in labels) + 9
    below = [wrapped(name, NAME, 3) for name in across.values()]
    note = say("The brighter the better; a place without a tile was not run or has no figure.")
    if len(shown) < len(encoders):
        note += " " + say("The best {n} of {all} encoders.", n=len(shown), all=len(encoders))
    return Picture(
        scene.file("heatmap", *([head] if head else [])),
        "heatmap",
        say("{metric} by encoders and fusion, {head}", metric=metric, head=head)
        if head
        else say("{metric} by encoders and fusion, joint fusions", metric=metric),
        say(
            "{n} combinations from {worst} to {best}; the best is {name}.",
            n=len(found),
            worst=content.figure(found[-1][metric]),
            best=content.figure(found[0][metric]),
            name=scene.names.short(found[0]),
        ),
        note,
        {
            "data": traces(tiles, scale),
            "layout": {
                "height": 160 + height * len(tiles) + _room(below),
                "coloraxis": scale.axis(wrapped(metric)),
                "xaxis": named(below),
                "yaxis": {**named(labels), "range": [len(labels) - 0.5, -0.5]},
            },
        },
    )


def _room(names: list[str]) -> int:
    """Return the height, in pixels, that names below need on a phone, upright if need be."""
    parts = [name.split("<br>") for name in names]
    widest = [max(map(len, each)) for each in parts]
    return 16 * max(map(len, parts)) if sum(widest) < 30 else 7 * max(widest)


def _tile(scene: Scene, row: Row | None, is_told: bool) -> Tile | None:
    if row is None:
        return None
    figure = f"{wrapped(scene.metric)} {scene.interval(row)}"
    hover = f"<b>{wrapped(scene.names.short(row), most=4)}</b><br>{figure}"
    value = float(row[scene.metric])
    return Tile(value, content.figure(value) if is_told else "", hover)
