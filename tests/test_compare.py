"""``mmbench compare``: real runs, held against each other by hand and by scipy."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from scipy import stats
from sklearn.metrics import f1_score

import mmbench
from mmbench.cli import cli, main
from mmbench.comparison import told
from mmbench.comparison.runs import RunComparison
from mmbench.errors import UserError
from mmbench.results import KEYS
from mmbench.statistics.power import smallest_difference
from mmbench.timing.percentiles import effective_size
from tests.byhand import wine
from tests.here import Here


class Shaky:
    """Vectors as they are, or noised: another state of the same encoder."""

    noise: ClassVar[float] = 0.0

    def encode(self, items: Any) -> np.ndarray:
        rows = np.stack(list(items)).astype(np.float32)
        noise = np.random.default_rng(0).normal(size=rows.shape) * rows.std(axis=0)
        return (rows + self.noise * noise).astype(np.float32)


def matrix(data: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": "wine",
        "seeds": [0, 1],
        "fusions": "concat",
        "heads": "logistic-regression",
        "metrics": ["accuracy", "f1_macro", "log_loss"],
        "split": {"folds": 2},
        "encoders": {"vector": "shaky"},
        "datasets": [
            {
                "use": "manifest", "name": "wine", "path": str(data), "label": "label",
                "modalities": {
                    m: {"columns": f"{m}.*", "kind": "vector"} for m in ("acid", "phenol")
                },
            }
        ],
        **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``a``; ``noised``, the same with noised embeddings; ``other``."""
    place = tmp_path_factory.mktemp("compare")
    wine().to_csv(place / "wine.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmbench.catalogue._notebook", [])
        mmbench.register("runner", "here", Here)
        mmbench.register("encoder", "shaky", Shaky, kind="vector")

        def run(name: str, noise: float, **changes: Any) -> None:
            patch.setattr(Shaky, "noise", noise)
            store = place / f"store-{name}"
            content = matrix(place / "wine.csv", **changes)
            table = mmbench.run(content, out=place / name, store=store, runner="here", device="cpu")
            assert set(table["status"]) == {"ok"}, set(table["reason"])

        run("a", 0.0)
        run("noised", 0.8)
        run("other", 0.0, heads="k-nearest", seeds=[0])
    return place


@pytest.fixture(scope="module")
def noised(runs: Path) -> RunComparison:
    return mmbench.compare(runs / "a", runs / "noised")


@pytest.fixture
def copied(runs: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of a run, to be changed."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(runs / name, tmp_path / "copies" / name))

    return copy


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], standalone_mode=False)


def predictions(run: Path, cells: list[str]) -> pd.DataFrame:
    """Return the mean probabilities of each sample, with its label."""
    parts = pd.concat([pd.read_parquet(run / "predictions" / f"{cell}.parquet") for cell in cells])
    named = parts.drop(columns="predicted").set_index(["id", "truth"])
    return named.groupby(level=[0, 1]).mean().reset_index("truth").sort_index()


def labels(table: pd.DataFrame) -> np.ndarray:
    names = table.drop(columns="truth").idxmax(axis=1)
    return names.str.removeprefix("p_").to_numpy()


# --- what it comes to ---------------------------------------------------------------------------


def test_a_run_is_not_worse_than_itself(runs: Path) -> None:
    result = compare(runs / "a", runs / "a", "--fail-on", "quality,speed,coverage")
    assert result.return_value == 0
    assert "Nothing that was compared is worse" in result.output
    found = mmbench.compare(runs / "a", runs / "a", min_effect=0.0)
    assert len(found.cells) == 12
    assert set(found.cells["verdict"]) == set(found.combinations["verdict"]) == {"not told apart"}
    assert (found.cells["p_value"] == 1).all()
    assert (found.cells["difference"] == 0).all()
    assert found.coverage.empty
    assert found.environment.empty
    assert set(found.combinations["n"]) == {178}


