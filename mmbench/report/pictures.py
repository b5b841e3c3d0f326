"""The geometry and colours of a report's pictures; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench.report.content import Combination, combination, higher_is_better, ranked
from mmbench.results import KEYS

if TYPE_CHECKING:
    import pandas as pd

PHASES = ("embed_s", "fit_s", "predict_s")
LEVELS = ("none", "feature", "decision", "joint")


# --- quality by encoder × fusion ---------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    """A figure on its colour."""

    value: float
    colour: str
    ink: str


@dataclass(frozen=True)
class HeatMap:
    """Quality by encoders (rows) × fusion (columns) of one head; None where nothing was run."""

    head: str
    fusions: tuple[str, ...]
    rows: tuple[tuple[Combination, tuple[Tile | None, ...]], ...]


@dataclass(frozen=True)
class Scale:
    """Colours for figures from ``worst`` to ``best``."""

    worst: float
    best: float

    def tile(self, value: float) -> Tile:
        """Colour a figure: the better the brighter."""
        span = self.best - self.worst
        return Tile(value, *cividis((value - self.worst) / span if span else 1.0))


def heat_maps(rows: pd.DataFrame, metric: str) -> tuple[Scale, list[HeatMap]] | None:
    """Lay out the combinations of one dataset, a map per head, all on one scale.

    Where several combinations share a place (other options, alignments, ...), the best is shown.
    """
    done = ranked(rows[rows[metric].notna()], metric)
    if done.empty:
        return None
    place = ["head", "modalities", "encoders", "fusion"]
    best = done.drop_duplicates(place)
    scale = Scale(best[metric].iloc[-1], best[metric].iloc[0])
    values = best.set_index(place)[metric].to_dict()
    done = done.sort_index()
    maps = []
    for head, of_head in done.groupby("head", sort=False):
        fusions = tuple(dict.fromkeys(of_head["fusion"]))
        lines = []
        for line in of_head.drop_duplicates(place[1:3]).to_dict("records"):
            keys = [(head, line["modalities"], line["encoders"], fusion) for fusion in fusions]
            tiles = tuple(scale.tile(values[key]) if key in values else None for key in keys)
            lines.append((Combination(combination(line).encoders, (), ()), tiles))
        maps.append(HeatMap(str(head), fusions, tuple(lines)))
    return scale, maps


def cividis(t: float) -> tuple[str, str]:
    """Return a colour of cividis (Nuñez et al. 2018), and black or white, what reads best on it.

    Parameters
    ----------
    t : float
        From 0, dark, to 1, bright. The polynomials are those of d3-scale-chromatic.
    """
    coefficients = (
        (-4.54, -35.34, 2381.73, -6402.7, 7024.72, -2710.57),
        (32.49, 170.73, 52.82, -131.46, 176.58, -67.37),
        (81.24, 442.36, -2482.43, 6167.24, -6614.94, 2475.67),
    )
    channels = [sum(c * t**power for power, c in enumerate(each)) for each in coefficients]
    rgb = [min(255, max(0, round(channel))) for channel in channels]
    light = luminance(rgb)
    ink = "#000" if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else "#fff"
    return "#" + "".join(f"{channel:02x}" for channel in rgb), ink


def luminance(rgb: Sequence[int]) -> float:
    """Return the relative luminance of an sRGB colour, as WCAG 2 defines it."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# --- cost --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """What a combination costs, in seconds per cell."""

    combination: Combination
    phases: tuple[float, ...]
    widths: tuple[float, ...]
    """Percent of the longest bar."""
    total: float
    shared: float


def bars(rows: pd.DataFrame, table: pd.DataFrame, metric: str) -> list[Bar]:
    """Lay out the cost of one dataset's combinations, best quality first."""
    done = table[table["status"] == "ok"]
    shared = done.groupby(KEYS, sort=False)["cost_s_shared"].mean().to_dict()
    known = ranked(rows[rows[list(PHASES)].notna().all(axis=1)], metric).to_dict("records")
    longest = max((cost(row) for row in known), default=0.0) or 1.0
    return [
        Bar(
            combination(row),
            tuple(row[phase] for phase in PHASES),
            tuple(round(100 * row[phase] / longest, 2) for phase in PHASES),
            cost(row),
            shared[tuple(row[key] for key in KEYS)],
        )
        for row in known
    ]


