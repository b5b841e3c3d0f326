"""The report's pictures: each figure in them is the table's, and no name can do anything."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

import mmbench
from mmbench import catalogue
from mmbench.measurement.table import make_timings, write_timings
from mmbench.report.figures import Picture, pictures
from mmbench.report.figures.scene import lines, shown, slug
from mmbench.report.figures.tradeoff import Point, front
from mmbench.report.gather import gather
from mmbench.results import columns, make_table, read_results, write_predictions, write_table
from tests.byhand import wine
from tests.here import Here

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "$x^2$ &lt; &#36;",
    "猫 كلب 🐈",
)
ALL = "acid+phenol+colour"


class Stepwise:
    """A joint fusion that learns by epochs and tells its loss."""

    def fit(self, features: Mapping[str, np.ndarray], labels: np.ndarray, **_: Any) -> Stepwise:
        x = np.hstack(list(features.values()))
        self.model_ = SGDClassifier(loss="log_loss", alpha=0.1, random_state=0)
        self.history_: list[dict[str, float]] = []
        for _epoch in range(3):
            self.model_.partial_fit(x, labels, classes=np.unique(labels))
            loss = log_loss(labels, self.model_.predict_proba(x))
            self.history_.append({"loss": loss, "validation_loss": 2 * loss})
        return self

    def predict_proba(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(self.model_.predict_proba(np.hstack(list(features.values()))))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pd.DataFrame]:
    """Run a matrix over the wine: fusions of three modalities, worse items, fewer samples."""
    folder = tmp_path_factory.mktemp("real")
    wine().to_csv(folder / "wine.csv", index=False)
    vectors = {m: {"columns": f"{m}.*", "kind": "vector"} for m in ALL.split("+")}
    data = {"use": "manifest", "name": "wine", "path": str(folder / "wine.csv"), "label": "label"}
    matrix = {
        "name": "wine",
        "datasets": [{**data, "modalities": vectors}],
        "encoders": {"vector": "identity"},
        "fusions": ["concat", "mean-probability", "stepwise"],
        "heads": ["naive-bayes"],
        "split": {"scheme": "holdout"},
        "subsets": "all",
        "train_sizes": [0.3, 1.0],
        "corruption": {
            "noise": {"acid": ["gaussian-noise"]},
            "strengths": [1, 5],
            "permuted": ["acid"],
            "missing": [{"modality": "phenol"}],
        },
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "_notebook", [])
        patch.setenv("MMBENCH_STORE", str(folder / "store"))
        mmbench.register("runner", "here", Here)
        mmbench.register("fusion", "stepwise", Stepwise, level="joint")
        yield mmbench.run(matrix, out=folder / "run", runner="here")


def drawn(*tables: pd.DataFrame) -> dict[str, Picture]:
    """Draw a report's pictures, each of which Plotly accepts."""
    made = pictures(gather(tables))
    for each in made:
        go.Figure(each.figure)  # raises where a key or a value is not Plotly's
        json.dumps(each.figure, allow_nan=False)
        assert each.title
        assert each.description
        assert each.note
        assert slug(each.name).strip("-") == each.name[:40].strip("-")
        assert each.figure["layout"]["height"] > 0
    named = {each.name: each for each in made}
    assert len(named) == len(made)
    return named


def traces(picture: Picture, kind: str = "", **having: Any) -> list[dict[str, Any]]:
    return [
        trace
        for trace in picture.figure["data"]
        if trace["type"].startswith(kind) and all(trace.get(k) == v for k, v in having.items())
    ]


def clean(table: pd.DataFrame) -> pd.DataFrame:
    """Return the summary of what is not a trial, best first."""
    summary = mmbench.summarise(table)
    rows = summary[(summary["corruption"] == "") & (summary["train_size"] == "")]
    return rows.sort_values("accuracy", ascending=False, kind="stable")


# --- figures of a real run ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def of_real(real: pd.DataFrame) -> dict[str, Picture]:
    return drawn(real)


