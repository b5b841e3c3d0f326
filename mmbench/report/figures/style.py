"""How pictures look: colours that the colour-blind can tell apart, and fonts for all scripts."""

from __future__ import annotations

from typing import Any

FONT = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", "PingFang SC", '
    '"Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", '
    '"Source Han Sans SC", "WenQuanYi Micro Hei", "Noto Sans Arabic", sans-serif, '
    '"Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji"'
)
"""The family of a picture's text: that of the page."""

COLOURS = ("#0072b2", "#c05000", "#008060", "#a0408f", "#8a6d00", "#5b5bd6", "#9c3d54", "#4d7a1f")
"""For lines and marks, in order; each stands 3 to 1 or more against white and against near black.

The first four are those of Okabe and Ito, darkened.
"""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
"""For marks, in the order of the colours."""

LEVELS = {
    "none": (COLOURS[0], "circle"),
    "feature": (COLOURS[1], "square"),
    "decision": (COLOURS[2], "diamond"),
    "joint": (COLOURS[3], "triangle-up"),
}
"""Colour and symbol of each level of fusion."""

NEUTRAL = "#7a838c"
"""For whiskers and guides: it stands 3.8 to 1 against white, and more against near black."""

SCALE = "Cividis"
"""For figures as colours (Nuñez, Anderton & Renslow, 2018)."""


def tint(colour: str, opacity: float) -> str:
    """Return a colour, ``#rrggbb``, that lets through what lies below."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def template(*, dark: bool = False) -> dict[str, Any]:
    """Return the Plotly template of light or dark paper, to stand as ``layout.template``."""
    ink, muted, line, tint = (
        ("#e6e8ea", "#a4acb4", "#3d444c", "#1e2328")
        if dark
        else ("#1b1f24", "#57606a", "#d0d7de", "#f4f6f8")
    )
    axis = {
        "gridcolor": line,
        "zerolinecolor": muted,
        "linecolor": muted,
        "tickcolor": muted,
        "automargin": True,
        "title": {"font": {"color": muted, "size": 12}},
        "tickfont": {"color": muted},
    }
    return {
        "layout": {
            "font": {"family": FONT, "color": ink, "size": 13},
            "paper_bgcolor": "rgba(0,0,0,0)" if dark else "#fff",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(COLOURS),
            "colorscale": {"sequential": SCALE, "sequentialminus": SCALE},
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {"bgcolor": tint, "bordercolor": muted, "font": {"color": ink}},
            "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
            "margin": {"l": 56, "r": 16, "t": 40, "b": 48},
            "hovermode": "closest",
        }
    }
