"""How the loss went down while the best combination was trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmbench.report import content
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, number, numbers, wrapped
from mmbench.report.figures.style import COLOURS
from mmbench.results import KEYS

MOST_CELLS = 10
"""Cells whose curves are drawn."""
MOST_TRIED = 20
"""Combinations that are looked through for one that was trained by epochs."""
MOST_PARTS = 3
"""Trained parts of a combination that are shown."""

Curves = list[list[Row]]
"""Of each cell, what was told of each epoch."""


def training(scene: Scene) -> list[Picture]:
    """Draw loss by epoch of each trained part of the best combination that has any."""
    folder = scene.part.run.folder
    if folder is None or not (folder / "fits").is_dir():
        return []
    cells = scene.part.cells
    files: dict[tuple[Any, ...], list[Path]] = {}
    keys = cells[KEYS].itertuples(index=False, name=None)
    for key, cell in zip(keys, cells["cell"], strict=True):
        files.setdefault(key, []).append(folder / "fits" / f"{cell}.json")
    for row in scene.ranked[:MOST_TRIED]:
        of_row = files.get(tuple(row[key] for key in KEYS), [])
        parts = _read([file for file in of_row if file.is_file()][:MOST_CELLS])
        if parts:
            listed = list(parts.items())[:MOST_PARTS]
            return [_picture(scene, row, part, curves) for part, curves in listed]
    return []


def _read(files: list[Path]) -> dict[str, Curves]:
    """Return by trained part the curves of the cells that trained it by epochs."""
    parts: dict[str, Curves] = {}
    for file in files:
        for part, told in json.loads(file.read_text("utf-8")).items():
            epochs = [each for each in told if number(each.get("loss")) is not None]
            if len(epochs) > 1:
                parts.setdefault(part, []).append(epochs)
    return parts


def _picture(scene: Scene, row: Row, part: str, curves: Curves) -> Picture:
    say = scene.say
    kinds = (("loss", say("training part"), "solid"), ("validation_loss", say("validation"), "dot"))
    data = []
    for place, (key, name, dash) in enumerate(kinds):
        known = [curve for curve in curves if any(number(each.get(key)) for each in curve)]
        for i, curve in enumerate(known):
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "legendgroup": key,
                    "showlegend": i == 0,
                    "x": [number(each.get("epoch")) or n for n, each in enumerate(curve, start=1)],
                    "y": numbers(each.get(key) for each in curve),
                    "line": {"color": COLOURS[place], "dash": dash},
                    "opacity": 1 if len(known) == 1 else 0.6,
                }
            )
    first = curves[0]
    return Picture(
        scene.file("training", part),
        "training",
        say("Training of {name}: {part}", name=scene.names.short(row), part=part),
        say(
            "In {epochs} epochs the loss goes from {first} to {last}.",
            epochs=len(first),
            first=content.figure(first[0]["loss"]),
            last=content.figure(first[-1]["loss"]),
        ),
        say.count(
            len(curves),
            "Loss by epoch, of one cell.",
            "Loss by epoch, of {n} cells (seeds and folds).",
        ),
        {
            "data": data,
            "layout": {
                "height": 380,
                "xaxis": {"title": {"text": say("epoch")}},
                "yaxis": {"title": {"text": wrapped(say("loss"))}, "rangemode": "tozero"},
            },
        },
    )
