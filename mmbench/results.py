"""The table of cells: its columns, how it is written and read, and its summary."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.errors import UserError
from mmbench.metrics import bounds_of

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.pooled import Pool

AXES = (
    "cell", "dataset", "modalities", "encoders", "alignment", "fusion", "level", "head", "params",
    "finetune", "missing", "corruption", "train_size", "seed", "fold",
)  # fmt: skip
STATUS = ("status", "reason")
COUNTS = ("n_train", "n_test", "n_classes")
METRICS = (
    "accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "f1_micro", "precision_macro",
    "recall_macro", "roc_auc", "log_loss", "ece",
)  # fmt: skip
COSTS = ("embed_s", "fit_s", "predict_s", "cost_s_shared")
SPEED = (
    "latency_ms_p50", "latency_ms_p90", "latency_ms_p99", "throughput", "batch_size", "device",
    "precision", "peak_memory_mb", "peak_gpu_memory_mb", "energy_j_per_sample", "parameters",
)  # fmt: skip
SERVED = ("latency_ms_p50", "latency_ms_p90", "latency_ms_p99", "throughput")
ORIGIN = ("mmbench_version", "started")
STANDING = ("rank", "rank_group", "gain", "gain_low", "gain_high")
"""What a combination is among those of its dataset; see `mmbench.standings`."""

TIMING_COLUMNS = (
    *COSTS, "latency_ms_p50", "latency_ms_p90", "latency_ms_p99", "throughput", "peak_memory_mb",
    "peak_gpu_memory_mb", "energy_j_per_sample", "started",
)  # fmt: skip
"""The columns that may differ between two runs of one file on one machine."""

TUNED = ("tuned", "inner_score")
"""Columns of runs that tune: the values chosen, as JSON by role, and their score on inner folds."""
TIMED = ("timing",)
"""Columns of runs that time."""

_TEXT = {
    *AXES[:-2], *STATUS, "device", "precision", *ORIGIN, "tuned", "timing",
}  # fmt: skip
_INTEGER = {"seed", "fold", *COUNTS, "batch_size", "parameters", *STANDING[:2]}


def columns(encoders: Sequence[str], extra_metrics: Sequence[str] = ()) -> list[str]:
    """Return the table's columns in order; further metrics stand at the right, then intervals."""
    names = [*AXES[:4], *encoders, *AXES[4:], *STATUS, *COUNTS, *METRICS, *COSTS, *SPEED, *ORIGIN]
    further = [name for name in extra_metrics if name not in METRICS]
    bounds = [bound for name in (*METRICS, *further) for bound in bounds_of(name)]
    return [*names, *further, *bounds, *STANDING]


