"""What corruption costs the leading combinations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmbench.analysis.robustness import ALL, of_summary
from mmbench.corruption.model import ADDITIVE, Corruption
from mmbench.metrics import bounds_of
from mmbench.report import content
from mmbench.report.figures.listing import listed, spread
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, numbers, records, whiskers, wrapped
from mmbench.report.figures.style import COLOURS, NEUTRAL, SYMBOLS, tint
from mmbench.results import KEYS

MOST_CURVES = 8
"""Families whose curves are shown: those that cost the best combination most."""
MOST_LOSSES = 20
"""Families of one strength that are shown."""

SIDES = ([0.0, 0.45], [0.55, 1.0])
"""Where the panels of a line stand."""

SAME = [key for key in KEYS if key not in ("corruption", "missing")]
"""What a combination and its trials have in common."""


@dataclass(frozen=True)
class Trial:
    """A combination under one family of corruptions: rows of the summary by strength or rate."""

    combination: int
    family: str
    points: Mapping[float, Row]


def robustness(scene: Scene) -> list[Picture]:
    """Draw the metric by strength or rate, and what corruptions of one strength cost."""
    rows = scene.part.all_rows
    trials = records(rows[(rows["corruption"] != "") & (rows["train_size"] == "")])
    trials = [row for row in trials if row[scene.metric] == row[scene.metric]]
    if not trials or not scene.ranked:
        return []
    chosen = _chosen(scene)
    found = [
        each for place, row in enumerate(chosen) for each in _trials(scene, place, row, trials)
    ]
    curves = [each for each in found if len(each.points) > 1]
    losses = [each for each in found if len(each.points) == 1]
    made = []
    if curves:
        made.append(_curves(scene, chosen, curves))
    if losses:
        made.append(_losses(scene, chosen, losses))
    return made


def _chosen(scene: Scene) -> list[Row]:
    """Return the best combination, the next best, and the one that corruption costs least."""
    rows = scene.part.all_rows
    overall = of_summary(rows[rows["train_size"] == ""], scene.metric)
    overall = overall[(overall["family"] == ALL) & ~overall["training"] & overall["area"].notna()]
    areas = sorted(records(overall), key=lambda row: row["area"], reverse=scene.higher)
    chosen = scene.ranked[:2]
    if areas:
        firm = tuple(areas[0][key] for key in SAME)
        chosen += [row for row in scene.ranked if tuple(row[key] for key in SAME) == firm][:1]
    return [row for i, row in enumerate(chosen) if row not in chosen[:i]]


def _trials(scene: Scene, place: int, row: Row, trials: list[Row]) -> list[Trial]:
    """Return what a combination does on corrupted items, under the kindest policy for missing."""
    sign = 1 if scene.higher else -1
    families: dict[str, dict[float, Row]] = {}
    for trial in trials:
        if any(trial[key] != row[key] for key in SAME):
            continue
        noise = Corruption.parse(trial["corruption"])
        if noise.training or noise.name == ADDITIVE:
            continue
        points = families.setdefault(noise.family, {})
        before = points.get(noise.level)
        if before is None or sign * trial[scene.metric] > sign * before[scene.metric]:
            points[noise.level] = trial
    return [Trial(place, family, dict(sorted(of.items()))) for family, of in families.items()]


def _by_cost(scene: Scene, trials: list[Trial]) -> list[str]:
    """Return the families, first those under which some combination does worst."""
    worst: dict[str, float] = {}
    for trial in trials:
        values = [row[scene.metric] for row in trial.points.values()]
        lowest = min(values) if scene.higher else -max(values)
        worst[trial.family] = min(lowest, worst.get(trial.family, math.inf))
    return sorted(worst, key=lambda family: worst[family])


def _curves(scene: Scene, chosen: list[Row], trials: list[Trial]) -> Picture:
    say, metric = scene.say, scene.metric
    every = _by_cost(scene, trials)
    families = every[:MOST_CURVES]
    down = math.ceil(len(families) / 2)
    data = [_legend(scene, chosen, place) for place in range(len(chosen))]
    layout: dict[str, Any] = {"height": 100 + 150 * down, "annotations": []}
    for place, family in enumerate(families):
        axis = str(place + 1) if place else ""
        top = 1 - place // 2 / down
        across, upright = SIDES[place % 2], [top - 0.72 / down, top - 0.14 / down]
        layout[f"xaxis{axis}"] = {"domain": across, "anchor": f"y{axis}", "nticks": 6}
        layout[f"yaxis{axis}"] = {"domain": upright, "anchor": f"x{axis}", "nticks": 5}
        if place:
            layout[f"yaxis{axis}"]["matches"] = "y"
        layout["annotations"].append(
            {
                "text": wrapped(family, 25, 1),
                "font": {"size": 11},
                "xref": "paper",
                "x": across[0],
                "xanchor": "left",
                "yref": "paper",
                "y": upright[1],
                "yanchor": "bottom",
                "showarrow": False,
            }
        )
        for trial in trials:
            if trial.family == family:
                data += _curve(scene, chosen[trial.combination], trial, axis)
    return Picture(
        scene.file("robustness"),
        "robustness",
        say("{metric} by strength or rate of corruption", metric=metric),
        _worst(scene, chosen[0], trials),
        say(
            "The best combination, the next best and the one that corruption costs least. "
            "Strengths are 1 to 5, rates the share of samples that lose the item; 0 is clean. "
            "Bands are 95 % intervals."
        )
        + _rest(scene, len(families), len(every)),
        {"data": data, "layout": layout},
    )


def _legend(scene: Scene, chosen: list[Row], place: int) -> dict[str, Any]:
    """Return what stands for a combination in the legend."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": wrapped(scene.names.short(chosen[place])),
        "x": [None],
        "y": [None],
        "legendgroup": str(place),
        **_look(place),
    }


