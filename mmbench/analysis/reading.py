"""The combinations of a run with what their predictions say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.errors import UserError
from mmbench.evidence import Evidence, Gatherer, Predictions
from mmbench.pooled import Pool
from mmbench.recipes import Recipe
from mmbench.results import KEYS, combinations, metrics_of, predictions_file

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Combination(Recipe):
    """A combination all of whose planned cells were evaluated."""

    files: Sequence[Sequence[Path]]
    """Of each seed, its cells' predictions."""

    @cached_property
    def parts(self) -> list[Predictions]:
        """Its predictions by seed, folds together."""
        return [Predictions.read(of_seed) for of_seed in self.files]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the probabilities' columns."""
        import pyarrow.parquet as pq

        names = pq.read_schema(self.files[0][0]).names
        return [name.removeprefix("p_") for name in names if name.startswith("p_")]


@dataclass
class Reader:
    """Reads the predictions of a run.

    Parameters
    ----------
    table : pandas.DataFrame
        Of its cells, from `mmbench.run` or `mmbench.read_results`.
    metric : str
        One of its metrics.

    Raises
    ------
    UserError
        There is no such metric, or the table has no folder.
    """

    table: pd.DataFrame
    metric: str
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        if "folder" not in self.table.attrs:
            raise UserError("a table without its run's folder has no predictions")
        self.folder = Path(self.table.attrs["folder"])
        names = metrics_of(self.table)
        plugins = self.table.attrs.get("plugins", ())
        pool = Pool(self.folder, plugins, names, self.metric)
        if self.metric not in pool.built:
            raise UserError(f"there is no metric {self.metric!r} here")
        self.gatherer = Gatherer({self.metric: pool.built[self.metric]}, self.metric)

    @property
    def axes(self) -> list[str]:
        """The columns that name a combination."""
        encoders = [name for name in self.table.columns if name.startswith("encoder_")]
        return [*KEYS[:3], *encoders, *KEYS[3:]]

    def combinations(self) -> list[Combination]:
        """Return the combinations, in the table's order; those with a cell that failed left out."""
        planned = self.table[self.table["status"] != "skipped"]
        made = []
        for places in combinations(planned):
            cells = planned.iloc[places]
            if not (cells["status"] == "ok").all():
                continue
            files: dict[Any, list[Path]] = {}
            for cell, seed in zip(cells["cell"], cells["seed"], strict=True):
                files.setdefault(seed, []).append(predictions_file(self.folder, cell))
            row = cells.iloc[0][self.axes].to_dict()
            made.append(Combination(row, list(files.values())))
        return made

    def evidence(self, parts: Sequence[Predictions]) -> Evidence:
        """Return what predictions by seed say of the metric."""
        return self.gatherer.weigh(parts)


def figure(evidence: Evidence, metric: str) -> float:
    """Return a metric's mean over seeds; NaN where it does not apply."""
    values = [of_seed[metric] for of_seed in evidence.by_seed]
    return float(np.mean([np.nan if value is None else value for value in values]))
