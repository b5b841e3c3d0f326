"""Reports in Markdown and as tables, of one run and of several: their figures are the summary's."""

from __future__ import annotations

import json
import re
import shutil
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from scipy.stats import rankdata

import mmbench as face
from mmbench.cli.summary import print_run
from mmbench.report import content, markdown
from mmbench.report.gather import gather
from mmbench.report.latex import pages
from mmbench.report.outline import legible
from tests.conftest import Command
from tests.made_runs import HOSTILE, IMAGE, SCRIPT, Page, fused, hostile_rows, row, write_run
from tests.ranked_runs import both, by_name, told_apart, write_ranked

AXES = ("modalities", "fusion", "head")


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return the table of a run that has been ranked."""
    return write_ranked(tmp_path_factory.mktemp("runs") / "ranked", told_apart())


def rendered(text: str) -> Page:
    """Return a page as a reader of Markdown sees it, who allows HTML in it."""
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def rows_of(page: Page, number: int = 0) -> list[dict[str, str]]:
    """Return a table's rows by its headings."""
    texts = [[text for text, _ in line] for line in page.tables[number]]
    return [dict(zip(texts[0], line, strict=True)) for line in texts[1:]]


# --- Markdown ----------------------------------------------------------------------------------


def test_the_table_in_markdown_is_the_summary(ranked: pd.DataFrame) -> None:
    summary = face.summarise(ranked)
    page = rendered(markdown.render(gather([ranked])))
    shown = rows_of(page)
    assert len(shown) == len(summary) == 6
    expected = by_name(summary, *AXES)
    best = summary.loc[summary["accuracy"].idxmax()]
    for line in shown:
        told = expected[tuple(line[axis] for axis in AXES)]
        figure = f"{told['accuracy']:.3f} ± {told['accuracy_std']:.3f}"
        is_tied = told["rank_group"] == 1 and told["accuracy"] < best["accuracy"]
        assert line["accuracy"] == (f"{figure} †" if is_tied else figure)
        low, high = told["accuracy_low"], told["accuracy_high"]
        assert line["accuracy 95 %"] == f"{low:.3f} to {high:.3f}"
        assert line["f1_macro"] == f"{told['f1_macro']:.3f} ± {told['f1_macro_std']:.3f}"
        assert line["group"] == str(told["rank_group"])
        gain = ""
        if told["gain"] == told["gain"]:
            gain = f"{told['gain']:+.3f} ({told['gain_low']:+.3f} to {told['gain_high']:+.3f})"
        assert line["gain"] == gain
        assert line["cells"] == "2 of 2"
    assert [line["accuracy"] for line in shown] == sorted(
        (line["accuracy"] for line in shown), reverse=True
    )
    assert sum("†" in line["accuracy"] for line in shown) == 2
    strong = [text for tag, text in page.texts if tag == "strong"]
    assert strong[1:] == [*best[[*AXES]], f"{best['accuracy']:.3f} ± {best['accuracy_std']:.3f}"]
    assert "n = 120 test predictions." in page.text
    assert "McNemar's exact test, 5 %, corrected for all pairs by Holm's method" in page.text


def test_the_answer_in_markdown_is_the_page_s_answer(ranked: pd.DataFrame) -> None:
    text = markdown.render(gather([ranked]))
    summary = face.summarise(ranked)
    best = summary.loc[summary["accuracy"].idxmax()]
    answer = text.split("## pets\n\n")[1].split("\n\n|")[0]
    named = f"image by hog + 文本 by tf-idf, {best['fusion']}, {best['head']}"
    first, *facts = answer.splitlines()
    spread = f"{best['accuracy']:.3f} ± {best['accuracy_std']:.3f}"
    assert first == f"Best by mean accuracy: **{named}**, {spread}"
    told = dict(fact.removeprefix("- ").split(": ", 1) for fact in facts if fact)
    assert told["95 % interval"] == f"{best['accuracy_low']:.3f} to {best['accuracy_high']:.3f}"
    assert best["gain_low"] > 0
    gain = f"{best['gain']:+.3f} ({best['gain_low']:+.3f} to {best['gain_high']:+.3f})"
    assert told["Gain by fusing"].startswith(gain)
    assert told["Gain by fusing"].endswith(": significant")
    tied = summary[summary["rank_group"] == 1]
    others = f"{len(tied) - 1} other combinations that it cannot be told from"
    assert told["Tied with"].startswith(others)
    costs = tied[["embed_s", "fit_s", "predict_s"]].sum(axis=1)
    cheapest = tied.loc[costs.idxmin()]
    assert cheapest["fusion"] != best["fusion"]
    assert f", {cheapest['fusion']}, {cheapest['head']}: " in told["Cheapest of these"]
    assert f"at {content.seconds(costs.min())} s a cell" in told["Cheapest of these"]


