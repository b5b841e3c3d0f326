"""What a combination is made of, and which single modalities a fusion is measured against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True, eq=False)
class Recipe:
    """What a combination is made of."""

    row: Mapping[str, Any]
    """Its axes, as `mmbench.summarise` has them."""

    @cached_property
    def options(self) -> dict[str, Any]:
        """The options of its plugins by role."""
        options: dict[str, Any] = json.loads(self.row["params"] or "{}")
        return options

    @cached_property
    def encoders(self) -> set[tuple[Any, ...]]:
        """Its modalities, each with its encoder and that one's options."""
        given = self.options
        return {
            (m, self.row[f"encoder_{m}"], json.dumps(given.get(f"encoder.{m}")))
            for m in self.row["modalities"].split("+")
        }

    @cached_property
    def head(self) -> tuple[Any, ...]:
        """Its head and that one's options."""
        return self.row["head"], json.dumps(self.options.get("head"))


def alone(fused: Recipe, singles: Sequence[Recipe]) -> list[int]:
    """Return the places of a fusion's own single modalities: of its encoders, and its head if any.

    Parameters
    ----------
    fused : Recipe
        It has none where it is a single modality itself.
    singles : sequence of Recipe
        Single modalities that it is comparable with. Those with its policy for missing items go
        before the others.
    """
    if fused.row["fusion"] == "none":
        return []
    found = [
        i
        for i, single in enumerate(singles)
        if single.encoders <= fused.encoders
        and (not fused.row["head"] or single.head == fused.head)
    ]
    same = [i for i in found if singles[i].row["missing"] == fused.row["missing"]]
    return same or found
