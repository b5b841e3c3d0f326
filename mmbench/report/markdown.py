"""The report in Markdown: the answer, the summarised table, what failed and what was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.results import summarise, telling_axes

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("accuracy", "f1_macro", "f1_weighted", "roc_auc", "log_loss", "ece")


def write_report(table: pd.DataFrame, folder: Path) -> Path:
    """Write ``report.md`` into a folder and return its path."""
    file = folder / "report.md"
    file.write_text(render(table), encoding="utf-8")
    return file


def render(table: pd.DataFrame) -> str:
    """Return the report of a run's table of cells."""
    summary = summarise(table)
    parts = [f"# {_title(table)}", _counts(table)]
    if not summary.empty:
        for dataset in dict.fromkeys(summary["dataset"]):
            rows = summary[summary["dataset"] == dataset]
            parts += [f"## {_escape(dataset)}", _answer(rows), _markdown(compact(rows))]
    parts += [_reasons(table, "Failed", ("failed", "timeout", "oom", "crashed"))]
    parts += [_reasons(table, "Left out", ("skipped",))]
    return "\n\n".join(part for part in parts if part) + "\n"


def compact(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the summary's columns that people read first, best accuracy first.

    Axes that do not tell combinations apart are left out; each figure is mean ± standard deviation
    over cells.
    """
    import pandas as pd

    ranked = summary.sort_values("accuracy", ascending=False, kind="stable", na_position="last")
    shown = {axis: ranked[axis].map(_escape) for axis in telling_axes(ranked)}
    for name in FIGURES:
        if name in ranked and ranked[name].notna().any():
            shown[name] = pd.Series(
                [
                    _figure(mean, std)
                    for mean, std in zip(ranked[name], ranked[f"{name}_std"], strict=True)
                ],
                index=ranked.index,
            )
    shown["cells"] = ranked["n"].astype(str)
    shown["fit s"] = ranked["fit_s"].map(lambda value: "" if pd.isna(value) else f"{value:.2f}")
    return pd.DataFrame(shown)


def _figure(mean: float, std: float) -> str:
    if mean != mean:
        return ""
    return f"{mean:.3f}" if std != std else f"{mean:.3f} ± {std:.3f}"


def _title(table: pd.DataFrame) -> str:
    folder = table.attrs.get("folder")
    try:
        record = json.loads((Path(folder or "") / "environment.json").read_text("utf-8"))
        return _escape(record["run"])
    except (OSError, ValueError, KeyError):
        return "mmbench"


def _counts(table: pd.DataFrame) -> str:
    counts = table["status"].value_counts()
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    return f"{len(table)} cells: {listed}." if len(table) else "No cells."


def _answer(rows: pd.DataFrame) -> str:
    done = rows[rows["accuracy"].notna()]
    if done.empty:
        return "No cell of this dataset was evaluated."
    best = done.loc[done["accuracy"].idxmax()]
    text = f"Best by mean accuracy: **{_combination(best)}**, {best['accuracy']:.3f}"
    alone = done[done["fusion"] == "none"]
    if best["fusion"] != "none" and not alone.empty:
        single = alone.loc[alone["accuracy"].idxmax()]
        text += f"; best single modality: {_combination(single)}, {single['accuracy']:.3f}"
    return text + ". (The best of many by test score is an optimistic estimate.)"


def _combination(row: Any) -> str:
    fusion = "" if row["fusion"] == "none" else f", {row['fusion']}"
    head = f", {row['head']}" if row["head"] else ""
    return _escape(f"{row['modalities']} by {row['encoders']}{fusion}{head}")


def _reasons(table: pd.DataFrame, title: str, statuses: tuple[str, ...]) -> str:
    rows = table[table["status"].isin(statuses)]
    if rows.empty:
        return ""
    lines = [
        f"- {n} × {status}: {_escape(reason)}"
        for (status, reason), n in rows.groupby(["status", "reason"], sort=False).size().items()
    ]
    return f"## {title}\n\n" + "\n".join(lines)


def _markdown(table: pd.DataFrame) -> str:
    text: str = table.to_markdown(index=False, disable_numparse=True)
    return text


def _escape(value: object) -> str:
    """Keep a name from breaking a table or from being read as markup."""
    text = " ".join(str(value).split())
    for character in "\\|<>`*_[]":
        text = text.replace(character, f"\\{character}")
    return text
