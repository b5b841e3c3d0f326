"""``mmbench time``: what one component, or one combination, costs to serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmbench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

SCENARIOS = ("single-stream", "offline", "server")


@click.command("time")
@click.argument("what", metavar="[SORT:]NAME|FILE")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(SCENARIOS),
    help="How samples arrive; repeatable (default: single-stream).",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    multiple=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Of the scenario offline; repeatable (default: 32).",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    show_default=True,
    help="Networks compute in it, under autocast below fp32.",
)
@click.option(
    "--compile",
    "way",
    type=click.Choice(["none", "torch.compile"]),
    default="none",
    show_default=True,
)
@click.option("--min-repeats", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--min-seconds", type=click.FloatRange(min=0), default=1.0, show_default=True)
@click.option(
    "--max-seconds", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True
)
@click.option("--kind", metavar="KIND", help="Of items, for an encoder of several.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the component, or a key of the file; repeatable.",
)
@click.option("--plugin", "plugins", multiple=True, metavar="P", help="A file or module to load.")
@click.option("--only", multiple=True, metavar="K=V", help="Choose the combination of a FILE.")
@click.option(
    "--limit",
    type=click.IntRange(min=2),
    metavar="N",
    help="Use a stratified sample of N per dataset of a FILE.",
)
@click.option(
    "--store", type=click.Path(path_type=Path), metavar="DIR", help="Where results are kept."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Also write the table of timings there.",
)
def command(what: str, out: Path | None, **options: Any) -> int:  # fmt: skip
    """Time NAME, an encoder, fusion or head, on made samples; or FILE, a matrix, on its own.

    FILE is a matrix file; the one combination that it names (or that --only leaves) is
    evaluated as by `mmbench run`, and timed part by part and from raw items to classes.
    """
    if what.endswith(".toml"):
        table = _combination(Path(what), **options)
    else:
        table = _component(what, **options)
    _print(table)
    if out is not None:
        table.to_csv(out, index=False)
    return 0 if (table["status"].isin(["ok", "skipped"])).all() else 1


def _component(
    word: str,
    *,
    scenarios: tuple[str, ...],
    batch_sizes: tuple[int, ...],
    device: str,
    precision: str,
    way: str,
    min_repeats: int,
    min_seconds: float,
    max_seconds: float,
    kind: str | None,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    only: tuple[str, ...],
    limit: int | None,
    store: Path | None,
) -> pd.DataFrame:
    from threadpoolctl import threadpool_limits

    from mmbench.catalogue import load_catalogue
    from mmbench.cli.options import parsed_options
    from mmbench.environment import resolve_device
    from mmbench.measurement.component import METHODS, Component
    from mmbench.measurement.measure import measure
    from mmbench.measurement.settings import Settings
    from mmbench.measurement.table import make_timings

    for name, given in (("--only", only), ("--limit", limit), ("--store", store)):
        if given:
            raise click.UsageError(f"{name} is for a matrix FILE; {word!r} is a component")
    catalogue = load_catalogue(plugins)
    catalogue.check()
    found = catalogue.named(word, METHODS)
    if not found:
        known = [name for sort in METHODS for name in catalogue.entries[sort]]
        bare = word.rpartition(":")[2]
        raise UserError(f"time: there is no {word!r} to time{did_you_mean(bare, known)}")
    if len(found) > 1:
        names = " or ".join(f"{entry.sort}:{entry.name}" for entry in found)
        raise UserError(f"time: {word!r} is more than one thing; say {names}")
    entry = found[0]
    if kind and kind not in entry.kinds:
        raise UserError(f"time: {word} takes no {kind}{did_you_mean(kind, entry.kinds)}")
    params = parsed_options(settings)
    resolved = resolve_device(device)
    component = Component(
        entry.sort, entry.name, kind or next(iter(entry.kinds), ""), params, plugins, resolved
    )
    asked = Settings(
        scenarios=scenarios or ("single-stream",),
        batch_sizes=batch_sizes or (32,),
        device=resolved,
        precision=precision,
        compile=way,
        min_repeats=min_repeats,
        min_seconds=min(min_seconds, max_seconds),
        max_seconds=max_seconds,
    )
    with threadpool_limits(1):
        rows, _ = measure(component, asked)
    return make_timings([{"unit": entry.sort, "name": entry.name, **row} for row in rows])


def _combination(
    file: Path,
    *,
    scenarios: tuple[str, ...],
    batch_sizes: tuple[int, ...],
    device: str,
    precision: str,
    way: str,
    min_repeats: int,
    min_seconds: float,
    max_seconds: float,
    kind: str | None,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    only: tuple[str, ...],
    limit: int | None,
    store: Path | None,
) -> pd.DataFrame:
    import tempfile

    from mmbench.config import read_matrix
    from mmbench.execution import run
    from mmbench.measurement.table import read_timings
    from mmbench.results import KEYS

    if kind:
        raise click.UsageError("--kind is for an encoder; a matrix FILE knows its modalities")
    source = read_matrix(file, settings)
    timing = {
        "scenarios": list(scenarios or ("single-stream",)),
        "batch_sizes": list(batch_sizes or (32,)),
        "precisions": [precision],
        "compile": [way],
        "min_repeats": min_repeats,
        "min_seconds": min(min_seconds, max_seconds),
        "max_seconds": max_seconds,
        "end_to_end": 1,
    }
    timed = [f"timing={_toml(timing)}"]
    with tempfile.TemporaryDirectory(prefix="mmbench-time-") as folder:
        given: dict[str, Any] = {
            "file": file,
            "device": device,
            "limit": limit,
            "only": only,
            "plugins": plugins,
            "store": store,
        }
        table = run(**given, overrides=settings, out=Path(folder) / "run")
        done = table[table["status"] == "ok"]
        combinations = done[KEYS].drop_duplicates()
        if len(combinations) != 1:
            some = ", ".join(
                " ".join(filter(None, (r["modalities"], r["fusion"], r["head"])))
                for r in combinations.head(4).to_dict("records")
            )
            raise UserError(
                f"{source.label}: {len(combinations)} combinations ({some}, ...); choose one with "
                "--only column=value"
                if len(combinations)
                else f"{source.label}: no cell is ok"
            )
        run(**given, overrides=[*settings, *timed], out=Path(folder) / "run")
        return read_timings(Path(folder) / "run")


def _toml(values: dict[str, Any]) -> str:
    import json

    return "{" + ", ".join(f"{k} = {json.dumps(v)}" for k, v in values.items()) + "}"


def _print(table: pd.DataFrame) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD)
    heads = ("part", "scenario", "batch", "p50 ms", "p90 ms", "p99 ms", "samples/s")
    for number, name in enumerate(heads):
        shown.add_column(name, justify="left" if number < 2 else "right")
    notes = []
    for row in table.to_dict("records"):
        label = f"{row['unit']} {row['name']}"
        cells = [_interval(row, f"latency_ms_{p}") for p in ("p50", "p90", "p99")]
        batch = str(row["batch_size"])
        shown.add_row(label, row["scenario"], batch, *cells, _interval(row, "throughput"))
        for column in ("reason", "percentile_reason", "warnings"):
            if row[column]:
                notes.append(f"{label}, {row['scenario']}: {row[column]}")
    console = Console(highlight=False, markup=False)
    console.print(shown)
    for note in dict.fromkeys(notes):
        console.print(f"note: {note}", soft_wrap=True)


def _interval(row: dict[str, Any], name: str) -> str:
    import math

    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "–"
    text = f"{value:.4g}"
    return text if math.isnan(low) or math.isnan(high) else f"{text} [{low:.4g}, {high:.4g}]"
