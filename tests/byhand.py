"""Data, runs and models for tests that redo cells by hand in scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import mmbench

PLANTED = Path(__file__).parent / "planted.py"
INNER = StratifiedKFold(5)
"""The inner folds, where there are no groups."""

Block = Callable[..., dict]


# --- data and runs -----------------------------------------------------------------------------


def wine() -> pd.DataFrame:
    """Three classes; three modalities of 4, 5 and 4 columns."""
    data = load_wine()
    names = [f"{m}.{i}" for m, n in (("acid", 4), ("phenol", 5), ("colour", 4)) for i in range(n)]
    table = pd.DataFrame(data.data, columns=names)
    return table.assign(label=np.asarray(data.target_names)[data.target])


def cancer(n: int = 160) -> pd.DataFrame:
    """Two classes; two modalities of 10 columns."""
    data = load_breast_cancer()
    rows, _ = train_test_split(np.arange(len(data.target)), train_size=n, random_state=0)
    names = [f"{m}.{i}" for m in ("mean", "error") for i in range(10)]
    table = pd.DataFrame(data.data[rows, :20], columns=names)
    return table.assign(label=np.asarray(data.target_names)[data.target[rows]])


def modalities(table: pd.DataFrame) -> dict[str, list[int]]:
    """Return the columns of each modality among the vectors."""
    vectors = [c for c in table.columns if "." in c]
    names = [c.partition(".")[0] for c in vectors]
    return {m: [i for i, n in enumerate(names) if n == m] for m in dict.fromkeys(names)}


def arrays(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors, in single precision as encoders give them, and the label codes."""
    vectors = table[[c for c in table.columns if "." in c]].to_numpy()
    codes = np.unique(table["label"], return_inverse=True)[1]
    return vectors.astype(np.float32).astype(float), codes


def run(block: dict, only: tuple[str, ...] = (), **matrix: object) -> pd.DataFrame:
    """Run a matrix with one dataset; every cell not left out is expected to be evaluated."""
    content = {"name": "oracle", "datasets": [block], "encoders": {"vector": "identity"}, **matrix}
    table = mmbench.run(content, out="run", jobs=1, plugins=[str(PLANTED)], only=only)
    assert set(table["status"]) <= {"ok", "skipped"}, table["reason"].tolist()
    return table[table["status"] == "ok"]


def only(table: pd.DataFrame, **axes: object) -> pd.Series:
    """Return the one row with these values."""
    for name, value in axes.items():
        table = table[table[name] == value]
    assert len(table) == 1, axes
    return table.iloc[0]


def stored(row: pd.Series) -> pd.DataFrame:
    return pd.read_parquet(Path("run") / "predictions" / f"{row['cell']}.parquet")


def probabilities(row: pd.Series) -> np.ndarray:
    predictions = stored(row)
    columns = [c for c in predictions if c.startswith("p_")]
    assert [f"p_{c}" for c in sorted(c[2:] for c in columns)] == columns
    values = predictions[columns].to_numpy()
    classes = np.array([c[2:] for c in columns])
    assert (predictions["predicted"] == classes[values.argmax(axis=1)]).all()
    return values


def assert_equal(row: pd.Series, model: object, X_test: object, where: object = "") -> None:
    """Check a cell's stored probabilities against a fitted model's."""
    ours, theirs = probabilities(row), model.predict_proba(X_test)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6, err_msg=str(where))
    assert (ours.argmax(axis=1) == model.predict(X_test)).all(), where


# --- by hand -----------------------------------------------------------------------------------


def select(columns: list[int], *steps: object) -> ColumnTransformer:
    return ColumnTransformer([("chosen", make_pipeline(*steps or ["passthrough"]), columns)])


def head(name: str, fold: int = 0, inner: object = INNER) -> object:
    if name == "svm":
        return calibrated(SVC(break_ties=True), inner)
    if name == "random-forest":
        seed = mmbench.derive_seed(0, fold, "head")
        return RandomForestClassifier(20, random_state=seed)
    return LogisticRegression(max_iter=1000)


def calibrated(model: object, inner: object = INNER) -> CalibratedClassifierCV:
    return CalibratedClassifierCV(model, method="temperature", ensemble=False, cv=inner)


def voting(models: dict[str, object], kind: str) -> VotingClassifier:
    return VotingClassifier(list(models.items()), voting=kind)


def stacking(models: dict[str, object], inner: object = INNER) -> StackingClassifier:
    meta = LogisticRegression(max_iter=1000)
    return StackingClassifier(
        list(models.items()), meta, cv=inner, stack_method="predict_proba", passthrough=False
    )
