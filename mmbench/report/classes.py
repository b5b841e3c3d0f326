"""How one combination does on each class, from its predictions of all seeds and folds together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.results import KEYS, predictions_file

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClassFigures:
    """One class; NaN where a figure does not apply."""

    name: str
    n: int
    """How many predictions were made for its samples."""
    recall: float
    precision: float
    taken_for: str
    """The other class that it is most often taken for; empty where it never is."""
    times: int


def by_class(table: pd.DataFrame, row: Mapping[str, Any]) -> list[ClassFigures]:
    """Return the classes of a row of the summary, the hardest first.

    The list is empty where the predictions are not there or cannot be read.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    same = (table[KEYS] == pd.Series(row)[KEYS]).all(axis=1) & (table["status"] == "ok")
    folder = Path(table.attrs.get("folder", ""))
    files = [predictions_file(folder, cell) for cell in table.loc[same, "cell"]]
    try:
        columns = pq.read_schema(files[0]).names
        pairs = pd.concat(pd.read_parquet(file, columns=["truth", "predicted"]) for file in files)
    except (OSError, ValueError):
        return []
    counts = pairs.groupby(["truth", "predicted"]).size().to_dict()
    names = [column.removeprefix("p_") for column in columns if column.startswith("p_")]
    asked, given = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    mistaken = dict.fromkeys(names, ("", 0))
    for (truth, predicted), n in counts.items():
        asked[truth] += n
        given[predicted] += n
        if predicted != truth and n > mistaken[truth][1]:
            mistaken[truth] = (predicted, n)
    found = []
    for name in names:
        right = counts.get((name, name), 0)
        recall = right / asked[name] if asked[name] else np.nan
        precision = right / given[name] if given[name] else np.nan
        found.append(ClassFigures(name, asked[name], recall, precision, *mistaken[name]))
    return sorted(found, key=lambda c: (np.isnan(c.recall), c.recall if c.n else 0))
