"""The table of cells, its summary, its costs and its report, where not all goes well."""

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn import metrics
from sklearn.datasets import load_wine

import mmbench

PLANTED = str(Path(__file__).parent / "planted.py")
NAME = "wine | <b>red"
ACID = "acid|<i>"
"""Names that could break a table or be taken for markup."""

TEXT = {
    "cell", "dataset", "modalities", "encoders", "alignment", "fusion", "level", "head", "params",
    "finetune", "missing", "corruption", "train_size", "status", "reason", "device", "precision",
    "mmbench_version", "started",
}  # fmt: skip
INTEGER = {
    "seed", "fold", "n_train", "n_test", "n_classes", "batch_size", "parameters", "rank",
    "rank_group",
}  # fmt: skip
CELLS = """cell, dataset, modalities, encoders, {encoders}, alignment, fusion, level, head, params,
    finetune, missing, corruption, train_size, seed, fold, status, reason, n_train, n_test,
    n_classes, accuracy, balanced_accuracy, f1_macro, f1_weighted, f1_micro, precision_macro,
    recall_macro, roc_auc, log_loss, ece, embed_s, fit_s, predict_s, cost_s_shared,
    latency_ms_p50, latency_ms_p90, latency_ms_p99, throughput, batch_size, device, precision,
    peak_memory_mb, peak_gpu_memory_mb, energy_j_per_sample, parameters, mmbench_version, started"""
METRICS = [
    "accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "f1_micro", "precision_macro",
    "recall_macro", "roc_auc", "log_loss", "ece",
]  # fmt: skip
COSTS = ["embed_s", "fit_s", "predict_s", "cost_s_shared"]

Block = Callable[..., dict]


def wine() -> pd.DataFrame:
    data = load_wine()
    names = [f"{m}.{i}" for m, n in ((ACID, 4), ("phenol", 5), ("colour", 4)) for i in range(n)]
    table = pd.DataFrame(data.data, columns=names)
    return table.assign(label=data.target)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a matrix where an encoder always fails, a head in one fold, and some is left out."""
    place = tmp_path_factory.mktemp("results")
    wine().to_csv(place / "wine.csv", index=False)
    matrix = {
        "name": NAME,
        "seeds": [0, 1],
        "datasets": [
            {
                "use": "manifest", "name": NAME, "path": str(place / "wine.csv"), "label": "label",
                "modalities": {
                    m: {"columns": f"{m}.*", "kind": "vector"} for m in (ACID, "phenol", "colour")
                },
            }
        ],
        "encoders": {"vector": "identity", "colour": ["identity", "picky"]},
        "fusions": ["concat", "mean-probability", "vote"],
        "heads": ["logistic-regression", {"use": "brittle", "fails_at": 118}],
        "metrics": ["top-two", {"use": "ece", "bins": 5}, "errors"],
        "subsets": [[ACID, "phenol"], ["phenol", "colour"]],
        "split": {"folds": 3},
        "exclude": [{"fusion": "vote", "head": "brittle"}],
    }  # fmt: skip
    mmbench.run(matrix, out=place / "run", store=place / "store", jobs=1, plugins=[PLANTED])
    return place / "run"


def stored(folder: Path, cell: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Return true labels, probabilities and the whole table of a cell's predictions."""
    table = pd.read_parquet(folder / "predictions" / f"{cell}.parquet")
    scores = table[[c for c in table if c.startswith("p_")]]
    names = [c[2:] for c in scores]
    return np.array([names.index(t) for t in table["truth"]]), scores.to_numpy(), table


def by_hand(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    predicted, n_classes = scores.argmax(axis=1), scores.shape[1]
    wrong = float((predicted != truth).sum())
    averaged = {"average": "macro", "zero_division": 0}
    values = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
        "f1_macro": metrics.f1_score(truth, predicted, **averaged),
        "f1_weighted": metrics.f1_score(truth, predicted, average="weighted", zero_division=0),
        "f1_micro": metrics.f1_score(truth, predicted, average="micro"),
        "precision_macro": metrics.precision_score(truth, predicted, **averaged),
        "recall_macro": metrics.recall_score(truth, predicted, **averaged),
        "log_loss": metrics.log_loss(truth, scores, labels=range(n_classes)),
        "roc_auc": math.nan,
        "top-two": np.mean(
            [t in np.argsort(-p, kind="stable")[:2] for t, p in zip(truth, scores, strict=True)]
        ),
        "errors": wrong if wrong >= 3 else math.nan,
    }
    if len(set(truth)) == n_classes:
        values["roc_auc"] = metrics.roc_auc_score(truth, scores, multi_class="ovr")
    confidence = scores.max(axis=1)
    bins = np.ceil(confidence * 5)
    values["ece"] = sum(
        abs((predicted == truth)[bins == b].sum() - confidence[bins == b].sum()) for b in set(bins)
    ) / len(truth)
    return values


