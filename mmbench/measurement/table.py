"""The table of timings: its columns, how it is written and read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.errors import UserError
from mmbench.measurement.work import STAGES

if TYPE_CHECKING:
    import pandas as pd

FILE = "timings.parquet"

IMPORTED = "benchmark"
"""The unit of rows that come from pytest-benchmark."""


def _with_interval(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"


COLUMNS = (
    "unit", "name", "cell", "dataset", "modalities", "encoders", "params", "scenario", "batch_size",
    "device", "precision", "compile", "status", "reason", "n", "outliers",
    *_with_interval("latency_ms_mean"), *_with_interval("latency_ms_p50"),
    *_with_interval("latency_ms_p90"), *_with_interval("latency_ms_p99"), "percentile_reason",
    *_with_interval("throughput"), "rate", "load", "p99_bound_ms", "cold_load_ms", "cold_first_ms",
    *(f"stage_{name}_ms" for name in STAGES), "stage_sum_ms", "stage_whole_ms", "overhead_us",
    "peak_memory_mb", "peak_gpu_memory_mb", "peak_gpu_reserved_mb", "energy_j_per_sample",
    "energy_source", "parameters", "flops_per_sample", "flops_share", "agreement", "warnings",
    "conditions", "raw", "mmbench_version", "started",
)  # fmt: skip

_TEXT = {
    "unit", "name", "cell", "dataset", "modalities", "encoders", "params", "scenario", "device",
    "precision", "compile", "status", "reason", "percentile_reason", "energy_source", "warnings",
    "conditions", "raw", "mmbench_version", "started",
}  # fmt: skip
_INTEGER = {"batch_size", "n", "outliers", "parameters"}


def make_timings(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Build the typed table: text (empty where unknown), Int64 and float64."""
    import pandas as pd

    listed = list(rows)
    table = {}
    for name in COLUMNS:
        values = [row.get(name) for row in listed]
        if name in _TEXT:
            texts = [
                "" if v is None else v if isinstance(v, str) else json.dumps(v) for v in values
            ]
            table[name] = pd.Series(texts, dtype="str")
        elif name in _INTEGER:
            table[name] = pd.array(values, dtype="Int64")
        else:
            numbers = [np.nan if v is None else float(v) for v in values]
            table[name] = pd.Series(numbers, dtype="float64")
    return pd.DataFrame(table, columns=list(COLUMNS))


def write_timings(table: pd.DataFrame, folder: Path) -> None:
    """Write the table, wholly or not at all."""
    temporary = folder / f".{FILE}.new"
    table.to_parquet(temporary, index=False)
    os.replace(temporary, folder / FILE)


def with_imported(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return the table with the rows that ``mmbench import-benchmark`` has brought in."""
    import pandas as pd

    if not (folder / FILE).is_file():
        return table
    before = read_timings(folder)
    imported = before[before["unit"] == IMPORTED]
    return pd.concat([table, imported], ignore_index=True) if len(imported) else table


def read_timings(folder: str | Path) -> pd.DataFrame:
    """Read a run's table of timings.

    Parameters
    ----------
    folder : path
        The run's folder, or its ``timings.parquet``.

    Returns
    -------
    pandas.DataFrame
        One row per part or combination × scenario × batch size × device × precision × way to
        compile. Latencies and stages are in milliseconds per call, throughput in samples per
        second, ``raw`` names the file of raw samples (seconds) under ``timings/``.

    Raises
    ------
    UserError
        There is no table of timings.
    """
    import pandas as pd

    path = Path(folder)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"{folder}: no timings lie there ({FILE} is missing)")
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read: {' '.join(str(error).split())}") from None
