"""Figures by group: samples that agree in an attribute of their dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.analysis.reading import Reader, figure
from mmbench.errors import UserError, did_you_mean
from mmbench.folder import ATTRIBUTES

if TYPE_CHECKING:
    import pandas as pd


def by_group(table: pd.DataFrame, attribute: str, metric: str = "accuracy") -> pd.DataFrame:
    """Tell a metric apart by the values of an attribute of the samples.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`.
    attribute : str
        A column of ``attributes`` of the run's datasets; samples whose value is empty are left out.
    metric : str
        One of the table's metrics.

    Returns
    -------
    pandas.DataFrame
        A row per combination (the axes of `summarise`) of which no cell failed, and value:

        ``value``, ``n``
            The group and how many samples it has.
        ``<metric>``, ``<metric>_low``, ``<metric>_high``
            Of the group's predictions of all folds, averaged over seeds, with its 95 % confidence
            interval. Empty where the metric does not apply.
        ``worst``
            Whether it is the lowest (the highest, of a metric of which less is better) of the
            combination.
        ``gap``
            The difference between the combination's best group and its worst.

    Raises
    ------
    UserError
        There is no such metric or attribute.
    """
    import pandas as pd

    reader = Reader(table, metric)
    values = _read(reader.folder, attribute)
    higher = reader.gatherer.metrics[metric].higher_is_better
    rows: list[dict[str, Any]] = []
    for combination in reader.combinations():
        known = values.get(combination.row["dataset"])
        if known is None:
            continue
        told = []
        of_seeds = [np.array([known.get(i, "") for i in p.ids]) for p in combination.parts]
        for value in sorted({v for of_seed in of_seeds for v in of_seed} - {""}):
            parts = [
                part.where(of_seed == value)
                for part, of_seed in zip(combination.parts, of_seeds, strict=True)
            ]
            found = reader.evidence([part for part in parts if len(part.ids)])
            low, high = found.bounds[metric]
            told.append(
                {"value": value, "n": len(found.samples.truth), metric: figure(found, metric)}
                | {f"{metric}_low": low, f"{metric}_high": high}
            )
        figures = np.array([each[metric] for each in told])
        there = figures[~np.isnan(figures)]
        worst = there.min() if higher else there.max()
        for each in told:
            spread = {"worst": each[metric] == worst, "gap": float(np.ptp(there))}
            rows.append({**combination.row, **each, **spread})
    names = ["value", "n", metric, f"{metric}_low", f"{metric}_high", "worst", "gap"]
    return pd.DataFrame(rows, columns=[*reader.axes, *names])


def _read(folder: Path, attribute: str) -> dict[str, dict[str, str]]:
    """Return the attribute's value by dataset and sample."""
    import pandas as pd

    file = folder / ATTRIBUTES
    told = pd.read_parquet(file) if file.is_file() else pd.DataFrame({"attribute": []})
    chosen = told[told["attribute"] == attribute]
    if chosen.empty:
        known = sorted(set(told["attribute"]))
        has = f"its datasets have {', '.join(known)}" if known else "its datasets bring none"
        raise UserError(
            f"{folder}: no attribute {attribute!r}: {has}{did_you_mean(attribute, known)}"
        )
    return {
        name: dict(zip(rows["id"], rows["value"], strict=True))
        for name, rows in chosen.groupby("dataset")
    }
