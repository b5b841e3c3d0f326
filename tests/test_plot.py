"""The public pictures are those of the report, in notebooks and as files for papers."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

import mmbench
from mmbench.errors import UserError
from mmbench.report.export import write_figures
from mmbench.report.figures import pictures
from mmbench.report.gather import gather
from mmbench.results import write_predictions
from tests.test_figures import fused, row, written

CHINESE = "猫 <b>$x$"


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """A run of one dataset: two heads, two fusions, one modality alone, predictions."""
    rows = [
        make(10 * i + j, fusion=fusion, head=head, gain=0.1 * i, gain_low=-0.1, gain_high=0.2)
        for i, (make, fusion) in enumerate(((row, "none"), (fused, "concat"), (fused, CHINESE)))
        for j, head in enumerate(("svm", "forest"))
    ]
    made = written(tmp_path / "run", rows)
    truth = np.arange(40) % 2
    for i, cell in enumerate(made["cell"]):
        p = np.random.default_rng(i).dirichlet(np.ones(2), 40)
        write_predictions(tmp_path / "run", cell, [*map(str, range(40))], truth, p, ["no", "yes"])
    return made


def test_figures_are_those_of_the_report(table: pd.DataFrame) -> None:
    of_report = {each.name: each for each in pictures(gather([table]))}
    for name, picture, given in (
        ("tradeoff", "tradeoff-pets-seconds", {"dataset": "pets"}),
        ("tradeoff", "tradeoff-pets-seconds", {"cost": "seconds"}),
        ("heatmap", "heatmap-pets-forest", {"head": "forest"}),
        ("heatmap", "heatmap-pets-svm", {"head": "svm"}),
        ("gains", "gain-pets", {}),
        ("ranks", "ranks-pets", {}),
        ("calibration", "calibration-pets", {}),
        ("confusion", "confusion-pets", {}),
    ):
        figure = getattr(mmbench.plot, name)(table, **given)
        assert isinstance(figure, go.Figure)
        data = go.Figure(of_report[picture].figure).to_plotly_json()["data"]
        assert figure.to_plotly_json()["data"] == data
        assert figure.layout.template.layout.paper_bgcolor == "#fff"
        assert f"<b>{of_report[picture].title[:9]}" in str(figure.layout)


def test_mistakes_are_told_in_a_line(table: pd.DataFrame, tmp_path: Path) -> None:
    two = written(tmp_path / "two", [row(0), row(1, dataset="birds")])
    plot = mmbench.plot
    for call, told in (
        (
            lambda: plot.ranks(two),
            "the table has several datasets: dataset= names one of pets, birds",
        ),
        (lambda: plot.ranks(two, dataset="bird"), "no dataset 'bird'.*did you mean 'birds'"),
        (lambda: plot.ranks(two, dataset="pets"), "nothing to draw: no two combinations"),
        (lambda: plot.tradeoff(table, cost="throughput"), "nothing to draw: no throughput"),
        (
            lambda: plot.tradeoff(table, cost="latency"),
            "no cost 'latency': expected latency_ms_p50",
        ),
        (lambda: plot.heatmap(table, head="svn"), "no head 'svn'.*did you mean 'svm'"),
        (lambda: plot.critical_difference(table, two), "no two methods on the same three datasets"),
        (lambda: plot.robustness(table), "no corruption of several strengths"),
        (lambda: plot.learning_curves(table), "no combination on two training sizes"),
        (lambda: plot.latency(table, kind="stages"), "no combination timed end to end"),
        (lambda: plot.training(table), "no combination trained by epochs"),
        (lambda: plot.confusion(two, dataset="birds"), "the run cannot be read: .*No such file"),
        (lambda: plot.gains(table.iloc[:0]), "nothing to draw: no cell was planned"),
    ):
        with pytest.raises(UserError, match=told) as error:
            call()
        assert "\n" not in str(error.value)


def test_every_function_is_documented() -> None:
    for name in mmbench.plot.__all__:
        text = getattr(mmbench.plot, name).__doc__
        assert "Returns\n" in text
        assert "Raises\n" in text


@pytest.mark.parametrize("missing", ["kaleido", "browser"])
def test_what_files_need_is_told(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    if missing == "kaleido":
        monkeypatch.setitem(sys.modules, "kaleido", None)
        told = r"need kaleido: pip install 'mmbench\[figures\]'"
    else:
        monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
        told = "need Chrome or Chromium: install one"
    with pytest.raises(UserError, match=told):
        write_figures(gather([table]), tmp_path)


@pytest.mark.browser
def test_pictures_as_files(tmp_path: Path) -> None:
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("there is no Chromium or Chrome on the path")
    report = gather([written(tmp_path / "run", [row(0), fused(1, fusion=CHINESE)])])
    files = write_figures(report, tmp_path / "out")
    names = [each.name for each in pictures(report)]
    assert files == [
        tmp_path / "out" / "figures" / f"{name}.{form}"
        for name in names
        for form in ("svg", "pdf", "png")
    ]
    heights = {each.name: each.figure["layout"]["height"] for each in pictures(report)}
    for file in files:
        if file.suffix == ".pdf":
            assert file.read_bytes().startswith(b"%PDF-")
        elif file.suffix == ".png":
            with Image.open(file) as image:
                assert image.size == (1280, 2 * heights[file.stem])
                assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        else:
            elements = list(ElementTree.parse(file).getroot().iter())
            values = [value for each in elements for value in each.attrib.values()]
            assert not [value for value in values if "://" in value]  # nothing is fetched
            assert "accuracy" in "".join(each.text or "" for each in elements)
            assert (elements[0].get("width"), elements[0].get("height")) == (
                "640",
                str(heights[file.stem]),
            )
    ranks = (tmp_path / "out" / "figures" / "ranks-pets.svg").read_text("utf-8")
    assert CHINESE in " ".join("".join(ElementTree.fromstring(ranks).itertext()).split())
