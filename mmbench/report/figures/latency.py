"""How long calls take, and on what."""

from __future__ import annotations

import numpy as np

from mmbench.report import content
from mmbench.report.figures.listing import listed
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import Row, Scene, number, numbers, records, wrapped
from mmbench.report.figures.style import COLOURS
from mmbench.results import KEYS

MOST = 12
"""Combinations that are shown."""
UNIT = "end-to-end"
"""The unit of timings that are of whole combinations, from items to classes."""
CONDITIONS = ("scenario", "batch_size", "device", "precision", "compile")
"""What timings that are shown together have in common."""


def latency(scene: Scene) -> list[Picture]:
    """Draw the distribution of latencies, and of their stages, of the best combinations timed."""
    return [*distributions(scene), *stages(scene)]


def _timed(scene: Scene) -> list[tuple[Row, Row]]:
    """Return the best combinations that were timed under the first conditions, each with that."""
    timings = scene.part.run.timings
    if timings is None:
        return []
    whole = records(timings[(timings["unit"] == UNIT) & (timings["status"] == "ok")])
    cells = scene.part.cells
    of_cell = dict(zip(cells["cell"], cells[KEYS].itertuples(index=False, name=None), strict=True))
    mine = [row for row in whole if row["cell"] in of_cell]
    alike = [row for row in mine if all(row[name] == mine[0][name] for name in CONDITIONS)]
    timed = {of_cell[row["cell"]]: row for row in reversed(alike)}
    keyed = ((row, timed.get(tuple(row[key] for key in KEYS))) for row in scene.every)
    return [(row, found) for row, found in keyed if found is not None][:MOST]


def _under(scene: Scene, row: Row) -> str:
    """Tell under which conditions a row was timed."""
    return scene.say(
        "{scenario}, batches of {batch}, {device}, {precision}",
        scenario=row["scenario"],
        batch=row["batch_size"],
        device=row["device"],
        precision=row["precision"],
    )


def distributions(scene: Scene) -> list[Picture]:
    """Draw how long single calls take."""
    shown = []
    for row, timed in _timed(scene):
        assert scene.part.run.folder is not None
        file = scene.part.run.folder / "timings" / timed["raw"]
        if timed["raw"] and file.is_file():
            seconds = np.load(file, allow_pickle=False)
            quantiles = 1e3 * np.quantile(seconds, [0.1, 0.25, 0.5, 0.75, 0.9])
            shown.append((row, timed, quantiles.tolist(), len(seconds)))
    if not shown:
        return []
    say = scene.say
    layout, pixel = listed([scene.names.short(row) for row, *_ in shown], 26)
    p10, q1, median, q3, p90 = zip(*(quantiles for _, _, quantiles, _ in shown), strict=True)
    fastest = min(shown, key=lambda each: each[2][2])
    return [
        Picture(
            scene.file("latency"),
            "latency",
            say("Latency of the best, from item to class"),
            say(
                "The fastest of {n} is {name}: half of its calls take less than {median} ms, nine "
                "in ten less than {p90} ms.",
                n=len(shown),
                name=scene.names.short(fastest[0]),
                median=content.seconds(fastest[2][2]),
                p90=content.seconds(fastest[2][4]),
            ),
            say(
                "Boxes are the quartiles of single calls, whiskers lead from the 10th to the 90th "
                "percentile. {under}.",
                under=_under(scene, shown[0][1]),
            ),
            {
                "data": [
                    {
                        "type": "box",
                        "orientation": "h",
                        "y": [-place for place in range(len(shown))],
                        "lowerfence": list(p10),
                        "q1": list(q1),
                        "median": list(median),
                        "q3": list(q3),
                        "upperfence": list(p90),
                        "width": 18 * pixel,
                        "line": {"color": COLOURS[0], "width": 1.5},
                        "showlegend": False,
                        "hoverinfo": "x",
                    }
                ],
                "layout": {
                    **layout,
                    "xaxis": {
                        "title": {"text": say("latency of a call, ms")},
                        "range": [0, 1.06 * max(p90)],
                        "hoverformat": ".4~g",
                    },
                },
            },
        )
    ]


def stages(scene: Scene) -> list[Picture]:
    """Draw where the time goes."""
    chosen = _timed(scene)
    names = [
        name
        for name in (chosen[0][1] if chosen else ())
        if name.startswith("stage_")
        and name not in ("stage_sum_ms", "stage_whole_ms")
        and any(number(timed[name]) for _, timed in chosen)
    ]
    if not names:
        return []
    say = scene.say
    layout, pixel = listed([scene.names.short(row) for row, _ in chosen], 26)
    sums = [sum(number(timed[name]) or 0 for name in names) for _, timed in chosen]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": _stage(name),
            "x": numbers(timed[name] for _, timed in chosen),
            "y": [-place for place in range(len(chosen))],
            "width": 18 * pixel,
            "marker": {"color": COLOURS[place % len(COLOURS)]},
            "hovertext": [
                f"<b>{wrapped(scene.names.short(row), most=4)}</b><br>"
                + f"{_stage(name)}: {content.seconds(timed[name])} ms"
                for row, timed in chosen
            ],
            "hoverinfo": "text",
        }
        for place, name in enumerate(names)
    ]
    longest = max(names, key=lambda name: number(chosen[0][1][name]) or 0)
    return [
        Picture(
            scene.file("stages"),
            "latency",
            say("Where the time of a call goes"),
            say(
                "Of {name}, {stage} takes longest: {time} of {all} ms.",
                name=scene.names.short(chosen[0][0]),
                stage=_stage(longest),
                time=content.seconds(chosen[0][1][longest]),
                all=content.seconds(sums[0]),
            ),
            say("Mean time of each stage of a call. {under}.", under=_under(scene, chosen[0][1])),
            {
                "data": data,
                "layout": {
                    **layout,
                    "barmode": "stack",
                    "legend": {"traceorder": "normal"},
                    "xaxis": {
                        "title": {"text": say("time of a call, ms")},
                        "range": [0, 1.06 * max(sums)],
                    },
                },
            },
        )
    ]


def _stage(column: str) -> str:
    return column.removeprefix("stage_").removesuffix("_ms")
