"""A table of timings as people read it on a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmbench.measurement.work import STAGES

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[Any, Any]

COSTS = (
    ("load ms", "cold_load_ms", 1.0),
    ("first ms", "cold_first_ms", 1.0),
    ("MB", "peak_memory_mb", 1.0),
    ("GPU MB", "peak_gpu_memory_mb", 1.0),
    ("J", "energy_j_per_sample", 1.0),
    ("M params", "parameters", 1e-6),
    ("GFLOP", "flops_per_sample", 1e-9),
)
"""Head, column and scale of what is shown where any part has it."""


def print_timings(table: pd.DataFrame, console: Console) -> None:
    """Print, by scenario, latencies and throughput, what else the parts take, and notes."""
    groups: dict[str, list[Row]] = {}
    for row in table.to_dict("records"):
        groups.setdefault(_conditions(row), []).append(row)
    for name, rows in groups.items():
        console.print(Text(name, style="bold"))
        console.print(_latencies(rows))
        if any(row["status"] == "ok" for row in rows):
            console.print(_costs(rows))
        for note in dict.fromkeys(note for row in rows for note in _notes(row)):
            console.print(Text(note))
        console.print()


def _latencies(rows: Sequence[Row]) -> Table:
    shown = _table("p50 ms", "p90 ms", "p99 ms", "samples/s")
    for row in rows:
        if row["status"] == "ok":
            names = ("latency_ms_p50", "latency_ms_p90", "latency_ms_p99", "throughput")
            shown.add_row(_label(row), *(_with_interval(row, name) for name in names))
        else:
            shown.add_row(_label(row), Text(row["status"], style="bold"))
    return shown


def _costs(rows: Sequence[Row]) -> Table:
    known = [one for one in COSTS if any(_is_known(row[one[1]]) for row in rows)]
    shown = _table(*(head for head, _, _ in known))
    for row in rows:
        if row["status"] == "ok":
            values = [(row[column], scale) for _, column, scale in known]
            told = [_number(scale * v) if _is_known(v) else "–" for v, scale in values]
            shown.add_row(_label(row), *told)
    return shown


def _table(*heads: str) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    shown.add_column("part", overflow="fold")
    for head in heads:
        shown.add_column(head, justify="right", no_wrap=True)
    return shown


def _notes(row: Row) -> Iterable[str]:
    name = _label(row)
    if _is_known(row["rate"]):
        bound = row["p99_bound_ms"]
        kept = f", p99 within {_number(bound)} ms" if _is_known(bound) else ""
        yield f"{name}: {_number(row['rate'])} queries/s arrive{kept}, load {row['load']:.0%}"
    stages = [(stage, row[f"stage_{stage}_ms"]) for stage in STAGES]
    told = [f"{stage} {_number(ms)}" for stage, ms in stages if _is_known(ms) and ms > 0]
    if len(told) > 1:
        whole = f"sum {_number(row['stage_sum_ms'])}, whole {_number(row['stage_whole_ms'])}"
        yield f"{name}: stages in ms: {', '.join(told)}; {whole}"
    for column in ("reason", "percentile_reason", "warnings"):
        if row[column]:
            yield f"{name}: {row[column]}"


def _label(row: Row) -> str:
    return f"{row['unit']} {row['name']}"


def _conditions(row: Row) -> str:
    size = f", batches of {row['batch_size']}" if row["scenario"] == "offline" else ""
    ways = [row[name] for name in ("precision", "compile") if row[name] not in ("fp32", "none")]
    return ", ".join([f"{row['scenario']}{size}", row["device"], *ways])


def _is_known(value: Any) -> bool:
    import pandas as pd

    return not pd.isna(value)


def _number(value: float) -> str:
    if value == 0:
        return "0"
    digits = max(0, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}"


def _with_interval(row: Row, name: str) -> Text:
    """Return a figure, and its confidence interval below it."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if not _is_known(value):
        return Text("–")
    text = Text(_number(value))
    if _is_known(low) and _is_known(high):
        text.append(f"\n{_number(low)}–{_number(high)}", style="dim")
    return text
