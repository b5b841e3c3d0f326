"""What a report tells in whatever form: the answer, the combinations and the reasons, in words."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.config import FROZEN
from mmbench.report.language import ENGLISH, Language
from mmbench.results import METRICS
from mmbench.standings import COMPARABLE, selections

if TYPE_CHECKING:
    import pandas as pd

FAILED = ("failed", "timeout", "oom", "crashed")
LEFT_OUT = ("skipped",)
SHOWN = ("accuracy", "f1_macro", "f1_weighted", "roc_auc", "log_loss", "ece")
SERVED = {"latency_ms_p50": "p50 ms", "latency_ms_p99": "p99 ms", "throughput": "samples/s"}
"""What serving costs, where it was timed, and how it is headed."""
LOWER_IS_BETTER = ("log_loss", "ece")


@dataclass(frozen=True)
class Record:
    """What a run's folder says besides its table; empty where it says nothing."""

    name: str
    environment: Mapping[str, Any]
    matrix: str
    """The matrix file as resolved."""
    metric: str
    """The headline metric."""


def read_record(table: pd.DataFrame) -> Record:
    """Read the environment and the matrix file that lie beside a table of cells."""
    folder = Path(table.attrs.get("folder", ""))
    try:
        environment = json.loads((folder / "environment.json").read_text("utf-8"))
    except (OSError, ValueError):
        environment = {}
    if not isinstance(environment, dict):
        environment = {}
    try:
        matrix = (folder / "matrix.toml").read_text("utf-8")
        metric = tomllib.loads(matrix).get("metric", "accuracy")
    except (OSError, ValueError):
        matrix, metric = "", "accuracy"
    if metric not in table:
        metric = "accuracy"
    return Record(str(environment.get("run", "mmbench")), environment, matrix, metric)


@cache
def higher_is_better(metric: str) -> bool:
    """Whether more of a metric is better; what no installed plugin knows is taken to be so."""
    from mmbench.catalogue import load_catalogue
    from mmbench.options import build

    if metric in METRICS:
        return metric not in LOWER_IS_BETTER
    entry = load_catalogue().entries["metric"].get(metric)
    try:
        return entry is None or bool(build(entry, {}, {"seed": 0, "threads": 1}).higher_is_better)
    except Exception:  # a plugin that needs options, or is broken
        return True


def shown_metrics(summary: pd.DataFrame, metric: str) -> list[str]:
    """Return the metrics that people read, the headline first, those without a value left out."""
    extra = [c.removesuffix("_std") for c in summary.columns if c.endswith("_std")]
    names = dict.fromkeys((metric, *SHOWN, *(name for name in extra if name not in METRICS)))
    return [name for name in names if name in summary and summary[name].notna().any()]