def test_a_run_of_noised_embeddings_is_worse(runs: Path, noised: RunComparison) -> None:
    assert noised.status() == 1
    assert (noised.combinations["verdict"] == "worse").any()
    assert not (noised.cells["verdict"] == "better").any()
    back = compare(runs / "noised", runs / "a", "--format", "json")
    assert back.return_value == 0
    turned = {"worse": "better", "not told apart": "not told apart"}
    expected = [turned[verdict] for verdict in noised.combinations["verdict"]]
    assert [row["verdict"] for row in json.loads(back.output)["combinations"]] == expected


def test_a_least_effect_lets_smaller_ones_pass(runs: Path, noised: RunComparison) -> None:
    every = pd.concat([noised.cells, noised.combinations])
    loss = -every["difference"][every["verdict"] == "worse"]
    least = float(loss.median())
    found = mmbench.compare(runs / "a", runs / "noised", min_effect=least)
    assert found.counts("quality")["worse"] == (loss > least).sum() > 0
    assert found.min_effect == {"quality": least, "speed": least}
    assert (loss <= least).any()


def test_runs_without_a_common_cell_are_not_comparable(runs: Path) -> None:
    result = compare(runs / "a", runs / "other", "--fail-on", "quality,speed,coverage")
    assert result.return_value == 3
    assert "Nothing is comparable" in result.output
    found = mmbench.compare(runs / "a", runs / "other")
    assert found.coverage["what"].value_counts().to_dict() == {"only in A": 12, "only in B": 6}
    differing = found.environment.set_index("what")
    assert tuple(differing.loc["matrix.heads"]) == ("logistic-regression", "k-nearest")
    assert tuple(differing.loc["matrix.seeds"]) == ("[0, 1]", "[0]")


# --- the figures --------------------------------------------------------------------------------


def test_accuracies_are_compared_by_mcnemar_and_holm(runs: Path, noised: RunComparison) -> None:
    """Cells by their samples; combinations by those of all folds, mean probabilities over seeds."""
    p_values = []
    for row in [*noised.combinations.to_dict("records"), *noised.cells.to_dict("records")]:
        cells = row["cells"] if "cells" in row else [row["cell"]]
        a, b = (predictions(runs / name, cells) for name in ("a", "noised"))
        assert (a.index == b.index).all()
        right_a, right_b = ((labels(t) == t["truth"]).to_numpy() for t in (a, b))
        won, lost = (right_b & ~right_a).sum(), (right_a & ~right_b).sum()
        p_value = stats.binomtest(int(won), int(won + lost)).pvalue if won + lost else 1.0
        assert row["p_value"] == pytest.approx(p_value, abs=1e-9)
        assert row["difference"] == pytest.approx(right_b.mean() - right_a.mean(), abs=1e-9)
        assert (row["a"], row["b"]) == pytest.approx((right_a.mean(), right_b.mean()), abs=1e-9)
        assert row["n"] == len(a)
        assert row["low"] <= row["difference"] <= row["high"]
        discordance = (won + lost) / len(a)
        assert row["smallest_shown"] == pytest.approx(smallest_difference(len(a), discordance))
        p_values.append((p_value, row["p_adjusted"]))
    p, adjusted = map(np.array, zip(*p_values, strict=True))
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    assert adjusted[order] == pytest.approx(steps, abs=1e-9)
    worse = noised.counts("quality")
    assert 0 < worse["worse"] + worse["better"] == (steps <= 0.05).sum() < len(p)
    assert worse["compared"] == len(p) == 15


def test_another_metric_and_correction(runs: Path) -> None:
    found = mmbench.compare(runs / "a", runs / "noised", metric="f1_macro", correction="fdr")
    for row in found.combinations.to_dict("records"):
        a, b = (predictions(runs / name, row["cells"]) for name in ("a", "noised"))
        scores = [f1_score(t["truth"], labels(t), average="macro") for t in (a, b)]
        assert (row["a"], row["b"]) == pytest.approx(scores, abs=1e-9)
        assert row["difference"] == pytest.approx(scores[1] - scores[0], abs=1e-9)
    tested = pd.concat([found.cells, found.combinations])
    expected = stats.false_discovery_control(tested["p_value"])
    assert tested["p_adjusted"].to_numpy() == pytest.approx(expected, abs=1e-9)


