"""Temperature scaling of a head's own probabilities, against scikit-learn's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import mmbench
from mmbench.errors import UserError
from mmbench.tempered import Tempered
from tests.byhand import (
    INNER,
    Block,
    arrays,
    calibrated,
    cancer,
    modalities,
    only,
    probabilities,
    run,
    select,
    stacking,
    wine,
)

pytestmark = pytest.mark.usefixtures("one_thread")

BAYES = {"use": "naive-bayes", "calibrate": ["none", "temperature"]}
FOREST = {"use": "random-forest", "n_estimators": 20, "calibrate": "temperature"}
TEMPERED = json.dumps({"head": {"calibrate": "temperature"}})


def folds(X: np.ndarray, y: np.ndarray, n: int = 2) -> Any:
    state = mmbench.derive_seed(0, None, "split")
    return enumerate(StratifiedKFold(n, shuffle=True, random_state=state).split(X, y))


def equal(row: pd.Series, model: Any, X: np.ndarray) -> None:
    """Check a cell against a model; the minimum is so flat that 1e-6 is within its rounding."""
    ours = probabilities(row)
    np.testing.assert_allclose(ours, model.predict_proba(X), rtol=0, atol=1e-5)
    assert (ours.argmax(axis=1) == model.predict(X)).all()


@pytest.mark.parametrize("data", [wine, cancer])
def test_it_is_scikit_learns(data: Any, manifest: Block) -> None:
    frame = data()
    parts = modalities(frame)
    X, y = arrays(frame)
    fusions = ["concat", "mean-probability", "stacking"]
    table = run(manifest(frame), fusions=fusions, heads=BAYES, split={"folds": 2})
    for fold, (train, test) in folds(X, y):
        cells = table[(table["fold"] == fold) & (table["params"] == TEMPERED)]
        bayes = calibrated(GaussianNB())
        alone = {m: make_pipeline(select(c), StandardScaler(), bayes) for m, c in parts.items()}
        fitted = {m: clone(model).fit(X[train], y[train]) for m, model in alone.items()}
        for modality, model in fitted.items():
            equal(only(cells, fusion="none", modalities=modality), model, X[test])
        mean = np.mean([model.predict_proba(X[test]) for model in fitted.values()], axis=0)
        given = probabilities(only(cells, fusion="mean-probability"))
        np.testing.assert_allclose(given, mean, rtol=0, atol=1e-5)
        equal(only(cells, fusion="stacking"), stacking(alone).fit(X[train], y[train]), X[test])


def test_of_a_forest(manifest: Block) -> None:
    """Whose trees agree that a class is impossible, and are wrong at times."""
    frame = wine()
    X, y = arrays(frame)
    columns = modalities(frame)["phenol"]
    table = run(
        manifest(frame), encoders={"phenol": "identity"}, heads=FOREST, split={"folds": 2}
    )  # fmt: skip
    for fold, (train, test) in folds(X, y):
        trees = RandomForestClassifier(20, random_state=mmbench.derive_seed(0, fold, "head"))
        model = make_pipeline(select(columns), StandardScaler(), calibrated(trees))
        row = only(table, fold=fold)
        equal(row, model.fit(X[train], y[train]), X[test])
        assert (cross_val_predict(trees, X[:, columns], y, method="predict_proba") == 0).any()
        told = {"calibrate": "temperature", "n_estimators": 20}
        assert json.loads(row["params"]) == {"head": told}


def test_it_keeps_decisions_and_makes_them_less_sure(manifest: Block) -> None:
    """Naive Bayes takes features that say the same for so much more evidence."""
    table = run(manifest(cancer()), fusions="concat", heads=BAYES, split={"folds": 2})
    plain, tempered = table[table["params"] == "{}"], table[table["params"] == TEMPERED]
    assert len(plain) == len(tempered) == 6
    for (_, a), (_, b) in zip(plain.iterrows(), tempered.iterrows(), strict=True):
        before, after = probabilities(a), probabilities(b)
        assert (before.argmax(axis=1) == after.argmax(axis=1)).all()
        assert before.max(axis=1).mean() > after.max(axis=1).mean()
    for metric in ("log_loss", "ece"):
        assert tempered[metric].mean() < plain[metric].mean()
    both = mmbench.summarise(table)
    assert both["params"].value_counts().to_dict() == {"{}": 3, TEMPERED: 3}


def test_the_validation_part_is_what_it_is_fitted_to(manifest: Block) -> None:
    frame = wine().sample(frac=1, random_state=1, ignore_index=True)
    frame["part"] = np.repeat(["train", "validation", "test"], [90, 40, 48])
    X, y = arrays(frame)
    train, held, test = (
        np.flatnonzero(frame["part"] == p) for p in ("train", "validation", "test")
    )
    table = run(manifest(frame, split="part"), fusions="concat", heads=BAYES)
    bayes = make_pipeline(StandardScaler(), GaussianNB()).fit(X[train], y[train])
    model = CalibratedClassifierCV(FrozenEstimator(bayes), method="temperature")
    row = only(table, fusion="concat", params=TEMPERED)
    equal(row, model.fit(X[held], y[held]), X[test])


def test_over_a_supervised_encoder_all_is_fitted_anew(manifest: Block) -> None:
    frame = cancer()
    X, y = arrays(frame)
    raw = frame[[c for c in frame if "." in c]].to_numpy()
    columns = modalities(frame)["mean"]
    table = run(
        manifest(frame), encoders={"mean": "discriminant"}, heads=BAYES, split={"folds": 2}
    )  # fmt: skip
    single = FunctionTransformer(lambda Z: Z.astype(np.float32).astype(float))
    encoder = select(columns, LinearDiscriminantAnalysis(), single)
    for fold, (train, test) in folds(X, y):
        model = calibrated(make_pipeline(encoder, StandardScaler(), GaussianNB()))
        row = only(table, fold=fold, params=TEMPERED)
        equal(row, model.fit(raw[train], y[train]), raw[test])


def pooled_loss(log_scale: float, logits: np.ndarray, y: np.ndarray) -> float:
    return log_loss(y, softmax(np.exp(log_scale) * logits, axis=1))


def test_tuned_by_what_it_gives_when_calibrated(manifest: Block) -> None:
    """One temperature for all inner folds; it turns the order of these candidates round."""
    frame = cancer()
    X, y = arrays(frame)
    tried = [1e-9, 3.0]
    table = run(
        manifest(frame), encoders={"error": "identity"}, heads=BAYES, split={"folds": 2},
        tuning={"metric": "log_loss", "heads": {"naive-bayes": {"var_smoothing": tried}}},
    )  # fmt: skip
    for fold, (train, _) in folds(X, y):
        row = only(table, fold=fold, params=TEMPERED)
        losses = []
        for smoothing in tried:
            bayes = make_pipeline(
                select(modalities(frame)["error"]), StandardScaler(),
                GaussianNB(var_smoothing=smoothing),
            )  # fmt: skip
            given = cross_val_predict(bayes, X[train], y[train], cv=INNER, method="predict_proba")
            logits = np.log(given + 1e-12)

            scale = minimize_scalar(pooled_loss, bounds=(-10, 10), args=(logits, y[train])).x
            shares = softmax(np.exp(scale) * logits, axis=1)
            per_fold = [
                log_loss(y[train][b], shares[b], labels=[0, 1])
                for _, b in INNER.split(X[train], y[train])
            ]
            losses.append(np.mean(per_fold))
        best = int(np.argmin(losses))
        assert json.loads(row["tuned"]) == {"head": {"var_smoothing": tried[best]}}
        plain = only(table, fold=fold, params="{}")
        assert json.loads(plain["tuned"]) == {"head": {"var_smoothing": tried[1 - best]}}
        assert row["inner_score"] == pytest.approx(min(losses), abs=1e-6)


def planned(manifest: Block, frame: pd.DataFrame, heads: Any) -> Any:
    content = {
        "name": "planned", "datasets": [manifest(frame)], "encoders": {"vector": "identity"},
        "heads": heads, "fusions": ["concat"], "split": {"folds": 2},
    }  # fmt: skip
    return mmbench.plan(content)


def test_what_is_not_asked_for_leaves_no_trace(manifest: Block) -> None:
    frame = cancer()
    asked = [
        {"use": "naive-bayes", "calibrate": "none"},
        {"use": "svm", "calibrate": ["none", "temperature"]},  # it is calibrated in any case
        {"use": "ridge", "calibrate": "temperature"},
    ]
    plain = planned(manifest, frame, ["naive-bayes", "svm", "ridge"])
    given = planned(manifest, frame, asked)
    assert [cell.id for cell in given.cells] == [cell.id for cell in plain.cells]
    assert {cell.params for cell in given.cells} == {"{}"}
    assert given.graph.jobs.keys() == plain.graph.jobs.keys()
    assert not any("calibrate" in (job.spec.get("head") or {}) for job in given.jobs())

    tempered = planned(manifest, frame, BAYES | {"calibrate": "temperature"})
    assert not {cell.id for cell in tempered.cells} & {cell.id for cell in plain.cells}


def test_other_words_are_told(manifest: Block) -> None:
    frame = cancer()
    with pytest.raises(UserError, match=r"heads\[0\].calibrate.* 'sigmoid'.*'temperature'"):
        planned(manifest, frame, {"use": "naive-bayes", "calibrate": "sigmoid"})
    with pytest.raises(UserError, match=r"heads\[0\].calibrate"):
        planned(manifest, frame, {"use": "naive-bayes", "calibrate": []})


def test_its_logits_bring_the_probabilities_back() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    for k in (2, 4):
        y = np.arange(60) % k
        logits = Tempered(GaussianNB()).fit(X, y).decision_function(X)
        assert logits.shape == ((60,) if k == 2 else (60, k))
        wide = np.stack([-logits, logits], axis=1) if k == 2 else logits
        expected = GaussianNB().fit(X, y).predict_proba(X)
        np.testing.assert_allclose(softmax(wide, axis=1), expected, rtol=0, atol=1e-11)