def test_a_figure_that_is_no_accuracy_names_another_test(tmp_path: Path) -> None:
    table = write_ranked(tmp_path / "loss", told_apart(), metric="log_loss")
    text = rendered(markdown.render(gather([table]))).text
    assert "t test of paired bootstrap differences" in text
    assert "McNemar" not in text
    best = face.summarise(table).sort_values("log_loss").iloc[0]
    assert f"Best by mean log_loss: image by hog + 文本 by tf-idf, {best['fusion']}" in text


NAMES = (
    SCRIPT,
    IMAGE,
    "a|b\\|c",
    "`code` *b* _i_ ~~s~~ $x_1$ [l](http://x) ![i](y) &lt; <!-- --> # C #",
    "two\nlines\r\n\tand a tab",
    "1. one",
    "- dash",
    "an-endless-name" * 30,
    "猫 كلب 🐈",
    "\x00\x1b[31m\u202eright",
)


def test_names_break_nothing_in_markdown(tmp_path: Path) -> None:
    rows = [fused(i, head=name, fusion=name, dataset="pets") for i, name in enumerate(NAMES)]
    rows += [fused(20 + i, head="svm", dataset=name) for i, name in enumerate(NAMES)]
    rows += [row(40 + i, status="failed", reason=name) for i, name in enumerate(NAMES)]
    table = write_run(tmp_path / "run", rows, run=NAMES[3], predictions=False)
    page = rendered(markdown.render(gather([table])))
    plain = rendered(markdown.render(gather([write_run(tmp_path / "p", [row(0), fused(1)])])))
    allowed = {tag for tag, _ in plain.elements}
    assert {tag for tag, _ in page.elements} <= allowed
    heads = [line["head"] for line in rows_of(page)]
    assert sorted(filter(None, heads)) == sorted([*map(legible, NAMES), "svm"])
    titles = "".join(text for tag, text in page.texts if tag == "h2")
    assert all(legible(name) in titles for name in NAMES)
    assert "".join(text for tag, text in page.texts if tag == "h1") == NAMES[3]
    assert all(f"1 × failed: {legible(name)}" in page.text for name in NAMES)


def test_the_hostile_run_has_a_report_in_markdown(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", hostile_rows(), **HOSTILE)
    page = rendered(markdown.render(gather([table])))
    assert not page.of("script")
    assert not page.of("img")
    assert SCRIPT in page.text
    assert IMAGE in page.text


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "No cells."),
        ([row(0)], "1 cell: 1 ok."),
        ([row(0, status="failed", reason="gone")], "No cell of this dataset was evaluated."),
        ([row(0, status="skipped", reason="why not")], "1 × skipped: why not"),
    ],
)
def test_a_run_with_little_in_it_has_every_form(
    tmp_path: Path, rows: list[dict[str, Any]], told: str
) -> None:
    report = gather([write_run(tmp_path / "run", rows)])
    assert told in rendered(markdown.render(report)).text
    text, tables = pages(report)
    assert told.replace("×", r"$\times$") in text
    assert len(tables) == bool(rows and rows[0]["status"] != "skipped")
    assert "nan" not in (text + markdown.render(report)).lower().split()


def test_long_tables_are_cut_and_say_so(tmp_path: Path) -> None:
    rows = [fused(i, head=f"h{i}") for i in range(130)]
    report = gather([write_run(tmp_path / "run", rows, predictions=False)])
    page = rendered(markdown.render(report))
    assert len(rows_of(page)) == 100
    assert "The best 100 of 130 combinations." in page.text
    best = report.runs[0].summary.sort_values("accuracy", ascending=False)["head"]
    assert [line["head"] for line in rows_of(page)] == best[:100].tolist()
    text, _ = pages(report)
    assert text.count(" \\\\\n") == 42  # its head twice, once for the pages after the first
    assert "The best 40 of 130 combinations." in text


# --- what was tried on combinations ------------------------------------------------------------


