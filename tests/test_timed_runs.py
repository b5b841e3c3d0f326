"""Runs that time what they have evaluated: each part once, composed, and checked."""

from __future__ import annotations

import copy
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmbench
from mmbench.errors import UserError
from mmbench.execution import InterruptedRunError
from mmbench.measurement.composition import compose
from mmbench.measurement.settings import Settings
from mmbench.observer import Observer
from mmbench.results import KEYS, SPEED
from tests.conftest import comparable, read_log

PLUGIN = str(Path(__file__).parent / "timed.py")
QUICK = {"min_repeats": 8, "min_seconds": 0, "warmup": 1, "stages": False}
BOTH = {"scenarios": ["single-stream", "offline"], "batch_sizes": [4]}
PAIRS: dict[str, Any] = {
    "name": "timed",
    "datasets": [{"use": "pairs"}],
    "encoders": {"a": "identity", "b": "identity"},
    "heads": "logistic-regression",
    "split": {"folds": 2},
}
SETTING = ["scenario", "batch_size", "device", "precision", "compile"]


def matrix(timing: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return copy.deepcopy({**PAIRS, "timing": {**QUICK, **timing}, **changes})


def run(content: dict[str, Any], out: Path, **options: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of cells and the table of timings."""
    options = {"jobs": 1, "plugins": [PLUGIN], **options}
    cells = mmbench.run(content, out=out, store=out.parent / "store", **options)
    return cells, mmbench.read_timings(out)


# --- one run, looked at from all sides ---------------------------------------------------------

SHARED = matrix(
    BOTH,
    encoders={"a": {"use": "clocked", "tag": [0, 1]}, "b": "identity"},
    fusions=["concat", "mean-probability", "stacking"],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("timed")


@pytest.fixture(scope="module")
def ran(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_LOG", str(folder / "log"))
        return run(SHARED, folder / "out", jobs=2)


def test_there_is_one_row_per_part_and_scenario(ran: Any) -> None:
    """The parts, counted by hand: no encoder, head or decision stands there twice."""
    _, timings = ran
    assert set(timings["status"]) == {"ok"}
    counts = timings.groupby("unit").size()
    runs, encoders, fused_heads, decisions = 2, 3, 2, 2
    assert counts["encoder"] == runs * encoders
    assert counts["classifier"] == runs * (encoders + fused_heads)  # one alone, one after concat
    assert counts["decision"] == runs * decisions
    assert counts["composed"] == runs * (encoders + 3 * 2)
    what = ["unit", "name", "modalities", "params", *SETTING]
    assert not timings[timings["unit"] != "end-to-end"].duplicated(what).any()
    assert set(zip(timings["scenario"], timings["batch_size"], strict=True)) == {
        ("single-stream", 1),
        ("offline", 4),
    }


def test_what_rows_say_of_their_part_is_about_that_part(ran: Any) -> None:
    _, timings = ran
    encoders = timings[(timings["unit"] == "encoder") & (timings["name"] == "clocked")]
    assert set(encoders["modalities"]) == {"a"}
    assert set(encoders["params"]) == {f'{{"encoder.a": {{"tag": {i}}}}}' for i in (0, 1)}
    assert (encoders["cell"] == "").all()
    heads = timings[(timings["unit"] == "classifier") & (timings["modalities"] == "a+b")]
    assert set(heads["name"]) == {"concat logistic-regression"}
    assert set(heads["encoders"]) == {"clocked+identity"}
    assert set(timings.loc[timings["unit"] == "decision", "name"]) == {
        "mean-probability",
        "stacking",
    }


def test_cells_carry_the_first_scenario_composed(ran: Any) -> None:
    cells, timings = ran
    assert set(cells["status"]) == {"ok"}
    assert set(cells["timing"]) == {"composed"}
    composed = timings[(timings["unit"] == "composed") & (timings["scenario"] == "single-stream")]
    by_cell = composed.set_index("cell")
    for _, group in cells.groupby(KEYS):
        assert len(group) == 2  # folds: they share the first one's figures
        figures = by_cell.loc[group["cell"].iloc[0]]
        for column in ("latency_ms_p50", "throughput", "batch_size", "precision", "device"):
            assert (group[column] == figures[column]).all()
        assert (group["batch_size"] == 1).all()
    offline = timings[(timings["unit"] == "composed") & (timings["scenario"] == "offline")]
    assert set(offline["cell"]) == set(composed["cell"])


def test_a_composed_mean_is_the_sum_of_its_parts(ran: Any) -> None:
    _, timings = ran
    at = timings[timings["scenario"] == "offline"].copy()
    at["tag"] = [json.loads(p or "{}").get("encoder.a", {}).get("tag") for p in at["params"]]

    def mean(unit: str, name: str, modalities: str, tag: int | None) -> float:
        rows = at[(at["unit"] == unit) & (at["name"] == name) & (at["modalities"] == modalities)]
        rows = rows[rows["tag"].isna() if tag is None else rows["tag"] == tag]
        return float(rows["latency_ms_mean"].item())

    head = "logistic-regression"
    alone = mean("encoder", "clocked", "a", 1) + mean("classifier", head, "a", 1)
    assert mean("composed", head, "a", 1) == pytest.approx(alone)
    encoders = mean("encoder", "clocked", "a", 1) + mean("encoder", "identity", "b", None)
    fused = encoders + mean("classifier", f"concat {head}", "a+b", 1)
    assert mean("composed", f"concat {head}", "a+b", 1) == pytest.approx(fused)
    heads = mean("classifier", head, "a", 1) + mean("classifier", head, "b", None)
    decided = encoders + heads + mean("decision", "stacking", "a+b", None)
    assert mean("composed", f"stacking {head}", "a+b", 1) == pytest.approx(decided)
    row = at[(at["unit"] == "composed") & (at["name"] == head) & (at["tag"] == 1)].iloc[0]
    assert row["throughput"] == pytest.approx(4 * 1e3 / row["latency_ms_mean"])
    assert row["latency_ms_mean_low"] < row["latency_ms_mean"] < row["latency_ms_mean_high"]
    assert math.isnan(row["latency_ms_p50_low"])
    assert "no intervals" in row["percentile_reason"]


def test_the_best_and_the_pareto_front_are_measured_whole(ran: Any) -> None:
    """The front, by comparing all with all: none of the others is as good and cheaper."""
    cells, timings = ran
    quality = cells.groupby(KEYS, sort=False).agg(
        cell=("cell", "first"), accuracy=("accuracy", "mean"), latency=("latency_ms_p50", "first")
    )
    points = quality[["accuracy", "latency"]].to_numpy()
    better = (points[:, None, 0] >= points[None, :, 0]) & (points[:, None, 1] <= points[None, :, 1])
    strictly = (points[:, None] != points[None, :]).any(axis=2)
    front = quality["cell"][~(better & strictly).any(axis=0)]
    whole = timings[timings["unit"] == "end-to-end"]
    assert set(whole["cell"]) == set(front)
    assert (whole.groupby("cell").size() == 2).all()
    assert len(front) < len(quality)


def test_timed_results_are_those_that_were_scored(ran: Any) -> None:
    _, timings = ran
    measured = timings[timings["unit"] != "composed"]
    assert (measured["agreement"] == 1.0).all()
    assert timings.loc[timings["unit"] == "composed", "agreement"].isna().all()


def test_raw_samples_are_kept_and_the_median_is_theirs(ran: Any, folder: Path) -> None:
    _, timings = ran
    measured = timings[timings["unit"] != "composed"]
    assert (timings.loc[timings["unit"] == "composed", "raw"] == "").all()
    files = {file.name for file in (folder / "out" / "timings").iterdir()}
    assert files == set(measured["raw"])
    assert len(files) == len(measured)
    for row in measured.to_dict("records"):
        seconds = np.load(folder / "out" / "timings" / row["raw"])
        assert seconds.dtype == np.float64
        assert len(seconds) == row["n"] == QUICK["min_repeats"]
        assert 1e3 * np.median(seconds) == pytest.approx(row["latency_ms_p50"])
        assert row["batch_size"] / seconds.mean() == pytest.approx(row["throughput"])
        low, high = row["latency_ms_p50_low"], row["latency_ms_p50_high"]
        if math.isnan(low):
            assert "depend on each other" in row["percentile_reason"]
        else:
            assert np.median(seconds) == np.clip(np.median(seconds), low / 1e3, high / 1e3)
            assert seconds.min() <= low / 999
            assert high / 1001 <= seconds.max()


def test_percentiles_that_few_calls_cannot_support_are_empty(ran: Any) -> None:
    _, timings = ran
    measured = timings[timings["unit"] != "composed"]
    assert measured[["latency_ms_p90", "latency_ms_p99"]].isna().all(axis=None)
    assert measured["percentile_reason"].str.contains("p99 needs 368 samples, not 8").all()
    composed = timings[timings["unit"] == "composed"]
    assert composed["latency_ms_p99"].isna().all()
    assert composed["latency_ms_p50"].notna().all()


def test_what_else_a_part_takes_stands_beside(ran: Any) -> None:
    _, timings = ran
    measured = timings[timings["unit"] != "composed"]
    assert (measured[["cold_load_ms", "cold_first_ms", "peak_memory_mb"]] > 0).all(axis=None)
    assert measured["overhead_us"].max() < 20  # what the task allows for a sample
    assert measured["parameters"].isna().all()
    assert all("cpu_cores" in json.loads(text) for text in measured["conditions"])


def test_each_part_is_loaded_once_for_each_of_its_timings(ran: Any, folder: Path) -> None:
    _, timings = ran
    loads = [line.split() for line in read_log(folder / "log") if line.startswith("load")]
    for tag in ("0", "1"):
        whole = timings[timings["unit"] == "end-to-end"]
        mine = whole["params"].str.contains(f'"tag": {tag}').sum()
        embedded, alone = 1, 2
        processes = [process for _, loaded, process in loads if loaded == tag]
        assert len(processes) == embedded + alone + mine
        assert len(set(processes[embedded:])) == alone + mine  # each in a process of its own


def test_nothing_is_timed_while_anything_else_is_done(ran: Any, folder: Path) -> None:
    calls = [line.split() for line in read_log(folder / "log") if line.startswith("call")]
    spans: dict[tuple[str, bool], list[float]] = {}
    for _, _, process, size, start, end in calls:
        spans.setdefault((process, int(size) <= 4), []).extend((float(start), float(end)))
    ordered = sorted((min(times), max(times), timed) for (_, timed), times in spans.items())
    assert [timed for *_, timed in ordered] == sorted(timed for *_, timed in ordered)
    timing = [(first, last) for first, last, timed in ordered if timed]
    assert len(timing) > 4
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(timing))


def test_a_second_run_times_nothing_and_gives_the_same_tables(ran: Any, folder: Path) -> None:
    cells, timings = ran
    before = read_log(folder / "log")
    raw = sorted((folder / "out" / "timings").iterdir())
    again, timings_again = run(SHARED, folder / "out")
    assert read_log(folder / "log") == before
    pd.testing.assert_frame_equal(timings_again, timings)
    pd.testing.assert_frame_equal(again, cells)
    assert sorted((folder / "out" / "timings").iterdir()) == raw


def test_a_matrix_without_timing_gives_the_same_cells(ran: Any, folder: Path) -> None:
    cells, _ = ran
    plain = {k: v for k, v in SHARED.items() if k != "timing"}
    table = mmbench.run(plain, out=folder / "plain", store=folder / "store", plugins=[PLUGIN])
    same = [column for column in comparable(table) if column not in SPEED]
    pd.testing.assert_frame_equal(table[same], cells[same])
    with pytest.raises(UserError, match="no timings lie there"):
        mmbench.read_timings(folder / "plain")


def test_only_some_cells_are_worked_on_and_the_others_keep_their_figures(
    ran: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, timings = ran
    changed = copy.deepcopy(SHARED)
    changed["timing"]["batch_sizes"] = [4, 2]
    monkeypatch.setenv("ZOO_LOG", str(folder / "only.log"))
    some, some_timings = run(changed, folder / "out", only=["modalities=b"])
    pd.testing.assert_frame_equal(some, cells)
    new = some_timings[some_timings["batch_size"] == 2]
    assert set(new["modalities"]) == {"b"}
    old = some_timings[some_timings["batch_size"] != 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, timings)
    assert read_log(folder / "only.log") == []


def test_memory_counts_what_a_part_loads_and_nothing_else(tmp_path: Path) -> None:
    encoders = {"a": {"use": "whimsical", "how": "hoards"}, "b": "identity"}
    _, timings = run(matrix({}, encoders=encoders, fusions="max-rule"), tmp_path / "out")
    rows = timings.set_index(["unit", "modalities"])["peak_memory_mb"]
    assert 150 <= rows["encoder", "a"] < 190
    assert rows["encoder", "b"] < 30
    assert rows["composed", "a+b"] == pytest.approx(
        rows["encoder", "a"]
        + rows["encoder", "b"]
        + rows["classifier", "a"]
        + rows["classifier", "b"]
        + rows["decision", "a+b"]
    )


# --- what is measured whole --------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "expected"), [("all", 4), (1, 1), (0, 0)])
def test_as_many_are_measured_whole_as_asked(asked: Any, expected: int, tmp_path: Path) -> None:
    content = matrix({"end_to_end": asked}, fusions=["concat", "max-rule"])
    cells, timings = run(content, tmp_path / "out")
    whole = timings[timings["unit"] == "end-to-end"]
    assert len(whole) == expected
    if asked == 1:
        means = cells.groupby(KEYS, sort=False).agg(
            cell=("cell", "first"), accuracy=("accuracy", "mean")
        )
        best = means.loc[means["accuracy"] == means["accuracy"].max(), "cell"]
        assert whole["cell"].item() in set(best)


FORMS = matrix(
    {"end_to_end": "all", "min_repeats": 6},
    datasets=[{"use": "pairs", "n": 90, "gaps": "some"}],
    encoders={"a": "identity", "note": "tf-idf"},
    alignments=["centred"],
    fusions=["concat", "learned-weighted-sum", "nearest", "stacking"],
    heads=["svm"],
    missing=["mean", "skip"],
)


def test_every_form_of_combination_serves_what_was_scored(tmp_path: Path) -> None:
    """Alignment, trained fusion, joint fusion, stacking, a sparse encoder, missing modalities."""
    cells, timings = run(FORMS, tmp_path / "out", jobs=2)
    assert set(cells["status"]) == {"ok"}
    assert set(timings["status"]) == {"ok"}, timings["reason"].unique()
    assert set(cells["timing"]) == {"composed"}
    measured = timings[timings["unit"] != "composed"]
    assert (measured["agreement"] == 1.0).all()
    combinations = cells.groupby(KEYS).ngroups
    assert combinations == 2 * (2 + 3 + 1)
    assert (timings["unit"] == "end-to-end").sum() == combinations
    assert (timings["unit"] == "composed").sum() == combinations
    frozen = timings[(timings["unit"] == "encoder") & (timings["name"] == "identity")]
    assert len(frozen) == 1  # whatever the policy for what is missing
    assert (timings["unit"] == "decision").sum() == 1


def test_what_no_sample_has_all_modalities_for_is_not_timed(tmp_path: Path) -> None:
    datasets = [{"use": "pairs", "gaps": "apart"}]
    content = matrix({"end_to_end": "all"}, datasets=datasets, fusions="concat", missing="mean")
    cells, timings = run(content, tmp_path / "out")
    assert set(cells["status"]) == {"ok"}
    fused = cells["modalities"] == "a+b"
    assert set(cells.loc[fused, "timing"]) == {""}
    assert set(cells.loc[~fused, "timing"]) == {"composed"}
    assert set(timings["modalities"]) == {"a", "b"}
    assert set(timings["status"]) == {"ok"}


# --- stages ------------------------------------------------------------------------------------


def test_stages_have_the_time_that_they_take(tmp_path: Path) -> None:
    """Sleeps of known length are told apart; the parts come to what the whole takes."""
    sleeps = {"preprocess": 10, "transfer": 20, "compute": 40}
    content = matrix(
        {"stages": True, "min_repeats": 6, "max_seconds": 2, "end_to_end": "all"},
        encoders={"a": {"use": "clocked", **sleeps}, "b": "identity"},
        fusions=[{"use": "drowsy", "nap": 30}],
        heads=[{"use": "napping", "nap": 15}],
    )
    _, timings = run(content, tmp_path / "out", only=["fusion=drowsy"])
    rows = timings.set_index("unit")
    encoder = timings[(timings["unit"] == "encoder") & (timings["modalities"] == "a")].iloc[0]
    told = {"preprocess": 10, "transfer": 20, "encode": 40}
    for row, expected in (
        (encoder, told),
        (rows.loc["classifier"], {"fusion": 30, "head": 15}),
        (rows.loc["end-to-end"], {**told, "fusion": 30, "head": 15}),
    ):
        for name, sleep in expected.items():
            assert sleep <= row[f"stage_{name}_ms"] < 2 * sleep, name
        others = {"decode", "standardise", "align", *told, "fusion", "head"} - set(expected)
        assert sum(row[f"stage_{name}_ms"] for name in others) < 10
        assert row["stage_sum_ms"] >= sum(expected.values())
        assert row["stage_sum_ms"] == pytest.approx(row["stage_whole_ms"], rel=0.3)
    composed, whole = rows.loc["composed"], rows.loc["end-to-end"]
    assert composed["latency_ms_p50"] == pytest.approx(whole["latency_ms_p50"], rel=0.3)


# --- what goes wrong ---------------------------------------------------------------------------


def test_out_of_memory_is_a_status_of_that_batch_size_alone(tmp_path: Path) -> None:
    timing = {"scenarios": ["single-stream", "offline"], "batch_sizes": [4, 100, 8]}
    encoders = {"a": {"use": "whimsical", "how": "large batches"}}
    cells, timings = run(matrix(timing, encoders=encoders), tmp_path / "out")
    assert set(cells["status"]) == {"ok"}
    assert set(cells["timing"]) == {"composed"}
    for unit in ("encoder", "composed", "end-to-end"):
        rows = timings[timings["unit"] == unit].set_index("batch_size")
        assert rows["status"].to_dict() == {1: "ok", 4: "ok", 100: "oom", 8: "ok"}, unit
        assert "MemoryError: no room for 100" in rows["reason"][100]
        assert math.isnan(rows["latency_ms_mean"][100])
    classifier = timings[timings["unit"] == "classifier"]
    assert set(classifier["status"]) == {"ok"}


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("alone", "failed", "ValueError: one item is too few"),
        ("dies alone", "crashed", "its process ended with exit status 7"),
    ],
)
def test_a_part_that_fails_fails_its_rows_and_no_cell(
    how: str, status: str, reason: str, tmp_path: Path
) -> None:
    encoders = {"a": {"use": "whimsical", "how": how}, "b": "identity"}
    cells, timings = run(matrix(BOTH, encoders=encoders), tmp_path / "out")
    assert set(cells["status"]) == {"ok"}
    for modality, expected in (("a", status), ("b", "composed")):
        mine = cells[cells["modalities"] == modality]
        assert set(mine["timing"]) == {expected}
        assert mine["latency_ms_p50"].isna().all() == (modality == "a")
    encoder = timings[(timings["unit"] == "encoder") & (timings["modalities"] == "a")]
    found = dict(zip(encoder["scenario"], encoder["status"], strict=True))
    assert found == {"single-stream": status, "offline": "ok"}
    failed = timings[timings["status"] == status]
    assert set(failed["unit"]) >= {"encoder", "composed"}
    assert failed["reason"].str.contains(reason).all()
    logs = "".join(file.read_text() for file in (tmp_path / "out" / "logs").glob("time-*.log"))
    assert ("one item is too few" in logs) == (how == "alone")


def test_a_part_that_gives_other_results_than_scored_fails(tmp_path: Path) -> None:
    encoders = {"a": {"use": "whimsical", "how": "by process"}}
    cells, timings = run(matrix({}, encoders=encoders), tmp_path / "out")
    assert set(cells["status"]) == {"ok"}
    encoder = timings[timings["unit"] == "encoder"]
    assert encoder["status"].item() == "failed"
    assert encoder["reason"].item().endswith("only 0.0% of the timed results are those scored")
    assert set(cells["timing"]) == {"failed"}
    assert timings.loc[timings["unit"] == "classifier", "status"].item() == "ok"


def test_failed_timings_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CURE", str(tmp_path / "cure"))
    (tmp_path / "cure").touch()
    content = matrix({}, encoders={"a": "flaky"})
    zoo = [str(Path(__file__).parent / "zoo.py"), PLUGIN]
    plain = {k: v for k, v in content.items() if k != "timing"}
    run_options = {"store": tmp_path / "store", "out": tmp_path / "out", "plugins": zoo}
    mmbench.run(plain, **run_options)
    (tmp_path / "cure").unlink()
    failed = mmbench.run(content, **run_options)
    assert set(failed["timing"]) == {"failed"}
    (tmp_path / "cure").touch()
    assert set(mmbench.run(content, **run_options)["timing"]) == {"composed"}


class Impatient(Observer):
    """Interrupts the third timing."""

    def timing(self, run: Any, what: str, done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_keeps_what_was_timed(tmp_path: Path) -> None:
    content = matrix({}, fusions=["concat"])
    with pytest.raises(InterruptedRunError, match="6 of 6 cells are done"):
        run(content, tmp_path / "out", observer=Impatient())
    timings = mmbench.read_timings(tmp_path / "out")
    assert set(timings["unit"]) == {"encoder", "classifier", "composed"}
    cells = mmbench.read_results(tmp_path / "out")
    assert set(cells["status"]) == {"ok"}
    assert (cells["timing"] == "composed").sum() == 2
    whole, all_timings = run(content, tmp_path / "out")
    assert set(whole["timing"]) == {"composed"}
    kept = all_timings[all_timings["raw"].isin(timings["raw"]) & (all_timings["raw"] != "")]
    assert kept["started"].tolist() == timings.loc[timings["raw"] != "", "started"].tolist()


def test_damaged_timings_are_made_anew(tmp_path: Path) -> None:
    content = matrix({})
    content["encoders"] = {"a": "identity"}
    _, timings = run(content, tmp_path / "out")
    key = timings.loc[timings["unit"] == "encoder", "raw"].item().removesuffix(".npy")
    (file,) = (tmp_path / "store").rglob(f"{key}*/seconds.npy")
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    _, again = run(content, tmp_path / "out")
    assert set(again["status"]) == {"ok"}
    other = timings["latency_ms_mean"] != again["latency_ms_mean"]
    assert set(timings.loc[other, "unit"]) == {"encoder", "composed"}


def test_threads_and_devices_are_part_of_what_is_timed(tmp_path: Path) -> None:
    content = matrix({}, encoders={"a": "identity"})
    _, one = run(content, tmp_path / "out")
    _, two = run({**content, "threads": 2}, tmp_path / "out")
    assert not set(one["raw"]) & set(two["raw"]) - {""}


# --- precision and compiling -------------------------------------------------------------------


def test_lower_precision_is_a_row_of_its_own_where_there_is_a_network(tmp_path: Path) -> None:
    content = matrix(
        {"precisions": ["fp32", "bf16"], "min_repeats": 6, "end_to_end": "all"},
        encoders={"a": "linear", "note": "tf-idf"},
        fusions=["concat"],
    )
    chosen = {"only": ["fold=0", "fusion=concat"]}
    cells, timings = run(content, tmp_path / "out", **chosen)
    assert set(cells["precision"]) == {"fp32"}
    rows = timings.set_index(["precision", "unit", "modalities"]).sort_index()
    fp32, bf16 = rows.loc["fp32"], rows.loc["bf16"]
    assert set(fp32["status"]) == {"ok"}
    assert bf16["status"].to_dict() == {
        ("encoder", "a"): "ok",
        ("encoder", "note"): "skipped",
        ("classifier", "a+note"): "skipped",
        ("composed", "a+note"): "ok",
        ("end-to-end", "a+note"): "ok",
    }
    left_out = bf16[bf16["status"] == "skipped"]
    assert set(left_out["reason"]) == {"bf16: there is no torch network in it"}
    network = bf16.loc[("encoder", "a")]
    assert network["parameters"] == fp32.loc[("encoder", "a"), "parameters"] > 0
    assert network["flops_per_sample"] == fp32.loc[("encoder", "a"), "flops_per_sample"] > 0
    mixed = bf16.loc[("composed", "a+note"), "latency_ms_mean"]
    rest = fp32.loc[[("encoder", "note"), ("classifier", "a+note")], "latency_ms_mean"].sum()
    assert mixed == pytest.approx(network["latency_ms_mean"] + rest)
    _, again = run(content, tmp_path / "out", **chosen)
    pd.testing.assert_frame_equal(again, timings)


def test_a_precision_alone_times_what_has_no_network_as_it_is(tmp_path: Path) -> None:
    content = matrix({"precisions": "bf16"}, encoders={"a": "linear"})
    cells, timings = run(content, tmp_path / "out")
    assert set(cells["precision"]) == {"bf16"}
    assert set(cells["timing"]) == {"composed"}
    status = timings.set_index("unit")["status"].to_dict()
    assert status == {
        "encoder": "ok",
        "classifier": "skipped",
        "composed": "ok",
        "end-to-end": "ok",
    }


@pytest.mark.gpu
def test_a_gpu_is_timed_beside_the_processor(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    timing = {"devices": ["cpu", "cuda"], "precisions": ["fp32", "bf16"], "end_to_end": "all"}
    encoders = {"image": {"use": "timm", "model": "test_vit", "pretrained": False}}
    content = matrix(timing, datasets=[{"use": "digits"}], encoders=encoders)
    _, timings = run(content, tmp_path / "out", limit=60, device="cpu")
    rows = timings[timings["status"] == "ok"].set_index(["device", "precision", "unit"])
    assert rows.loc[("cpu", "fp32", "encoder"), "peak_gpu_memory_mb"].isna().all()
    for precision in ("fp32", "bf16"):
        for unit in ("encoder", "end-to-end"):
            row = rows.loc[("cuda", precision, unit)].iloc[0]
            assert row["peak_gpu_reserved_mb"] >= row["peak_gpu_memory_mb"] > 0
            assert row["agreement"] > 0.9


# --- a server ----------------------------------------------------------------------------------


def test_a_server_at_a_given_rate(tmp_path: Path) -> None:
    timing = {"scenarios": "server", "server_rate": 40, "min_repeats": 40, "end_to_end": 1}
    cells, timings = run(
        matrix(timing, encoders={"a": {"use": "clocked", "compute": 2}}), tmp_path / "out"
    )
    rows = timings.set_index("unit")
    assert rows.loc["encoder", "scenario"] == "single-stream"  # queues form before a whole
    for unit in ("composed", "end-to-end"):
        row = rows.loc[unit]
        assert (row["scenario"], row["rate"], row["n"]) == ("server", 40, 40)
        assert row["latency_ms_p50"] > 2
        assert 0.08 < row["load"] < 1
        assert math.isnan(row["p99_bound_ms"])
    seconds = np.load(tmp_path / "out" / "timings" / rows.loc["end-to-end", "raw"])
    assert len(seconds) == 40
    assert (cells["latency_ms_p50"] == rows.loc["composed", "latency_ms_p50"]).all()


def test_the_highest_rate_that_keeps_the_bound_is_searched(tmp_path: Path) -> None:
    bounds = {"p99_bound_ms": 60, "min_repeats": 10, "max_seconds": 4}
    timing = {"scenarios": "server", "end_to_end": 1, **bounds}
    encoders = {"a": {"use": "clocked", "compute": 2}}
    _, timings = run(matrix(timing, encoders=encoders), tmp_path / "out")
    rows = timings.set_index("unit")
    for unit in ("composed", "end-to-end"):
        row = rows.loc[unit]
        assert row["status"] == "ok"
        assert row["p99_bound_ms"] == 60
        if unit == "composed" or not math.isnan(row["rate"]):
            assert 0 < row["rate"] < 500  # each query takes 2 ms or more
            assert row["latency_ms_p99"] <= 60
            assert row["load"] < 1
        else:
            assert row["reason"]


def test_a_composed_server_queues_as_theory_says() -> None:
    """Constant parts make M/D/1: the mean latency is that of Pollaczek and Khinchine."""
    settings = Settings("server", min_repeats=100_000, min_seconds=0, max_seconds=1e9)
    parts = [0.003, 0.005]
    rows = [{"status": "ok", "started": "", "batch_size": 1} for _ in parts]
    raws = [np.full(20, seconds) for seconds in parts]
    service = sum(parts)
    for load in (0.3, 0.7):
        asked = Settings(**{**settings.to_dict(), "server_rate": load / service})
        row = compose(rows, raws, asked)
        expected = service * (1 + load / (2 * (1 - load)))
        assert row["latency_ms_mean"] == pytest.approx(1e3 * expected, rel=0.05)
        assert row["load"] == pytest.approx(load, rel=0.02)


# --- mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "message"),
    [
        ({"scenarois": "offline"}, "unknown key 'timing.scenarois'; did you mean 'scenarios'?"),
        ({"scenarios": "offlin"}, r"timing.scenarios\[0\] = 'offlin': .*'single-stream'"),
        ({"scenarios": []}, r"timing.scenarios = \[\]: "),
        ({"batch_sizes": [8, 0]}, r"timing.batch_sizes\[1\] = 0: .*greater than or equal to 1"),
        ({"devices": ["gpu"]}, r"timing.devices\[0\] = 'gpu': .*'cpu' or 'cuda'"),
        ({"precisions": "fp8"}, r"timing.precisions\[0\] = 'fp8': .*'bf16'"),
        ({"compile": "yes"}, r"timing.compile\[0\] = 'yes': .*'torch.compile'"),
        ({"min_repeats": 0}, "timing.min_repeats = 0: "),
        ({"min_seconds": 20}, r"timing = .* min_seconds is more than max_seconds \(10\)"),
        ({"server_rate": "fast"}, "timing.server_rate = 'fast': .*'search'; or .*number"),
        ({"server_rate": 0.01}, "timing = .* at server_rate, no query is due within max_seconds"),
        ({"end_to_end": "some"}, "timing.end_to_end = 'some': .*'best' or 'all'; or .*integer"),
        ({"heads": "svm"}, r"heads stands under \[timing\]; move it above the first \[table\]"),
    ],
)
def test_mistakes_in_the_table_are_one_line(timing: dict[str, Any], message: str) -> None:
    content = matrix({})
    content["timing"] = timing
    with pytest.raises(UserError, match=f"^matrix: {message}") as caught:
        mmbench.plan(content, plugins=[PLUGIN])
    assert "\n" not in str(caught.value)


def test_a_gpu_that_is_not_there_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"^matrix: timing.devices: the driver lists no NVIDIA"):
        mmbench.plan(matrix({"devices": ["cpu", "cuda"]}), plugins=[PLUGIN])
