"""``mmbench compare``: whether a run is worse than another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from mmbench.statistics.families import Correction


@click.command("compare")
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@click.option("--metric", metavar="M", help="Quality is compared by it (default: the matrix's).")
@click.option(
    "--min-effect", type=float, metavar="X",
    help="What counts: a difference of the metric beyond X (default 0), medians of times that "
    "differ by a share beyond X (default 0.05).",
)  # fmt: skip
@click.option(
    "--fail-on", default="quality,speed", show_default=True, metavar="WHAT",
    help="Of quality, speed and coverage, with commas: where B is worse, the exit status is 1.",
)  # fmt: skip
@click.option(
    "--correction", type=click.Choice(["holm", "fdr"]), default="holm", show_default=True,
    help="For the number of tests: Holm's method, or the false discovery rate.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["text", "md", "json"]), default="text",
    show_default=True,
)  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Show all rows, not only what differs.")
@click.option(
    "--plugin", "plugins", multiple=True, metavar="P",
    help="A file (x.py) or module with the metric; repeatable.",
)  # fmt: skip
def command(
    a: Path,
    b: Path,
    metric: str | None,
    min_effect: float | None,
    fail_on: str,
    correction: Correction,
    form: str,
    every: bool,
    plugins: Sequence[str],
) -> int:
    """Is run B worse than run A? A and B are runs' folders, or tables of cells.

    The exit status is 0 where nothing is worse, 1 where something is, 3 where nothing is
    comparable.
    """
    from mmbench.comparison import runs, told
    from mmbench.errors import UserError, did_you_mean

    names = [name.strip() for name in fail_on.split(",")]
    for name in names:
        if name not in runs.ASPECTS:
            raise UserError(f"--fail-on {name!r}{did_you_mean(name, runs.ASPECTS)}")
    aspects = cast("list[runs.Aspect]", names)
    found = runs.compare(
        a, b, metric=metric, min_effect=min_effect, correction=correction, plugins=plugins
    )
    if form == "json":
        click.echo(told.to_json(found, aspects))
    elif form == "md":
        click.echo(told.to_markdown(found, aspects, every=every))
    else:
        from rich.console import Console

        console = Console(highlight=False, markup=False, emoji=False)
        told.print_text(found, aspects, console, every=every)
    return found.status(aspects)
