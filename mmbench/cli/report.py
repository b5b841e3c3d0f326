"""``mmbench report``: a run told to people."""

from __future__ import annotations

from pathlib import Path

import click

FILES = {"html": "report.html", "md": "report.md", "csv": "summary.csv"}


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(list(FILES)), default="html", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="A file or folder.")
def command(runs: tuple[Path, ...], form: str, out: Path | None) -> None:
    """Write the report of each RUN (its folder): HTML, Markdown, or the summarised table as CSV."""
    from mmbench.errors import UserError
    from mmbench.report import html, markdown
    from mmbench.results import read_results, summarise

    if out is not None and len(runs) > 1:
        raise UserError("--out: one run at a time")
    for folder in runs:
        table = read_results(folder)
        file = Path(table.attrs["folder"]) / FILES[form]
        if out is not None:
            file = out / FILES[form] if out.is_dir() or not out.suffix else out
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if form == "csv":
                summarise(table).to_csv(file, index=False, lineterminator="\n")
            else:
                render = html.render if form == "html" else markdown.render
                file.write_text(render(table), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{file}: cannot be written: {error.strerror}") from None
        click.echo(str(file))
