"""Every fusion on data at the edges: evaluated, or told in one clear line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mmbench
from mmbench.catalogue import load_catalogue

pytestmark = pytest.mark.usefixtures("one_thread")

FOREST = {"use": "random-forest", "n_estimators": 5}
NEAREST = {"use": "k-nearest", "n_neighbors": 1}
HALF = {"scheme": "holdout", "test": 0.5}
ONE_EACH = "folds need a class of two samples; here {} classes have one each"
UNKNOWN = "no class has two training samples"


def fusions(level: str | None = None) -> list[str]:
    """Return the fusions that come with mmbench."""
    entries = load_catalogue().entries["fusion"].values()
    return [e.name for e in entries if e.plugin.name == "fusions" and level in (None, e.level)]


def samples(n_classes: int, per_class: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and vectors (n, width) that tell of them."""
    labels = np.repeat(np.arange(n_classes), per_class)
    noise = np.random.default_rng(len(labels) * width).normal(size=(len(labels), width))
    return labels, noise + labels[:, None] % 7


def evaluate(
    labels: np.ndarray, modalities: Mapping[str, np.ndarray], heads: object, **matrix: object
) -> pd.DataFrame:
    """Cross all fusions with some heads on arrays."""
    pd.DataFrame({"label": [f"c{v}" for v in labels]}).to_csv("data.csv", index=False)
    for name, values in modalities.items():
        np.save(f"{name}.npy", values)
    block = {
        "use": "manifest", "path": "data.csv", "name": "data", "label": "label",
        "modalities": {name: {"file": f"{name}.npy", "kind": "vector"} for name in modalities},
    }  # fmt: skip
    content = {
        "name": "extreme", "datasets": [block], "encoders": {"vector": "identity"},
        "fusions": fusions(), "heads": heads, "split": HALF, **matrix,
    }  # fmt: skip
    table = mmbench.run(content, out="run")
    assert len(table) >= len(fusions())
    assert not table["reason"].str.contains("\n").any()
    return table


def reasons(table: pd.DataFrame) -> dict[str, set[str]]:
    """Return the fusions that were not evaluated, by the reason, where it was ``: `` cut off."""
    others = table[table["status"] != "ok"]
    told: dict[str, set[str]] = {}
    for fusion, reason in zip(others["fusion"], others["reason"], strict=True):
        told.setdefault(reason.rpartition(": ")[2], set()).add(fusion)
    return told


def test_two_samples_a_class_leave_one_to_train_on() -> None:
    labels, X = samples(5, 2)
    table = evaluate(labels, {"a": X, "b": X[::-1].copy()}, [FOREST, "svm"])
    trained = [
        e.name for e in load_catalogue().entries["fusion"].values()
        if e.name in fusions() and (e.out_of_fold or (e.trained and e.level == "decision"))
    ]  # fmt: skip
    told = reasons(table)
    assert told.keys() == {ONE_EACH.format(5), UNKNOWN}
    assert told[UNKNOWN] == {"feature-selection"}
    forest = table[table["head"] == "random-forest"].set_index("fusion")["status"]
    assert (forest[trained] == "skipped").all()
    assert (forest.drop([*trained, "feature-selection"]) == "ok").all()
    assert (table[table["head"] == "svm"]["status"] != "ok").all()  # it cannot be calibrated


def test_a_class_that_some_folds_lack() -> None:
    labels, X = samples(4, 12)
    kept = np.flatnonzero((labels < 3) | (np.arange(len(labels)) % 12 < 3))
    given = {"a": X[kept], "b": X[kept][::-1].copy()}
    table = evaluate(labels[kept], given, [FOREST, "svm"], split={"scheme": "kfold", "folds": 5})
    assert not reasons(table)
    assert table["roc_auc"].isna().sum() == 2 * len(table) / 5  # two of the folds lack it


def test_a_constant_modality() -> None:
    labels, X = samples(3, 20)
    table = evaluate(labels, {"a": np.ones((60, 3)), "b": X}, [FOREST, "svm"])
    assert not reasons(table)


def test_one_modality() -> None:
    labels, X = samples(3, 10)
    table = evaluate(labels, {"a": X}, FOREST)
    assert reasons(table) == {"nothing to fuse": set(fusions())}
    assert (table[table["fusion"] == "none"]["status"] == "ok").all()


def test_ten_modalities() -> None:
    labels, X = samples(3, 12)
    rng = np.random.default_rng(1)
    given = {f"m{i}": X + rng.normal(size=X.shape) for i in range(10)}
    told = reasons(evaluate(labels, given, FOREST))
    assert set().union(*told.values()) == {"outer-product"}
    (reason,) = told
    assert reason.startswith("take narrower embeddings, compact-bilinear, or a higher limit")


@pytest.mark.parametrize("n_classes", [2, 1000])
def test_two_and_a_thousand_classes(n_classes: int) -> None:
    labels, X = samples(n_classes, 4)
    given = {"a": X, "b": X + np.random.default_rng(1).normal(size=X.shape)}
    few = [{"use": n, "n_estimators": 5} if n == "random-forest-stacking" else n for n in fusions()]
    table = evaluate(labels, given, NEAREST, fusions=few, metrics=["accuracy"])
    assert not reasons(table)
    assert (table["n_classes"] == n_classes).all()


@pytest.mark.parametrize("width", [1, 10_000])
def test_one_column_and_ten_thousand(width: int) -> None:
    labels, X = samples(2, 8, width)
    told = reasons(evaluate(labels, {"a": X, "b": X[:, ::-1].copy()}, NEAREST))
    wide = {"take narrower embeddings, compact-bilinear, or a higher limit": {"outer-product"}}
    assert told == (wide if width > 1 else {})


def test_it_has_seen_every_fusion() -> None:
    pages = Path(__file__).parents[1] / "plugins" / "fusions" / "pages"
    assert set(fusions()) == {page.stem for page in pages.glob("*.md")}