def test_trials_are_told_in_tables_of_their_own(tmp_path: Path) -> None:
    rows = [fused(1, accuracy=0.9), fused(2, fusion="vote", level="decision", accuracy=0.8)]
    for number, (level, fusion) in enumerate(product((1, 3), ("concat", "vote"))):
        value = {"concat": 0.9, "vote": 0.8}[fusion] - 0.1 * level
        noise = {"corruption": f"image blur {level}", "accuracy": value}
        kind = {"concat": "feature", "vote": "decision"}[fusion]
        rows.append(fused(10 + number, fusion=fusion, level=kind, **noise))
    rows.append(fused(30, train_size="0.5", accuracy=0.7))
    table = write_run(tmp_path / "run", rows, predictions=False)
    page = rendered(markdown.render(gather([table])))
    costs = rows_of(page, 1)
    assert [line["clean"] for line in costs] == ["0.900", "0.800"]
    assert [line["worst"] for line in costs] == ["0.600", "0.500"]
    assert rows_of(page, 2) == [
        {"corruption": "image blur", "accuracy by strength or rate": "1: 0.800, 3: 0.600"}
    ]
    curves = rows_of(page, 3)
    assert [(line["0.5"], line["1"]) for line in curves] == [("0.700", "0.900"), ("", "0.800")]
    assert "What breaks it: image blur 3: 0.600 (-0.300 against clean items)" in page.text


# --- several runs, on the command line ---------------------------------------------------------


@pytest.fixture(scope="module")
def runs(ranked: pd.DataFrame) -> list[Path]:
    """Return the folders of three runs."""
    first = Path(ranked.attrs["folder"])
    options = json.dumps({"head": {"C": 2}})
    others = [both(0.8, dataset="宠物"), both(0.6, dataset="宠物", fusion="vote", params=options)]
    write_ranked(first.parent / "second", others, run="second")
    third = [fused(1, dataset="leaf", encoder_文本="", accuracy=0.75)]
    write_run(first.parent / "third", third, predictions=False, run="third")
    return [first, first.parent / "second", first.parent / "third"]


def test_several_runs_are_one_report(
    runs: list[Path], mmbench_here: Command, tmp_path: Path
) -> None:
    done = mmbench_here("report", *runs, "--format", "md")
    assert (done.returncode, done.stdout) == (0, "report.md\n")
    page = rendered((tmp_path / "report.md").read_text("utf-8"))
    titles = [text for tag, text in page.texts if tag in ("h1", "h2")]
    assert titles == [
        "动物 🐈 · second · third", "动物 🐈: pets", "second: 宠物", "third: leaf",
        "Across datasets",
    ]  # fmt: skip
    across = rows_of(page, 3)
    summaries = [face.summarise(face.read_results(run)) for run in runs]
    parts = ["动物 🐈: pets (accuracy)", "second: 宠物 (accuracy)", "third: leaf (accuracy)"]
    named = {line["method"]: line for line in across}
    for part, summary in zip(parts, summaries, strict=True):
        for each in summary[summary["fusion"] != "none"].to_dict("records"):
            given = content.options(each["params"])
            method = f"{each['fusion']}, {each['head']}" + "".join(f" ({text})" for text in given)
            assert named[method][part] == f"{each['accuracy']:.3f}"
    everywhere = [line for line in across if all(line[part] for part in parts)]
    figures = np.array([[float(line[part]) for part in parts] for line in everywhere])
    ranks = rankdata(-figures, axis=0).mean(axis=1)
    assert [line["mean rank"] for line in everywhere] == [f"{rank:.2f}" for rank in ranks]
    assert all(not line["mean rank"] for line in across if line not in everywhere)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_summary_is_a_table_of_all_runs(
    runs: list[Path], form: str, mmbench_here: Command, tmp_path: Path
) -> None:
    file = tmp_path / "deep" / f"all.{form}"
    done = mmbench_here("report", *runs, "--format", form, "--out", file)
    assert (done.returncode, done.stdout) == (0, f"{file}\n")
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[form]
    options = {"keep_default_na": False, "na_values": {"accuracy_low": [""]}}
    table = read(file, **options if form == "csv" else {})
    assert table.columns[0] == "run"
    summaries = [face.summarise(face.read_results(run)) for run in runs]
    labels = ["动物 🐈", "second", "third"]
    expected = [n for n, s in zip(labels, summaries, strict=True) for _ in range(len(s))]
    assert table["run"].tolist() == expected
    joined = np.concatenate([summary["accuracy"] for summary in summaries])
    np.testing.assert_array_equal(table["accuracy"], joined)
    known = np.concatenate([summary["accuracy_low"] for summary in summaries])
    np.testing.assert_array_equal(table["accuracy_low"], known)
    assert set(table["encoder_文本"]) == {"tf-idf", ""}
    one = tmp_path / "one"
    one.mkdir()
    mmbench_here("report", runs[0], "--format", form, "--out", one)
    alone = read(one / f"summary.{form}")
    assert alone.columns.tolist() == summaries[0].columns.tolist()