def test_of_a_loss_more_is_worse(runs: Path) -> None:
    found = mmbench.compare(runs / "a", runs / "noised", metric="log_loss")
    worse = found.combinations[found.combinations["verdict"] == "worse"]
    assert len(worse)
    assert (worse["difference"] > 0).all()


def test_tables_alone_are_compared_by_the_scores_of_folds(runs: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(runs / "a" / "cells.parquet")
    noise = np.random.default_rng(0).normal(0, 0.01, len(table))
    lost = np.where(table["modalities"] == "acid", 0.2, 0.0)
    (tmp_path / "b").mkdir()
    worse = table.assign(accuracy=table["accuracy"] - lost + noise)
    worse.to_parquet(tmp_path / "b" / "cells.parquet", index=False)
    table.to_parquet(tmp_path / "a.parquet", index=False)
    found = mmbench.compare(tmp_path / "a.parquet", tmp_path / "b")
    assert set(found.cells["verdict"]) == {"not tested"}
    assert "without predictions" in found.notes["quality"]
    assert found.combinations["verdict"].tolist() == ["worse", "not told apart", "not told apart"]
    assert (found.status(), found.status(["speed"])) == (1, 3)
    a, b = table.set_index("cell"), worse.set_index("cell")
    for row in found.combinations.to_dict("records"):
        differences = b.loc[row["cells"], "accuracy"] - a.loc[row["cells"], "accuracy"]
        n_train, n_test = (a.loc[row["cells"], name].mean() for name in ("n_train", "n_test"))
        inflation = math.sqrt(1 + len(differences) * n_test / n_train)
        t = stats.ttest_1samp(differences, 0).statistic / inflation
        p_value = 2 * stats.t.sf(abs(t), len(differences) - 1)
        assert row["p_value"] == pytest.approx(p_value, abs=1e-9)
        assert row["difference"] == pytest.approx(differences.mean(), abs=1e-9)


# --- coverage -----------------------------------------------------------------------------------


def test_what_one_run_lacks_is_told_and_counts_when_asked(
    runs: Path, copied: Callable[[str], Path]
) -> None:
    b = copied("a")
    table = pd.read_parquet(b / "cells.parquet")
    table.loc[0, ["status", "reason"]] = ["timeout", "after 3 s"]
    table.drop(index=1).to_parquet(b / "cells.parquet", index=False)
    found = mmbench.compare(runs / "a", b)
    lost = found.coverage[["what", "cell", "reason"]].to_numpy().tolist()
    assert lost == [
        ["failed in B", table["cell"][0], "timeout: after 3 s"],
        ["only in A", table["cell"][1], ""],
    ]
    assert len(found.cells) == 10
    assert (found.status(), found.status(["coverage"])) == (0, 1)
    back = mmbench.compare(b, runs / "a")
    assert set(back.coverage["what"]) == {"failed in A", "only in B"}
    assert back.status(["coverage"]) == 0


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("ids", "other test samples: 1 are only in A, 1 only in B"),
        ("labels", "other labels: of 1 of "),
        ("classes", "other classes: 3 in A, 2 in B"),
        ("groups", "other groups"),
    ],
)
def test_cells_of_other_samples_are_not_compared(
    runs: Path, copied: Callable[[str], Path], changed: str, reason: str
) -> None:
    b = copied("a")
    cell = mmbench.read_results(b)["cell"].iloc[0]
    file = b / "predictions" / f"{cell}.parquet"
    table = pd.read_parquet(file)
    if changed == "ids":
        table.loc[0, "id"] = "another"
    elif changed == "labels":
        table.loc[0, "truth"] = next(n for n in table["truth"] if n != table["truth"][0])
    elif changed == "classes":
        table = table.drop(columns=table.columns[-1])
    else:
        table["group"] = "one"
    table.to_parquet(file, index=False)
    found = mmbench.compare(runs / "a", b)
    (lost,) = found.coverage.to_dict("records")
    assert (lost["what"], lost["cell"]) == ("other samples", cell)
    assert lost["reason"].startswith(reason)
    assert cell not in set(found.cells["cell"])
    assert len(found.cells) == 11


