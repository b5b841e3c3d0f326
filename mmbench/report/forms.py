"""The forms that a report comes in, and how each is written."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from mmbench.errors import UserError

if TYPE_CHECKING:
    from mmbench.report.gather import Report

FORMS = {"html": "report.html", "md": "report.md", "csv": "summary.csv"}
"""By name, the file that each is written to."""

_RENDERERS = {"html": "mmbench.report.html", "md": "mmbench.report.markdown"}


def write(report: Report, form: str, file: Path) -> None:
    """Write a report; raises `UserError` where the file cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if form == "csv":
            report.runs[0].summary.to_csv(file, index=False, lineterminator="\n")
        else:
            render = importlib.import_module(_RENDERERS[form]).render
            file.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None