def test_each_form_of_one_run_lies_in_its_folder(
    tmp_path: Path, ranked: pd.DataFrame, mmbench_here: Command
) -> None:
    run = write_ranked(tmp_path / "run", told_apart()[:2]).attrs["folder"]
    for form, name in (("md", "report.md"), ("csv", "summary.csv"), ("latex", "report.tex")):
        done = mmbench_here("report", run, "--format", form)
        tables = [f"{run}/tables/pets.tex"] if form == "latex" else []
        assert done.stdout.splitlines() == [f"{run}/{name}", *tables]
        assert Path(run, name).read_bytes()
    assert not (tmp_path / "report.md").exists()


def test_mistakes_are_told_in_a_line(runs: list[Path], mmbench_here: Command) -> None:
    twice = runs[0] / "cells.parquet"
    done = mmbench_here("report", runs[0], runs[1], twice)
    assert done.returncode == 2
    assert done.stderr == f"mmbench: {twice}: the run is named twice\n"
    done = mmbench_here("report", runs[0], "nowhere")
    assert done.stderr == "mmbench: nowhere: no run lies there (cells.parquet is missing)\n"
    done = mmbench_here("report", runs[0], "--format", "csv", "--out", runs[0] / "cells.csv" / "x")
    assert done.returncode == 2
    assert re.fullmatch(r"mmbench: .*: cannot be written: .*\n", done.stderr)
    done = mmbench_here("report", runs[0], "--language", "tlh")
    assert done.returncode == 2
    assert "tlh" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.browser
def test_pictures_are_written_beside_the_report(tmp_path: Path, mmbench_here: Command) -> None:
    if not any(map(shutil.which, ("chromium", "google-chrome"))):
        pytest.skip("there is no Chromium or Chrome on the path")
    rows = [row(0, accuracy=0.5), row(1, accuracy=0.75, fit_s=20.0, head="forest")]
    write_run(tmp_path / "run", rows, predictions=False)
    out = tmp_path / "paper"
    out.mkdir()
    arguments = ("--format", "latex", "--figures", "--language", "zh", "--out", out)
    done = mmbench_here("report", tmp_path / "run", *arguments)
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.splitlines()]
    assert files[:2] == [out / "report.tex", out / "tables" / "pets.tex"]
    drawn = {file.suffix: file for file in files if "tradeoff" in file.name}
    assert {file.parent for file in drawn.values()} == {out / "figures"}
    assert drawn[".png"].read_bytes().startswith(b"\x89PNG")
    assert drawn[".pdf"].read_bytes().startswith(b"%PDF")
    assert "单模态" in drawn[".svg"].read_text("utf-8")


# --- the terminal ------------------------------------------------------------------------------


def test_the_terminal_shows_what_it_has_room_for(
    ranked: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = face.summarise(ranked).sort_values("accuracy", ascending=False)
    best = summary.iloc[0]
    interval = f"{best['accuracy_low']:.3f} to {best['accuracy_high']:.3f}"
    for width, shown in ((80, False), (100, True), (120, True), (160, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        print_run(ranked)
        lines = capsys.readouterr().out.splitlines()
        heading = next(line for line in lines if " accuracy " in line)
        assert ("95 %" in heading) == ("group" in heading) == shown
        assert ("log_loss" in heading) == (width == 160)
        assert all(len(line) <= width for line in lines)
        table = [line for line in lines if re.search(r"\d\.\d{3} ± ", line)]
        assert (interval in table[0]) == shown
        if shown:
            groups = [re.search(r"to 0\.\d{3} +(\d)", line) for line in table]
            assert [int(g[1]) for g in groups if g] == summary["rank_group"].tolist()
        told = " ".join(" ".join(lines).split())
        assert f"accuracy {best['accuracy']:.3f} ({interval}); it cannot be told from 2" in told
