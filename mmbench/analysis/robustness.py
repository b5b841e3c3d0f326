"""What breaks a combination: its figures on corrupted items against those on clean ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.corruption.model import ADDITIVE, Corruption
from mmbench.errors import UserError
from mmbench.results import KEYS, summarise

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"
"""The family that stands for all families of a combination."""


def robustness(table: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """Compare what combinations reach on corrupted and on clean items.

    A *family* is one noise on one modality at all its strengths, what is missing at all its rates,
    or a modality permuted.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`, with corrupted ones.
    metric : str
        One of its metrics, of which more is better.

    Returns
    -------
    pandas.DataFrame
        A row per combination (the axes of `summarise`, without ``corruption``) and family, and one
        for ``"all"`` its families:

        ``family``, ``modality``
            What was done, and to which modalities; of ``"all"``, the modality whose families cost
            most on average (*worst modality*), those of several modalities left out.
        ``training``
            Whether the training part was corrupted, too.
        ``clean``, ``mean``, ``worst``
            The metric without, on average over the strengths or rates, and at the lowest. Of
            ``"all"``, on average over families, and at the lowest of them.
        ``area``
            Under the curve of the metric over strength (or rate), from clean at 0 to the highest
            that was run, by the trapezoidal rule, divided by that highest. Of ``"all"``, on
            average.
        ``relative``
            ``mean / clean``.

    Raises
    ------
    UserError
        No cell is corrupted, or there is no such metric.
    """
    if metric not in table:
        raise UserError(f"there is no metric {metric!r}")
    if not (table["corruption"] != "").any():
        raise UserError("no cell is corrupted: the matrix file has no [corruption]")
    return of_summary(summarise(table), metric)


def of_summary(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the same from what `summarise` returns."""
    import pandas as pd

    encoders = [name for name in summary.columns if name.startswith("encoder_")]
    axes = [key for key in [*KEYS[:3], *encoders, *KEYS[3:]] if key != "corruption"]
    unique = [key for key in axes if key != "missing"]
    clean: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in summary[summary["corruption"] == ""].to_dict("records"):
        clean.setdefault(tuple(row[key] for key in unique), {})[row["missing"]] = row[metric]
    curves: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in summary[summary["corruption"] != ""].to_dict("records"):
        noise = Corruption.parse(row["corruption"])
        if noise.name == ADDITIVE:  # it tells of the model, not of what breaks it
            continue
        known = clean.get(tuple(row[key] for key in unique), {})
        at_zero = known.get(row["missing"], known.get("", np.nan))  # of complete data, no policy
        named = tuple(row[key] for key in axes)
        curve = curves.setdefault(
            (*named, noise.training, noise.family), {"noise": noise, "points": [(0.0, at_zero)]}
        )
        curve["points"].append((noise.level, row[metric]))
    combinations: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for (*values, training, family), curve in curves.items():
        row = dict(zip(axes, values, strict=True))
        same = tuple(row[key] for key in unique)
        row |= {"training": training, "family": family}
        row |= {"modality": "+".join(curve["noise"].modalities), **_figures(curve["points"])}
        combinations.setdefault((*same, training), []).append(row)
    rows: list[dict[str, Any]] = []
    for families in combinations.values():
        rows += families
        policies = dict.fromkeys(row["missing"] for row in families)
        for policy in [each for each in policies if each] or [""]:
            rows.append(_together([row for row in families if row["missing"] in ("", policy)]))
    return pd.DataFrame(rows)[[*axes, "training", "family", "modality", *FIGURES]]


FIGURES = ("clean", "mean", "worst", "area", "relative")


def _figures(points: list[tuple[float, float]]) -> dict[str, float]:
    level, value = np.array(sorted(points)).T
    clean, corrupted = value[0], value[1:]
    return {
        "clean": clean,
        "mean": corrupted.mean(),
        "worst": corrupted.min(),
        "area": float(np.trapezoid(value, level) / level[-1]),
        "relative": corrupted.mean() / clean if clean else np.nan,
    }


def _together(families: list[dict[str, Any]]) -> dict[str, Any]:
    by_modality: dict[str, list[float]] = {}
    for row in families:
        if "+" not in row["modality"]:
            by_modality.setdefault(row["modality"], []).append(row["mean"])
    cost = {modality: np.mean(values) for modality, values in by_modality.items()}
    mean = float(np.mean([row["mean"] for row in families]))
    clean = families[0]["clean"]
    return families[-1] | {
        "family": ALL,
        "modality": min(cost, key=lambda m: cost[m]) if cost else "",
        "mean": mean,
        "worst": min(row["worst"] for row in families),
        "area": float(np.mean([row["area"] for row in families])),
        "relative": mean / clean if clean else np.nan,
    }