def test_a_run_has_a_picture_of_each_kind(of_real: dict[str, Picture]) -> None:
    kinds = [each.kind for each in of_real.values()]
    assert list(dict.fromkeys(kinds)) == [
        *("tradeoff", "heatmap", "gain", "ranks", "robustness", "learning", "contributions"),
        *("calibration", "confusion", "training"),
    ]


def test_quality_stands_against_cost(real: pd.DataFrame, of_real: dict[str, Picture]) -> None:
    rows = clean(real)
    costs = rows[["embed_s", "fit_s", "predict_s"]].sum(axis=1)
    picture = of_real["tradeoff-wine-seconds"]
    bars, *levels, line = picture.figure["data"]
    points = [(x, y) for trace in levels for x, y in zip(trace["x"], trace["y"], strict=True)]
    assert sorted(points) == sorted(zip(costs, rows["accuracy"], strict=True))
    whiskers = zip(bars["x"], bars["y"], bars["error_y"]["array"], strict=True)
    high = dict(zip(costs, rows["accuracy_high"], strict=True))
    assert all(y + up == pytest.approx(high[x]) for x, y, up in whiskers)
    best = {p for p in points if not any(c < p[0] and q >= p[1] for c, q in points)}
    assert set(zip(line["x"], line["y"], strict=True)) <= best
    assert line["y"] == sorted(set(line["y"]))
    assert max(line["y"]) == rows["accuracy"].max()
    assert {each["name"] for each in levels} >= {"one modality", "feature-level", "joint"}


def test_tiles_are_the_best_of_their_places(
    real: pd.DataFrame, of_real: dict[str, Picture]
) -> None:
    rows = clean(real)
    for head, name in (("naive-bayes", "heatmap-wine-naive-bayes"), ("", "heatmap-wine")):
        tiles = [
            (z, text)
            for trace in traces(of_real[name])
            for values, texts in zip(trace["z"], trace["text"], strict=True)
            for z, text in zip(values, texts, strict=True)
            if z is not None
        ]
        best = rows[rows["head"] == head].groupby(["modalities", "fusion"])["accuracy"].max()
        assert sorted(z for z, _ in tiles) == sorted(best)
        assert all(text == f"{z:.3f}" for z, text in tiles)


def test_gains_are_told_apart_from_none(real: pd.DataFrame, of_real: dict[str, Picture]) -> None:
    rows = clean(real)
    rows = rows[rows["gain"].notna()].sort_values("gain", ascending=False, kind="stable")
    told = {
        -y: (x, x - down, x + up, trace["marker"]["symbol"])
        for trace in traces(of_real["gain-wine"])
        for y, x, up, down in zip(
            trace["y"],
            trace["x"],
            trace["error_x"]["array"],
            trace["error_x"]["arrayminus"],
            strict=True,
        )
    }
    assert len(told) == len(rows)
    for place, (_, row) in enumerate(rows.iterrows()):
        value, low, high, symbol = told[place]
        expected = (row["gain"], row["gain_low"], row["gain_high"])
        assert (value, low, high) == pytest.approx(expected)
        excludes_zero = row["gain_low"] > 0 or row["gain_high"] < 0
        assert symbol.endswith("-open") != excludes_zero


def test_ranks_are_the_tables(real: pd.DataFrame, of_real: dict[str, Picture]) -> None:
    rows = clean(real)
    picture = of_real["ranks-wine"]
    told: dict[str, list[float]] = {each["name"]: each["x"] for each in traces(picture)}
    by_group = rows.groupby("rank_group")["accuracy"].apply(list)
    assert told == {f"rank group {group}": values for group, values in by_group.items()}
    places = [place for trace in traces(picture) for place in trace["y"]]
    assert sorted(places, reverse=True) == [-i for i in range(len(rows))]