# --- the table ---------------------------------------------------------------------------------


def test_columns_stand_as_in_the_contract(folder: Path) -> None:
    encoders = ", ".join(f"encoder_{m}" for m in (ACID, "phenol", "colour"))
    expected = [name.strip() for name in CELLS.format(encoders=encoders).split(",")]
    expected += ["top-two", "errors"]
    expected += [f"{name}_{end}" for name in (*METRICS, *expected[-2:]) for end in ("low", "high")]
    expected += ["rank", "rank_group", "gain", "gain_low", "gain_high"]
    header = (folder / "cells.csv").read_text().splitlines()[0]
    assert header.split(",") == expected
    schema = pq.read_schema(folder / "cells.parquet")
    assert schema.names == expected
    for field in schema:
        if field.name in TEXT or field.name.startswith("encoder_"):
            assert str(field.type) in ("string", "large_string"), field
        else:
            assert str(field.type) == ("int64" if field.name in INTEGER else "double"), field
    assert set(mmbench.TIMING_COLUMNS) < set(expected)
    assert set(COSTS) < set(mmbench.TIMING_COLUMNS)
    assert not {"cell", "status", "accuracy", "n_test"} & set(mmbench.TIMING_COLUMNS)


def test_csv_holds_the_same_as_parquet(folder: Path) -> None:
    table = pd.read_parquet(folder / "cells.parquet")
    texts = pd.read_csv(folder / "cells.csv", dtype=str, keep_default_na=False)
    assert len(texts) == len(table)
    for name in table:
        for text, value in zip(texts[name], table[name], strict=True):
            if name in TEXT or name.startswith("encoder_"):
                assert text == value
            elif pd.isna(value):
                assert text == ""
            elif name in INTEGER:
                assert text == str(value)
            else:
                assert text == repr(float(value))  # the shortest that reads back as the same


def test_axes_of_the_cells(folder: Path) -> None:
    table = mmbench.read_results(folder)
    assert table["cell"].is_unique
    pairs = [f"{ACID}+phenol", "phenol+colour"]
    assert set(table["modalities"]) == {ACID, "phenol", "colour", *pairs}
    # 2 seeds × 3 folds × 2 heads × (4 encoders alone + 3 fusions × 3 pairs of encoders)
    assert len(table) == 2 * 3 * 2 * (4 + 3 * (1 + 2))
    assert set(table["dataset"]) == {NAME}
    alone = table["fusion"] == "none"
    assert (table["level"] == table["fusion"].map(
        {"none": "none", "concat": "feature", "mean-probability": "decision", "vote": "decision"}
    )).all()  # fmt: skip
    for _, row in table.iterrows():
        names = [row[f"encoder_{m}"] for m in row["modalities"].split("+")]
        assert row["encoders"] == "+".join(names)
        others = {ACID, "phenol", "colour"} - set(row["modalities"].split("+"))
        assert all(row[f"encoder_{m}"] == "" for m in others)
        head = {"fails_at": 118} if row["head"] == "brittle" else None
        assert json.loads(row["params"]) == ({"head": head} if head else {})
    assert alone.sum() == 2 * 3 * 2 * 4
    assert (table["alignment"] == "none").all()
    for name in ("finetune", "missing", "corruption", "train_size"):
        assert (table[name] == "").all()
    counted = table[table["status"] != "skipped"]
    assert (counted["n_train"] + counted["n_test"] == 178).all()
    assert (counted["n_classes"] == 3).all()
    assert table["started"].map(pd.Timestamp).notna().all()


