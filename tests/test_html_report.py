"""The report in HTML: its figures are the summary's, and nothing in a name can harm it."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_score, recall_score

import mmbench as face
from mmbench.cli import cli
from mmbench.report import content, html, markdown, pictures
from mmbench.report.classes import by_class
from mmbench.report.forms import write
from mmbench.report.gather import gather
from mmbench.results import columns, make_table, read_results, write_predictions, write_table

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
CLASSES = ("猫", SCRIPT, "كلب", IMAGE)
METRICS = ("accuracy", "f1_macro", "log_loss")
VOID = {"meta", "link", "br", "input", "wbr", "img", "hr"}


# --- a run made by hand ------------------------------------------------------------------------


def row(number: int, **given: Any) -> dict[str, Any]:
    """Return a row of the table of cells; its figures are drawn from its number."""
    rng = np.random.default_rng(number)
    values = {
        "cell": f"{number:016x}",
        "dataset": "pets",
        "modalities": "image",
        "encoders": "hog",
        "encoder_image": "hog",
        "alignment": "none",
        "fusion": "none",
        "level": "none",
        "head": "svm",
        "params": "{}",
        "finetune": "",
        "missing": "",
        "seed": 0,
        "fold": 0,
        "status": "ok",
        "n_train": 80,
        "n_test": 20,
        "n_classes": len(CLASSES),
        "accuracy": rng.uniform(0.4, 0.9),
        "f1_macro": rng.uniform(0.4, 0.9),
        "log_loss": rng.uniform(0.2, 2.0),
        "embed_s": rng.uniform(0.1, 1),
        "fit_s": rng.uniform(0.1, 10),
        "predict_s": rng.uniform(0.001, 0.1),
        "cost_s_shared": rng.uniform(0.1, 1),
        "mmbench_version": "0.1.0",
        "started": "2030-01-02T03:04:05+00:00",
    } | given
    if values["status"] != "ok":
        for name in (*METRICS, "embed_s", "fit_s", "predict_s", "cost_s_shared"):
            values[name] = None
    return values


def fused(number: int, **given: Any) -> dict[str, Any]:
    """Return a row that fuses two modalities."""
    both = {"modalities": "image+文本", "encoders": "hog+tf-idf", "encoder_文本": "tf-idf"}
    return row(number, **{**both, "fusion": "concat", "level": "feature", **given})


def matrix_rows() -> list[dict[str, Any]]:
    """Return a plain run: two data sets, modalities, fusions and heads, two folds."""
    made = []
    for dataset in ("pets", "宠物"):
        for head in ("svm", "forest"):
            for fold in (0, 1):
                shared = {"dataset": dataset, "head": head, "fold": fold}
                made.append(row(len(made), **shared))
                text = {"modalities": "文本", "encoders": "tf-idf", "encoder_文本": "tf-idf"}
                made.append(row(len(made), **shared, **text, encoder_image=""))
                for size in (4, 8):
                    options = json.dumps({"encoder.image": {"size": size}})
                    made.append(fused(len(made), **shared, params=options))
                made.append(fused(len(made), **shared, fusion="vote", level="decision"))
    return made


def write_run(
    folder: Path, rows: list[dict[str, Any]], metric: str = "accuracy", **environment: Any
) -> pd.DataFrame:
    """Write a run's folder, predictions included, and read its table."""
    folder.mkdir(exist_ok=True)
    write_table(make_table(rows, columns(["encoder_image", "encoder_文本"])), folder)
    record = {"run": "动物 🐈", "machine": {"cores": 2, "gpus": []}, **environment}
    (folder / "environment.json").write_text(json.dumps(record), encoding="utf-8")
    matrix = f'name = "动物 🐈"\nmetric = "{metric}"\n# </code></pre>{SCRIPT}\n'
    (folder / "matrix.toml").write_text(matrix, encoding="utf-8")
    rng = np.random.default_rng(0)
    for each in rows:
        if each["status"] == "ok":
            n = each["n_test"]
            truth = rng.integers(0, 3, n)  # of the last class there is no sample
            probabilities = rng.dirichlet(np.ones(len(CLASSES)), n)
            ids = [str(i) for i in range(n)]
            write_predictions(folder, each["cell"], ids, truth, probabilities, CLASSES)
    return read_results(folder)


def written(table: pd.DataFrame, folder: Path) -> Path:
    """Write a run's report and return its file."""
    write(gather([table]), "html", folder / "report.html")
    return folder / "report.html"


