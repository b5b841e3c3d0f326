"""The forms that a report comes in, and how each is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import UserError, printable

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.report.gather import Report

FORMS = {
    "html": "report.html",
    "md": "report.md",
    "latex": "report.tex",
    "csv": "summary.csv",
    "parquet": "summary.parquet",
}
"""By name, the file that each is written to."""


def write(report: Report, form: str, file: Path) -> list[Path]:
    """Write a report.

    Parameters
    ----------
    report : Report
        One or several runs.
    form : str
        One of `FORMS`.
    file : pathlib.Path
        Where to; the folders that it needs are made.

    Returns
    -------
    list of pathlib.Path
        What was written: the file, and of LaTeX each table alone, in a folder ``tables`` beside it.

    Raises
    ------
    UserError
        A file cannot be written.
    """
    is_table = form in ("csv", "parquet")
    made = {file: _table(report, form)} if is_table else _texts(report, form, file)
    path = file
    try:
        for path, content in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
    return list(made)


def _table(report: Report, form: str) -> bytes:
    table = summary(report).copy(deep=False)
    table.attrs = {}  # they would be written too, with paths of this machine
    if form == "csv":
        return printable(table.to_csv(index=False, lineterminator="\n")).encode()
    return bytes(table.to_parquet(index=False))


def _texts(report: Report, form: str, file: Path) -> dict[Path, bytes]:
    from mmbench.report import html, latex, markdown

    if form == "latex":
        text, tables = latex.pages(report)
        alone = {file.parent / "tables" / f"{name}.tex": each for name, each in tables.items()}
        texts = {file: text, **alone}
    else:
        texts = {file: (html if form == "html" else markdown).render(report)}
    return {path: printable(text).encode() for path, text in texts.items()}


def summary(report: Report) -> pd.DataFrame:
    """Return the summaries of a report's runs as one table; of several, ``run`` comes first."""
    import pandas as pd

    if len(report.runs) == 1:
        return report.runs[0].summary
    labelled = []
    for run in report.runs:
        table = run.summary.copy()
        table.insert(0, "run", run.label)
        labelled.append(table)
    joined = pd.concat(labelled, ignore_index=True)
    texts = joined.select_dtypes("str").columns
    return joined.fillna(dict.fromkeys(texts, ""))