def test_corrupted_figures_are_the_tables(real: pd.DataFrame, of_real: dict[str, Picture]) -> None:
    summary = mmbench.summarise(real)
    best = clean(real).iloc[0]
    same = summary["train_size"] == ""
    for key in ("modalities", "fusion", "head"):
        same &= summary[key] == best[key]
    of_best = summary[same].set_index("corruption")["accuracy"]
    (curve, *_) = [
        trace
        for trace in traces(of_real["robustness-wine"], legendgroup="0", showlegend=False)
        if trace["mode"] == "lines+markers"
    ]
    assert curve["x"] == [0, 1, 5]
    noise = [of_best[f"acid gaussian-noise {strength}"] for strength in (1, 5)]
    assert curve["y"] == [best["accuracy"], *noise]
    (fallen,) = traces(of_real["losses-wine"], mode="markers", legendgroup="0")
    assert sorted(fallen["x"]) == sorted(of_best[["acid permuted", "missing phenol"]])


def test_learning_curves_are_the_tables(real: pd.DataFrame, of_real: dict[str, Picture]) -> None:
    summary = mmbench.summarise(real)
    rows = summary[summary["corruption"] == ""]
    curves = rows.pivot_table("accuracy", ["modalities", "fusion", "head"], "train_size")
    told = [tuple(each["y"]) for each in traces(of_real["learning-wine"])]
    assert [full for _, full in told] == sorted(curves[""], reverse=True)[:6]
    assert set(told) <= set(curves[["0.3", ""]].itertuples(index=False, name=None))


def test_what_is_read_from_predictions_is_what_the_face_says(
    real: pd.DataFrame, of_real: dict[str, Picture]
) -> None:
    best = clean(real).iloc[0]
    keys = ["modalities", "fusion", "head", "corruption", "train_size"]

    def of_best(found: pd.DataFrame) -> pd.DataFrame:
        return found[(found[keys] == best[keys]).all(axis=1)]

    shares = mmbench.contributions(real)
    whole = shares[(shares["corruption"] == "") & (shares["train_size"] == "")]
    whole = whole[whole["modalities"] == ALL]
    for trace in traces(of_real["contributions-wine"]):
        of_modality = whole[whole["modality"] == trace["name"]]
        assert sorted(trace["x"]) == pytest.approx(sorted(of_modality["shapley"]))
        up = [x + more for x, more in zip(trace["x"], trace["error_x"]["array"], strict=True)]
        assert sorted(up) == pytest.approx(sorted(of_modality["shapley_high"]))
    bins = of_best(mmbench.calibration(real))
    line = traces(of_real["calibration-wine"], mode="lines+markers")[0]
    assert (line["x"], line["y"]) == ([*bins["confidence"]], [*bins["accuracy"]])
    assert traces(of_real["calibration-wine"], "bar")[0]["y"] == [*bins["n"]]
    pairs = of_best(mmbench.confusion(real)).set_index(["truth", "predicted"])["share"]
    classes = of_real["confusion-wine"].figure["layout"]["xaxis"]["ticktext"]
    for trace in traces(of_real["confusion-wine"]):
        for truth, values in zip(classes, trace["z"], strict=True):
            for predicted, value in zip(classes, values, strict=True):
                assert value in (None, pairs.get((truth, predicted), 0.0))


def test_training_is_what_the_fusion_told(real: pd.DataFrame, of_real: dict[str, Picture]) -> None:
    (picture,) = (each for each in of_real.values() if each.kind == "training")
    rows = real[(real["fusion"] == "stepwise") & (real["corruption"] == "")]
    rows = rows[rows["train_size"] == ""].sort_values("accuracy", ascending=False, kind="stable")
    cell = rows["cell"].iloc[0]
    (told,) = json.loads(Path(real.attrs["folder"], "fits", f"{cell}.json").read_text()).values()
    loss, validation = traces(picture)
    assert loss["x"] == [1, 2, 3]
    assert loss["y"] == [each["loss"] for each in told]
    assert validation["y"] == [2 * value for value in loss["y"]]
    assert loss["line"] != validation["line"]


# --- runs made by hand -------------------------------------------------------------------------


def row(number: int, **given: Any) -> dict[str, Any]:
    """Return a row of the table of cells; its figures are drawn from its number."""
    rng = np.random.default_rng(number)
    quality = rng.uniform(0.4, 0.9)
    return {
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
        "seed": 0,
        "fold": 0,
        "status": "ok",
        "n_train": 80,
        "n_test": 20,
        "accuracy": quality,
        "log_loss": 1 - quality,
        "embed_s": rng.uniform(0.1, 1),
        "fit_s": rng.uniform(0.1, 10),
        "predict_s": 0.01,
    } | given


