"""The report in LaTeX: a document that compiles as it is, and its tables alone, for a paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from mmbench.report.figures.scene import slug
from mmbench.report.gather import Report
from mmbench.report.language import Language
from mmbench.report.outline import Best, Block, Heading, Points, Table, Text, legible, outline

MOST = 40
"""Rows that a table of combinations shows."""
LINE = 116
"""How many characters of a table's size a line of the document holds."""
NAMES = 0.4
"""The share of a line up to which names have what they need."""

PREAMBLE = r"""% Compile with lualatex, which shows every script that an installed font below has;
% with pdflatex, too, where all names are in Latin script.
\documentclass[10pt,a4paper]{article}
\usepackage[margin=20mm]{geometry}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\else
  \usepackage{fontspec}
\fi
\ifLuaTeX
  \directlua{otherfonts = {}}
  \newcommand\otherfont[2]{\IfFontExistsTF{#1}%
    {\directlua{table.insert(otherfonts, "#1:mode=harf;script=#2;")}}{}}
  \otherfont{Noto Naskh Arabic}{arab}
  \otherfont{DejaVu Sans}{arab}
  \otherfont{Noto Serif CJK SC}{hani}
  \otherfont{Noto Sans CJK SC}{hani}
  \otherfont{FandolSong}{hani}
  \otherfont{Noto Color Emoji}{DFLT}
  \directlua{luaotfload.add_fallback("otherfonts", otherfonts)}
  \setmainfont{Latin Modern Roman}[RawFeature={-tlig;fallback=otherfonts}]
  \usepackage[english,bidi=basic]{babel}
  \babelprovide[import,onchar=ids]{chinese-hans}
\fi
\usepackage{array,booktabs,longtable}
\begin{document}
\raggedright
"""

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{special: f"\\{special}" for special in "{}$&#%_"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"{\char34}",
        "'": r"\textquotesingle{}",
        "`": r"\textasciigrave{}",
        **{mark: f"{{{mark}}}" for mark in "[]*"},  # which LaTeX reads after the end of a row
        "±": r"$\pm$",
        "×": r"$\times$",
        "·": r"$\cdot$",
        "†": r"$\dagger$",
        "�": "?",
    }
)


def render(report: Report) -> str:
    """Return a report as a LaTeX document."""
    return pages(report)[0]


def pages(report: Report) -> tuple[str, dict[str, str]]:
    """Return a report as a LaTeX document, and those of its tables that stand alone, by name."""
    blocks = outline(report, most=MOST, brief=True)
    body, tables = [], {}
    for block in blocks:
        if isinstance(block, Table) and block.is_alone:
            name = next(name for name in _names(block.title) if name not in tables)
            tables[name] = _table(block, f"\\label{{tab:{name}}}")
            body.append(tables[name])
        else:
            body.append(_block(block, report.say))
    head = f"\\renewcommand\\tablename{{{escape(report.say('Table'))}}}\n"
    needs = "% Needs array, booktabs and longtable.\n"
    return (
        "\n".join([PREAMBLE + head, *body, "\\end{document}\n"]),
        {name: needs + text for name, text in tables.items()},
    )


def _names(title: str) -> Iterator[str]:
    name = slug(title)
    yield name
    yield from (f"{name}-{i}" for i in count(2))


def _block(block: Block, say: Language) -> str:
    match block:
        case Heading(text, level):
            return f"\\{'sub' * (level - 1)}section*{{{escape(text)}}}\n"
        case Text(text):
            return f"{escape(text)}\n"
        case Best(term, name, figure, facts):
            text = f"\\textbf{{{escape(name)}}}, {escape(figure)}\n"
            told = say("{term}: {text}", term=escape(term), text=text)
            items = [f"\\item[{{{escape(fact.term)}}}] {escape(fact.text)}\n" for fact in facts]
            return _list("description", items, told)
        case Points(items):
            return _list("itemize", [f"\\item {escape(item)}\n" for item in items])
        case Table():
            return _table(block)


def _list(kind: str, items: Sequence[str], before: str = "") -> str:
    begin = f"\\begin{{{kind}}}\\setlength\\itemsep{{0pt}}\n"
    return f"{before}{begin}{''.join(items)}\\end{{{kind}}}\n"


