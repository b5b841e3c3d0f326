"""The bridge to pytest-benchmark: its JSON as rows of the table of timings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.errors import UserError
from mmbench.measurement.measure import MS, latency_figures
from mmbench.measurement.table import (
    FILE,
    IMPORTED,
    make_timings,
    read_timings,
    write_timings,
)
from mmbench.timing.percentiles import describe

SAID = ("batch_size", "device", "precision", "compile", "scenario", "params")
"""What a benchmark may say of itself in ``benchmark.extra_info``."""


def import_benchmark(file: Path, folder: Path) -> list[str]:
    """Add pytest-benchmark's figures to a folder's table of timings.

    Parameters
    ----------
    file : Path
        Written by ``pytest --benchmark-json``. With ``--benchmark-save-data`` it holds every
        round, and percentiles have intervals; else mean and median are taken over.
    folder : Path
        A run's folder, or any: the table is made where there is none.

    Returns
    -------
    list of str
        The names of the benchmarks.

    Raises
    ------
    UserError
        The file is not there, or not pytest-benchmark's.
    """
    import pandas as pd

    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        benchmarks = content["benchmarks"]
        rows = [_row(one, content) for one in benchmarks]
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file}: is no JSON of pytest-benchmark ({type(error).__name__}: {error})"
        ) from None
    table = make_timings(rows)
    names = list(table["name"])
    if (folder / FILE).is_file():
        before = read_timings(folder)
        kept = before[(before["unit"] != IMPORTED) | ~before["name"].isin(names)]
        table = pd.concat([kept, table], ignore_index=True) if len(kept) else table
    folder.mkdir(parents=True, exist_ok=True)
    write_timings(table, folder)
    return names


def _row(one: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    stats, said = one["stats"], one.get("extra_info") or {}
    row: dict[str, Any] = {
        "unit": IMPORTED,
        "name": one["fullname"],
        "status": "ok",
        "batch_size": int(said.get("batch_size", 1)),
        "mmbench_version": metadata.version("mmbench"),
        "started": content.get("datetime", ""),
        "conditions": content.get("machine_info", {}),
        **{name: said[name] for name in SAID if name in said and name != "batch_size"},
    }
    if stats.get("data"):
        row |= latency_figures(describe(np.asarray(stats["data"], dtype=np.float64)))
    else:
        row |= {
            "n": stats["rounds"],
            "latency_ms_mean": MS * stats["mean"],
            "latency_ms_p50": MS * stats["median"],
            "percentile_reason": "the file holds no single rounds (--benchmark-save-data)",
        }
    if stats["iterations"] > 1:
        row = {k: v for k, v in row.items() if not k.startswith(("latency_ms_p9", "latency_ms_p5"))}
        row["percentile_reason"] = f"a round is the mean of {stats['iterations']} calls"
    row["throughput"] = row["batch_size"] / stats["mean"]
    return row
