"""A picture: a Plotly figure as data, with the words that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Picture:
    """A picture of a report.

    Attributes
    ----------
    name : str
        Its kind and, in lower case and safe in a file's name, what it is of: ``tradeoff-leaf``.
        Unique in a report.
    kind : str
        Under which heading it stands: ``tradeoff``, ``heatmap``, ...
    title : str
        What it shows.
    description : str
        What one who cannot see it has to know, in a sentence or two with the main figures.
    note : str
        What a reader has to know to read it.
    figure : dict
        In Plotly's JSON schema: ``data`` and ``layout``. Figures are those of the table, unrounded;
        colours of text, grid and paper, and the font, come from a template (`style`).
    """

    name: str
    kind: str
    title: str
    description: str
    note: str
    figure: dict[str, Any]