def _table(table: Table, label: str = "") -> str:
    """Lay out a table over as many pages as it takes, names and figures broken where need be."""
    columns = "".join(
        f">{{\\ragged{'right' if j < table.axes else 'left'}\\arraybackslash}}"
        f"p{{\\dimexpr{width:.3f}\\linewidth-2\\tabcolsep}}"
        for j, width in enumerate(_widths(table))
    )
    caption = " ".join(escape(text) for text in (f"{table.title}.", table.note) if text)
    heads = _row([escape(name) for name in table.columns])
    rows = [_row(list(_fields(table, i))) for i in range(len(table.rows))]
    return (
        "{\\footnotesize\\sloppy\\hyphenpenalty=10000\n"
        "\\setlength\\tabcolsep{3pt}\\setlength\\LTcapwidth{\\linewidth}\n"
        f"\\begin{{longtable}}{{{columns}}}\n"
        f"\\caption{{{caption}}}{label}\\\\\n"
        f"\\toprule\n{heads}\\midrule\n\\endfirsthead\n"
        f"\\toprule\n{heads}\\midrule\n\\endhead\n"
        "\\bottomrule\n\\endfoot\n"
        f"{''.join(rows)}"
        "\\end{longtable}}\n"
    )


def _fields(table: Table, i: int) -> Iterator[str]:
    for j, text in enumerate(table.rows[i]):
        escaped = escape(text)
        if j >= table.axes:
            escaped = re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped)
        yield f"\\textbf{{{escaped}}}" if (i, j) in table.strong and escaped else escaped


def _row(fields: Sequence[str]) -> str:
    return " & ".join(fields) + " \\\\\n"


def _widths(table: Table) -> list[float]:
    """Return what share of a line each column has.

    Figures come first, on one line each as far as there is room, but names keep room for their
    longest words, and for what they need up to `NAMES` of the line.
    """
    columns = list(zip(table.columns, *table.rows, strict=True))
    names, figures = columns[: table.axes], columns[table.axes :]
    floors, needs = _floors(names), [_room(fields[1:]) for fields in names]
    kept = max(sum(floors), min(sum(needs), NAMES * LINE))
    of_figures = _shared(_floors(figures), [_room(fields[1:]) for fields in figures], LINE - kept)
    of_names = _shared(floors, needs, LINE - sum(of_figures))
    return [width / LINE for width in (*of_names, *of_figures)]


def _floors(columns: Sequence[Sequence[str]]) -> list[float]:
    return [
        _room(piece for field in fields for word in field.split() for piece in _pieces(word))
        for fields in columns
    ]


def _room(texts: Iterable[str]) -> float:
    """Return how many characters wide a column of texts is, some of them bold."""
    return 2 + 1.1 * max(map(_length, texts), default=0)


def _shared(floors: Sequence[float], needs: Sequence[float], room: float) -> list[float]:
    """Share room among columns: floors first, then what those that need least leave over."""
    widths = [floor * min(1, room / sum(floors)) for floor in floors]
    left = room - sum(widths)
    missing = [max(0, need - width) for need, width in zip(needs, widths, strict=True)]
    for others, j in enumerate(sorted(range(len(widths)), key=missing.__getitem__)):
        more = min(missing[j], left / (len(widths) - others))
        widths[j] += more
        left -= more
    return widths


def _length(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def escape(value: object) -> str:
    """Return text that LaTeX prints as it is; long words may be broken, without a hyphen."""
    return " ".join(
        "\\allowbreak{}".join(
            re.sub("-(?=-)", "-{}", piece.translate(_ESCAPES)) for piece in _pieces(word)
        )
        for word in legible(value).split(" ")
    )


def _pieces(word: str) -> list[str]:
    """Return a word cut where a line may end: after punctuation, in endless ones anywhere."""
    if len(word) <= 12:
        return [word]
    most = 12 if len(word) > 24 else 24
    return re.findall(rf".{{0,{most - 1}}}?[+/_.:=-](?=.)|.{{1,{most}}}", word)