# --- reading a report back ---------------------------------------------------------------------


class Page(HTMLParser):
    """Reads what the tests look at: elements, the text of each, tables by ``id`` or label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(("", dict(attrs).get("data-value")))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))
        if "td" in self.open or "th" in self.open:
            text, value = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = (text + data, value)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self) -> str:
        shown = (text for tag, text in self.texts if tag not in ("script", "style", "title"))
        return " ".join("".join(shown).split())

    def table(self, first_header: str) -> list[list[tuple[str, str | None]]]:
        return next(t for t in self.tables if t[0][0][0].strip() == first_header)


def combinations(page: Page) -> tuple[list[str], list[list[tuple[str, str | None]]]]:
    """Return the headers and the rows of the table of combinations."""
    grid = next(t for t in page.tables if "accuracy" in [text for text, _ in t[0]])
    return [text for text, _ in grid[0]], grid[1:]


# --- its figures -------------------------------------------------------------------------------


def test_the_table_is_the_summary(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    summary = face.summarise(table)
    headers, rows = combinations(Page(html.render(gather([table]))))
    assert headers[:5] == ["dataset", "modalities", "fusion", "head", "params"]
    assert len(rows) == len(summary)
    by_name = summary.set_index(["dataset", "modalities", "fusion", "head", "params"])
    shown: dict[str, list[float]] = {}
    for fields in rows:
        texts = [text for text, _ in fields[:5]]
        texts[4] = {"": "{}"}.get(texts[4]) or json.dumps(
            {"encoder.image": {"size": int(texts[4].removeprefix("encoder.image: size="))}}
        )
        expected = by_name.loc[tuple(texts)]
        values = dict(zip(headers, fields, strict=True))
        for name in METRICS:
            text, value = values[name]
            assert float(value or "nan") == expected[name]
            assert text == f"{expected[name]:.3f} ± {expected[f'{name}_std']:.3f}"
        assert values["cells"] == ("2 of 2", "2")
        cost = expected["embed_s"] + expected["fit_s"] + expected["predict_s"]
        assert float(values["cost s"][1] or "nan") == pytest.approx(cost, rel=1e-12)
        shown.setdefault(texts[0], []).append(expected["accuracy"])
    assert list(shown) == ["pets", "宠物"]
    assert all(values == sorted(values, reverse=True) for values in shown.values())


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_answer_is_the_best_by_the_headline_metric(tmp_path: Path, metric: str) -> None:
    table = write_run(tmp_path / "run", matrix_rows(), metric)
    summary = face.summarise(table)
    page = Page(html.render(gather([table])))
    pick = "idxmin" if metric == "log_loss" else "idxmax"
    for dataset in ("pets", "宠物"):
        rows = summary[summary["dataset"] == dataset]
        alone = rows[rows["fusion"] == "none"]
        best = rows.loc[getattr(rows[metric], pick)()]
        assert any(
            tag == "p" and text.split() == [f"{best[metric]:.3f}"] for tag, text in page.texts
        )
        single = alone.loc[getattr(alone[metric], pick)()]
        name = f"{single['modalities']} by {single['encoders']}, {single['head']}"
        answer = content.answer(rows, metric)
        assert answer.single is not None
        assert str(content.combination(answer.single)) == name
        if best["fusion"] != "none":
            assert f"{name}: {single[metric]:.3f}" in page.text
            assert f"{best[metric] - single[metric]:+.3f}" in page.text
    assert "the best of 10 by its test score, so it is an optimistic estimate" in page.text
    assert f"Best by mean {metric}" in markdown.render(gather([table]))


def test_a_combination_with_failed_cells_does_not_win(tmp_path: Path) -> None:
    rows = [row(0, fold=f, accuracy=0.6, cell=f"a{f}") for f in (0, 1)]
    rows += [fused(1, fold=0, accuracy=0.9, cell="b0"), fused(1, fold=1, status="failed")]
    table = write_run(tmp_path / "run", rows)
    answer = content.answer(face.summarise(table), "accuracy")
    assert answer.best is not None
    assert answer.best["accuracy"] == 0.6
    assert (answer.compared, answer.incomplete) == (1, 1)
    assert (
        "Not compared, because some of their cells failed: 1."
        in Page(html.render(gather([table]))).text
    )
    headers, listed = combinations(Page(html.render(gather([table]))))
    assert [fields[headers.index("cells")][0] for fields in listed] == ["1 of 2", "2 of 2"]


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_heat_maps_hold_the_best_of_each_place(tmp_path: Path, metric: str) -> None:
    table = write_run(tmp_path / "run", matrix_rows(), metric)
    summary = face.summarise(table)
    found: list[float] = []
    for _, rows in summary.groupby("dataset"):
        heat = pictures.heat_maps(rows, metric)
        assert heat is not None
        scale, maps = heat
        shown: list[float] = []
        assert [each.head for each in maps] == ["svm", "forest"]
        for each in maps:
            assert each.fusions == ("none", "concat", "vote")
            for named, tiles in each.rows:
                for fusion, tile in zip(each.fusions, tiles, strict=True):
                    encoders = "+".join(encoder for _, encoder in named.encoders)
                    same = rows[(rows["head"] == each.head) & (rows["encoders"] == encoders)]
                    values = same.loc[same["fusion"] == fusion, metric]
                    assert (tile is None) == values.empty
                    if tile:
                        best = values.min() if metric == "log_loss" else values.max()
                        assert tile.value == best
                        shown.append(best)
        ends = (min(shown), max(shown))
        assert (scale.worst, scale.best) == (ends if metric == "accuracy" else ends[::-1])
        found += shown
    page = Page(html.render(gather([table])))
    tables = [t for t in page.tables if t[0][0][0] == "encoders"]
    assert len(tables) == 4
    told = [float(value) for t in tables for line in t[1:] for _, value in line if value]
    assert sorted(told) == sorted(found)


def test_cost_is_told_by_phase_and_in_all(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    summary = face.summarise(table)
    page = Page(html.render(gather([table])))
    tables = [t for t in page.tables if t[0][0][0] == "combination, best first"]
    assert [len(t) - 1 for t in tables] == [10, 10]
    texts = {tuple(text for text, _ in line[2:5]) for t in tables for line in t[1:]}
    phases = summary[["embed_s", "fit_s", "predict_s"]].itertuples(index=False)
    assert texts == {tuple(content.seconds(value) for value in each) for each in phases}
    alone = table[["embed_s", "fit_s", "predict_s"]].sum().sum()
    assert f"would have cost {content.seconds(alone)} s" in page.text
    assert f"{content.seconds(table['cost_s_shared'].sum())} s were spent" in page.text
    laid = pictures.bars(summary[summary["dataset"] == "pets"], table, "accuracy")
    assert max(sum(bar.widths) for bar in laid) == pytest.approx(100, abs=0.05)
    first = table[(table["dataset"] == "pets") & (table["fusion"] == "vote")]
    spent = first[first["head"] == "svm"]["cost_s_shared"].mean()
    assert any(bar.shared == pytest.approx(spent, rel=1e-12) for bar in laid)


figures = st.floats(0.01, 100).map(lambda value: round(value, 1) + 0.1)


@given(st.lists(st.tuples(figures, figures), min_size=1, max_size=30), st.booleans())
def test_the_front_is_what_nothing_dominates(pairs: list[tuple[float, float]], up: bool) -> None:
    name = content.Combination((), (), ())
    points = [pictures.Point(name, c, q, "none", 0, 0) for c, q in pairs]
    sign = 1 if up else -1
    found = [(p.cost, p.quality) for p in pictures.front(points, "accuracy" if up else "log_loss")]
    kept = {
        (c, q)
        for c, q in pairs
        if not any(a <= c and sign * b >= sign * q and (a, b) != (c, q) for a, b in pairs)
    }
    assert found == sorted(kept)


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3)), min_size=1, max_size=20))
def test_points_and_ticks_lie_within_the_drawing(pairs: list[tuple[float, float]]) -> None:
    costs, qualities = zip(*pairs, strict=True)
    rows = pd.DataFrame([row(0)] * len(pairs))
    rows = rows.assign(accuracy=qualities, embed_s=0.0, fit_s=costs, predict_s=0.0)
    drawn = pictures.scatter(rows, "accuracy")
    assert drawn is not None
    across = [p.x for p in drawn.points] + [x for x, _ in drawn.x_ticks]
    down = [p.y for p in drawn.points] + [y for y, _ in drawn.y_ticks]
    assert all(drawn.left <= x <= drawn.width for x in across)
    assert all(0 <= y <= drawn.bottom for y in down)
    for ticks in (drawn.x_ticks, drawn.y_ticks):
        assert 2 <= len({label for _, label in ticks}) == len(ticks) <= 9
    by_cost = sorted(drawn.points, key=lambda p: p.cost)
    assert [p.x for p in by_cost] == sorted(p.x for p in by_cost)


@given(st.floats(0, 1))
def test_figures_on_their_colours_can_be_read(t: float) -> None:
    colour, ink = pictures.cividis(t)
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    light = pictures.luminance(rgb) + 0.05
    contrast = light / 0.05 if ink == "#000" else 1.05 / light
    assert contrast >= 4.5


def test_the_palette_runs_from_dark_to_bright() -> None:
    colours = [pictures.cividis(t / 20)[0] for t in range(21)]
    lights = [pictures.luminance([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in colours]
    assert lights == sorted(lights)
    assert pictures.luminance([255, 255, 255]) == pytest.approx(1)
    assert pictures.luminance([128, 128, 128]) == pytest.approx(0.2159, abs=1e-4)


def test_classes_are_scored_over_all_predictions(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    summary = face.summarise(table)
    best = content.answer(summary[summary["dataset"] == "pets"], "accuracy").best
    assert best is not None
    cells = table.query("dataset == 'pets'")
    for key in ("modalities", "fusion", "head", "params"):
        cells = cells[cells[key] == best[key]]
    parts = [face.results.read_predictions(tmp_path / "run", c) for c in cells["cell"]]
    told = pd.concat(parts)
    found = {each.name: each for each in by_class(table, best)}
    assert set(found) == set(CLASSES)
    options = {"labels": list(CLASSES), "average": None, "zero_division": np.nan}
    recall = recall_score(told["truth"], told["predicted"], **options)
    precision = precision_score(told["truth"], told["predicted"], **options)
    for name, r, p in zip(CLASSES, recall, precision, strict=True):
        assert found[name].recall == pytest.approx(r, nan_ok=True)
        assert found[name].precision == pytest.approx(p, nan_ok=True)
        assert found[name].n == (told["truth"] == name).sum()
        wrong = told[(told["truth"] == name) & (told["predicted"] != name)]["predicted"]
        assert found[name].times == max(wrong.value_counts(), default=0)
    recalls = [each.recall for each in by_class(table, best)]
    assert recalls[:3] == sorted(recalls[:3])
    assert math.isnan(recalls[3])  # the class without a sample
    shown = Page(html.render(gather([table]))).table("class")
    assert {line[0][0] for line in shown[1:]} == set(CLASSES)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.00012, "0.0001"), (0.0123, "0.0123"), (3.0, "3.00"), (1234.5, "1,234")],
)
def test_seconds_are_told_shortly(value: float, text: str) -> None:
    assert content.seconds(value) == text


# --- nothing from outside, nothing from a name -------------------------------------------------


def hostile_rows() -> list[dict[str, Any]]:
    """Return rows in which everything that can be a name is hostile."""
    acid = {
        "dataset": SCRIPT,
        "modalities": f"{IMAGE}+文本",
        "encoders": f"{SCRIPT}+{IMAGE}",
        "encoder_image": SCRIPT,
        "encoder_文本": IMAGE,
        "alignment": IMAGE,
        "head": SCRIPT,
        "missing": IMAGE,
        "level": IMAGE,
        "params": json.dumps({IMAGE: {SCRIPT: SCRIPT}}),
    }
    fusions = [{"fusion": fusion} for fusion in (SCRIPT, IMAGE, "none")]
    good = [row(i, **{**acid, **fusion}) for i, fusion in enumerate(fusions)]
    bad = [{"status": "failed", "reason": IMAGE}, {"status": "skipped", "reason": SCRIPT}]
    return good + [row(i, **{**acid, **each}) for i, each in enumerate(bad, start=10)]


HOSTILE = {
    "run": SCRIPT,
    "machine": {SCRIPT: IMAGE, "gpus": [IMAGE]},
    "plugins": {IMAGE: SCRIPT},
    "versions": {SCRIPT: None},
    "command": ["/bin/mmbench", "run", IMAGE, SCRIPT],
}


def test_hostile_names_are_text(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", hostile_rows(), **HOSTILE)
    plain = Page(html.render(gather([write_run(tmp_path / "plain", matrix_rows())])))
    page = Page(html.render(gather([table])))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | {
        "details", "summary"
    }  # fmt: skip
    assert len(page.of("script")) == 1
    assert [t for tag, t in page.texts if tag == "script"] == [
        t for tag, t in plain.texts if tag == "script"
    ]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]
    assert page.of("h1")
    assert ("bdi", SCRIPT) in page.texts
    assert ("bdi", IMAGE) in page.texts
    for name in ("dataset", "modalities"):  # what is chosen from is what stands in the table
        headers, rows = combinations(page)
        if name in headers:
            shown = {fields[headers.index(name)][0] for fields in rows}
            assert {SCRIPT, f"{IMAGE}+文本"} & shown
    chosen = [attrs["value"] for attrs in page.of("option")]
    assert f"={SCRIPT}" in chosen
    assert f"={IMAGE}" in chosen


def test_nothing_is_fetched(tmp_path: Path) -> None:
    text = html.render(gather([write_run(tmp_path / "run", matrix_rows())]))
    page = Page(text)
    links = [
        value or ""
        for _, attrs in page.elements
        for name, value in attrs.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href")
    ]
    assert links
    assert all(link.startswith("#") or link == "data:," for link in links)
    targets = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    assert {link[1:] for link in links if link.startswith("#")} <= targets
    inline = " ".join(t for tag, t in page.texts if tag in ("script", "style"))
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest|import\(", inline)
    policy = next(a["content"] for a in page.of("meta") if "http-equiv" in a) or ""
    assert policy.startswith("default-src 'none';")


def test_names_of_all_scripts_stand_in_it(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    file = written(table, tmp_path / "run")
    assert file == tmp_path / "run" / "report.html"
    page = Page(file.read_bytes().decode("utf-8"))
    assert {"charset": "utf-8"} in page.of("meta")
    assert page.of("html") == [{"lang": "en"}]
    for name in ("动物 🐈", "宠物", "文本", "猫", "كلب"):
        assert name in page.text
    title = next(text for tag, text in page.texts if tag == "title")
    assert title == "动物 🐈 · mmbench report"


def test_headings_step_down_one_by_one(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows() + hostile_rows(), **HOSTILE)
    page = Page(html.render(gather([table])))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("aria-labelledby" in attrs or "viewbox" in attrs for attrs in page.of("svg"))


def test_failed_and_left_out_cells_are_told_with_their_reasons(tmp_path: Path) -> None:
    rows = [row(0)]
    rows += [fused(1, fold=f, status="failed", reason="head svm: boom") for f in (0, 1)]
    rows += [fused(2, head="", fusion="moe", status="timeout", reason="too long")]
    nothing = dict.fromkeys(["modalities", "encoders", "encoder_image", "alignment", "fusion"], "")
    broken = {"dataset": "x", "status": "failed", "reason": "no such file: a.csv"}
    rows += [row(9, head="", params="", **nothing, **broken)]
    rows += [row(3, seed=1, status="skipped", reason="nothing depends on the seed")]
    page = Page(html.render(gather([write_run(tmp_path / "run", rows)])))
    assert "6 cells: 1 ok, 4 failed , 1 left out." in page.text.replace("failed,", "failed ,")
    failed, left_out = (t for t in page.tables if t[0][0][0] == "cells")
    told = [(line[0][0], line[1][0], " ".join(line[2][0].split())) for line in failed[1:]]
    concat = "pets: image by hog + 文本 by tf-idf, concat, svm"
    assert told[0] == ("2", "failed", f"head svm: boom 1 combination {concat}")
    assert told[1] == (
        "1", "timeout", "too long 1 combination pets: image by hog + 文本 by tf-idf, moe"
    )  # fmt: skip
    assert told[2] == (
        "1", "failed", "no such file: a.csv 1 combination x: the whole dataset"
    )  # fmt: skip
    assert left_out[1][1][0] == "skipped"
    assert "nothing depends on the seed" in left_out[1][2][0]
    assert "No cell of this dataset was evaluated." in page.text


# --- runs with little in them ------------------------------------------------------------------


FEW: dict[str, list[dict[str, Any]]] = {
    "one cell": [row(0)],
    "one cell that costs nothing": [row(0, embed_s=0.0, fit_s=0.0, predict_s=0.0)],
    "unknown cost": [row(0, embed_s=None, fit_s=None, predict_s=None, cost_s_shared=None)],
    "nothing succeeded": [row(0, status="crashed", reason="gone"), fused(1, status="oom")],
    "all left out": [row(0, status="skipped", reason="why not")],
    "no cell": [],
    "only fusions": [fused(0), fused(1, fusion="vote")],
    "equal": [row(i, accuracy=0.5, head=f"h{i}") for i in range(3)],
}


@pytest.mark.parametrize("case", FEW)
def test_a_run_with_little_in_it_has_a_report(tmp_path: Path, case: str) -> None:
    table = write_run(tmp_path / "run", FEW[case])
    page = Page(html.render(gather([table])))
    assert page.text.startswith("动物 🐈")
    assert f"{len(table)} cells:" in page.text
    assert "nan" not in page.text.lower().split()
    if case == "one cell":
        assert "optimistic" not in page.text
        assert "Best fusion none was evaluated" in page.text
    if case == "equal":
        assert "2 other combinations, with the same mean" in page.text
    if case == "nothing succeeded":
        assert "No cell of this dataset was evaluated." in page.text
        assert "gone" in page.text
    if case in ("no cell", "all left out"):
        assert "No cell was evaluated" in page.text
    assert markdown.render(gather([table])).startswith("# 动物 🐈\n")


def test_a_table_without_its_folder_has_a_report(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    table.attrs.clear()
    page = Page(html.render(gather([table])))
    assert page.text.startswith("mmbench")
    assert not [t for t in page.tables if t[0][0][0] == "class"]
    assert "environment.json is missing" in page.text


def test_damaged_files_beside_the_table_are_left_out(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    for file in (tmp_path / "run" / "predictions").iterdir():
        file.write_bytes(b"no parquet")
    (tmp_path / "run" / "environment.json").write_text("[1]")
    (tmp_path / "run" / "matrix.toml").write_text("= no toml", encoding="utf-8")
    summary = face.summarise(make_table(matrix_rows(), list(table.columns)))
    page = Page(html.render(gather([table], [summary])))
    assert "environment.json is missing" in page.text
    assert not [t for t in page.tables if t[0][0][0] == "class"]


# --- where it comes from -----------------------------------------------------------------------


def test_report_is_html_unless_asked_otherwise(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    done = CliRunner().invoke(cli, ["report", str(tmp_path / "run")], catch_exceptions=False)
    assert done.output == f"{tmp_path / 'run' / 'report.html'}\n"
    assert (tmp_path / "run" / "report.html").read_text("utf-8") == html.render(gather([table]))
    (tmp_path / "run" / "report.html").unlink()
    CliRunner().invoke(cli, ["report", str(tmp_path / "run"), "--out", str(tmp_path / "it.html")])
    assert Page((tmp_path / "it.html").read_text("utf-8")).of("table")


def test_a_run_ends_with_its_report(manifest: Callable[..., dict[str, Any]]) -> None:
    rng = np.random.default_rng(0)
    labels = np.tile(["猫", SCRIPT], 20)
    table = pd.DataFrame(
        {"label": labels, "花.0": rng.normal(size=40), "花.1": 1.0 * (labels == "猫")}
    )
    matrix = {
        "name": "末",
        "datasets": [manifest(table)],
        "encoders": {"花": ["identity"]},
        "heads": ["logistic-regression"],
        "split": {"scheme": "holdout"},
    }
    done = face.run(matrix, jobs=1)
    folder = Path(done.attrs["folder"])
    page = Page((folder / "report.html").read_text("utf-8"))
    assert page.text.startswith("末 1 cells: 1 ok")
    assert "花 by identity, logistic-regression" in page.text
    assert {line[0][0] for line in page.table("class")[1:]} == {"猫", SCRIPT}
    assert "mmbench run matrix.toml" in page.text
    assert 'name = "末"' in page.text


# --- in a browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium or chromedriver is not on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield started
    started.quit()


def opened(browser: Any, table: pd.DataFrame, folder: Path) -> Any:
    """Open a table's report from disk."""
    for log in ("browser", "performance"):
        browser.get_log(log)  # what came before
    browser.get(written(table, folder).as_uri())
    return browser