def cost(row: Mapping[str, Any]) -> float:
    """Return what a cell of a combination costs by itself, in seconds; NaN where unknown."""
    return float(sum(row[phase] for phase in PHASES))


# --- quality against cost ----------------------------------------------------------------------


@dataclass(frozen=True)
class Point:
    """A combination in the plane of cost and quality."""

    combination: Combination
    cost: float
    quality: float
    level: str
    x: float
    y: float
    rank: int = 0
    """Its number on the Pareto front, from the cheapest; 0 off it."""


@dataclass(frozen=True)
class Scatter:
    """Quality against cost, in the units of the drawing."""

    width: int
    height: int
    left: int
    bottom: int
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    levels: tuple[str, ...]


def scatter(rows: pd.DataFrame, metric: str) -> Scatter | None:
    """Lay out the combinations of one dataset by cost (logarithmic) and quality."""
    width, height, left, right, top, bottom = 480, 320, 52, 14, 16, 276
    known = rows[rows[[metric, *PHASES]].notna().all(axis=1)].to_dict("records")
    known = [row for row in known if cost(row) > 0]
    if not known:
        return None
    x_low, x_high, x_values = _log_axis([cost(row) for row in known])
    y_low, y_high, y_values, decimals = _axis([row[metric] for row in known])

    def across(cost: float) -> float:
        share = (math.log10(cost) - x_low) / (x_high - x_low)
        return round(left + share * (width - left - right), 1)

    def down(quality: float) -> float:
        return round(bottom - (quality - y_low) / (y_high - y_low) * (bottom - top), 1)

    points = [
        Point(
            combination(row),
            cost(row),
            row[metric],
            row["level"] if row["level"] in LEVELS else "none",
            across(cost(row)),
            down(row[metric]),
        )
        for row in known
    ]
    ranks = {id(point): rank for rank, point in enumerate(front(points, metric), start=1)}
    points = [Point(**{**vars(point), "rank": ranks.get(id(point), 0)}) for point in points]
    return Scatter(
        width,
        height,
        left,
        bottom,
        tuple(points),
        tuple(sorted((p for p in points if p.rank), key=lambda p: p.rank)),
        tuple((across(value), f"{value:g}") for value in x_values),
        tuple((down(value), f"{value:.{decimals}f}") for value in y_values),
        tuple(level for level in LEVELS if any(p.level == level for p in points)),
    )


def front(points: Sequence[Point], metric: str) -> list[Point]:
    """Return the Pareto front, cheapest first: each is better than everything that is cheaper."""
    sign = 1 if higher_is_better(metric) else -1
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -sign * p.quality)):
        if not found or sign * point.quality > sign * found[-1].quality:
            found.append(point)
    return found


def _axis(values: Sequence[float]) -> tuple[float, float, list[float], int]:
    """Return the ends of an axis, round ticks within, and the decimals they need."""
    low, high = min(values), max(values)
    pad = max(0.06 * (high - low), 0.001 * abs(high), 0.005)
    low, high = low - pad, high + pad
    return low, high, *_round_ticks(low, high)


def _log_axis(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """Return the ends of a logarithmic axis, as powers of ten, and round ticks within."""
    low, high = math.log10(min(values)), math.log10(max(values))
    pad = max(0.06 * (high - low), 0.1)
    low, high = low - pad, high + pad
    if high - low < 1:
        return low, high, _round_ticks(10**low, 10**high)[0]
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [m * 10.0**n for n in decades[:: math.ceil((high - low) / 6)] for m in steps]
    return low, high, [tick for tick in ticks if low <= math.log10(tick) <= high]


def _round_ticks(low: float, high: float) -> tuple[list[float], int]:
    """Return up to six multiples of 1, 2 or 5 between two numbers, and the decimals they need."""
    power = math.floor(math.log10((high - low) / 5))
    step = next(m * 10.0**power for m in (1, 2, 5, 10) if m * 10.0**power >= (high - low) / 5)
    multiples = range(math.ceil(low / step), math.floor(high / step) + 1)
    return [n * step for n in multiples], max(0, -power)