def ranked(summary: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the combinations, best first."""
    ascending = not higher_is_better(metric)
    return summary.sort_values(metric, ascending=ascending, kind="stable", na_position="last")


@dataclass(frozen=True)
class Combination:
    """A combination by its names; what stands at its default is not named."""

    encoders: tuple[tuple[str, str], ...]
    """Modality and encoder, in dataset order."""
    steps: tuple[str, ...]
    """Alignment, fusion and head, as far as there are any."""
    options: tuple[str, ...]

    def __str__(self) -> str:
        return self.said(ENGLISH)

    def said(self, say: Language) -> str:
        """Name it in a line."""
        encoded = " + ".join(
            say("{modality} by {encoder}", modality=modality, encoder=encoder)
            for modality, encoder in self.encoders
        )
        options = f" ({'; '.join(self.options)})" if self.options else ""
        return ", ".join(part for part in (encoded, *self.steps) if part) + options


def combination(row: Mapping[str, Any], say: Language = ENGLISH) -> Combination:
    """Name the combination of a row of the summary or of the table of cells."""
    steps = [row[axis] for axis in ("alignment", "fusion", "head")]
    given = options(row["params"])
    if row["finetune"] not in ("", FROZEN):
        given.append(f"finetune: {row['finetune']}")
    if row["missing"] not in ("", "mean"):
        given.append(f"missing: {row['missing']}")
    encoders = encoder_names(row, say)
    return Combination(
        tuple(encoders.items()),
        tuple(step for step in steps if step not in ("", "none")),
        tuple(given),
    )


def encoder_names(row: Mapping[str, Any], say: Language = ENGLISH) -> dict[str, str]:
    """Return the encoders by modality, those of random weights called so."""
    roles = json.loads(row["params"] or "{}")
    names = {}
    for column, name in row.items():
        if column.startswith("encoder_") and name:
            modality = column.removeprefix("encoder_")
            weights = roles.get(f"encoder.{modality}", {}).get("weights")
            is_random = weights == "random"
            names[modality] = say("{encoder} (random weights)", encoder=name) if is_random else name
    return names


def options(params: str) -> list[str]:
    """Return canonical JSON of options by role as ``role: name=value, ...`` each."""
    roles = json.loads(params) if params else {}
    return [
        f"{role}: " + ", ".join(f"{key}={_value(value)}" for key, value in given.items())
        for role, given in roles.items()
    ]


def telling_options(rows: pd.DataFrame) -> list[list[str]]:
    """Return, for each row, the options by which it differs from rows alike but for options."""
    by_row = [
        [
            f"{role}.{name}={_value(v)}"
            for role, given in json.loads(p or "{}").items()
            for name, v in given.items()
        ]
        for p in rows["params"]
    ]
    alike: dict[tuple[Any, ...], list[set[str]]] = {}
    names = list(
        rows[["modalities", "encoders", "alignment", "fusion", "head"]].itertuples(index=False)
    )
    for name, given in zip(names, by_row, strict=True):
        alike.setdefault(tuple(name), []).append(set(given))
    shared = {name: set.intersection(*sets) for name, sets in alike.items()}
    return [
        [option for option in given if option not in shared[tuple(name)]]
        for name, given in zip(names, by_row, strict=True)
    ]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Answer:
    """The best of one dataset, each a row of the summary; None where there is none."""

    best: Mapping[str, Any] | None
    single: Mapping[str, Any] | None
    """The best single modality."""
    fused: Mapping[str, Any] | None
    """The best fusion."""
    compared: int
    """How many combinations were compared."""
    equals: int
    """How many others reach the same mean as the best."""
    incomplete: int
    """How many were not compared because some of their cells failed."""
    corrected: Mapping[str, Any] | None
    """What the best is worth, corrected for its having been chosen (`standings.selections`)."""

    @property
    def is_fused(self) -> bool:
        """Whether the best combination fuses modalities."""
        return self.best is not None and self.best is self.fused

    @property
    def rival(self) -> Mapping[str, Any] | None:
        """What the best is held against: the best single modality, or else the best fusion."""
        return self.single if self.is_fused else self.fused


def answer(rows: pd.DataFrame, metric: str) -> Answer:
    """Answer for the rows of one dataset.

    A combination some of whose cells failed is compared only where no combination is complete:
    its mean is over other samples.
    """
    done = rows[rows[metric].notna()]
    complete = done[done["coverage"] == 1]
    compared = ranked(complete if len(complete) else done, metric)

    listed = compared.to_dict("records")
    best = next(iter(listed), None)
    return Answer(
        best,
        next((row for row in listed if row["fusion"] == "none"), None),
        next((row for row in listed if row["fusion"] != "none"), None),
        len(listed),
        sum(row[metric] == best[metric] for row in listed[1:]) if best else 0,
        len(done) - len(listed),
        _corrected(rows, best, metric),
    )


def _corrected(
    rows: pd.DataFrame, best: Mapping[str, Any] | None, metric: str
) -> Mapping[str, Any] | None:
    """Return the selection that the best combination was the outcome of."""
    if best is None or not rows.attrs.get("folder"):
        return None
    for found in selections(Path(rows.attrs["folder"])):
        is_alike = all(found[axis] == best[axis] for axis in COMPARABLE)
        if is_alike and isclose(found["naive"], best[metric], abs_tol=1e-12):
            return found
    return None


@dataclass(frozen=True)
class Reason:
    """Why some cells have no figures."""

    status: str
    reason: str
    n: int
    where: tuple[str, ...]
    """The combinations that these cells are of."""


def reasons(table: pd.DataFrame, statuses: Sequence[str], say: Language = ENGLISH) -> list[Reason]:
    """Collect the cells of some statuses by their reason."""
    several = table["dataset"].nunique() > 1
    names = [name for name in table if name in _NAMED or name.startswith("encoder_")]
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in table.loc[table["status"].isin(statuses), names].to_dict("records"):
        found.setdefault((row["status"], row["reason"]), []).append(row)
    return [
        Reason(
            status,
            reason,
            len(cells),
            tuple(dict.fromkeys(_place(cell, several, say) for cell in cells)),
        )
        for (status, reason), cells in found.items()
    ]


_NAMED = (
    "status", "reason", "dataset", "modalities", "alignment", "fusion", "head", "params",
    "finetune", "missing",
)  # fmt: skip


def _place(cell: Mapping[str, Any], several: bool, say: Language) -> str:
    if not cell["modalities"]:
        return say("{dataset}: the whole dataset", dataset=cell["dataset"])
    return f"{cell['dataset']}: " * several + combination(cell, say).said(say)


def figure(mean: float, std: float = float("nan")) -> str:
    """Return a mean and, where there is one, its standard deviation."""
    if mean != mean:
        return ""
    return f"{mean:.3f}" if std != std else f"{mean:.3f} ± {std:.3f}"


def seconds(value: float) -> str:
    """Return seconds in three digits."""
    if value != value:
        return ""
    return (
        f"{value:,.0f}" if value >= 100 else f"{value:#.3g}" if value >= 0.001 else f"{value:.1g}"
    )
