"""The report in LaTeX: its figures are the summary's, and no name is read as a command."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmbench as face
from mmbench.report import latex
from mmbench.report.forms import write
from mmbench.report.gather import gather
from mmbench.report.language import language
from mmbench.report.outline import legible
from tests.made_runs import HOSTILE, IMAGE, SCRIPT, fused, hostile_rows, matrix_rows, row, write_run
from tests.ranked_runs import by_name, told_apart, write_ranked

AXES = ("modalities", "fusion", "head")
NAMES = (
    r"\input{/etc/passwd}",
    r"\\ \end{longtable}\write18{rm x}",
    "100% $x_1$ & #2 ~ ^^M",
    "[2pt]*",
    "a--b---c ``d'' <<e>> ?`f \"g\" |h",
    "猫 كلب 🐈",
    "two\nlines\x00\u202e",
    "an-endless-name" * 20,
    IMAGE,
    SCRIPT,
)

TOKENS = re.compile(
    r"""
    \\textbackslash\{\} (?P<backslash>)
    | \\textasciitilde\{\} (?P<tilde>) | \\textasciicircum\{\} (?P<hat>)
    | \\textless\{\} (?P<less>) | \\textgreater\{\} (?P<more>) | \\textbar\{\} (?P<bar>)
    | \\textquotesingle\{\} (?P<single>) | \\textasciigrave\{\} (?P<grave>)
    | \{\\char34\} (?P<double>)
    | \\([{}$&\#%_]) | \{([\[\]*])\}
    | \$\\pm\$ (?P<pm>) | \$\\times\$ (?P<times>) | \$\\cdot\$ (?P<cdot>)
    | \$\\dagger\$ (?P<dagger>) | \$-\$ (?P<minus>)
    | (?P<nothing> \\allowbreak\{\} | \{\} )
    | ([^\\{}$&\#%_~^<>|"'`\[\]*])
    """,
    re.VERBOSE,
)
MEANT = {
    "backslash": "\\", "tilde": "~", "hat": "^", "less": "<", "more": ">", "bar": "|",
    "single": "'", "grave": "`", "double": '"', "pm": "±", "times": "×", "cdot": "·",
    "dagger": "†", "minus": "-", "nothing": "",
}  # fmt: skip


def printed(source: str) -> str:
    """Return what LaTeX prints of an escaped text; fails on whatever else it would do."""
    place, text = 0, ""
    while place < len(source):
        found = TOKENS.match(source, place)
        assert found is not None, source[place:]
        groups = [group for group in found.groups() if group]
        named = next((name for name, value in found.groupdict().items() if value is not None), None)
        text += MEANT[named] if named else groups[0]
        place = found.end()
    return text


def table_rows(source: str) -> list[dict[str, str]]:
    """Return the rows of a table by its headings, what stands out with a ``*`` before it."""
    heading = re.search(r"\\toprule\n(.*) \\\\\n", source)
    assert heading is not None
    names = [printed(field) for field in heading[1].split(" & ")]
    body = source.split("\\endfoot\n")[1].split("\\end{longtable}")[0]
    rows = []
    for line in body.removesuffix(" \\\\\n").split(" \\\\\n"):
        fields = []
        for field in line.split(" & "):
            strong = re.fullmatch(r"\\textbf\{(.*)\}", field)
            fields.append("*" + printed(strong[1]) if strong else printed(field))
        rows.append(dict(zip(names, fields, strict=True)))
    return rows


def test_the_table_in_latex_is_the_summary(tmp_path: Path) -> None:
    table = write_ranked(tmp_path / "ranked", told_apart())
    summary = face.summarise(table)
    text, tables = latex.pages(gather([table]))
    assert list(tables) == ["pets"]
    assert tables["pets"].removeprefix("% Needs array, booktabs and longtable.\n") in text
    shown = table_rows(tables["pets"])
    assert len(shown) == len(summary)
    expected, best = by_name(summary, *AXES), summary["accuracy"].max()
    for line in shown:
        told = expected[tuple(line[axis].removeprefix("*") for axis in AXES)]
        figure = f"{told['accuracy']:.3f} ± {told['accuracy_std']:.3f}"
        if told["accuracy"] == best:
            assert all(line[axis].startswith("*") for axis in AXES)
            assert line["accuracy"] == f"*{figure}"
        else:
            is_tied = told["rank_group"] == 1
            assert line["accuracy"] == (f"{figure} †" if is_tied else figure)
        between = f"{told['accuracy_low']:.3f} to {told['accuracy_high']:.3f}"
        assert line["accuracy 95 %"] == between
        gain = ""
        if told["gain"] == told["gain"]:
            gain = f"{told['gain']:+.3f} ({told['gain_low']:+.3f} to {told['gain_high']:+.3f})"
        assert line["gain"] == gain
        cost = told["embed_s"] + told["fit_s"] + told["predict_s"]
        assert float(line["cost s"]) == pytest.approx(cost, rel=0.005)
    caption = re.search(r"\\caption\{(.*)\}\\label\{tab:pets\}", tables["pets"])
    assert caption is not None
    for told in ("n = 120 test", "McNemar's exact test, 5 %, corrected", "95 % confidence", "†"):
        assert told in printed(caption[1])


def test_a_paper_has_one_cost_and_coverage_where_it_is_not_whole(tmp_path: Path) -> None:
    rows = [row(i, fold=i, head="forest") for i in (0, 1)]
    served = {"timing": "x", "latency_ms_p50": 1.5, "latency_ms_p99": 3.0, "throughput": 99.0}
    _, tables = latex.pages(gather([write_run(tmp_path / "a", rows, predictions=False)]))
    assert list(table_rows(tables["pets"])[0]) == [*AXES, "accuracy", "cost s"]
    rows = [{**each, **served} for each in rows]
    rows += [fused(2, fold=0, **served), fused(3, fold=1, status="failed")]
    table = write_run(tmp_path / "b", rows, predictions=False, extra=["timing"])
    _, tables = latex.pages(gather([table]))
    shown = {line["head"].removeprefix("*"): line for line in table_rows(tables["pets"])}
    assert list(shown["svm"]) == [*AXES, "accuracy", "cells", "p50 ms"]
    assert [shown[head]["cells"] for head in ("forest", "svm")] == ["2 of 2", "1 of 2"]
    assert [line["p50 ms"] for line in shown.values()] == ["1.50", "1.50"]


def test_columns_fit_the_line_and_names_have_a_share_of_it(tmp_path: Path) -> None:
    rows = [fused(i, dataset=f"d{i}", head="an-endless-name" * i) for i in range(12)]
    sizes = [f"{size / 16}" for size in range(1, 16)]
    rows += [fused(20 + i, train_size=size, dataset="d1") for i, size in enumerate(sizes)]
    text, _ = latex.pages(gather([write_run(tmp_path / "run", rows, predictions=False)]))
    tables = re.findall(r"\\begin\{longtable\}\{(.*)\}\n", text)
    assert len(tables) == 14
    for columns in tables:
        shares = re.findall(r"ragged(left|right).*?\\dimexpr([\d.]+)\\linewidth", columns)
        assert sum(float(share) for _, share in shares) < 1.01
        assert all(float(share) > 0.01 for _, share in shares)
        names = sum(float(share) for side, share in shares if side == "right")
        assert names > 0.24 or sum(float(share) for _, share in shares) < 0.99


def test_names_stand_in_latex_as_they_are(tmp_path: Path) -> None:
    rows = [fused(i, head=name, fusion=name, dataset="pets") for i, name in enumerate(NAMES)]
    rows += [row(20 + i, head=name, dataset=name) for i, name in enumerate(NAMES)]
    rows += [row(40 + i, status="failed", reason=name) for i, name in enumerate(NAMES)]
    report = gather([write_run(tmp_path / "run", rows, run=NAMES[0], predictions=False)])
    text, tables = latex.pages(report)
    assert len(tables) == len(NAMES) + 2  # and that of methods
    heads = {line["head"].removeprefix("*") for line in table_rows(tables["pets"])}
    assert heads - {"svm"} == {legible(name).replace("�", "?") for name in NAMES}
    body = text.split("\\renewcommand\\tablename{Table}\n")[1]
    commands = set(re.findall(r"(?<!\\)\\[a-zA-Z]+", re.sub(r"\\[{}$&#%_]", "", body)))
    plain = [row(0), fused(1), row(2, status="failed", reason="x-y--z ± † × ·")]
    plain += [fused(3, head=r"""\~^<>|'`"*[ """), row(4, dataset="b" * 40)]
    ours, _ = latex.pages(gather([write_run(tmp_path / "plain", plain, predictions=False)]))
    assert commands <= set(re.findall(r"\\[a-zA-Z]+", ours))


@given(st.text() | st.text("\\{}$&#%_~^-<>|[]*'`\"? \n") | st.sampled_from(NAMES))
def test_an_escaped_text_prints_itself(text: str) -> None:
    escaped = latex.escape(text)
    assert "--" not in escaped
    assert "\n" not in escaped
    assert printed(escaped) == legible(text).replace("�", "?")


def test_two_datasets_of_one_name_have_a_file_each(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, [row(0), fused(1)], predictions=False) for name in "ab"]
    files = write(gather(runs), "latex", tmp_path / "out" / "report.tex")
    assert [file.parent.name for file in files] == ["out", "tables", "tables", "tables"]
    assert len({file.name for file in files}) == 4
    first, second = (
        re.findall(r"\\label\{(.*?)\}", file.read_text("utf-8")) for file in files[1:3]
    )
    assert first != second


# --- compiled ----------------------------------------------------------------------------------


def compile_with(engine: str, file: Path) -> str:
    """Compile a document twice, as cross-references need, and return the log."""
    if shutil.which(engine) is None:
        pytest.skip(f"{engine} is not installed")
    for _ in range(2):
        call = [engine, "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", file.name]
        done = subprocess.run(call, cwd=file.parent, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    return file.with_suffix(".log").read_text("utf-8", errors="replace")


@pytest.mark.latex
def test_a_hostile_run_in_chinese_compiles(tmp_path: Path) -> None:
    rows = [*matrix_rows(), *hostile_rows()]
    rows += [fused(60 + i, head=name, fusion=name, dataset="pets") for i, name in enumerate(NAMES)]
    rows += [row(90 + i, dataset=name) for i, name in enumerate(NAMES)]
    table = write_run(tmp_path / "run", rows, **HOSTILE)
    report = gather([table], say=language("zh"))
    file = write(report, "latex", tmp_path / "run" / "report.tex")[0]
    log = compile_with("lualatex", file)
    assert "Output written on report.pdf" in log
    assert "(/etc/passwd" not in log


@pytest.mark.latex
def test_a_table_alone_compiles_in_a_paper(tmp_path: Path) -> None:
    text = {"encoder_文本": "", "encoders": "hog", "encoder_image": "hog", "modalities": "image"}
    rows = [fused(i, **text, head=f"h{i}") for i in range(50)]
    table: pd.DataFrame = write_run(tmp_path / "run", rows, run="plain")
    written = write(gather([table]), "latex", tmp_path / "run" / "report.tex")
    assert "Output written on report.pdf" in compile_with("pdflatex", written[0])
    paper = tmp_path / "run" / "paper.tex"
    paper.write_text(
        "\\documentclass{article}\n\\usepackage{array,booktabs,longtable}\n"
        "\\begin{document}\nSee Table~\\ref{tab:pets}.\n\\input{tables/pets}\n\\end{document}\n"
    )
    log = compile_with("pdflatex", paper)
    assert "Output written on paper.pdf" in log
    assert "undefined" not in log
