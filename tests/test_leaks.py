"""Nothing that is fitted sees what it will be tested on: planted leaks and canaries."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mmbench

pytestmark = pytest.mark.usefixtures("one_thread")

PLANTED = str(Path(__file__).parent / "planted.py")
N_CLASSES = 3

Block = Callable[..., dict]


def noise(n: int = 150) -> pd.DataFrame:
    """Two modalities and labels that have nothing to do with each other.

    The first value of each vector is the sample's number.
    """
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": rng.permutation(np.arange(n) % N_CLASSES)})
    for modality in ("left", "right"):
        table[f"{modality}.0"] = np.arange(n)
        for i in (1, 2, 3):
            table[f"{modality}.{i}"] = rng.standard_normal(n)
    return table


def run(block: dict, out: str = "run", **matrix: object) -> pd.DataFrame:
    content = {"name": "leaks", "datasets": [block], **matrix}
    table = mmbench.run(content, out=out, store=f"{out}-store", jobs=1, plugins=[PLANTED])
    assert set(table["status"]) <= {"ok", "skipped"}, table["reason"].tolist()
    return table[table["status"] == "ok"]


def predictions(row: pd.Series, out: str = "run") -> pd.DataFrame:
    return pd.read_parquet(Path(out) / "predictions" / f"{row['cell']}.parquet")


def probabilities(row: pd.Series, out: str = "run") -> np.ndarray:
    stored = predictions(row, out)
    return stored[[c for c in stored if c.startswith("p_")]].to_numpy()


def pooled(cells: pd.DataFrame, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth and the probabilities of all folds together."""
    rows = [row for _, row in cells.iterrows()]
    truth = np.concatenate([labels[predictions(row)["id"].astype(int)] for row in rows])
    return truth, np.concatenate([probabilities(row) for row in rows])


def log_lines(file: str) -> list[dict]:
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def outer_folds(labels: np.ndarray, n_splits: int) -> list[tuple[np.ndarray, np.ndarray]]:
    state = mmbench.derive_seed(0, None, "split")
    splitter = StratifiedKFold(n_splits, shuffle=True, random_state=state)
    return list(splitter.split(labels, labels))


def chance(n: int, share: float = 1 / N_CLASSES) -> float:
    """Return an accuracy that guessing exceeds once in a million."""
    return float(binom.ppf(1 - 1e-6, n, share)) / n


# --- an encoder that knows the labels ----------------------------------------------------------


@pytest.mark.parametrize("head", ["logistic-regression", "svm"])
def test_planted_leak_stays_at_chance(head: str, manifest: Block) -> None:
    """An encoder that learns labels by heart gains nothing on shuffled labels, nor any trust."""
    frame = noise()
    labels = frame["label"].to_numpy()
    table = run(
        manifest(frame),
        encoders={"vector": "memory"},
        fusions=["concat", "mean-probability", "stacking"],
        heads=head,
        split={"folds": 3},
    )
    losses = {}
    for (fusion, modalities), cells in table.groupby(["fusion", "modalities"]):
        truth, scores = pooled(cells, labels)
        assert len(truth) == len(frame)
        accuracy = accuracy_score(truth, scores.argmax(axis=1))
        assert accuracy <= chance(len(truth)), (fusion, modalities)
        losses[fusion] = log_loss(truth, scores)

    # The same without refitting in the inner folds: it must be caught by the bound used below.
    rng = np.random.default_rng(1)
    leaky_truth, leaky_scores = [], []
    for train, test in outer_folds(labels, 3):
        known = np.eye(N_CLASSES)[labels[train]]
        guessed = np.eye(N_CLASSES)[rng.integers(N_CLASSES, size=len(test))]
        if head == "svm":
            model = CalibratedClassifierCV(
                SVC(break_ties=True), method="temperature", ensemble=False
            )
            model = make_pipeline(StandardScaler(), model).fit(known, labels[train])
            scores = model.predict_proba(guessed)
        else:
            single = make_pipeline(StandardScaler(), LogisticRegression())
            held_out = cross_val_predict(single, known, labels[train], method="predict_proba")
            assert accuracy_score(labels[train], held_out.argmax(axis=1)) > 0.99
            meta = LogisticRegression().fit(np.hstack([held_out] * 2), labels[train])
            given = single.fit(known, labels[train]).predict_proba(guessed)
            scores = meta.predict_proba(np.hstack([given] * 2))
        leaky_truth.append(labels[test])
        leaky_scores.append(scores)
    leaky = log_loss(np.concatenate(leaky_truth), np.concatenate(leaky_scores))

    bound = 1.25 * np.log(N_CLASSES)
    assert leaky > 1.5 * bound
    assert losses["stacking"] < bound
    if head == "svm":  # calibrated on out-of-fold decisions
        assert max(losses.values()) < bound