def shown_rows(browser: Any, column: str) -> list[str]:
    """Return a column of the rows that are shown."""
    script = """
        const table = document.getElementById("combinations");
        const names = [...table.tHead.rows[0].cells].map((cell) => cell.innerText.trim());
        const rows = [...table.tBodies[0].rows].filter((row) => row.offsetParent !== null);
        return rows.map((row) => row.cells[names.indexOf(arguments[0])].textContent);
    """
    found: list[str] = browser.execute_script(script, column)
    return found


def header(browser: Any, column: str) -> Any:
    """Return the header cell of a column."""
    cells = browser.find_elements("css selector", "#combinations thead th")
    return next(cell for cell in cells if cell.text.strip() == column)


@pytest.mark.browser
def test_the_table_is_sorted_by_its_headers(tmp_path: Path, browser: Any) -> None:
    rows = [each for each in matrix_rows() if each["dataset"] == "pets"]
    rows.append(fused(99, fusion="moe", head="", status="failed", reason="boom"))
    table = write_run(tmp_path / "run", rows)
    summary = face.summarise(table)
    opened(browser, table, tmp_path / "run")
    assert header(browser, "accuracy").get_attribute("aria-sort") == "descending"
    for name, ascending in (("log_loss", True), ("f1_macro", False)):
        button = header(browser, name).find_element("tag name", "button")
        for order in (ascending, not ascending):
            button.send_keys("\n")  # by keyboard
            values = summary[name].dropna().sort_values(ascending=order)
            told = [text.split()[0] for text in shown_rows(browser, name)[:-1]]
            assert told == [f"{value:.3f}" for value in values]
            assert shown_rows(browser, "fusion")[-1] == "moe"  # what has no figure is last
            state = header(browser, name).get_attribute("aria-sort")
            assert state == ("ascending" if order else "descending")
        assert header(browser, "accuracy").get_attribute("aria-sort") is None
    header(browser, "params").find_element("tag name", "button").click()
    params = [text for text in shown_rows(browser, "params") if text]
    assert params == ["encoder.image: size=4"] * 2 + ["encoder.image: size=8"] * 2


@pytest.mark.browser
def test_rows_are_chosen_by_text_and_by_axis(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    opened(browser, write_run(tmp_path / "run", matrix_rows()), tmp_path / "run")
    told = browser.find_element("css selector", "#choose output")
    words = browser.find_element("css selector", "#choose input")
    selects = {
        each.get_attribute("name"): Select(each)
        for each in browser.find_elements("css selector", "#choose select")
    }
    assert set(selects) == {"dataset", "modalities", "fusion", "head"}
    assert told.text == "20 of 20 combinations"
    selects["dataset"].select_by_visible_text("宠物")
    assert told.text == "10 of 20 combinations"
    assert set(shown_rows(browser, "dataset")) == {"宠物"}
    selects["modalities"].select_by_visible_text("image+文本")
    selects["head"].select_by_visible_text("forest")
    assert told.text == "3 of 20 combinations"
    words.send_keys("SIZE=8 concat")
    assert shown_rows(browser, "params") == ["encoder.image: size=8"]
    words.send_keys(" nowhere")
    assert told.text == "0 of 20 combinations"
    browser.find_element("css selector", "#choose button").click()
    assert len(shown_rows(browser, "head")) == 20
    words.send_keys("文本 vote")
    assert set(shown_rows(browser, "fusion")) == {"vote"}
    assert told.text == "4 of 20 combinations"


@pytest.mark.browser
def test_a_hostile_run_does_nothing_in_a_browser(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    table = write_run(tmp_path / "run", hostile_rows(), **HOSTILE)
    opened(browser, table, tmp_path / "run")
    fusion = Select(browser.find_element("css selector", "select[name=fusion]"))
    fusion.select_by_value(f"={IMAGE}")
    assert shown_rows(browser, "fusion") == [IMAGE]
    browser.find_element("css selector", "details").click()
    assert browser.get_log("browser") == []  # nor has the policy blocked anything
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in urls if not url.startswith("data:")} == {browser.current_url}
    assert browser.find_elements("css selector", "img") == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_phone_and_desk_light_and_dark(
    tmp_path: Path, browser: Any, width: int, theme: str
) -> None:
    long = "an-endless-name" * 20
    rows = matrix_rows() + hostile_rows()
    rows += [fused(50, dataset=long, head=long, encoder_image=long, fusion=long)]
    rows += [fused(51, fusion="moe", status="failed", reason=long * 3)]
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened(browser, write_run(tmp_path / "run", rows, run=long), tmp_path / "run")
        script = "return document.documentElement.scrollWidth"
        assert browser.execute_script(script) <= width
        script = "return getComputedStyle(document.body).backgroundColor"
        dark = browser.execute_script(script) != "rgb(255, 255, 255)"
        assert dark == (theme == "dark")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
