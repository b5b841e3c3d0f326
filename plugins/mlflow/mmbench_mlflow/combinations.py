"""What MLflow is told of each combination: its parameters and its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench_mlflow.names import KEY_LENGTH, digest, key, text

if TYPE_CHECKING:
    import pandas as pd

NAMED = ("dataset", "encoders", "alignment", "fusion", "head", "corruption", "train_size")
"""The axes in a combination's name, those left out that say nothing."""


@dataclass(frozen=True)
class Combination:
    """One row of the summary, as MLflow takes it."""

    identity: str
    """The same in every run in which its names and options are."""
    name: str
    params: dict[str, str]
    metrics: dict[str, float]
    """Without what does not apply."""
    tags: dict[str, str]
    evaluated: bool
    """Whether any of its cells was."""


def combinations(summary: pd.DataFrame, table: pd.DataFrame) -> Iterator[Combination]:
    """Yield the combinations of a summary in its order.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `mmbench.summarise`: the axes stand before its column ``n``, the figures from there on.
    table : pandas.DataFrame
        The table of cells that it summarises, which says why cells failed.

    Yields
    ------
    Combination
    """
    import pandas as pd

    if summary.empty:
        return
    first = summary.columns.get_loc("n")
    axes, further = list(summary.columns[:first]), list(summary.columns[first:])
    figures = [name for name in further if pd.api.types.is_numeric_dtype(summary[name])]
    bad = table[~table["status"].isin(["ok", "skipped"])]
    reasons = {_identity(_known(row, axes)): row["reason"] for row in bad.to_dict("records")[::-1]}
    for row in summary.to_dict("records"):
        known = _known(row, axes)
        identity = _identity(known)
        tags = {"mmbench.combination": identity}
        if row.get("tuned"):
            tags["mmbench.tuned"] = text(row["tuned"])
        if reason := reasons.get(identity):
            tags["mmbench.reason"] = text(reason)
        yield Combination(
            identity,
            _name(known),
            _params(known),
            {key(name): float(row[name]) for name in figures if not pd.isna(row[name])},
            tags,
            row["n"] > 0,
        )


def _known(row: Mapping[str, Any], axes: list[str]) -> dict[str, str]:
    """Return the axes that say something, as texts."""
    known = {name: row[name] for name in axes if row[name] == row[name]}
    return {name: str(value) for name, value in known.items() if value != ""}


def _identity(known: Mapping[str, str]) -> str:
    """Return the hash of a combination; columns of single encoders repeat what others say."""
    own = {name: value for name, value in known.items() if not name.startswith("encoder_")}
    return digest(json.dumps(own, sort_keys=True))


def _name(known: Mapping[str, str]) -> str:
    said = [known[name] for name in NAMED if known.get(name, "none") != "none"]
    return text(" · ".join(said), KEY_LENGTH)


def _params(known: Mapping[str, str]) -> dict[str, str]:
    params = {name: value for name, value in known.items() if name != "params"}
    for role, options in json.loads(known.get("params", "{}")).items():
        for option, value in options.items():
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            params[f"{role}.{option}"] = said
    return {key(name): text(value) for name, value in params.items()}