def test_the_order_of_samples_does_not_matter(
    runs: Path, copied: Callable[[str], Path], noised: RunComparison
) -> None:
    b = copied("noised")
    for file in (b / "predictions").iterdir():
        pd.read_parquet(file).iloc[::-1].to_parquet(file, index=False)
    found = mmbench.compare(runs / "a", b)
    pd.testing.assert_frame_equal(found.cells, noised.cells)


def test_samples_of_a_group_are_not_taken_for_independent(
    runs: Path, copied: Callable[[str], Path], noised: RunComparison
) -> None:
    """With one group there is nothing to tell the runs apart by."""
    a, b = copied("a"), copied("noised")
    for file in (f for run in (a, b) for f in (run / "predictions").iterdir()):
        pd.read_parquet(file).assign(group="all").to_parquet(file, index=False)
    found = mmbench.compare(a, b)
    assert (noised.combinations["verdict"] == "worse").any()
    assert (found.combinations["p_value"] == 1).all()
    assert set(found.combinations["test"]) == {"paired permutation"}


# --- speed --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was timed."""
    place = tmp_path_factory.mktemp("timed")
    wine().to_csv(place / "wine.csv", index=False)
    content = matrix(
        place / "wine.csv", encoders={"vector": "identity"}, seeds=[0], fusions=[],
        timing={"min_repeats": 200, "min_seconds": 0, "stages": False, "end_to_end": 0},
    )  # fmt: skip
    content["datasets"][0]["modalities"].pop("acid")
    table = mmbench.run(content, out=place / "run", store=place / "store", jobs=1)
    assert set(table["status"]) == {"ok"}, set(table["reason"])
    return place / "run"


@pytest.mark.parametrize(
    ("factor", "verdict"), [(3.0, "worse"), (1.03, "not told apart"), (0.3, "better")]
)
def test_speed_is_compared_by_the_times_of_calls(
    timed: Path, tmp_path: Path, factor: float, verdict: str
) -> None:
    b = Path(shutil.copytree(timed, tmp_path / "b"))
    for file in (b / "timings").iterdir():
        np.save(file, np.load(file) * factor)
    found = mmbench.compare(timed, b)
    assert set(found.speed["unit"]) == {"encoder", "classifier"}
    assert found.speed["ratio"].to_numpy() == pytest.approx(factor)
    assert found.speed["a_ms"].to_numpy() == pytest.approx(
        [1e3 * np.median(np.load(timed / "timings" / raw)) for raw in raws(timed)]
    )
    if verdict != "not told apart":  # beyond the noise of any machine
        assert verdict in set(found.speed["verdict"])
    assert set(found.speed["verdict"]) <= {verdict, "not told apart"}
    assert found.status() == (verdict == "worse")
    assert found.status(["quality"]) == 0


def raws(run: Path) -> list[str]:
    timings = mmbench.read_timings(run)
    return [raw for raw in timings["raw"] if raw]


def test_times_are_held_to_scipy(timed: Path, tmp_path: Path) -> None:
    b = Path(shutil.copytree(timed, tmp_path / "b"))
    rng = np.random.default_rng(3)
    drawn = {run: scale * rng.lognormal(-7, 0.5, 80) for run, scale in ((timed, 1), (b, 1.2))}
    assert all(effective_size(times) == 80 for times in drawn.values())
    a = Path(shutil.copytree(timed, tmp_path / "a"))
    for raw in raws(timed):
        np.save(a / "timings" / raw, drawn[timed])
        np.save(b / "timings" / raw, drawn[b])
    found = mmbench.compare(a, b)
    expected = stats.mannwhitneyu(drawn[b], drawn[timed])
    assert found.speed["p_value"].to_numpy() == pytest.approx(expected.pvalue, abs=1e-9)
    assert found.speed["effect"].to_numpy() == pytest.approx(expected.statistic / 6400, abs=1e-9)
    assert found.speed["p_adjusted"].to_numpy() == pytest.approx(2 * expected.pvalue, abs=1e-9)


