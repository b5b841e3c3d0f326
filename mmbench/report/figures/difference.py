"""Methods over several datasets, as Demšar (2006) draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.report import content
from mmbench.report.across import across
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.scene import lines, shown, wrapped
from mmbench.report.figures.style import COLOURS, NEUTRAL
from mmbench.statistics.datasets import compare_on_datasets, mean_ranks

if TYPE_CHECKING:
    from mmbench.report.gather import Report
    from mmbench.report.language import Language

DATASETS = 3
"""Fewer say too little."""
TELLING = 6
"""On fewer datasets the signed-rank test tells nothing apart at 5 %."""
MOST = 20
"""Methods that are compared and shown."""
NAME = 18
"""Characters of a name beside the axis, so that this has room on a phone."""
CLIQUE = 0.4
"""Distance of the bars that join methods, where methods have 1."""


def difference(report: Report) -> list[Picture]:
    """Draw the mean ranks of methods over datasets, and which cannot be told from each other."""
    every = scored(report)
    if len(every) < 2:
        return []
    say, metric = report.say, report.parts[0].metric
    higher = content.higher_is_better(metric)
    ranks = mean_ranks(np.array(list(every.values())), higher_is_better=higher)
    chosen = [list(every)[i] for i in np.argsort(ranks, kind="stable")[:MOST]]
    scores = np.array([every[name] for name in chosen])
    told = compare_on_datasets(scores, chosen, higher_is_better=higher)
    order = [chosen[i] for i in np.argsort(told.mean_ranks, kind="stable")]
    of_name = dict(zip(chosen, told.mean_ranks.tolist(), strict=True))
    n = scores.shape[1]
    note = say(
        "Each method stands at its mean rank, 1 the best, with its best modalities and encoders on "
        "each dataset. A bar joins methods that are not told apart (Friedman's test, then "
        "Wilcoxon's signed-rank tests corrected by Holm's method, 5 %)."
    )
    if n < TELLING:
        note += " " + say("So few datasets tell no methods apart, whatever they score.")
    if len(every) > len(chosen):
        note += " " + say(
            "The best {n} of {all} methods, ranked among themselves.", n=len(chosen), all=len(every)
        )
    cliques = [[of_name[name] for name in group] for group in told.groups if len(group) > 1]
    return [
        Picture(
            "difference",
            "difference",
            say("Mean ranks of methods on {n} datasets by {metric}", n=n, metric=metric),
            say(
                "Of {n} methods {best} ranks best ({rank} on average) and {last} last ({bottom}).",
                n=len(order),
                best=order[0],
                rank=f"{of_name[order[0]]:.2f}",
                last=order[-1],
                bottom=f"{of_name[order[-1]]:.2f}",
            ),
            note,
            _figure(say, {name: of_name[name] for name in order}, cliques),
        )
    ]


def scored(report: Report) -> dict[str, list[float]]:
    """Return the metric of each method on each dataset; methods that lack one are left out.

    Methods and their figures are those of `mmbench.report.across`; of a dataset that is in several
    runs, the better figure counts. Runs that rank by another metric than the first are left out.
    """
    parts = [part for part in report.parts if part.metric == report.parts[0].metric]
    datasets = list(dict.fromkeys(part.dataset for part in parts))
    if len(datasets) < DATASETS:
        return {}
    better = np.fmax if content.higher_is_better(parts[0].metric) else np.fmin
    scores = {}
    for method in across(parts, report.say).methods:
        best = dict.fromkeys(datasets, np.nan)
        for part, figure in zip(parts, method.figures, strict=True):
            best[part.dataset] = better(best[part.dataset], figure)
        if not np.isnan(list(best.values())).any():
            scores[method.name] = [float(value) for value in best.values()]
    return scores


def _figure(
    say: Language, ranks: Mapping[str, float], cliques: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """Draw methods, the best first, below an axis of their mean ranks."""
    names, values = list(ranks), list(ranks.values())
    ends = [math.floor(values[0]), math.ceil(values[-1])]
    top = -CLIQUE * (len(cliques) + 1) - 0.3
    half = math.ceil(len(names) / 2)
    down = [top - i for i in range(half)] + [top - i for i in range(len(names) - half)][::-1]
    sides = [*(True for _ in names[:half]), *(False for _ in names[half:])]
    x: list[float | None] = []
    y: list[float | None] = []
    for value, height, is_left in zip(values, down, sides, strict=True):
        x += [value, value, ends[0] if is_left else ends[1], None]
        y += [0.0, height, height, None]
    bars_x = [each for clique in cliques for each in (clique[0], clique[-1], None)]
    bars_y = [each for i in range(len(cliques)) for each in (-CLIQUE * (i + 1),) * 2 + (None,)]
    labels = [[*map(shown, lines(name, NAME, 3))] for name in names]
    wide = 10 + 6.2 * max(max(map(len, lines(name, NAME, 3))) for name in names)
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "x": x,
                "y": y,
                "line": {"color": NEUTRAL, "width": 1},
                "hoverinfo": "skip",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "x": bars_x,
                "y": bars_y,
                "line": {"color": COLOURS[1], "width": 5},
                "hoverinfo": "skip",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "x": values,
                "y": down,
                "marker": {"color": COLOURS[0], "size": 8},
                "hovertext": [
                    f"<b>{wrapped(name, most=4)}</b><br>{value:.2f}"
                    for name, value in ranks.items()
                ],
                "hoverinfo": "text",
            },
        ],
        "layout": {
            "height": round(110 + 42 * (half - top)),
            "showlegend": False,
            "margin": {"l": round(wide), "r": round(wide), "t": 60, "b": 16},
            "xaxis": {
                "title": {"text": say("mean rank")},
                "side": "top",
                "range": ends,
                "nticks": 6,
                "tick0": 0,
                "showgrid": False,
                "zeroline": False,
                "showline": True,
                "ticks": "outside",
            },
            "yaxis": {"visible": False, "range": [top - half + 0.5, 0], "fixedrange": True},
            "annotations": [
                {
                    "text": "<br>".join(label),
                    "xref": "paper",
                    "x": 0 if is_left else 1,
                    "xanchor": "right" if is_left else "left",
                    "align": "right" if is_left else "left",
                    "y": height,
                    "showarrow": False,
                    "font": {"size": 11},
                }
                for label, height, is_left in zip(labels, down, sides, strict=True)
            ],
        },
    }
