"""The report in Markdown: for a pull request, a README or a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmbench.report.gather import Report
from mmbench.report.language import Language
from mmbench.report.outline import Best, Block, Heading, Points, Table, Text, legible, outline

MOST = 100
"""Rows that a table of combinations shows."""


def render(report: Report) -> str:
    """Return a report as Markdown."""
    blocks = outline(report, most=MOST, brief=False)
    return "\n\n".join(_block(block, report.say) for block in blocks) + "\n"


def _block(block: Block, say: Language) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {escape(text)}"
        case Text(text):
            return escape(text)
        case Best(term, name, figure, facts):
            told = f"{_strong(name)}, {escape(figure)}"
            items = [say("{term}: {text}", term=escape(t), text=escape(text)) for t, text in facts]
            return f"{say('{term}: {text}', term=escape(term), text=told)}\n\n{_list(items)}"
        case Points(items):
            return _list(map(escape, items))
        case Table():
            heading = [] if block.is_alone else [f"### {escape(block.title)}"]
            return "\n\n".join([*heading, _table(block), escape(block.note)])


def _table(table: Table) -> str:
    import pandas as pd

    rows = [
        [_strong(text) if (i, j) in table.strong else escape(text) for j, text in enumerate(fields)]
        for i, fields in enumerate(table.rows)
    ]
    columns = pd.Index([escape(name) for name in table.columns])
    text: str = pd.DataFrame(rows, columns=columns).to_markdown(
        index=False,
        disable_numparse=True,
        colalign=["left"] * table.axes + ["right"] * (len(columns) - table.axes),
    )
    return text


def _strong(text: str) -> str:
    return f"**{escaped}**" if (escaped := escape(text)) else ""


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def escape(value: object) -> str:
    """Keep a name from breaking a table or from being read as markup."""
    text = re.sub(r"[\\|<>`*\[\]#$&~]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", legible(value))
    return re.sub(r"^([-+=]|\d+[.)])(?=[\s+=-]|$)", _escape_last, text)


def _escape_last(found: re.Match[str]) -> str:
    return f"{found[1][:-1]}\\{found[1][-1]}"