def _look(place: int) -> dict[str, Any]:
    return {
        "line": {"color": COLOURS[place]},
        "marker": {"color": COLOURS[place], "symbol": SYMBOLS[place], "size": 7},
    }


def _curve(scene: Scene, clean: Row, trial: Trial, axis: str) -> list[dict[str, Any]]:
    levels = [0.0, *trial.points]
    rows = [clean, *trial.points.values()]
    low, high = bounds_of(scene.metric)
    bounds = [
        (x, row[low], row[high])
        for x, row in zip(levels, rows, strict=True)
        if row.get(low, math.nan) == row.get(low)
    ]
    shared = {
        "type": "scatter",
        "xaxis": f"x{axis}",
        "yaxis": f"y{axis}",
        "legendgroup": str(trial.combination),
        "showlegend": False,
    }
    band = {
        "mode": "lines",
        "x": [x for x, _, _ in bounds] + [x for x, _, _ in bounds[::-1]],
        "y": numbers([v for _, v, _ in bounds] + [v for _, _, v in bounds[::-1]]),
        "fill": "toself",
        "fillcolor": tint(COLOURS[trial.combination], 0.15),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    line = {
        "mode": "lines+markers",
        "x": levels,
        "y": numbers(row[scene.metric] for row in rows),
        "hovertext": [
            _hover(scene, trial.family, x, row) for x, row in zip(levels, rows, strict=True)
        ],
        "hoverinfo": "text",
        **_look(trial.combination),
    }
    return [shared | band, shared | line] if bounds else [shared | line]


def _hover(scene: Scene, family: str, level: float, row: Row) -> str:
    name = f"<b>{wrapped(scene.names.short(row), most=4)}</b>"
    return f"{name}<br>{wrapped(family)} {level:g}: {scene.interval(row)}"


def _losses(scene: Scene, chosen: list[Row], trials: list[Trial]) -> Picture:
    say, metric = scene.say, scene.metric
    every = _by_cost(scene, trials)
    families = every[:MOST_LOSSES]
    marks = 12 * len(chosen) + 10
    layout, pixel = listed(families, marks)
    data = []
    for place, clean in enumerate(chosen):
        at = {t.family: next(iter(t.points.values())) for t in trials if t.combination == place}
        shift = 12 * pixel * ((len(chosen) - 1) / 2 - place)
        listing = [(shift - i, at[family]) for i, family in enumerate(families) if family in at]
        data += _fallen(scene, clean, listing, place)
    drawn = [*chosen, *(row for trial in trials for row in trial.points.values())]
    values = [row.get(name, math.nan) for row in drawn for name in (metric, *bounds_of(metric))]
    layout["xaxis"] = {"title": {"text": wrapped(metric)}, "range": spread(numbers(values))}
    return Picture(
        scene.file("losses"),
        "robustness",
        say("{metric} where items are missing or corrupted", metric=metric),
        _worst(scene, chosen[0], trials),
        say(
            "A line leads from clean items (open marks) to corrupted ones (filled marks, with "
            "95 % intervals)."
        )
        + _rest(scene, len(families), len(every)),
        {"data": data, "layout": layout},
    )


def _fallen(
    scene: Scene, clean: Row, listing: list[tuple[float, Row]], place: int
) -> list[dict[str, Any]]:
    """Return lines from a combination's figure on clean items to those on corrupted ones."""
    metric, name = scene.metric, wrapped(scene.names.short(clean), most=4)
    rows = [row for _, row in listing]
    bounds = ([row.get(each, math.nan) for row in rows] for each in (metric, *bounds_of(metric)))
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [x for row in rows for x in (clean[metric], row[metric], None)],
        "y": [y for height, _ in listing for y in (height, height, None)],
        "line": {"color": NEUTRAL, "width": 1, "dash": "dot"},
        "marker": {"color": COLOURS[place], "symbol": f"{SYMBOLS[place]}-open", "size": 8},
        "legendgroup": str(place),
        "showlegend": False,
        "hoverinfo": "skip",
    }
    marks = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": numbers(row[metric] for row in rows),
        "y": [height for height, _ in listing],
        "error_x": whiskers(*bounds, thickness=1.5),
        "marker": {"color": COLOURS[place], "symbol": SYMBOLS[place], "size": 8},
        "legendgroup": str(place),
        "hovertext": [
            f"<b>{name}</b><br>{wrapped(row['corruption'])}: {scene.interval(row)}" for row in rows
        ],
        "hoverinfo": "text",
    }
    return [line, marks] if listing else []


def _rest(scene: Scene, n: int, of: int) -> str:
    return "" if n == of else " " + scene.say("The costliest {n} of {all} are shown.", n=n, all=of)


def _worst(scene: Scene, best: Row, trials: list[Trial]) -> str:
    """Tell under what the best combination does worst."""
    rows = [row for trial in trials if trial.combination == 0 for row in trial.points.values()]
    if not rows:
        return scene.say("The best on clean items: {name}.", name=scene.names.short(best))
    sign = 1 if scene.higher else -1
    worst = min(rows, key=lambda row: sign * row[scene.metric])
    return scene.say(
        "The best on clean items, {name}, falls from {clean} to {figure} under {corruption}.",
        name=scene.names.short(best),
        clean=content.figure(best[scene.metric]),
        figure=scene.interval(worst),
        corruption=worst["corruption"],
    )
