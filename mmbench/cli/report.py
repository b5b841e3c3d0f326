"""``mmbench report``: a run told to people."""

from __future__ import annotations

from pathlib import Path

import click

from mmbench.report.forms import FORMS


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="html", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="A file or folder.")
def command(runs: tuple[Path, ...], form: str, out: Path | None) -> None:
    """Write the report of each RUN (its folder): HTML, Markdown, or the summarised table as CSV."""
    from mmbench.errors import UserError
    from mmbench.report.forms import write
    from mmbench.report.gather import gather
    from mmbench.results import read_results

    if out is not None and len(runs) > 1:
        raise UserError("--out: one run at a time")
    for folder in runs:
        report = gather([read_results(folder)])
        assert report.runs[0].folder is not None
        file = report.runs[0].folder / FORMS[form]
        if out is not None:
            file = out / FORMS[form] if out.is_dir() or not out.suffix else out
        write(report, form, file)
        click.echo(str(file))
