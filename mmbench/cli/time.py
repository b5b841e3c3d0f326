"""``mmbench time``: what one component, or one combination, costs to serve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmbench.cli.options import store_option
from mmbench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.cells import Cell

SCENARIOS = ("single-stream", "offline", "server")


@click.command("time")
@click.argument("what", metavar="[SORT:]NAME|FILE")
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    type=click.Choice(SCENARIOS),
    default=("single-stream",),
    help="How samples arrive; repeatable (default: single-stream).",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    multiple=True,
    type=click.IntRange(min=1),
    default=(32,),
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
@click.option("--min-seconds", type=click.FloatRange(min=0), help="Default: 1.")
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Default: 10.")
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
@store_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Also write the table of timings there.",
)
def command(
    what: str,
    scenarios: tuple[str, ...],
    batch_sizes: tuple[int, ...],
    device: str,
    precision: str,
    way: str,
    min_repeats: int,
    min_seconds: float | None,
    max_seconds: float | None,
    out: Path | None,
    **options: Any,
) -> int:
    """Time NAME, an encoder, fusion or head, on made samples; or FILE, a matrix, on its own.

    FILE is a matrix file; the one combination that it names (or that --only leaves) is
    evaluated as by `mmbench run`, and timed part by part and from raw items to classes.
    """
    from rich.console import Console

    from mmbench.cli.timings import print_timings

    if min_seconds is not None and max_seconds is not None and min_seconds > max_seconds:
        raise click.UsageError("--min-seconds is more than --max-seconds")
    timing = {
        "scenarios": list(scenarios),
        "batch_sizes": list(batch_sizes),
        "precisions": [precision],
        "compile": [way],
        "min_repeats": min_repeats,
        "min_seconds": min(1.0, max_seconds or 1.0) if min_seconds is None else min_seconds,
        "max_seconds": max(10.0, min_seconds or 10.0) if max_seconds is None else max_seconds,
        "end_to_end": 1,
    }
    time = _combination if what.endswith(".toml") else _component
    table = time(what, device, timing, **options)
    print_timings(table, Console(highlight=False, markup=False))
    if out is not None:
        table.to_csv(out, index=False)
    return 0 if table["status"].isin(["ok", "skipped"]).all() else 1


def _component(
    word: str,
    device: str,
    timing: dict[str, Any],
    *,
    kind: str | None,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    **of_a_file: Any,
) -> pd.DataFrame:
    from mmbench.blocks import TimingBlock
    from mmbench.catalogue import load_catalogue
    from mmbench.cli.options import parsed_options
    from mmbench.environment import resolve_device
    from mmbench.measurement.component import STAGE, time_component
    from mmbench.measurement.settings import every
    from mmbench.measurement.table import make_timings

    for name, given in of_a_file.items():
        if given:
            raise click.UsageError(f"--{name} is for a matrix FILE; {word!r} is a component")
    catalogue = load_catalogue(plugins)
    catalogue.check()
    found = catalogue.named(word, STAGE)
    if not found:
        known = [name for sort in STAGE for name in catalogue.entries[sort]]
        bare = word.rpartition(":")[2]
        raise UserError(f"time: there is no {word!r} to time{did_you_mean(bare, known)}")
    if len(found) > 1:
        names = " or ".join(f"{entry.sort}:{entry.name}" for entry in found)
        raise UserError(f"time: {word!r} is more than one thing; say {names}")
    entry = found[0]
    if kind and kind not in entry.kinds:
        raise UserError(f"time: {word} takes no {kind}{did_you_mean(kind, entry.kinds)}")
    on = resolve_device(device)
    what = (entry.sort, entry.name, kind or "", parsed_options(settings), plugins, on)
    every_setting = every(TimingBlock.model_validate(timing), on, threads=1)
    return make_timings([time_component(what, asked) for asked in every_setting])


def _combination(
    file: str,
    device: str,
    timing: dict[str, Any],
    *,
    kind: str | None,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    only: tuple[str, ...],
    limit: int | None,
    store: str | None,
) -> pd.DataFrame:
    import tempfile

    from mmbench.cli.progress import progress_for
    from mmbench.environment import resolve_device
    from mmbench.execution import run
    from mmbench.measurement.table import read_timings
    from mmbench.planning import make_plan, select

    if kind:
        raise click.UsageError("--kind is for an encoder; a matrix FILE knows its modalities")
    given: dict[str, Any] = {"plugins": plugins, "limit": limit}
    plan = make_plan(file, overrides=settings, device=resolve_device(device), **given)
    chosen = _one(plan.source.label, [c for c in select(plan, only, ()) if c.id in plan.wanted])
    with tempfile.TemporaryDirectory(prefix="mmbench-time-") as folder:
        table = run(
            file,
            device=device,
            only=[*only, f"fusion={chosen.axes['fusion']}"],
            overrides=[*settings, f"timing={_toml(timing)}"],
            out=Path(folder) / "run",
            store=store,
            observer=progress_for(),
            **given,
        )
        if not (table["status"] == "ok").any():
            raise UserError(f"{plan.source.label}: no cell is ok: {table['reason'].iloc[0]}")
        return read_timings(Path(folder) / "run")


def _one(label: str, cells: Sequence[Cell]) -> Cell:
    """Return a cell of the only combination, or of the only one that fuses."""
    from mmbench.options import canonical
    from mmbench.results import KEYS

    combinations = {canonical([cell.axes[key] for key in KEYS]): cell for cell in cells}
    found = list(combinations.values())
    found = [cell for cell in found if cell.fusion is not None] or found
    if not found:
        raise UserError(f"{label}: it has no combination that can be evaluated")
    if len(found) > 1:
        axes = [cell.axes for cell in found[:4]]
        some = ", ".join(f"{a['modalities']} {a['fusion']} {a['head']}".strip() for a in axes)
        raise UserError(
            f"{label}: {len(found)} combinations ({some}{', ...' if len(found) > 4 else ''}); "
            "choose one with --only column=value"
        )
    return found[0]


def _toml(values: dict[str, Any]) -> str:
    import json

    return "{" + ", ".join(f"{k} = {json.dumps(v)}" for k, v in values.items()) + "}"