def test_status_and_reason(folder: Path) -> None:
    table = mmbench.read_results(folder)
    left_out = (table["fusion"] == "vote") & (table["head"] == "brittle")
    picky = (table["encoder_colour"] == "picky") & ~left_out
    brittle = (table["head"] == "brittle") & (table["n_train"] == 118) & ~left_out
    fine = ~left_out & ~picky & ~brittle
    assert min(left_out.sum(), picky.sum(), brittle.sum(), fine.sum()) > 0
    assert (table.loc[left_out, "status"] == "skipped").all()
    assert table.loc[left_out, "reason"].str.contains("exclude").all()
    assert (table.loc[picky | brittle, "status"] == "failed").all()
    for cells, reason in (
        (picky & ~brittle, "cannot read | <b>this</b>"),
        (brittle & ~picky, "118 samples | <i>"),
    ):
        assert table.loc[cells, "reason"].str.contains(reason, regex=False).all()
    assert (table.loc[fine, "status"] == "ok").all()
    assert (table.loc[fine, "reason"] == "").all()
    assert table.loc[~fine, METRICS + COSTS].isna().all(axis=None)
    assert table.loc[fine, METRICS + COSTS].notna().all(axis=None)
    kept = {file.stem for file in (folder / "predictions").iterdir()}
    assert kept == set(table.loc[fine, "cell"])


def test_of_several_failures_the_first_in_the_plan_is_told(manifest: Block) -> None:
    """Not the first in time, so that the table is the same for any number of processes."""
    frame = wine().rename(columns=lambda name: name.replace(ACID, "acid"))
    matrix = {
        "name": "failures",
        "datasets": [manifest(frame)],
        "encoders": {"acid": {"use": "picky", "seconds": 0.7}, "phenol": "picky"},
        "fusions": ["concat", "mean-probability"],
        "heads": "logistic-regression",
        "split": {"folds": 2},
    }
    table = mmbench.run(matrix, out="run", jobs=2, plugins=[PLANTED])
    assert (table["status"] == "failed").all()
    told = np.where(table["modalities"] == "phenol", "data.phenol", "data.acid")
    assert [t in reason for t, reason in zip(told, table["reason"], strict=True)] == [True] * 8


def test_metrics_equal_scikit_learn_on_the_stored_predictions(folder: Path) -> None:
    table = mmbench.read_results(folder)
    done = table[table["status"] == "ok"]
    for _, row in done.iterrows():
        truth, scores, predictions = stored(folder, row["cell"])
        assert len(truth) == row["n_test"]
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=0, atol=1e-9)
        assert predictions["id"].is_unique
        names = np.array(["0", "1", "2"])
        assert (predictions["predicted"] == names[scores.argmax(axis=1)]).all()
        for name, value in by_hand(truth, scores).items():
            assert row[name] == pytest.approx(value, abs=1e-9, nan_ok=True), name
    assert done["errors"].isna().any()  # does not apply: empty, not invented


def test_predictions_of_all_folds_cover_the_samples(folder: Path) -> None:
    table = mmbench.read_results(folder)
    chosen = table[(table["head"] == "logistic-regression") & (table["status"] == "ok")]
    truths = {}
    for _, cells in chosen.groupby(["modalities", "encoders", "fusion", "seed"]):
        parts = pd.concat([stored(folder, cell)[2] for cell in cells["cell"]])
        assert sorted(parts["id"].astype(int)) == list(range(178))
        truths |= dict(zip(parts["id"], parts["truth"], strict=True))
    assert [truths[str(i)] for i in range(178)] == [str(t) for t in load_wine().target]


# --- its summary -------------------------------------------------------------------------------