def fused(number: int, **given: Any) -> dict[str, Any]:
    both = {"modalities": "image+text", "encoders": "hog+tf-idf", "encoder_text": "tf-idf"}
    return row(number, **{**both, "fusion": "concat", "level": "feature", **given})


def written(folder: Path, rows: list[dict[str, Any]], metric: str = "accuracy") -> pd.DataFrame:
    folder.mkdir(exist_ok=True)
    write_table(make_table(rows, columns(["encoder_image", "encoder_text"])), folder)
    (folder / "matrix.toml").write_text(f'metric = "{metric}"\n', encoding="utf-8")
    (folder / "metrics.json").write_text('{"accuracy": {}, "log_loss": {}}', encoding="utf-8")
    return read_results(folder)


def test_methods_stand_at_their_mean_ranks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    methods = ("concat", "vote", "mean", "max")
    scores = rng.uniform(0.4, 0.5, (len(methods), 9))
    scores[0] += 0.3
    scores[1] += 0.2
    cells = [
        fused(i * 9 + j, fusion=name, dataset=f"set-{j}", accuracy=scores[i, j])
        for i, name in enumerate(methods)
        for j in range(9)
    ]
    worse = [{**cell, "encoder_image": "raw", "encoders": "raw+tf-idf"} for cell in cells]
    worse = [
        each | {"accuracy": each["accuracy"] / 2, "cell": f"w{each['cell']}"} for each in worse
    ]
    halves = [
        written(tmp_path / name, [c for c in cells + worse if (c["dataset"] < "set-5") == is_first])
        for name, is_first in (("a", True), ("b", False))
    ]
    again = [c | {"accuracy": (1 - c["accuracy"]) / 3} for c in cells if c["dataset"] == "set-0"]
    picture = drawn(*halves, written(tmp_path / "again", again))["difference"]
    ranks = rankdata(-scores, axis=0).mean(axis=1)
    (marks,) = traces(picture, mode="markers")
    assert marks["x"] == pytest.approx(sorted(ranks))
    order = [methods[i] for i in np.argsort(ranks)]
    assert [each.split("<br>")[0] for each in marks["hovertext"]] == [
        f"<b>{name}, svm</b>" for name in order
    ]
    bars = traces(picture, mode="lines")[1]
    # two methods always beat the others (p = 2 / 512 each, corrected for six pairs); these are tied
    assert bars["x"] == pytest.approx([*np.sort(ranks)[2:], None], abs=1e-9)


def test_less_is_better_of_a_loss(tmp_path: Path) -> None:
    rows = [fused(i, fusion=f"f{i}", rank=i + 1, rank_group=1) for i in range(6)]
    other = fused(9, fusion="f0", params='{"head": {"C": 2}}', log_loss=9.0, rank=7, rank_group=1)
    found = drawn(written(tmp_path / "run", [*rows, other], "log_loss"))
    losses = sorted(each["log_loss"] for each in rows)
    (trace,) = traces(found["ranks-pets"])
    assert trace["x"] == [*losses, 9.0]
    assert found["heatmap-pets-svm"].figure["layout"]["coloraxis"]["reversescale"]
    bright, dark = traces(found["heatmap-pets-svm"])
    assert min(z for r in bright["z"] for z in r if z) == losses[0]
    assert max(z for r in dark["z"] for z in r if z) == losses[-1]
    assert found["tradeoff-pets-seconds"].figure["data"][-1]["y"][-1] == losses[0]