def test_planted_leak_does_not_drown_a_true_signal(manifest: Block) -> None:
    """Stacking trusts a modality by what it says of samples its encoder was not fitted on."""
    frame = noise()
    labels = frame["label"].to_numpy()
    rng = np.random.default_rng(2)
    for i in (1, 2, 3):
        frame[f"left.{i}"] = (labels == i - 1) + 0.6 * rng.standard_normal(len(frame))
    table = run(
        manifest(frame),
        encoders={"left": "identity", "right": "memory"},
        fusions="stacking",
        heads="logistic-regression",
        split={"folds": 3},
    )
    accuracy = table.groupby(["fusion", "modalities"])["accuracy"].mean()
    honest = accuracy["none", "left"]
    assert honest > 0.7
    assert accuracy["none", "right"] < chance(len(frame))
    assert accuracy["stacking", "left+right"] > honest - 0.05

    X = frame[[f"left.{i}" for i in range(4)]].to_numpy()
    single = make_pipeline(StandardScaler(), LogisticRegression())
    leaky = []
    for train, test in outer_folds(labels, 3):
        views = {
            "left": (X[train], X[test]),
            "right": (
                np.eye(N_CLASSES)[labels[train]],
                np.eye(N_CLASSES)[rng.integers(N_CLASSES, size=len(test))],
            ),
        }
        held_out = [
            cross_val_predict(single, a, labels[train], method="predict_proba")
            for a, _ in views.values()
        ]
        given = [single.fit(a, labels[train]).predict_proba(b) for a, b in views.values()]
        meta = LogisticRegression().fit(np.hstack(held_out), labels[train])
        leaky.append(meta.score(np.hstack(given), labels[test]))
    assert np.mean(leaky) < honest - 0.15


@pytest.mark.parametrize(
    ("encoder", "fusions", "heads", "refitted"),
    [
        ("watched", ["concat", "mean-probability"], ["logistic-regression", "svm"], False),
        ("memory", ["concat", "mean-probability"], ["logistic-regression"], False),
        ("memory", ["concat"], ["svm"], True),
        ("memory", ["concat", "stacking"], ["logistic-regression", "svm"], True),
        ("watched", [{"use": "stacking", "C": [0.1, 1.0]}], ["svm"], True),
        ("watched", ["reliability-weighted"], ["logistic-regression"], True),
    ],
)
def test_encoders_are_fitted_on_training_items_only(
    encoder: str, fusions: list, heads: list, refitted: bool, manifest: Block
) -> None:
    """Once per training part, and once per inner fold where out-of-fold results are needed."""
    frame = noise(90)
    labels = frame["label"].to_numpy()
    logs = {m: f"{m}.jsonl" for m in ("left", "right")}
    paths = {m: str(Path(log).absolute()) for m, log in logs.items()}
    run(
        manifest(frame),
        encoders={m: {"use": encoder, "log": path} for m, path in paths.items()},
        fusions=fusions,
        heads=heads,
        split={"folds": 2},
    )
    expected = []
    for train, _ in outer_folds(labels, 2):
        expected.append(train.tolist())
        if refitted:
            inner = StratifiedKFold(5).split(train, labels[train])
            expected += [train[rows].tolist() for rows, _ in inner]
    for log in logs.values():
        fits = [line for line in log_lines(log) if line["event"] == "fit"]
        assert sorted(line["items"] for line in fits) == sorted(expected)
        assert not any(line.get("labels") for line in fits)