def test_read_results_reads_folder_or_file(folder: Path, tmp_path: Path) -> None:
    table = mmbench.read_results(folder)
    assert table.attrs["folder"] == str(folder)
    pd.testing.assert_frame_equal(table, mmbench.read_results(folder / "cells.parquet"))
    with pytest.raises(Exception, match="no run lies there") as caught:
        mmbench.read_results(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_table_names_no_plugin_to_be_loaded(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "harm.py").write_text("raise SystemExit('it was loaded')")
    table = pd.read_parquet(folder / "cells.parquet")
    table.attrs = {"plugins": [str(tmp_path / "harm.py")], "folder": "/nowhere"}
    table.to_parquet(tmp_path / "cells.parquet")

    assert mmbench.read_results(tmp_path).attrs == {"folder": str(tmp_path)}


def test_summary(folder: Path) -> None:
    """Means and spreads are over cells; pooled figures over the folds of a seed together."""
    table = mmbench.read_results(folder)
    summary = mmbench.summarise(table)
    axes = ["modalities", "encoders", "fusion", "head"]
    expected = table[table["status"] != "skipped"].drop_duplicates(axes)
    assert summary[axes].to_numpy().tolist() == expected[axes].to_numpy().tolist()

    partial = 0
    for _, row in summary.iterrows():
        cells = table[(table[axes] == row[axes]).all(axis=1)]
        done = cells[cells["status"] == "ok"]
        assert row["n"] == len(done)
        assert row["coverage"] == len(done) / 6
        assert row["n_test"] == done["n_test"].sum()
        partial += 0 < len(done) < 6
        if done.empty:
            assert row[[*METRICS, "accuracy_std", "accuracy_pooled", "fit_s"]].isna().all()
            continue
        pooled = []
        for _, parts in done.groupby("seed"):
            truths, scores, _ = zip(*(stored(folder, cell) for cell in parts["cell"]), strict=True)
            pooled.append(by_hand(np.concatenate(truths), np.concatenate(scores)))
        for name in METRICS:
            values = done[name].to_numpy()
            assert row[name] == pytest.approx(values.mean(), abs=1e-12)
            assert row[f"{name}_std"] == pytest.approx(values.std(ddof=1), abs=1e-12)
            together = np.mean([each[name] for each in pooled])
            assert row[f"{name}_pooled"] == pytest.approx(together, abs=1e-9)
        for name in COSTS[:3]:
            assert row[name] == pytest.approx(done[name].mean())
        assert row["top-two"] == pytest.approx(done["top-two"].mean())
    assert partial > 0
    assert (summary["coverage"] == 0).any()


def test_pooled_figures_are_computed_once_for_their_predictions(
    folder: Path, tmp_path: Path
) -> None:
    """Those known are read, not computed; where predictions differ they are computed anew."""
    copy = shutil.copytree(folder, tmp_path / "run")
    table = mmbench.read_results(copy)
    before = mmbench.summarise(table)
    known = json.loads((copy / "pooled.json").read_text())
    marked = {key: {**figures, "accuracy": 0.123} for key, figures in known.items()}
    (copy / "pooled.json").write_text(json.dumps(marked))
    row = next(row for _, row in before.iterrows() if row["coverage"] == 1)
    axes = ["modalities", "encoders", "fusion", "head"]
    cells = table[(table[axes] == row[axes]).all(axis=1)]
    file = copy / "predictions" / f"{cells['cell'].iloc[0]}.parquet"
    predictions = pd.read_parquet(file)
    predictions["truth"] = predictions["truth"].replace({"0": "1"})
    predictions.to_parquet(file)

    after = mmbench.summarise(table)
    pooled = []
    for _, parts in cells.groupby("seed"):
        truths, scores, _ = zip(*(stored(copy, cell) for cell in parts["cell"]), strict=True)
        pooled.append(by_hand(np.concatenate(truths), np.concatenate(scores))["accuracy"])
    pooled[1] = 0.123  # that seed's are as they were
    assert after.loc[row.name, "accuracy_pooled"] == pytest.approx(np.mean(pooled), abs=1e-12)
    others = after[after["coverage"] > 0].drop(row.name)["accuracy_pooled"]
    assert others.tolist() == pytest.approx([0.123] * len(others))
    assert len(others) > 3


def test_auc_is_empty_without_all_classes_and_is_pooled(manifest: Block) -> None:
    frame = wine().rename(columns=lambda name: name.replace(ACID, "acid"))
    rng = np.random.default_rng(0)
    vectors = [c for c in frame if "." in c]
    noise = rng.standard_normal((len(frame), len(vectors)))
    frame[vectors] += 2 * frame[vectors].std().to_numpy() * noise
    frame["turn"] = np.where(frame["label"] == 2, np.arange(len(frame)) % 2, np.arange(178) % 3)
    matrix = {
        "name": "auc",
        "datasets": [manifest(frame, fold="turn")],
        "encoders": {"vector": "identity"},
        "fusions": "concat",
        "heads": "logistic-regression",
    }
    mmbench.run(matrix, out="run", jobs=1)
    table = mmbench.read_results("run")
    assert (table["status"] == "ok").all()
    lacking = table["fold"] == 2
    assert table.loc[lacking, "roc_auc"].isna().all()
    assert table.loc[~lacking, "roc_auc"].notna().all()
    assert table.loc[lacking, ["accuracy", "balanced_accuracy", "log_loss"]].notna().all(axis=None)
    texts = pd.read_csv("run/cells.csv", dtype=str, keep_default_na=False)
    assert (texts.loc[lacking, "roc_auc"] == "").all()

    for _, row in mmbench.summarise(table).iterrows():
        cells = table[
            (table["modalities"] == row["modalities"]) & (table["fusion"] == row["fusion"])
        ]
        parts = [stored(Path("run"), cell) for cell in cells["cell"]]
        truth = np.concatenate([part[0] for part in parts])
        scores = np.concatenate([part[1] for part in parts])
        expected = metrics.roc_auc_score(truth, scores, multi_class="ovr")
        assert 0.5 < expected < 1
        assert row["roc_auc_pooled"] == pytest.approx(expected, abs=1e-12)
        assert row["roc_auc"] == pytest.approx(cells["roc_auc"].mean(), abs=1e-12)


# --- what it cost ------------------------------------------------------------------------------


def test_costs_add_up_to_the_jobs(manifest: Block) -> None:
    """A cell's own cost is that of all its jobs; the shares add up to what was spent."""
    frame = wine().rename(columns=lambda name: name.replace(ACID, "acid"))
    matrix = {
        "name": "costs",
        "datasets": [manifest(frame)],
        "encoders": {"vector": "identity", "acid": "discriminant"},
        "fusions": ["concat", "f-weighted", "vote", "stacking"],
        "heads": ["logistic-regression", {"use": "random-forest", "n_estimators": 5}],
        "split": {"folds": 2},
    }
    table = mmbench.run(matrix, out="run", store="store", jobs=1, plugins=[PLANTED])
    assert (table["status"] == "ok").all()
    assert (table[COSTS] >= 0).all(axis=None)
    assert (table[["embed_s", "fit_s", "predict_s"]] > 0).all(axis=None)

    spent = {}
    for file in Path("store").rglob("meta.json"):
        meta = json.loads(file.read_text())
        if "seconds" in meta:
            spent[file.parent.name] = meta["seconds"]
    plan = mmbench.plan(matrix, plugins=[PLANTED])
    assert set(spent) == set(plan.graph.jobs)
    total = sum(sum(seconds.values()) for seconds in spent.values())
    assert table["cost_s_shared"].sum() == pytest.approx(total, rel=1e-9)

    for _, row in table.iterrows():
        needed, stack = set(), [plan.wanted[row["cell"]].final, *plan.wanted[row["cell"]].scores]
        while stack:
            key = stack.pop()
            if key not in needed:
                needed.add(key)
                stack.extend(plan.graph.jobs[key].inputs)
        for phase in ("embed", "fit", "predict"):
            own = sum(spent[key].get(phase, 0.0) for key in needed)
            assert row[f"{phase}_s"] == pytest.approx(own, rel=1e-9)
        assert row["cost_s_shared"] < row[["embed_s", "fit_s", "predict_s"]].sum()

    again = mmbench.run(matrix, out="again", store="store", jobs=1, plugins=[PLANTED])
    for name in COSTS:  # as first measured
        np.testing.assert_allclose(again[name], table[name], rtol=1e-9)


# --- its report --------------------------------------------------------------------------------


def plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def test_report_names_the_best_and_the_reasons(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    table = mmbench.read_results(folder)
    summary = mmbench.summarise(table)
    whole = summary[summary["coverage"] == 1]
    best = whole.loc[whole["accuracy"].idxmax()]
    told = next(line for line in text.splitlines() if line.startswith("Best"))
    assert best["fusion"] in told
    assert best["head"] in told
    assert f"{best['accuracy']:.3f}" in told
    assert all(modality in plain(told) for modality in best["modalities"].split("+"))

    counts = table["status"].value_counts()
    for status in ("ok", "failed", "skipped"):
        assert f"{counts[status]} {status}" in text
    _, failed, left_out = re.split(r"^## (?:Failed|Left out)$", text, flags=re.MULTILINE)
    assert "cannot read | <b>this</b> *item*" in plain(failed)
    assert "118 samples | <i>are wrong</i>" in plain(failed)
    assert "exclude[0]" in plain(left_out)
    assert str(counts["skipped"]) in left_out


def test_report_escapes_names(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    assert plain(text).startswith(f"# {NAME}\n")
    assert not re.search(r"(?<!\\)[<>]", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert len(widths) == 1
    summary = mmbench.summarise(mmbench.read_results(folder))
    assert len(rows) == len(summary) + 2
    assert sum(ACID in plain(row) for row in rows) == summary["modalities"].str.contains(
        ACID, regex=False
    ).sum()  # fmt: skip
