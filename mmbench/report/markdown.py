"""The report in Markdown: the answer, the summarised table, what failed and what was left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmbench.report.content import (
    FAILED,
    LEFT_OUT,
    SERVED,
    Answer,
    combination,
    encoder_names,
    figure,
    options,
    ranked,
    reasons,
    seconds,
    shown_metrics,
)
from mmbench.report.gather import Report
from mmbench.report.trials import Sheet, sheets
from mmbench.results import telling_axes

if TYPE_CHECKING:
    import pandas as pd


def render(report: Report) -> str:
    """Return a report as Markdown."""
    run = report.runs[0]
    parts = [f"# {escape(run.record.name)}", _counts(run.table)]
    for part in report.parts:
        parts += [f"## {escape(part.dataset)}", _answer(part.answer, part.metric)]
        parts += [_markdown(compact(part.rows, part.metric))] if len(part.rows) else []
        parts += [_sheet(sheet) for sheet in sheets(part.all_rows, part.metric)]
    parts += [_reasons(run.table, "Failed", FAILED), _reasons(run.table, "Left out", LEFT_OUT)]
    return "\n\n".join(part for part in parts if part) + "\n"


def compact(summary: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """Return the summary's columns that people read first, the best by a metric first.

    Axes that do not tell combinations apart are left out; each figure is mean ± standard deviation
    over cells.
    """
    import pandas as pd

    best_first = ranked(summary, metric)
    shown = {axis: best_first[axis].map(escape) for axis in telling_axes(best_first)}
    if "tuned" in shown:
        shown["tuned"] = best_first["tuned"].map(lambda text: escape("; ".join(options(text))))
    if "encoders" in shown:
        named = ["+".join(encoder_names(row).values()) for row in best_first.to_dict("records")]
        shown["encoders"] = pd.Series(map(escape, named), best_first.index)
    for name in shown_metrics(best_first, metric):
        pairs = zip(best_first[name], best_first[f"{name}_std"], strict=True)
        shown[escape(name)] = pd.Series([figure(*pair) for pair in pairs], best_first.index)
    shown["cells"] = best_first["n"].astype(str)
    shown["fit s"] = best_first["fit_s"].map(seconds)
    for name, label in SERVED.items():
        if name in best_first:
            shown[label] = best_first[name].map(seconds)
    return pd.DataFrame(shown)


def _counts(table: pd.DataFrame) -> str:
    counts = table["status"].value_counts()
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    return f"{len(table)} cells: {listed}." if len(table) else "No cells."


def _answer(found: Answer, metric: str) -> str:
    if found.best is None:
        return "No cell of this dataset was evaluated."
    told = f"Best by mean {escape(metric)}: **{escape(combination(found.best))}**"
    text = f"{told}, {figure(found.best[metric])}"
    if found.equals:
        text += f" ({found.equals} more reach it)"
    if found.rival is not None:
        what = "single modality" if found.is_fused else "fusion"
        name = escape(combination(found.rival))
        text += f"; best {what}: {name}, {figure(found.rival[metric])}"
    text += "."
    if (corrected := found.corrected) is not None:
        n, estimate, *bounds = (corrected[name] for name in ("n", "estimate", "low", "high"))
        text += (
            f" As the best of {n} by test score it is an optimistic estimate; corrected for having "
            f"chosen among {n}: {figure(estimate)} ({' to '.join(map(figure, bounds))})."
        )
    else:
        text += " (The best of many by test score is an optimistic estimate.)"
    if found.incomplete:
        text += f" Not compared, as some of their cells failed: {found.incomplete} combinations."
    return text


def _reasons(table: pd.DataFrame, title: str, statuses: Sequence[str]) -> str:
    lines = [f"- {r.n} × {r.status}: {escape(r.reason)}" for r in reasons(table, statuses)]
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _sheet(sheet: Sheet) -> str:
    import pandas as pd

    rows = [[escape(field) for field in row] for row in sheet.rows]
    table = _markdown(pd.DataFrame(rows, columns=sheet.columns))
    return f"### {escape(sheet.title)}\n\n{table}\n\n{escape(sheet.note)}"


def _markdown(table: pd.DataFrame) -> str:
    text: str = table.to_markdown(index=False, disable_numparse=True)
    return text


def escape(value: object) -> str:
    """Keep a name from breaking a table or from being read as markup."""
    text = " ".join(str(value).split())
    return re.sub(r"[\\|<>`*\[\]]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