def test_a_validation_part_is_not_trained_on(manifest: Block) -> None:
    frame = noise(90)
    frame["part"] = np.repeat(["train", "validation", "test"], 30)
    log = Path("left.jsonl").absolute()
    run(
        manifest(frame, split="part"),
        encoders={"left": {"use": "watched", "log": str(log)}, "right": "identity"},
        fusions=["concat", "stacking"],
        heads=["logistic-regression", "svm"],
    )
    fits = log_lines(str(log))
    assert len(fits) == 1 + 5
    assert sorted(len(line["items"]) for line in fits) == [24] * 5 + [30]
    for line in fits:
        assert set(line["items"]) <= set(range(30))
        assert line["validation"] == list(range(30, 60))


# --- canaries ----------------------------------------------------------------------------------

EVERYTHING = {
    "encoders": {
        "left": ["identity", "discriminant"],
        "right": "watched",
    },
    "alignments": ["none", "principal", "discriminating"],
    "fusions": [
        "concat", "f-weighted", "reliability-weighted", "mean-probability", "vote", "stacking",
        "joint-logistic",
    ],
    "heads": ["logistic-regression", "svm", {"use": "random-forest", "n_estimators": 5}],
}  # fmt: skip


def given_split() -> pd.DataFrame:
    frame = noise(96)
    frame["part"] = np.repeat(["train", "validation", "test"], [48, 24, 24])
    return frame


def keys(block: dict) -> dict[str, set[str]]:
    """Return the keys of the jobs of a plan, by kind."""
    content = {"name": "leaks", "datasets": [block], **EVERYTHING}
    graph = mmbench.plan(content, plugins=[PLANTED]).graph
    return {
        kind: {key for key, job in graph.jobs.items() if job.kind == kind}
        for kind in {job.kind for job in graph.jobs.values()}
    }


def relabelled(frame: pd.DataFrame, part: str) -> pd.DataFrame:
    """Give every sample of one part another label, the classes staying the same."""
    labels = np.where(frame["part"] == part, (frame["label"] + 1) % N_CLASSES, frame["label"])
    return frame.assign(label=labels)


def test_test_labels_enter_scores_alone(manifest: Block) -> None:
    frame = given_split()
    before = keys(manifest(frame, split="part"))
    assert set(before) == {
        "embed", "align", "fuse", "distances", "fit", "cross_fit", "decide", "score",
    }  # fmt: skip
    after = keys(manifest(relabelled(frame, "test"), "tested", split="part"))
    assert not before.pop("score") & after.pop("score")
    assert after == before

    trained = keys(manifest(relabelled(frame, "train"), "trained", split="part"))
    assert not any(before[kind] & trained[kind] for kind in ("fit", "cross_fit", "decide"))
    assert before["embed"] - trained["embed"]  # those fitted with labels
    assert before["embed"] & trained["embed"]


def test_test_samples_do_not_change_predictions(manifest: Block) -> None:
    """Not by their labels; nor, where they are other samples, those of the rest."""
    frame = given_split()
    matrix = {
        **EVERYTHING,
        "encoders": {"left": "discriminant", "right": "watched"},
        "alignments": "discriminating",
        "heads": ["svm", {"use": "random-forest", "n_estimators": 5}],
        "exclude": [{"fusion": "reliability-weighted", "head": "svm"}],
    }
    table = run(manifest(frame, split="part"), "plain", **matrix)
    relabelling = manifest(relabelled(frame, "test"), "relabelled", split="part")
    other = run(relabelling, "relabelled", **matrix)
    assert other["cell"].tolist() == table["cell"].tolist()
    for _, row in table.iterrows():
        a, b = predictions(row, "plain"), predictions(row, "relabelled")
        assert (a["truth"] != b["truth"]).all()
        assert a.drop(columns="truth").equals(b.drop(columns="truth")), row["fusion"]

    vectors = [c for c in frame if "." in c]
    test = frame["part"] == "test"
    odd = test & (frame.index % 2 == 1)
    changed = frame.copy()
    changed[vectors] = frame[vectors].astype(float).mask(odd, 1000 + 50 * frame[vectors])
    run(manifest(changed, "changed", split="part"), "changed", **matrix)
    moved = 0
    for _, row in table.iterrows():
        a, b = probabilities(row, "plain"), probabilities(row, "changed")
        same = ~odd[test].to_numpy()
        np.testing.assert_allclose(a[same], b[same], rtol=0, atol=1e-9, err_msg=row["fusion"])
        moved += np.abs(a[~same] - b[~same]).max() > 0.01
    assert moved > len(table) / 2
