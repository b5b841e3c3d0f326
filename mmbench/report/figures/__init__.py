"""The pictures of a report, each kind in a module of its own subject."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mmbench.report.figures.calibration import calibration
from mmbench.report.figures.confusion import confusion
from mmbench.report.figures.contributions import contributions
from mmbench.report.figures.difference import difference
from mmbench.report.figures.gain import gain
from mmbench.report.figures.heatmap import heatmap
from mmbench.report.figures.latency import latency
from mmbench.report.figures.learning import learning
from mmbench.report.figures.picture import Picture
from mmbench.report.figures.ranks import ranks
from mmbench.report.figures.robustness import robustness
from mmbench.report.figures.scene import Scene
from mmbench.report.figures.tradeoff import tradeoff
from mmbench.report.figures.training import training
from mmbench.report.gather import Report

__all__ = ["Picture", "pictures"]

FIRST = (tradeoff, heatmap, gain, ranks)
LAST = (robustness, learning, contributions, latency, calibration, confusion, training)
"""Pictures of a dataset each; between them stand those of all datasets together."""

Of = TypeVar("Of")


def pictures(report: Report) -> list[Picture]:
    """Return the pictures of a report, in the order in which it shows them.

    Where the files of a picture are missing or broken, it is left out.
    """
    scenes = [Scene(part, report.say) for part in report.parts]
    made = [*_titled(FIRST, scenes), *_drawn(difference, report), *_titled(LAST, scenes)]
    return list(_named(made))


def _titled(
    kinds: Sequence[Callable[[Scene], list[Picture]]], scenes: Sequence[Scene]
) -> Iterator[Picture]:
    """Yield the pictures of datasets; where there are several, each says which it is of."""
    for kind in kinds:
        for scene in scenes:
            of = f"{scene.part.title}: " if len(scenes) > 1 else ""
            for picture in _drawn(kind, scene):
                yield dataclasses.replace(picture, title=of + picture.title)


def _drawn(kind: Callable[[Of], list[Picture]], of: Of) -> list[Picture]:
    try:
        return kind(of)
    except Exception:  # what reading a broken file raises has many names
        return []


def _named(made: list[Picture]) -> Iterator[Picture]:
    """Yield pictures, numbered where their names are the same."""
    seen: dict[str, int] = {}
    for picture in made:
        seen[picture.name] = n = seen.get(picture.name, 0) + 1
        yield picture if n == 1 else dataclasses.replace(picture, name=f"{picture.name}-{n}")