def test_timed_runs_show_what_was_timed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    served = ("latency_ms_p50", "throughput", "peak_memory_mb", "energy_j_per_sample", "parameters")
    rows, timed = [], []
    (tmp_path / "run" / "timings").mkdir(parents=True)
    for i in range(4):
        raw = rng.lognormal(size=200) / 1000
        np.save(tmp_path / "run" / "timings" / f"{i}.npy", raw)
        p50 = 1e3 * float(np.quantile(raw, 0.5))
        rows.append(fused(i, fusion=f"f{i}", **dict.fromkeys(served, 100 * (i + 1))))
        rows[-1] |= {"latency_ms_p50": p50, "timing": "ok"}
        told = {"cell": rows[-1]["cell"], "unit": "end-to-end", "status": "ok", "raw": f"{i}.npy"}
        under = {"scenario": "single-stream", "batch_size": 1, "device": "cpu", "precision": "fp32"}
        figures = {"latency_ms_p50": p50, "latency_ms_p50_low": 0.9 * p50, "n": 200}
        stages = {"stage_encode_ms": 1.0 + i, "stage_head_ms": 0.5, "stage_sum_ms": 1.5 + i}
        timed.append({**told, **under, **figures, **stages, "latency_ms_p50_high": 1.2 * p50})
    table = written(tmp_path / "run", rows)
    write_timings(make_timings([*timed, {**timed[0], "scenario": "offline"}]), tmp_path / "run")
    found = drawn(table)
    assert [name for name, each in found.items() if each.kind == "tradeoff"] == [
        f"tradeoff-pets-{name}" for name in served
    ]
    bars, marks, _ = found["tradeoff-pets-latency_ms_p50"].figure["data"]
    assert sorted(marks["x"]) == sorted(each["latency_ms_p50"] for each in rows)
    up = [(x + more) / x for x, more in zip(bars["x"], bars["error_x"]["array"], strict=True)]
    assert up == pytest.approx([1.2] * 4)
    line = found["tradeoff-pets-throughput"].figure["data"][-1]
    assert line["x"][0] == 400  # the fastest is the cheapest
    best_first = sorted(range(4), key=lambda i: -rows[i]["accuracy"])
    (box,) = traces(found["latency-pets"])
    assert box["median"] == [rows[i]["latency_ms_p50"] for i in best_first]
    raw = np.load(tmp_path / "run" / "timings" / f"{best_first[0]}.npy")
    told = [box[name][0] for name in ("lowerfence", "q1", "q3", "upperfence")]
    assert told == pytest.approx(1e3 * np.quantile(raw, [0.1, 0.25, 0.75, 0.9]))
    encode, head = traces(found["stages-pets"])
    assert encode["x"] == [1.0 + i for i in best_first]
    assert head["x"] == [0.5] * 4
    write_table(table.assign(accuracy=np.nan), tmp_path / "run")
    assert {*drawn(read_results(tmp_path / "run"))} == {"latency-pets", "stages-pets"}


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        ([row(0)], {"tradeoff"}),
        ([row(0, status="failed", accuracy=None)], set()),
        ([row(0, status="skipped", accuracy=None)], set()),
        ([row(i, head=f"h{i}", embed_s=None) for i in range(3)], {"ranks"}),
        ([row(0, accuracy=None, latency_ms_p50=1.0, timing="ok")], set()),
    ],
)
def test_unusual_runs(tmp_path: Path, rows: list[dict[str, Any]], kinds: set[str]) -> None:
    assert {each.kind for each in drawn(written(tmp_path / "run", rows)).values()} == kinds


def test_a_thousand_classes(tmp_path: Path) -> None:
    table = written(tmp_path / "run", [row(0), row(1, head="forest")])
    classes = [f"class {i}" for i in range(1000)]
    truth = np.arange(3000) % 1000
    guessed = np.where(truth < 40, (truth + 1) % 40, truth)
    for cell in table["cell"]:
        ids = [str(i) for i in range(3000)]
        write_predictions(tmp_path / "run", cell, ids, truth, np.eye(1000)[guessed], classes)
    picture = drawn(table)["confusion-pets"]
    assert len(traces(picture)[0]["z"]) == 30
    hard = {f"class {i}" for i in range(40)}
    assert {*picture.figure["layout"]["yaxis"]["ticktext"]} <= hard
    assert "30" in picture.note
    assert "1000" in picture.note
    assert "2880 of 3000" in picture.description