def test_calls_that_depend_on_each_other_count_less(timed: Path, tmp_path: Path) -> None:
    """The same times, each measured 25 times over, are no better evidence."""
    rng = np.random.default_rng(4)
    p_values = []
    for repeats in (1, 25):
        a, b = (Path(shutil.copytree(timed, tmp_path / f"{name}{repeats}")) for name in "ab")
        times = {run: rng.permutation(np.linspace(1, 2, 30)) + (run == b) / 7 for run in (a, b)}
        for run, raw in ((run, raw) for run in (a, b) for raw in raws(timed)):
            np.save(run / "timings" / raw, np.repeat(times[run], repeats))
        p_values.append(mmbench.compare(a, b).speed["p_value"].iloc[0])
    assert p_values[0] > 0.05
    assert p_values[1] > 0.01


def test_other_machines_are_not_compared(timed: Path, tmp_path: Path) -> None:
    b = Path(shutil.copytree(timed, tmp_path / "b"))
    content = json.loads((b / "environment.json").read_text())
    content["machine"]["cores"] = 999
    (b / "environment.json").write_text(json.dumps(content))
    found = mmbench.compare(timed, b)
    assert found.speed.empty
    assert found.notes["speed"].startswith("other machines: cores")
    assert (found.status(), found.status(["speed"])) == (0, 3)
    assert found.environment["what"].tolist() == ["machine.cores"]


# --- forms --------------------------------------------------------------------------------------

ROWS = {
    "cells": {
        "cell", "dataset", "combination", "seed", "fold", "a", "b", "n", "difference", "low",
        "high", "p_value", "p_adjusted", "test", "effect", "effect_name", "smallest_shown",
        "verdict",
    },
    "combinations": {
        "dataset", "combination", "cells", "a", "b", "n", "difference", "low", "high", "p_value",
        "p_adjusted", "test", "effect", "effect_name", "smallest_shown", "verdict",
    },
}  # fmt: skip


def test_json_holds_it_all(runs: Path, noised: RunComparison) -> None:
    result = compare(runs / "a", runs / "noised", "--format", "json", "--fail-on", "speed,quality")
    content = json.loads(result.output)
    assert set(content) == {
        "a", "b", "metric", "level", "correction", "min_effect", "fail_on", "status", "counts",
        "notes", "cells", "combinations", "speed", "coverage", "environment",
    }  # fmt: skip
    assert content["status"] == result.return_value == 1
    assert content["min_effect"] == {"quality": 0, "speed": 0.05}
    assert content["fail_on"] == ["quality", "speed"]
    assert content["notes"] == {"speed": "A has no timings"}
    for name, keys in ROWS.items():
        table = getattr(noised, name)
        assert set(content[name][0]) == keys
        assert [row["p_value"] for row in content[name]] == table["p_value"].tolist()
    assert content["combinations"][0]["cells"] == noised.combinations["cells"][0]


def told_text(found: RunComparison, *, every: bool) -> str:
    page = StringIO()
    told.print_text(found, ["quality"], Console(file=page, width=300), every=every)
    return page.getvalue()


def told_markdown(found: RunComparison, *, every: bool) -> str:
    return told.to_markdown(found, ["quality"], every=every)


