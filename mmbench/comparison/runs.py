"""The comparison of two runs, A and B, and whether B is worse."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mmbench.errors import UserError
from mmbench.statistics.families import CORRECTIONS, Correction

if TYPE_CHECKING:
    import pandas as pd

Aspect = Literal["quality", "speed", "coverage"]
ASPECTS: tuple[Aspect, ...] = ("quality", "speed", "coverage")
FAIL_ON: tuple[Aspect, ...] = ("quality", "speed")
LEVEL = 0.95
MIN_EFFECT: dict[Aspect, float] = {"quality": 0.0, "speed": 0.05}
"""The least effect: a difference of the metric; by what share medians of times differ."""

NOTHING_WORSE, WORSE, NOTHING_COMPARABLE = 0, 1, 3


@dataclass(frozen=True)
class RunComparison:
    """What two runs say of each other; all differences are B less A.

    Attributes
    ----------
    a, b : str
        The two runs.
    metric : str
        What quality was compared by.
    level : float
        Of intervals and tests.
    correction : {"holm", "fdr"}
        Of p-values, for all of quality (cells and combinations) and for all of speed.
    min_effect : dict of str to float
        For ``quality`` and ``speed``.
    cells, combinations, speed, coverage, environment : pandas.DataFrame
        One row per thing compared, or per difference.
    notes : dict of str to str
        Why ``quality`` was not tested sample by sample, or ``speed`` not at all.
    """

    a: str
    b: str
    metric: str
    level: float
    correction: Correction
    min_effect: dict[Aspect, float]
    cells: pd.DataFrame
    combinations: pd.DataFrame
    speed: pd.DataFrame
    coverage: pd.DataFrame
    environment: pd.DataFrame
    notes: dict[str, str]

    def counts(self, aspect: Aspect) -> dict[str, int]:
        """Return how many comparisons of an aspect were made, and how they ended.

        Keys are ``compared``, ``worse`` and ``better``. Of coverage, cells that B lacks, or where
        it failed, are worse, and such of A better.
        """
        from mmbench.comparison.differences import LOST

        if aspect == "coverage":
            worse = int(self.coverage["what"].isin(LOST).sum())
            better = int(self.coverage["what"].isin(("only in B", "failed in A")).sum())
            return {"compared": len(self.cells) + worse + better, "worse": worse, "better": better}
        tables = [self.cells, self.combinations] if aspect == "quality" else [self.speed]
        return {
            "compared": sum(int(table["p_value"].notna().sum()) for table in tables),
            **{
                name: sum(int((table["verdict"] == name).sum()) for table in tables)
                for name in ("worse", "better")
            },
        }

    def status(self, fail_on: Collection[Aspect] = FAIL_ON) -> int:
        """Return 0 where nothing is worse, 1 where something is, 3 where nothing was comparable.

        Parameters
        ----------
        fail_on : collection of {"quality", "speed", "coverage"}
            What counts.
        """
        counts = {aspect: self.counts(aspect) for aspect in fail_on}
        failed = self.coverage["what"].isin(("failed in A", "failed in B"))
        if not len(self.cells) and not len(self.speed) and not failed.any():
            return NOTHING_COMPARABLE
        if any(count["worse"] for count in counts.values()):
            return WORSE
        compared = any(count["compared"] for count in counts.values())
        return NOTHING_WORSE if compared else NOTHING_COMPARABLE


CELLS = (
    "cell", "dataset", "combination", "seed", "fold", "a", "b", "n", "difference", "low", "high",
    "p_value", "p_adjusted", "test", "effect", "effect_name", "smallest_shown", "verdict",
)  # fmt: skip
COMBINATIONS = ("dataset", "combination", "cells", *CELLS[5:])
SPEED = (
    "unit", "name", "cell", "dataset", "modalities", "encoders", "params", "scenario",
    "batch_size", "device", "precision", "compile", "n_a", "n_b", "a_ms", "b_ms", "ratio",
    "p_value", "p_adjusted", "test", "effect", "effect_name", "verdict",
)  # fmt: skip
COVERAGE = ("what", "cell", "dataset", "combination", "seed", "fold", "reason")
ENVIRONMENT = ("what", "a", "b")


def compare(
    a: str | Path,
    b: str | Path,
    *,
    metric: str | None = None,
    min_effect: float | None = None,
    correction: Correction = "holm",
    level: float = LEVEL,
    plugins: Sequence[str] = (),
) -> RunComparison:
    """Compare run B with run A: quality, speed, coverage and environment.

    Parameters
    ----------
    a, b : path
        Folders of runs, or tables of cells alone (``cells.parquet``), where the predictions
        are lacking and folds are compared by their scores.
    metric : str, optional
        A metric of both tables; by default the one that A's matrix file names.
    min_effect : float, optional
        What a difference must exceed: in quality that of the metric, in speed the share by which
        the medians differ. By default 0 and 0.05.
    correction : {"holm", "fdr"}
        For the number of tests; see `mmbench.statistics.families.adjust`.
    level : float
        Of intervals; one minus the level of the tests.
    plugins : sequence of str
        Files or modules of metrics that are not installed.

    Returns
    -------
    RunComparison

    Raises
    ------
    UserError
        A folder holds no run or is damaged; the metric is unknown; an option is out of range.
    """
    import pandas as pd

    from mmbench.comparison.differences import coverage, environments
    from mmbench.comparison.quality import Quality
    from mmbench.comparison.sides import Side, known_metric
    from mmbench.comparison.speed import compare_speed

    if min_effect is not None and not min_effect >= 0:
        raise UserError(f"--min-effect {min_effect}: expected 0 or more")
    if correction not in CORRECTIONS:
        raise UserError(f"--correction {correction}: expected {' or '.join(CORRECTIONS)}")
    if not 0 < level < 1:
        raise UserError(f"level {level}: expected a number between 0 and 1")
    least = dict(MIN_EFFECT) if min_effect is None else dict.fromkeys(MIN_EFFECT, min_effect)
    first, second = Side(a), Side(b)
    name = metric or first.record.metric
    built = known_metric(name, first, second, plugins)
    quality = Quality(first, second, name, built, level)
    quality.judge(correction, least["quality"])
    speed, note = compare_speed(
        first, second, level=level, correction=correction, min_effect=least["speed"]
    )
    notes = {"speed": note} if note else {}
    if not quality.by_sample:
        notes["quality"] = "without predictions, combinations are compared by their cells' scores"

    def table(rows: list[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=list(columns))

    return RunComparison(
        a=first.path,
        b=second.path,
        metric=name,
        level=level,
        correction=correction,
        min_effect=least,
        cells=table(quality.cells, CELLS),
        combinations=table(quality.combinations, COMBINATIONS),
        speed=table(speed, SPEED),
        coverage=table(coverage(first, second, quality.refused), COVERAGE),
        environment=table(environments(first, second), ENVIRONMENT),
        notes=notes,
    )
