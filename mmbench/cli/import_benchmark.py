"""``mmbench import-benchmark``: pytest-benchmark's JSON into a run's table of timings."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import-benchmark")
@click.argument("file", metavar="FILE.json", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", required=True,
    help="The run's folder.",
)  # fmt: skip
def command(file: Path, out: Path) -> None:
    """Bring the figures that pytest-benchmark wrote (--benchmark-json) into a table of timings.

    Rows of an earlier import of the same benchmarks are replaced.
    """
    from mmbench.measurement.benchmark import import_benchmark

    names = import_benchmark(file, out)
    click.echo(f"{len(names)} benchmarks are in {out / 'timings.parquet'}")