def make_table(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    """Build the typed table: text (empty where unknown), Int64 and float64."""
    import pandas as pd

    listed = list(rows)
    table = {}
    for name in names:
        values = [row.get(name) for row in listed]
        if name in _TEXT or name.startswith("encoder_"):
            table[name] = pd.Series(["" if v is None else str(v) for v in values], dtype="str")
        elif name in _INTEGER:
            table[name] = pd.array(values, dtype="Int64")
        else:
            table[name] = pd.Series(
                [np.nan if v is None else float(v) for v in values], dtype="float64"
            )
    return pd.DataFrame(table, columns=list(names))


def write_table(table: pd.DataFrame, folder: Path) -> None:
    """Write ``cells.parquet`` and ``cells.csv``, each wholly or not at all."""
    table = table.copy(deep=False)
    table.attrs = {}  # they would be written too, with paths of this machine
    parquet, csv = folder / ".cells.parquet.new", folder / ".cells.csv.new"
    table.to_parquet(parquet, index=False)
    table.to_csv(csv, index=False, lineterminator="\n")
    os.replace(parquet, folder / "cells.parquet")
    os.replace(csv, folder / "cells.csv")


def read_results(folder: str | Path) -> pd.DataFrame:
    """Read a run's table of cells.

    Parameters
    ----------
    folder : path
        The run's folder, or its ``cells.parquet``.

    Returns
    -------
    pandas.DataFrame
        One row per cell; ``attrs["folder"]`` is the run's folder, as a string.

    Raises
    ------
    UserError
        There is no table.
    """
    import pandas as pd

    path = Path(folder)
    file = path / "cells.parquet" if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{folder}: no run lies there (cells.parquet is missing)")
    try:
        table = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None
    table.attrs = {"folder": str(file.parent)}  # none that the file brings: they name plugins
    return table


def read_predictions(folder: str | Path, cell: str) -> pd.DataFrame:
    """Read one cell's predictions.

    Its columns are ``id``, ``truth``, ``predicted``, ``group`` where there are groups, and
    ``p_<class>``.
    """
    import pandas as pd

    return pd.read_parquet(predictions_file(Path(folder), cell))


def predictions_file(folder: Path, cell: str) -> Path:
    """Return where a cell's predictions lie."""
    return folder / "predictions" / f"{cell}.parquet"


def write_predictions(
    folder: Path,
    cell: str,
    ids: Sequence[str],
    truth: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
) -> None:
    """Write a cell's per-sample predictions, wholly or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = np.asarray(classes, dtype=object)
    arrays = {
        "id": pa.array(ids, pa.string()),
        "truth": pa.array(names[truth], pa.string()),
        "predicted": pa.array(names[probabilities.argmax(axis=1)], pa.string()),
    }
    if groups is not None:
        arrays["group"] = pa.array([str(group) for group in groups], pa.string())
    arrays |= {f"p_{c}": pa.array(probabilities[:, i]) for i, c in enumerate(classes)}
    file = predictions_file(folder, cell)
    file.parent.mkdir(exist_ok=True)
    temporary = file.with_suffix(".new")
    pq.write_table(pa.table(arrays), temporary)
    os.replace(temporary, file)


KEYS = [
    "dataset", "modalities", "encoders", "alignment", "fusion", "level", "head", "params",
    "finetune", "missing", "corruption", "train_size",
]  # fmt: skip


def summarise(table: pd.DataFrame, *, pool: Pool | None = None) -> pd.DataFrame:
    """Summarise cells over seeds and folds.

    Parameters
    ----------
    table : pandas.DataFrame
        From `read_results` or `mmbench.run`. Metrics pooled over folds need the predictions in its
        ``attrs["folder"]``; those of metrics from unpackaged files are known after `run` only.
    pool : Pool, optional
        What has read the predictions already.

    Returns
    -------
    pandas.DataFrame
        One row per combination (names and options), in the table's order: the axes, ``n`` cells
        evaluated, ``coverage`` (the share of its cells, left-out ones aside, that were),
        ``n_test`` predictions, ``<metric>`` (mean over cells), ``<metric>_std`` (sample standard
        deviation over cells, empty for one), ``<metric>_pooled`` (the metric of the predictions
        of all folds of a seed taken together, averaged over seeds), ``<metric>_low`` and
        ``<metric>_high`` (its 95 % confidence interval: sampling error, the seeds given),
        ``<metric>_seed_std`` (its sample standard deviation over seeds), ``rank``, ``rank_group``,
        ``gain``, ``gain_low``, ``gain_high`` (as in the table), and ``fit_s``, ``embed_s``,
        ``predict_s`` (means); where serving was timed also ``latency_ms_*`` and ``throughput``, and
        in runs that tune ``tuned`` (the values chosen in most cells) and ``inner_score``.
    """
    import pandas as pd

    from mmbench.pooled import Pool, seed_std
    from mmbench.standings import headline_metric

    metrics = metrics_of(table)
    encoders = [name for name in table.columns if name.startswith("encoder_")]
    served = [name for name in SERVED if "timing" in table and table[name].notna().any()]
    tuned = TUNED if "tuned" in table else ()
    folder = table.attrs.get("folder")
    if pool is None:
        path = Path(folder) if folder else None
        pool = Pool(path, table.attrs.get("plugins", ()), metrics, headline_metric(table))
    bounds = [bound for name in metrics for bound in bounds_of(name)]
    stood = [name for name in STANDING if name in table]
    planned = table[table["status"] != "skipped"]
    groups = combinations(planned)
    told = planned[[*KEYS[:3], *encoders, *KEYS[3:]]].iloc[[group[0] for group in groups]]
    averaged = [*metrics, *COSTS[:3], *served, *tuned[1:]]
    figures = planned[averaged].to_numpy(np.float64, na_value=np.nan).T
    is_ok = (planned["status"] == "ok").to_numpy()
    column = {name: planned[name].to_numpy(object) for name in ("cell", "seed", *tuned[:1])}
    n_test = planned["n_test"].to_numpy(np.int64, na_value=0)
    of_cells = planned[bounds].to_numpy() if {*bounds} <= {*table.columns} else np.empty(0)
    standing = planned[stood].to_numpy(np.float64, na_value=np.nan)
    rows: list[dict[str, Any]] = told.to_dict("records")
    for row, group in zip(rows, groups, strict=True):
        done = group[is_ok[group]]
        row |= {"n": len(done), "coverage": len(done) / len(group), "n_test": n_test[done].sum()}
        by_seed: dict[int, list[str]] = {}
        for seed, cell in zip(column["seed"][done], column["cell"][done], strict=True):
            by_seed.setdefault(seed, []).append(cell)
        means, spreads = _moments(np.ascontiguousarray(figures[:, done]))
        if len(by_seed) == len(done) > 0:  # nothing to take together: each cell's own figures
            own = figures[: len(metrics), done]
            pooled = dict(zip(metrics, own.mean(axis=1), strict=True))
            pooled |= {f"{n}_seed_std": seed_std(o) for n, o in zip(metrics, own, strict=True)}
        else:
            pooled = pool.metrics(by_seed)
        if len(done) == 1 and len(of_cells):
            known = dict(zip(bounds, of_cells[done[0]], strict=True))
        else:
            known = pool.bounds(by_seed)
        average = dict(zip(averaged, means, strict=True))
        for name, spread in zip(metrics, spreads, strict=False):
            row |= {name: average[name], f"{name}_std": spread}
            row[f"{name}_pooled"] = pooled.get(name, np.nan)
            row |= {bound: known.get(bound, np.nan) for bound in bounds_of(name)}
            row[f"{name}_seed_std"] = pooled.get(f"{name}_seed_std", np.nan)
        row |= dict(zip(stood, standing[done[0]], strict=True)) if len(done) else {}
        row |= {name: average[name] for name in (*COSTS[:3], *served)}
        if tuned:
            chosen = Counter(column["tuned"][done]).most_common(1)
            row |= {"tuned": chosen[0][0] if chosen else "", "inner_score": average["inner_score"]}
    pool.keep()
    summary = pd.DataFrame(rows)
    for name in stood:
        values = summary[name] if name in summary else np.full(len(summary), np.nan)
        summary[name] = pd.array(values, dtype="Int64" if name in _INTEGER else "float64")
    summary.attrs = dict(table.attrs)
    return summary


def combinations(table: pd.DataFrame) -> list[np.ndarray]:
    """Return the rows of each combination, in the table's order."""
    numbers = table.groupby(KEYS, sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1]) if len(table) else []


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and sample standard deviation of each row, NaN left out, NaN where undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis=1), np.nanstd(values, axis=1, ddof=1)


def telling_axes(summary: pd.DataFrame) -> list[str]:
    """Return the axes that people need to tell the combinations apart.

    Modalities, fusion and head always; each other axis only where combinations that agree in the
    axes before it differ in it; and the values that were tuned, where any were.
    """
    axes = ["modalities", "fusion", "head"]
    for axis in ("encoders", "params", "alignment", "finetune", "missing"):
        if summary.groupby(axes, dropna=False)[axis].nunique().max() > 1:
            axes.append(axis)
    if "tuned" in summary and (summary["tuned"] != "").any():
        axes.append("tuned")
    order = (
        "modalities", "encoders", "alignment", "fusion", "head", "finetune", "params", "missing",
        "tuned",
    )  # fmt: skip
    return [axis for axis in order if axis in axes]


def metrics_of(table: pd.DataFrame) -> list[str]:
    """Return the metrics that a table of cells has, in its order."""
    known = columns([c for c in table.columns if c.startswith("encoder_")])
    further = [name for name in table.columns if name not in (*known, *TUNED, *TIMED)]
    bounds = {bound for name in further for bound in bounds_of(name)}
    return [n for n in table.columns if n in METRICS or (n in further and n not in bounds)]
