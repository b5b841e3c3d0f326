"""Pictures that list names: each stands above its marks, so that it has a phone's whole width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmbench.report.figures.scene import lines, shown
from mmbench.report.language import Language

LETTER = 15
"""Height of a line of text, in pixels."""


def listed(names: Sequence[str], marks: int = 22) -> tuple[dict[str, Any], float]:
    """Lay out a list from top to bottom; the marks of entry i belong at y = -i.

    Parameters
    ----------
    names : sequence of str
        What is listed.
    marks : int
        Height that the marks of an entry need, in pixels.

    Returns
    -------
    layout : dict
        But for the axis along which the marks lie.
    pixel : float
        Its height on the axis of entries.
    """
    broken = [lines(name) for name in names]
    row = marks + LETTER * max(map(len, broken), default=1)
    layout = {
        "height": row * len(names) + 130,
        "yaxis": {
            "range": [-len(names) + 1 - marks / 2 / row, 1 - marks / 2 / row],
            "visible": False,
            "fixedrange": True,
        },
        "annotations": [
            {
                "text": "<br>".join(map(shown, each)),
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "y": -place + marks / 2 / row,
                "yanchor": "bottom",
                "align": "left",
                "showarrow": False,
                "yshift": -4,
            }
            for place, each in enumerate(broken)
        ],
        "margin": {"l": 16, "r": 16},
    }
    return layout, 1 / row


def rest(say: Language, n: int, of: int) -> str:
    """Say that only the best are shown, where there are more."""
    return "" if n == of else " " + say("The best {n} of {all} are shown.", n=n, all=of)


def spread(values: Sequence[float | None], pad: float = 0.06) -> list[float]:
    """Return the ends of an axis that holds these values."""
    known = [value for value in values if value is not None]
    low, high = min(known), max(known)
    wide = (high - low) * pad or abs(high) * pad or pad
    return [low - wide, high + wide]
