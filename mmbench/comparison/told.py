"""A comparison told to people and machines: as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbench.comparison.runs import ASPECTS, Aspect, RunComparison
from mmbench.report.content import seconds
from mmbench.report.markdown import escape

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

TABLES = ("cells", "combinations", "speed", "coverage", "environment")
SHORT = 10
"""Rows of a table, unless all are asked for."""
NAMES = {"holm": "Holm's method", "fdr": "the false discovery rate"}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A part of what is told.

    Attributes
    ----------
    title, sentence : str
    head : tuple of str
        Of the table.
    rows : sequence of tuple of str
        Empty where nothing needs telling.
    """

    title: str
    sentence: str
    head: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()


def to_json(found: RunComparison, fail_on: Collection[Aspect]) -> str:
    """Return the comparison as a JSON object, figures that are not there as null."""
    content = {
        "a": found.a,
        "b": found.b,
        "metric": found.metric,
        "level": found.level,
        "correction": found.correction,
        "min_effect": found.min_effect,
        "fail_on": sorted(fail_on),
        "status": found.status(fail_on),
        "counts": {aspect: found.counts(aspect) for aspect in ASPECTS},
        "notes": found.notes,
        **{name: _records(getattr(found, name)) for name in TABLES},
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def to_markdown(found: RunComparison, fail_on: Collection[Aspect], *, every: bool = False) -> str:
    """Return the comparison as a page; ``every`` row, or what differs most."""
    import pandas as pd

    parts = ["# Is B worse than A?", f"- A: {escape(found.a)}\n- B: {escape(found.b)}"]
    parts.append(f"**{escape(answer(found, fail_on))}**")
    for section in sections(found, every):
        parts += [f"## {section.title}", escape(section.sentence)]
        if section.rows:
            rows = [[escape(value) for value in row] for row in section.rows]
            table = pd.DataFrame(rows, columns=list(section.head), dtype=str)
            parts.append(table.to_markdown(index=False, disable_numparse=True))
    return "\n\n".join(parts)


def print_text(
    found: RunComparison, fail_on: Collection[Aspect], console: Console, *, every: bool = False
) -> None:
    """Print the comparison on a terminal; ``every`` row, or what differs most."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(f"A: {found.a}\nB: {found.b}\n", soft_wrap=True)
    for section in sections(found, every):
        console.print(f"{section.title}: {section.sentence}")
        if section.rows:
            table = Table(box=box.SIMPLE_HEAD)
            for name in section.head:
                table.add_column(name, overflow="fold")
            for row in section.rows:
                table.add_row(*map(Text, row))
            console.print(table)
    console.print(answer(found, fail_on))


def answer(found: RunComparison, fail_on: Collection[Aspect]) -> str:
    """Return the answer in a sentence."""
    if found.status(fail_on) == 3:
        return f"Nothing is comparable in {_listed(sorted(fail_on))}."
    worse = [
        f"{aspect} ({count['worse']} of {count['compared']})"
        for aspect in ASPECTS
        if (count := found.counts(aspect))["worse"] and aspect in fail_on
    ]
    if worse:
        return f"B is worse than A in {_listed(worse)}."
    return f"Nothing that was compared is worse in {_listed(sorted(fail_on))}."


def sections(found: RunComparison, every: bool) -> list[Section]:
    """Return what is told: quality, speed, coverage and environment."""
    return [
        _quality(found, every),
        _speed(found, every),
        _coverage(found, every),
        _environment(found, every),
    ]


def _quality(found: RunComparison, every: bool) -> Section:
    rows = [*_records(found.combinations), *_records(found.cells)]
    head = ("", "cells", "A", "B", "B - A", f"{100 * found.level:g} %", "p", "verdict")
    listed = [
        (
            f"{row['dataset']}: {row['combination']}",
            f"{len(row['cells'])} together" if "cells" in row else _where(row),
            _figure(row["a"]),
            _figure(row["b"]),
            _figure(row["difference"], "+.3f"),
            f"{_figure(row['low'], '+.3f')} to {_figure(row['high'], '+.3f')}"
            if row["low"] is not None
            else "",
            _figure(row["p_adjusted"], ".2g"),
            row["verdict"],
        )
        for row in _telling(rows, every)
    ]
    sentence = f"{found.metric}, {_counted(found, 'quality')}"
    if "quality" in found.notes:
        sentence += f" ({found.notes['quality']})"
    shown = [row["smallest_shown"] for row in rows if row["smallest_shown"] is not None]
    if shown:
        sentence += (
            f". The test sets show differences of {min(shown):.3f} to {max(shown):.3f} or more "
            "with a power of 80 %, before correction"
        )
    return Section("Quality", sentence + ".", head, _cut(listed, every))


def _speed(found: RunComparison, every: bool) -> Section:
    if "speed" in found.notes:
        return Section("Speed", f"not compared: {found.notes['speed']}.")
    head = ("", "scenario", "A ms", "B ms", "B / A", "p", "verdict")
    listed = [
        (
            f"{row['unit']} {row['name']} ({row['modalities']})",
            f"{row['scenario']}, {row['batch_size']}, {row['device']}, {row['precision']}",
            seconds(row["a_ms"]),
            seconds(row["b_ms"]),
            _figure(row["ratio"]),
            _figure(row["p_adjusted"], ".2g"),
            row["verdict"],
        )
        for row in _telling(_records(found.speed), every)
    ]
    return Section("Speed", f"{_counted(found, 'speed')}.", head, _cut(listed, every))


def _coverage(found: RunComparison, every: bool) -> Section:
    together: dict[tuple[str, ...], int] = {}
    for row in _records(found.coverage):
        key = (row["what"], f"{row['dataset']}: {row['combination']}", row["reason"])
        together[key] = together.get(key, 0) + 1
    listed = [(what, str(n), where, why) for (what, where, why), n in together.items()]
    counts = found.coverage["what"].value_counts()
    told = [f"{len(found.cells)} cells in both", *(f"{n} {what}" for what, n in counts.items())]
    head = ("", "cells", "combination", "reason")
    return Section("Coverage", f"{', '.join(told)}.", head, _cut(listed, every))


def _environment(found: RunComparison, every: bool) -> Section:
    rows = _records(found.environment)
    if not rows:
        return Section("Environment", "the same.")
    listed = [(row["what"], row["a"] or "", row["b"] or "") for row in rows]
    return Section(
        "Environment",
        f"{len(rows)} difference{'s' if len(rows) > 1 else ''}.",
        ("", "A", "B"),
        _cut(listed, every),
    )


def _counted(found: RunComparison, aspect: Aspect) -> str:
    counts = found.counts(aspect)
    least = found.min_effect[aspect]
    return (
        f"{counts['compared']} comparisons corrected by {NAMES[found.correction]}: "
        f"{counts['worse']} worse, {counts['better']} better by more than {least:g}"
    )


def _telling(rows: Iterable[Record], every: bool) -> list[Record]:
    """Return the rows that differ, or all: worse ones first, then better, by p-value."""
    order = ["worse", "better", "not told apart", "not tested"]
    chosen = [row for row in rows if every or row["verdict"] in order[:2]]
    return sorted(chosen, key=lambda row: (order.index(row["verdict"]), row["p_adjusted"] or 0.0))


def _cut(rows: Sequence[tuple[str, ...]], every: bool) -> Sequence[tuple[str, ...]]:
    if every or len(rows) <= SHORT + 1:
        return rows
    more = (f"... and {len(rows) - SHORT} more", *[""] * (len(rows[0]) - 1))
    return [*rows[:SHORT], more]


def _where(row: Record) -> str:
    return f"seed {row['seed']}, fold {row['fold']}"


def _figure(value: float | None, form: str = ".3f") -> str:
    return "" if value is None else format(value, form)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows of plain values, None where there is none."""
    return [
        {name: None if _is_absent(value) else _plain(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not abs(value) < float("inf"))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
