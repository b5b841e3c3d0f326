"""Tiles: figures as colours, with the figures written on them where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmbench.report.figures.style import SCALE

BRIGHT = 0.467
"""Where on the scale black begins to read better than white, by WCAG 2's contrast."""


@dataclass(frozen=True)
class Tile:
    """A figure, what is written on it and what is told of it."""

    value: float
    text: str
    hover: str


@dataclass(frozen=True)
class Scale:
    """Colours from a lowest to a highest figure; the better the brighter."""

    low: float
    high: float
    higher_is_better: bool = True

    def is_bright(self, value: float) -> bool:
        """Whether black reads better than white on a figure's colour."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 1.0
        return (share if self.higher_is_better else 1 - share) >= BRIGHT

    def axis(self, title: str) -> dict[str, Any]:
        """Return the colour axis."""
        return {
            "cmin": self.low,
            "cmax": self.high,
            "colorscale": SCALE,
            "reversescale": not self.higher_is_better,
            "colorbar": {
                "orientation": "h",
                "thickness": 10,
                "y": 1,
                "yanchor": "bottom",
                "title": {"text": title, "side": "top"},
            },
        }


def traces(rows: Sequence[Sequence[Tile | None]], scale: Scale) -> list[dict[str, Any]]:
    """Return the traces of tiles, given row by row: the bright ones, and the dark ones.

    None leaves a place empty. All are on the layout's one colour axis. Plotly fits the size of text
    to the distances of a trace's texts: a blank at all other places makes both traces' the same.
    """
    made = []
    for is_bright, ink in ((True, "#000"), (False, "#fff")):
        chosen = [
            [t if t is not None and scale.is_bright(t.value) == is_bright else None for t in row]
            for row in rows
        ]
        if any(tile is not None for row in chosen for tile in row):
            made.append(
                {
                    "type": "heatmap",
                    "z": [[tile.value if tile else None for tile in row] for row in chosen],
                    "text": [[tile.text if tile else " " for tile in row] for row in chosen],
                    "hovertext": [[tile.hover if tile else "" for tile in row] for row in chosen],
                    "texttemplate": "%{text}",
                    "textfont": {"color": ink},
                    "hoverinfo": "text",
                    "hoverongaps": False,
                    "coloraxis": "coloraxis",
                    "xgap": 1,
                    "ygap": 1,
                }
            )
    return made


def named(labels: Sequence[str]) -> dict[str, Any]:
    """Return an axis of rows or columns by their names."""
    return {
        "tickmode": "array",
        "tickvals": list(range(len(labels))),
        "ticktext": list(labels),
        "range": [-0.5, len(labels) - 0.5],
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }
