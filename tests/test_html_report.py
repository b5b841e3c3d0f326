"""The report in HTML: its figures are the summary's, and nothing in a name can harm it."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import zlib
from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.stats import rankdata
from sklearn.metrics import precision_score, recall_score

import mmbench as face
from mmbench.cli import cli
from mmbench.report import content, html, markdown
from mmbench.report.across import across
from mmbench.report.classes import by_class
from mmbench.report.figures import pictures
from mmbench.report.forms import write
from mmbench.report.gather import gather
from mmbench.report.headline import facts, headline
from mmbench.report.language import ENGLISH
from mmbench.results import make_table
from tests.made_runs import (
    CLASSES,
    HOSTILE,
    IMAGE,
    METRICS,
    SCRIPT,
    Page,
    fused,
    hostile_rows,
    matrix_rows,
    row,
    write_run,
)


def written(table: pd.DataFrame, folder: Path) -> Path:
    """Write a run's report and return its file."""
    write(gather([table]), "html", folder / "report.html")
    return folder / "report.html"


def combinations(page: Page) -> tuple[list[str], list[list[tuple[str, str | None]]]]:
    """Return the headers and the rows of the table of combinations."""
    grid = next(t for t in page.tables if "accuracy" in [text for text, _ in t[0]])
    return [text for text, _ in grid[0]], grid[1:]


def data(page: Page) -> dict[str, Any]:
    """Return what the page's scripts read."""
    (place,) = [i for i, attrs in enumerate(page.of("script")) if attrs.get("id") == "data"]
    return json.loads([text for tag, text in page.texts if tag == "script"][place])


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
    assert "picked as the best of 10 by test score: an optimistic estimate" in page.text
    assert f"Best by mean {metric}" in markdown.render(gather([table]))


def test_a_combination_with_failed_cells_does_not_win(tmp_path: Path) -> None:
    rows = [row(0, fold=f, accuracy=0.6, cell=f"a{f}") for f in (0, 1)]
    rows += [fused(1, fold=0, accuracy=0.9, cell="b0"), fused(1, fold=1, status="failed")]
    table = write_run(tmp_path / "run", rows)
    answer = content.answer(face.summarise(table), "accuracy")
    assert answer.best is not None
    assert answer.best["accuracy"] == 0.6
    assert (answer.compared, answer.incomplete) == (1, 1)
    page = Page(html.render(gather([table])))
    assert "not compared, because some of their cells failed: 1" in page.text
    headers, listed = combinations(page)
    assert [fields[headers.index("cells")][0] for fields in listed] == ["1 of 2", "2 of 2"]
    places = [i for i, (_, attrs) in enumerate(page.elements) if attrs.get("href") == "#reasons"]
    cells = [page.elements[i - 1][1] for i in places if page.elements[i - 1][0] == "td"]
    assert [cell["data-value"] for cell in cells] == ["1"]


def test_cost_is_told_by_phase_and_in_all(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    summary = face.summarise(table).sort_values("accuracy", ascending=False)
    page = Page(html.render(gather([table])))
    columns = {column["name"]: column for column in data(page)["table"]["columns"]}
    for name in ("embed_s", "fit_s", "predict_s"):
        shown = columns[name.replace("_", " ")]
        expected = [v for _, rows in summary.groupby("dataset", sort=False) for v in rows[name]]
        expected = summary.sort_values("dataset", kind="stable")[name].tolist()
        assert sorted(shown["values"][0]) == sorted(expected)
        assert set(shown["texts"]) == set(map(content.seconds, expected))
    keys = ["dataset", "modalities", "fusion", "head", "params"]
    spent = table.groupby(keys)["cost_s_shared"].mean()
    assert sorted(columns["spent s"]["values"][0]) == pytest.approx(sorted(spent), rel=1e-12)
    alone = table[["embed_s", "fit_s", "predict_s"]].sum().sum()
    assert f"would have cost {content.seconds(alone)} s" in page.text
    assert f"{content.seconds(table['cost_s_shared'].sum())} s were spent" in page.text


def test_intervals_ranks_and_gains_stand_in_the_table(tmp_path: Path) -> None:
    stood = {"rank": 1, "rank_group": 1, "gain": 0.25, "gain_low": 0.125, "gain_high": 0.375}
    bounds = {"accuracy_low": 0.5625, "accuracy_high": 0.8125, "log_loss_low": 0.25}
    rows = [fused(0, accuracy=0.75, log_loss_high=0.75, **stood, **bounds)]
    rows += [row(1, accuracy=0.5, rank=2, rank_group=2)]
    page = Page(html.render(gather([write_run(tmp_path / "run", rows)])))
    headers, listed = combinations(page)
    first, second = (dict(zip(headers, fields, strict=True)) for fields in listed)
    assert first["accuracy 95 %"] == ("0.562 to 0.812", "0.5625")
    assert second["accuracy 95 %"] == ("", "")
    assert (first["rank"], first["group"]) == (("1", "1"), ("1", "1"))
    assert first["gain"] == ("+0.250 (+0.125 to +0.375)", "0.25")
    assert second["gain"] == ("", "")
    packed = {column["name"]: column for column in data(page)["table"]["columns"]}
    assert packed["gain"]["fields"] == ["gain", "gain_low", "gain_high"]
    assert packed["gain"]["values"] == [[0.25, None], [0.125, None], [0.375, None]]
    assert packed["log_loss 95 %"]["values"] == [[0.25, None], [0.75, None]]
    # a hidden column stays in the table, and is not seen
    hidden = next(text for tag, text in page.texts if tag == "style" and "#combinations tr" in text)
    assert f":nth-child({headers.index('log_loss 95 %') + 1})" in hidden
    assert f":nth-child({headers.index('accuracy 95 %') + 1})" not in hidden


# --- the answer --------------------------------------------------------------------------------


def told_facts(table: pd.DataFrame) -> dict[str, str]:
    """Return the facts of a run of one dataset."""
    (part,) = gather([table]).parts
    named = lambda row: str(content.combination(row))  # noqa: E731
    return {fact.term: fact.text for fact in facts(headline(part), ENGLISH, named)}


def ranked_rows(**best: Any) -> list[dict[str, Any]]:
    """Return a fusion and two others of its group, and one that is worse; costs are given."""
    gain = {"gain": 0.125, "gain_low": 0.0625, "gain_high": 0.25}
    group = {"rank_group": 1, "embed_s": 1.0, "predict_s": 0.5}
    bounds = {"accuracy_low": 0.8125, "accuracy_high": 0.9375, "fit_s": 8.5}
    return [
        fused(0, accuracy=0.9, rank=1, **{**group, **gain, **bounds, **best}),
        row(1, accuracy=0.875, rank=2, fit_s=0.5, **group),
        row(2, accuracy=0.85, rank=3, fit_s=2.5, head="forest", **group),
        row(3, accuracy=0.5, rank=4, rank_group=2, embed_s=0.1, fit_s=0.1, head="knn"),
    ]


def test_the_answer_tells_what_it_is_held_against(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", ranked_rows())
    told = told_facts(table)
    assert told["95 % interval"] == "0.812 to 0.938"
    assert told["Best single modality"] == "image by hog, svm: 0.875 (difference +0.025)"
    gain = "+0.125 (+0.062 to +0.250) over the best of its modalities"
    assert told["Gain by fusing"] == f"{gain}: not significant"  # a modality alone is tied
    assert told["Tied with"].startswith("2 other combinations that it cannot be told from")
    cheapest = "image by hog, svm: 0.875 at 2.00 s a cell instead of 10.0 s"
    assert told["Cheapest of these"] == cheapest
    assert "What breaks it" not in told
    assert told["Coverage"] == "4 of 4 cells"
    page = Page(html.render(gather([table])))
    assert all(" ".join(text.split()) in page.text for text in told.values())
    apart = [each | {"rank_group": min(each["rank"], 2)} for each in ranked_rows()]
    assert told_facts(write_run(tmp_path / "apart", apart))["Gain by fusing"].endswith(
        "modalities: significant"
    )
    apart[0] |= {"gain_low": -0.0625}
    assert told_facts(write_run(tmp_path / "not so", apart))["Gain by fusing"].endswith(
        "modalities: not significant"
    )
    itself = write_run(tmp_path / "itself", ranked_rows(fit_s=0.25))
    assert told_facts(itself)["Cheapest of these"] == "the best itself, 1.75 s a cell"
    alone = write_run(tmp_path / "alone", ranked_rows()[:1] + ranked_rows()[3:])
    assert told_facts(alone)["Tied with"].startswith("no other combination: it is told from each")


def test_where_calls_were_timed_their_latency_says_what_is_cheap(tmp_path: Path) -> None:
    rows = ranked_rows()
    for each, latency in zip(rows, (8.0, 20.0, 2.0, 1.0), strict=True):
        each |= {"latency_ms_p50": latency, "throughput": 1000 / latency, "timing": "ok"}
    table = write_run(tmp_path / "run", rows, extra=["timing"])
    told = told_facts(table)
    cheapest = "image by hog, forest: 0.850 at 2.00 ms a call instead of 8.00 ms"
    assert told["Cheapest of these"] == cheapest
    assert told["Cost"].startswith("8.00 ms a call (median), 125 samples a second; embed 1.00 s")
    headers, _ = combinations(Page(html.render(gather([table]))))
    assert "p50 ms" in headers


def test_the_answer_tells_what_breaks_the_best(tmp_path: Path) -> None:
    rows = [fused(0, accuracy=0.9), row(1, accuracy=0.8)]
    trials = {"image blur 5": 0.7, "missing 文本 0.5": 0.6, "image permuted": 0.75}
    rows += [
        fused(0, accuracy=value, corruption=name, cell=f"c{i}", fit_s=0.0)
        for i, (name, value) in enumerate(trials.items())
    ]
    more = {"missing 文本 0.5": "mean", "missing 文本 1": "mean"}  # another combination breaks more
    rows += [
        row(5, accuracy=0.1, corruption=name, missing=policy, cell=f"d{i}")
        for i, (name, policy) in enumerate(more.items())
    ]
    told = told_facts(write_run(tmp_path / "run", rows))
    assert told["What breaks it"] == "missing 文本 0.5: 0.600 (-0.300 against clean items)"
    assert told["Coverage"] == "7 of 7 cells"


def test_several_runs_are_held_against_each_other(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", matrix_rows(), run="first")
    rows = [each for each in matrix_rows() if each["fusion"] != "vote"]
    rows = [{**each, "accuracy": 1 - each["accuracy"]} for each in rows]
    second = write_run(tmp_path / "b", rows, run="second")
    report = gather([first, second])
    page = Page(html.render(report))
    assert [part.title for part in report.parts] == [
        "first: pets", "first: 宠物", "second: pets", "second: 宠物"
    ]  # fmt: skip
    # the best of each method on each dataset, from the cells; a method knows no encoders
    methods = {"concat": "concat", "vote": "vote", "none": "one modality"}
    expected: dict[str, list[float]] = {}
    for table in (first, second):
        axes = ["dataset", "modalities", "encoders", "params", "fusion", "head"]
        means = table.groupby(axes)["accuracy"].mean().groupby(["dataset", "fusion", "head"]).max()
        for dataset in ("pets", "宠物"):
            for fusion, name in methods.items():
                for head in ("svm", "forest"):
                    value = means.get((dataset, fusion, head), math.nan)
                    expected.setdefault(f"{name}, {head}", []).append(value)
    grid = page.table("method")
    shown = {line[0][0]: [float(value or "nan") for _, value in line[1:-1]] for line in grid[1:]}
    assert shown.keys() == expected.keys()
    for name, values in expected.items():
        assert shown[name] == pytest.approx(values, rel=1e-12, nan_ok=True)
    everywhere = [name for name in expected if "vote" not in name]
    ranks = rankdata([[-v for v in expected[name]] for name in everywhere], axis=0).mean(axis=1)
    told = {line[0][0]: line[-1][0] for line in grid[1:]}
    assert told == {
        **{name: f"{rank:.2f}" for name, rank in zip(everywhere, ranks, strict=True)},
        "vote, svm": "", "vote, forest": "",
    }  # fmt: skip
    order = [method.mean_rank for method in across(report.parts, ENGLISH).methods]
    assert order[:4] == sorted(ranks)
    bold = [float(text) for tag, text in page.texts if tag == "strong"]
    best = [max(v for v in column if v == v) for column in zip(*expected.values(), strict=True)]
    assert sorted(bold) == sorted(round(value, 3) for value in best)
    headers, listed = combinations(page)
    assert headers[:2] == ["run", "dataset"]
    assert [fields[0][0] for fields in listed] == ["first"] * 20 + ["second"] * 16
    for name in ("first", "second"):  # each run's own facts
        assert ("bdi", name) in page.texts
    assert page.texts.count(("h4", "Machine and versions")) == 2
    assert page.text.count("mmbench run matrix.toml --out again") == 2


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


def test_of_many_classes_the_hardest_are_shown(tmp_path: Path) -> None:
    names = tuple(f"class {i}" for i in range(1000))
    table = write_run(tmp_path / "run", [row(0, n_test=3000)], classes=names)
    page = Page(html.render(gather([table])))
    shown = page.table("class")[1:]
    found = by_class(table, face.summarise(table).to_dict("records")[0])
    assert len(found) == 1000
    assert [line[0][0] for line in shown] == [each.name for each in found[: html.MOST]]
    assert f"{1000 - html.MOST} easier classes are not shown." in page.text


# --- pictures ----------------------------------------------------------------------------------


def test_each_picture_stands_in_the_page_as_it_was_made(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    made = pictures(gather([table]))
    assert made
    page = Page(html.render(gather([table])))
    told = data(page)
    assert told["pictures"] == {each.name: json.loads(json.dumps(each.figure)) for each in made}
    plots = {attrs["data-picture"]: attrs for attrs in page.of("div") if "data-picture" in attrs}
    assert {name: plot["aria-label"] for name, plot in plots.items()} == {
        each.name: each.description for each in made
    }
    assert all(plot["role"] == "img" for plot in plots.values())
    titles = {text for tag, text in page.texts if tag == "bdi"}
    assert {each.title for each in made} <= titles
    for dataset in ("pets", "宠物"):  # of two datasets, each picture says which it is of
        assert sum(each.title.startswith(f"{dataset}: ") for each in made) == len(made) / 2
    notes = [text.strip() for tag, text in page.texts if tag == "figcaption"]
    assert notes == [each.note for each in made]
    assert told["looks"]["light"] != told["looks"]["dark"]
    assert "scripts are turned off" in page.text  # without a script the place is not just empty


def test_of_many_pictures_of_a_kind_the_first_are_unfolded(tmp_path: Path) -> None:
    rows = [fused(i, head=f"head {i // 2}", fusion=f"fusion {i % 2}") for i in range(40)]
    page = Page(html.render(gather([write_run(tmp_path / "run", rows)])))
    maps = [
        i
        for i, (_, attrs) in enumerate(page.elements)
        if (attrs.get("data-picture") or "").startswith("heatmap")
    ]
    heading = [attrs.get("id") for _, attrs in page.elements].index("pictures-heatmap")
    folded = next(i for i, (tag, _) in enumerate(page.elements) if i > heading and tag == "details")
    assert len(maps) == 20
    assert sum(i < folded for i in maps) == html.UNFOLDED
    assert f"{20 - html.UNFOLDED} more pictures" in page.text


def test_plotly_is_there_once_and_only_where_it_draws(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    text = html.render(gather([table]))
    page = Page(text)
    scripts = [told for tag, told in page.texts if tag == "script"]
    packed = scripts[[attrs.get("id") for attrs in page.of("script")].index("plotly")]
    script = zlib.decompress(base64.b64decode(packed))
    assert script == (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    policy = next(a["content"] for a in page.of("meta") if "http-equiv" in a) or ""
    for allowed in (script, scripts[-1].encode()):
        digest = base64.b64encode(hashlib.sha256(allowed).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-eval" not in policy
    empty = write_run(tmp_path / "none", [row(0, status="failed", reason="boom")])
    assert len(html.render(gather([empty]))) < 100_000


def test_a_large_run_is_small_enough(tmp_path: Path) -> None:
    rows = [
        fused(i, head=f"head {i % 50}", fusion=f"fusion {i // 50}", cell=str(i))
        for i in range(1000)
    ]
    table = write_run(tmp_path / "run", rows, predictions=False)
    text = html.render(gather([table]))
    assert len(text.encode()) < 6_000_000
    page = Page(text)
    _, listed = combinations(page)
    assert len(listed) == html.MOST  # as many as there are without a script
    assert data(page)["table"]["rows"] == 1000
    assert "The first 100 of 1000; all are in summary.csv" in page.text


# --- nothing from outside, nothing from a name -------------------------------------------------


def test_hostile_names_are_text(tmp_path: Path) -> None:
    table = write_run(tmp_path / "run", hostile_rows(), **HOSTILE)
    plain = Page(html.render(gather([write_run(tmp_path / "plain", matrix_rows())])))
    page = Page(html.render(gather([table])))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | {
        "details", "summary"
    }  # fmt: skip
    scripts, as_plain = ([t for tag, t in p.texts if tag == "script"] for p in (page, plain))
    assert [attrs.get("id") for attrs in page.of("script")] == ["plotly", "data", None]
    assert [len(scripts), scripts[0], scripts[2]] == [3, as_plain[0], as_plain[2]]
    assert "<" not in scripts[1]
    assert SCRIPT in json.dumps(data(page)).encode().decode("unicode_escape")
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
    assert page.of("bdi")
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
    assert all(attrs.get("aria-label") for attrs in page.of("div") if attrs.get("role") == "img")
    skip = next(attrs for tag, attrs in page.elements if tag == "a")
    assert skip["href"] == "#answer"  # the first that the keyboard comes to
    assert {attrs["scope"] for attrs in page.of("th")} == {"col", "row"}
    tags = [tag for tag, _ in page.elements]
    assert all(tags[i + 1] == "caption" for i, tag in enumerate(tags) if tag == "table")


def luminance(colour: str) -> float:
    """Return the relative luminance of an sRGB colour, as WCAG 2 defines it."""
    digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    channels = np.array([int(digits[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_its_paper(theme: int) -> None:
    style = (files("mmbench.report") / "templates" / "report.css").read_text("utf-8")
    pairs = re.findall(r"--(\w+): light-dark\(#(\w+), #(\w+)\)", style)
    light = {name: luminance(both[theme]) for name, *both in pairs}
    assert light.keys() == {"paper", "ink", "muted", "line", "tint", "accent", "bad"}
    for paper in ("paper", "tint"):
        for ink in ("ink", "muted", "accent", "bad"):
            low, high = sorted([light[paper], light[ink]])
            assert (high + 0.05) / (low + 0.05) >= 4.5, (paper, ink)


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
    "only timing": [
        row(
            i,
            **dict.fromkeys(METRICS),
            latency_ms_p50=2.5,
            throughput=400.0,
            timing="ok",
            head=head,
        )
        for i, head in enumerate(("svm", "forest"))
    ],
}


@pytest.mark.parametrize("case", FEW)
def test_a_run_with_little_in_it_has_a_report(tmp_path: Path, case: str) -> None:
    timed = ["timing"] * (case == "only timing")
    table = write_run(tmp_path / "run", FEW[case], extra=timed, predictions=not timed)
    page = Page(html.render(gather([table])))
    assert ("bdi", "动物 🐈") in page.texts
    assert f"{len(table)} cell{'s' if len(table) != 1 else ''}:" in page.text
    assert "nan" not in page.text.lower().split()
    if case == "one cell":
        assert "optimistic" not in page.text
        assert "Best fusion none was evaluated" in page.text
    if case == "only timing":
        headers, listed = combinations(page)
        assert {fields[headers.index("p50 ms")] for fields in listed} == {("2.50", "2.5")}
        assert {fields[headers.index("accuracy")] for fields in listed} == {("", "")}
    if case == "equal":
        assert "2 other combinations of the same mean" in page.text
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
    assert ("bdi", "mmbench") in page.texts
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
    assert "末 Appearance" in page.text
    assert "1 cell: 1 ok" in page.text
    assert "花 by identity, logistic-regression" in page.text
    assert {line[0][0] for line in page.table("class")[1:]} == {"猫", SCRIPT}
    assert "mmbench run matrix.toml" in page.text
    assert 'name = "末"' in page.text
