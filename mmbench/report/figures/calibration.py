"""How often combinations are right where they are how sure."""

from __future__ import annotations

from typing import Any

from mmbench.report import content
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, numbers, records, wrapped
from mmbench.report.figures.style import COLOURS, NEUTRAL, SYMBOLS
from mmbench.results import KEYS


def calibration(scene: Scene) -> list[Picture]:
    """Draw the reliability diagram of the leading combinations.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    from mmbench.analysis.samples import BINS
    from mmbench.analysis.samples import calibration as bins

    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in records(bins(scene.cells(scene.leading))):
        found.setdefault(tuple(row[key] for key in KEYS), []).append(row)
    say = scene.say
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": say("as sure as right"),
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": NEUTRAL, "dash": "dot"},
            "hoverinfo": "skip",
        }
    ]
    told = []
    for place, row in enumerate(scene.leading):
        of_row = found.get(tuple(row[key] for key in KEYS))
        if of_row:
            data += _traces(scene, row, of_row, place, 1 / BINS)
            if row["ece"] == row["ece"]:
                figure = content.figure(row["ece"])
                told.append(say("{name} {ece}", name=scene.names.short(row), ece=figure))
    if len(data) == 1:
        return []
    return [
        Picture(
            scene.file("calibration"),
            "calibration",
            say("Calibration of the best"),
            say("Expected calibration error: {figures}.", figures="; ".join(told))
            if told
            else say("How often the best are right, by how sure they are."),
            say(
                "Above: how often a combination is right, by its confidence (the largest "
                "probability), in bins of equal width; on the dotted line it is as sure as it is "
                "right. Below: the predictions in each bin."
            ),
            {
                "data": data,
                "layout": {
                    "height": 480,
                    "barmode": "group",
                    "bargap": 0.1,
                    "xaxis": {
                        "title": {"text": say("confidence")},
                        "range": [0, 1.02],
                        "anchor": "y2",
                    },
                    "yaxis": {
                        "title": {"text": say("share that is right")},
                        "range": [0, 1.04],
                        "domain": [0.3, 1],
                    },
                    "yaxis2": {
                        "title": {"text": say("predictions")},
                        "domain": [0, 0.22],
                        "anchor": "x",
                        "rangemode": "tozero",
                        "nticks": 4,
                    },
                },
            },
        )
    ]


def _traces(
    scene: Scene, row: Row, bins: list[Row], place: int, width: float
) -> list[dict[str, Any]]:
    say, name = scene.say, wrapped(scene.names.short(row))
    colour, symbol = COLOURS[place], SYMBOLS[place]
    hover = [
        f"<b>{name}</b><br>"
        + say(
            "confidence {confidence}, right {accuracy}, {n} predictions",
            confidence=content.figure(each["confidence"]),
            accuracy=content.figure(each["accuracy"]),
            n=each["n"],
        )
        for each in bins
    ]
    shared = {"legendgroup": str(place), "hovertext": hover, "hoverinfo": "text"}
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": numbers(each["confidence"] for each in bins),
        "y": numbers(each["accuracy"] for each in bins),
        "line": {"color": colour},
        "marker": {"symbol": symbol, "size": 8},
    }
    counts = {
        "type": "bar",
        "x": [(each["bin"] + 0.5) * width for each in bins],
        "y": [each["n"] for each in bins],
        "yaxis": "y2",
        "marker": {"color": colour},
        "showlegend": False,
    }
    return [line | shared, counts | shared]