@pytest.mark.parametrize("tell", [told_text, told_markdown])
def test_people_are_told_what_differs(tell: Callable[..., str], noised: RunComparison) -> None:
    short, full = tell(noised, every=False), tell(noised, every=True)
    counts = noised.counts("quality")
    assert f"B is worse than A in quality ({counts['worse']} of {counts['compared']})." in short
    assert "A has no timings" in short
    rows = [
        [line.count(f" {verdict} ") for line in text.splitlines() if "wine: " in line]
        for text in (short, full)
        for verdict in ("worse", "not told apart")
    ]
    worse = counts["worse"]
    assert list(map(sum, rows)) == [worse, 0, worse, counts["compared"] - worse]
    assert rows[2] == sorted(rows[2], reverse=True)  # worse ones first


def test_the_command_prints_what_is_told(
    runs: Path, noised: RunComparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert compare(runs / "a", runs / "noised").output == told_text(noised, every=False)
    markdown = compare(runs / "a", runs / "noised", "--format", "md", "--all").output
    assert markdown == told_markdown(noised, every=True) + "\n"


def test_long_tables_are_cut(runs: Path) -> None:
    found = mmbench.compare(runs / "a", runs / "other")
    many = replace(found, environment=pd.DataFrame({"what": list("abcdefghijklm"), "a": "1"}))
    many.environment["b"] = None
    assert "... and 3 more" in told.to_markdown(many, ["quality"])
    assert "... and" not in told.to_markdown(many, ["quality"], every=True)


# --- mistakes -----------------------------------------------------------------------------------


def test_broken_folders_are_one_line(
    runs: Path, copied: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    a = runs / "a"
    b = copied("noised")
    cell = mmbench.read_results(b)["cell"].iloc[0]

    def line_of(*arguments: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["compare", *map(str, arguments)])
        line = capsys.readouterr().err
        assert ended.value.code == 2
        assert line.count("\n") == 1
        return line

    assert "no run lies there" in line_of(a, runs / "store-a")
    assert "--metric acuracy" in line_of(a, b, "--metric", "acuracy")
    assert "did you mean 'accuracy'" in line_of(a, b, "--metric", "acuracy")
    assert "did you mean 'speed'" in line_of(a, b, "--fail-on", "quality,sped")
    assert "--min-effect -1" in line_of(a, b, "--min-effect", "-1")
    file = b / "predictions" / f"{cell}.parquet"
    file.write_bytes(b"PAR1 and nothing")
    assert f"{file}: cannot be read" in line_of(a, b)
    file.unlink()
    assert f"{file}: is missing" in line_of(a, b)
    (b / "cells.parquet").write_bytes(b"nothing")
    assert "cells.parquet: cannot be read" in line_of(a, b)
    pd.DataFrame({"cell": ["x"]}).to_parquet(b / "cells.parquet")
    assert "the column 'dataset' is missing" in line_of(a, b)
    table = pd.read_parquet(a / "cells.parquet")
    pd.concat([table, table]).to_parquet(b / "cells.parquet")
    assert "stands there twice" in line_of(a, b)


def test_metrics_with_other_options_are_not_compared(
    runs: Path, copied: Callable[[str], Path]
) -> None:
    b = copied("a")
    options = json.loads((b / "metrics.json").read_text())
    (b / "metrics.json").write_text(json.dumps({**options, "log_loss": {"eps": 0.1}}))
    with pytest.raises(UserError, match="its options are"):
        mmbench.compare(runs / "a", b, metric="log_loss")
    assert mmbench.compare(runs / "a", b).status() == 0


def test_raw_times_can_be_damaged(timed: Path, tmp_path: Path) -> None:
    b = Path(shutil.copytree(timed, tmp_path / "b"))
    raw = raws(b)[0]
    (b / "timings" / raw).write_bytes(b"nothing")
    with pytest.raises(UserError, match=raw):
        mmbench.compare(timed, b)


def test_combinations_are_those_of_the_table(runs: Path, noised: RunComparison) -> None:
    table = mmbench.read_results(runs / "a")
    expected = [group["cell"].tolist() for _, group in table.groupby(KEYS, sort=False)]
    assert noised.combinations["cells"].tolist() == expected
