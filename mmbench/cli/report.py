"""``mmbench report``: runs told to people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmbench.report.forms import FORMS
from mmbench.report.language import languages

if TYPE_CHECKING:
    import pandas as pd


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="html", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="A file or folder.")
@click.option("--figures", is_flag=True, help="Write the pictures, too: SVG, PDF and PNG.")
@click.option("--language", "code", type=click.Choice(languages()), default="en", show_default=True)
def command(runs: tuple[Path, ...], form: str, out: Path | None, figures: bool, code: str) -> None:
    """Write one report of the runs in the folders RUN.

    Without --out, the report of one RUN is written into it, and that of several into the working
    directory. Formats: html (one file that needs no network), md, latex (with its tables alone in
    a folder tables), and the summarised table as csv or parquet.
    """
    from mmbench.report.forms import write
    from mmbench.report.gather import gather
    from mmbench.report.language import language

    report = gather(_read(runs), say=language(code))
    place = out if out is not None else report.runs[0].folder if len(runs) == 1 else Path()
    assert place is not None
    file = place / FORMS[form] if place.is_dir() or not place.suffix else place
    written = write(report, form, file)
    if figures:
        from mmbench.report.export import write_figures

        written += write_figures(report, file.parent)
    for path in written:
        click.echo(str(path))


def _read(folders: tuple[Path, ...]) -> list[pd.DataFrame]:
    """Read the tables of cells, each once."""
    from mmbench.errors import UserError
    from mmbench.results import read_results

    tables: dict[Path, pd.DataFrame] = {}
    for folder in folders:
        table = read_results(folder)
        place = Path(table.attrs["folder"]).resolve()
        if place in tables:
            raise UserError(f"{folder}: the run is named twice")
        tables[place] = table
    return list(tables.values())
