"""``mmbench run``: evaluate a matrix file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmbench.cli.options import matrix_options


@click.command("run")
@matrix_options
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's own folder.")
@click.option("--runner", default="local", metavar="NAME", help="Who executes the jobs.")
@click.option("--address", metavar="A", help="The cluster's address, for a runner that joins one.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Jobs at once.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Seconds per job."
)
@click.option("--only", multiple=True, metavar="K=V", help="Work on these cells; repeatable.")
@click.option("--exclude", multiple=True, metavar="K=V", help="Leave these cells; repeatable.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(file: Path, quiet: bool, **options: Any) -> int:
    """Evaluate the matrix FILE: do what is missing and write the table."""
    from mmbench.cli import EXIT_FAILED_CELLS
    from mmbench.execution import run

    observer = None
    if not quiet:
        from mmbench.cli.progress import progress_for

        observer = progress_for()
    table = run(file, observer=observer, **options)
    failed = table[~table["status"].isin(["ok", "skipped"])]
    if not quiet:
        from mmbench.cli.summary import print_run

        print_run(table)
    return EXIT_FAILED_CELLS if len(failed) else 0
