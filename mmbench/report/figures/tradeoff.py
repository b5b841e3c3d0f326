"""Quality against what it costs, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench.metrics import bounds_of
from mmbench.report import content
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import LINE, Scene, number, numbers, rank_group, whiskers, wrapped
from mmbench.report.figures.style import LEVELS, NEUTRAL
from mmbench.report.headline import cost as seconds_per_cell
from mmbench.results import KEYS

if TYPE_CHECKING:
    import pandas as pd

MOST_BARS = 60
"""Combinations that show their intervals."""
MOST_TOLD = 12
"""Combinations of the front that are named below."""


@dataclass(frozen=True)
class Cost:
    """Something that combinations cost.

    Attributes
    ----------
    column : str
        Of the table; ``seconds`` for embedding, fitting and predicting together.
    title : str
        What it is called, with its unit.
    higher : bool
        Whether more is better.
    """

    column: str
    title: str
    higher: bool = False


@dataclass(frozen=True)
class Point:
    """A combination in the plane of cost and quality; bounds are NaN where they are unknown."""

    row: dict[str, Any]
    cost: float
    quality: float
    cost_low: float = math.nan
    cost_high: float = math.nan


def tradeoff(scene: Scene, column: str | None = None) -> list[Picture]:
    """Draw quality against each cost that was measured, or else against seconds per cell.

    Parameters
    ----------
    scene : Scene
        The dataset.
    column : str, optional
        Against this cost alone.
    """
    every = costs(scene)
    timed = [cost for cost in every if _is_known(scene.part.cells, cost.column)]
    chosen = timed or every[-1:] if column is None else [c for c in every if c.column == column]
    return [made for cost in chosen if (made := _picture(scene, cost)) is not None]


def points(scene: Scene, cost: Cost) -> list[Point]:
    """Return the combinations whose quality and cost are known, best first."""
    known = scene.ranked
    cells = scene.part.cells
    if cost.column == "seconds":
        of_rows = [seconds_per_cell(row) for row in known]
    elif not _is_known(cells, cost.column):
        return []
    else:
        timed = cells[(cells["status"] == "ok") & cells[cost.column].notna()]
        means = timed.groupby(KEYS, sort=False, dropna=False)[cost.column].mean().to_dict()
        of_rows = [means.get(tuple(row[key] for key in KEYS), math.nan) for row in known]
    bounds = _bounds(scene, cost.column)
    return [
        Point(row, float(each), row[scene.metric], *bounds.get(tuple(row[key] for key in KEYS), ()))
        for row, each in zip(known, of_rows, strict=True)
        if each > 0
    ]


def front(given: Sequence[Point], *, higher: bool, dear_is_better: bool = False) -> list[Point]:
    """Return the Pareto front, cheapest first: each is better than everything that is cheaper."""
    sign, away = (1 if higher else -1), (-1 if dear_is_better else 1)
    found: list[Point] = []
    for point in sorted(given, key=lambda p: (away * p.cost, -sign * p.quality)):
        if not found or sign * point.quality > sign * found[-1].quality:
            found.append(point)
    return found


def costs(scene: Scene) -> list[Cost]:
    """Return the costs that there are pictures of, seconds per cell last."""
    say = scene.say
    return [
        Cost("latency_ms_p50", say("median latency, ms")),
        Cost("throughput", say("throughput, samples per second"), higher=True),
        Cost("peak_memory_mb", say("peak memory, MB")),
        Cost("energy_j_per_sample", say("energy, joules per sample")),
        Cost("parameters", say("parameters")),
        Cost("seconds", say("embedding, fitting and predicting, seconds per cell")),
    ]


def _is_known(cells: pd.DataFrame, column: str) -> bool:
    return column in cells and bool(cells[column].notna().any())


def _bounds(scene: Scene, column: str) -> dict[tuple[Any, ...], tuple[float, float]]:
    """Return the intervals of a cost of combinations of which one cell was timed."""
    timings, cells = scene.part.run.timings, scene.part.cells
    named = [column, *bounds_of(column)]
    if timings is None or any(name not in timings for name in named):
        return {}
    timed = cells.loc[cells[column].notna(), ["cell", *KEYS, column]]
    timed = timed.drop_duplicates(KEYS, keep=False)
    both = timed.merge(timings[["cell", *named]], on=["cell", column]).drop_duplicates("cell")
    bounds = both[named[1:]].itertuples(index=False, name=None)
    return dict(zip(both[KEYS].itertuples(index=False, name=None), bounds, strict=True))


def _picture(scene: Scene, cost: Cost) -> Picture | None:
    every = points(scene, cost)
    if not every:
        return None
    say, metric = scene.say, scene.metric
    best = front(every, higher=scene.higher, dear_is_better=cost.higher)
    levels = {
        "none": say("one modality"),
        "feature": say("feature-level"),
        "decision": say("decision-level"),
        "joint": say("joint"),
    }
    data = [_bars(_barred(every, best), metric)]
    for level, (colour, symbol) in LEVELS.items():
        of_level = [p for p in every if _level(p) == level]
        if of_level:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": levels[level],
                    "x": numbers(p.cost for p in of_level),
                    "y": numbers(p.quality for p in of_level),
                    "hovertext": [_hover(scene, p, cost) for p in of_level],
                    "hoverinfo": "text",
                    "marker": {
                        "color": colour,
                        "symbol": symbol,
                        "size": 9 if len(every) <= 300 else 6,
                        "opacity": 1 if len(every) <= 60 else 0.7,
                    },
                }
            )
    data.append(
        {
            "type": "scatter",
            "mode": "lines+markers+text",
            "name": say("Pareto front"),
            "x": numbers(p.cost for p in best),
            "y": numbers(p.quality for p in best),
            "text": [str(place) for place in range(1, len(best) + 1)],
            "textposition": _places(best, every),
            "hoverinfo": "skip",
            "line": {"color": NEUTRAL, "width": 1.5, "shape": "hv" if not cost.higher else "vh"},
            "marker": {"symbol": "circle-open", "size": 15, "color": NEUTRAL},
        }
    )
    first, last = best[0], best[-1]
    return Picture(
        scene.file("tradeoff", cost.column),
        "tradeoff",
        say("{metric} against {cost}", metric=metric, cost=cost.title),
        say(
            "{n} combinations, {on_front} of them on the Pareto front: from {first} ({first_cost}, "
            "{metric} {first_figure}) to {last} ({last_cost}, {last_figure}).",
            n=len(every),
            on_front=len(best),
            metric=metric,
            first=scene.names.short(first.row),
            first_cost=content.seconds(first.cost),
            first_figure=content.figure(first.quality),
            last=scene.names.short(last.row),
            last_cost=content.seconds(last.cost),
            last_figure=content.figure(last.quality),
        ),
        _note(scene, best, len(every)),
        {
            "data": data,
            "layout": {
                "height": 420,
                "xaxis": {
                    "type": "log",
                    "title": {"text": wrapped(cost.title, 52)},
                    "exponentformat": "SI",
                    "minorloglabels": "complete",
                    "dtick": "D2" if _decades(every) < 2.5 else 1,
                },
                "yaxis": {"title": {"text": wrapped(metric)}},
            },
        },
    )


def _places(best: list[Point], every: list[Point]) -> list[str]:
    """Return where the numbers of a front stand, so that neighbours do not cover each other."""
    near = 0.05 * max(_decades(every), 0.1)
    places: list[str] = []
    before = -math.inf
    for place, point in enumerate(best):
        at = math.log10(point.cost)
        is_beside = place > 0 and abs(at - before) < near and places[-1] == "top left"
        places.append("top right" if is_beside else "top left")
        before = at
    return places


def _decades(every: list[Point]) -> float:
    costs = [point.cost for point in every]
    return math.log10(max(costs) / min(costs))


def _level(point: Point) -> str:
    level: str = point.row["level"]
    return level if level in LEVELS else "none"


def _barred(every: list[Point], best: list[Point]) -> list[Point]:
    """Return the combinations that show their intervals: of many, the front and the best."""
    if len(every) <= MOST_BARS:
        return every
    marked = {id(point) for point in best}
    tied = [p for p in every if rank_group(p.row) == 1 and id(p) not in marked]
    tied.sort(key=lambda point: point.row["rank"])
    return [*best, *tied][:MOST_BARS]


def _bars(chosen: list[Point], metric: str) -> dict[str, Any]:
    low, high = bounds_of(metric)
    quality = [(p.quality, p.row.get(low, math.nan), p.row.get(high, math.nan)) for p in chosen]
    costs = [(p.cost, p.cost_low, p.cost_high) for p in chosen]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(p.cost for p in chosen),
        "y": numbers(p.quality for p in chosen),
        "marker": {"size": 1, "color": NEUTRAL},
        "error_x": whiskers(*zip(*costs, strict=True), color=NEUTRAL),
        "error_y": whiskers(*zip(*quality, strict=True), color=NEUTRAL),
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _hover(scene: Scene, point: Point, cost: Cost) -> str:
    say, row = scene.say, point.row
    told = [
        f"<b>{wrapped(scene.names.short(row), LINE, 4)}</b>",
        f"{wrapped(scene.metric)} {scene.interval(row)}",
        f"{cost.title}: {content.seconds(point.cost)}",
    ]
    if number(point.cost_low) is not None:
        low, high = content.seconds(point.cost_low), content.seconds(point.cost_high)
        told[-1] += say(" ({low} to {high})", low=low, high=high)
    if (group := rank_group(row)) is not None:
        told.append(say("rank {rank}, rank group {group}", rank=row["rank"], group=group))
    return "<br>".join(told)


def _note(scene: Scene, best: list[Point], n: int) -> str:
    say = scene.say
    told = [
        say("{place}: {name}", place=place, name=scene.names.short(point.row))
        for place, point in enumerate(best[:MOST_TOLD], start=1)
    ]
    if len(best) > MOST_TOLD:
        told.append(say("and {n} more", n=len(best) - MOST_TOLD))
    note = say("On the front: {names}.", names="; ".join(told))
    if n > MOST_BARS:
        note += " " + say("Only the front and the best rank group show intervals.")
    return f"{note} {scene.whiskers()}"