def test_broken_files_leave_out_their_pictures(tmp_path: Path) -> None:
    table = written(tmp_path / "run", [row(0), fused(1)])
    for name in ("predictions", "fits", "timings"):
        (tmp_path / "run" / name).mkdir()
    for cell, told in zip(table["cell"], ("[1,", '{"fit": [1, 2]}'), strict=True):
        (tmp_path / "run" / "predictions" / f"{cell}.parquet").write_bytes(b"PAR1 and no more")
        (tmp_path / "run" / "fits" / f"{cell}.json").write_text(told)
    (tmp_path / "run" / "timings.parquet").write_bytes(b"PAR1 and no more")
    summary = mmbench.summarise(make_table([row(0), fused(1)], [*table.columns]))
    found = pictures(gather([table], [summary]))
    assert {each.kind for each in found} == {"tradeoff", "heatmap", "ranks"}


# --- names -------------------------------------------------------------------------------------


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for each in value.values() for text in strings(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in strings(each))


def test_hostile_names_are_text(tmp_path: Path) -> None:
    script, image, tex, script_of_all = HOSTILE
    rows = [
        fused(i, dataset=script, fusion=name, head=image, encoder_image=tex, gain=0.1 * i)
        | {"gain_low": -0.1, "gain_high": 1.0, "accuracy_low": 0.1, "accuracy_high": 1.0}
        for i, name in enumerate((script, image, tex, script_of_all))
    ]
    rows.append(row(9, dataset=script, encoder_image=image, head=script))
    table = written(tmp_path / "run", rows)
    truth = np.arange(20) % 4
    for i, cell in enumerate(table["cell"]):
        made = np.random.default_rng(i).dirichlet(np.ones(4), 20)
        write_predictions(tmp_path / "run", cell, [*map(str, truth)], truth, made, HOSTILE)
    found = drawn(table)
    assert {each.kind for each in found.values()} >= {"gain", "ranks", "heatmap", "confusion"}
    texts = [text for each in found.values() for text in strings(each.figure)]
    for text in texts:
        for markup in ("<b>", "</b>", "<br>"):
            text = text.replace(markup, "")
        assert "<" not in text
        assert "$" not in text
    joined = html.unescape(" ".join(texts).replace("<br>", ""))
    assert all(name in joined for name in HOSTILE[1:])
    for name in found:
        assert not set(name) & set('<>"/\\ $&')


@given(st.text())
def test_names_come_back_from_plotlys_text(name: str) -> None:
    told = shown(name)
    assert html.unescape(told.replace("&#36;", "$")) == html.unescape(html.escape(name))
    assert "<" not in told
    assert "$" not in told


@given(st.text(st.sampled_from("ab-·+ 猫"), max_size=80), st.integers(2, 20), st.integers(1, 4))
def test_lines_hold_the_name_as_far_as_there_is_room(name: str, width: int, most: int) -> None:
    made = lines(name, width, most)
    assert 1 <= len(made) <= most
    assert all(len(line) + line.count("猫") <= width + ("…" in line) for line in made)
    words = "".join(name.split())
    told = "".join("".join(made).split())
    assert told == words or (told.endswith("…") and words.startswith(told[:-1]))


figures = st.floats(0.01, 100).map(lambda value: round(value, 1) + 0.1)


@given(st.lists(st.tuples(figures, figures), min_size=1, max_size=30), st.booleans(), st.booleans())
def test_the_front_is_what_nothing_dominates(
    pairs: list[tuple[float, float]], up: bool, dear: bool
) -> None:
    points = [Point({}, cost, quality) for cost, quality in pairs]
    sign, away = 1 if up else -1, -1 if dear else 1
    found = front(points, higher=up, dear_is_better=dear)
    kept = {
        (c, q)
        for c, q in pairs
        if not any(
            away * a <= away * c and sign * b >= sign * q and (a, b) != (c, q) for a, b in pairs
        )
    }
    assert [(p.cost, p.quality) for p in found] == sorted(kept, reverse=dear)


def test_drawing_imports_no_plotly() -> None:
    code = "import sys, mmbench.report.figures as f; assert not {'plotly'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
