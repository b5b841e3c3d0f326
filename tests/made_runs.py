"""Runs written by hand for the tests of reports, and a reader of pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmbench.results import columns, make_table, read_results, write_predictions, write_table

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
CLASSES = ("猫", SCRIPT, "كلب", IMAGE)
METRICS = ("accuracy", "f1_macro", "log_loss")
VOID = {"meta", "link", "br", "input", "wbr", "img", "hr"}


# --- runs --------------------------------------------------------------------------------------


def row(number: int, **given: Any) -> dict[str, Any]:
    """Return a row of the table of cells; its figures are drawn from its number."""
    rng = np.random.default_rng(number)
    values = {
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
        "finetune": "",
        "missing": "",
        "seed": 0,
        "fold": 0,
        "status": "ok",
        "n_train": 80,
        "n_test": 20,
        "n_classes": len(CLASSES),
        "accuracy": rng.uniform(0.4, 0.9),
        "f1_macro": rng.uniform(0.4, 0.9),
        "log_loss": rng.uniform(0.2, 2.0),
        "embed_s": rng.uniform(0.1, 1),
        "fit_s": rng.uniform(0.1, 10),
        "predict_s": rng.uniform(0.001, 0.1),
        "cost_s_shared": rng.uniform(0.1, 1),
        "mmbench_version": "0.1.0",
        "started": "2030-01-02T03:04:05+00:00",
    } | given
    if values["status"] != "ok":
        for name in (*METRICS, "embed_s", "fit_s", "predict_s", "cost_s_shared"):
            values[name] = None
    return values


def fused(number: int, **given: Any) -> dict[str, Any]:
    """Return a row that fuses two modalities."""
    both = {"modalities": "image+文本", "encoders": "hog+tf-idf", "encoder_文本": "tf-idf"}
    return row(number, **{**both, "fusion": "concat", "level": "feature", **given})


def matrix_rows() -> list[dict[str, Any]]:
    """Return a plain run: two data sets, modalities, fusions and heads, two folds."""
    made = []
    for dataset in ("pets", "宠物"):
        for head in ("svm", "forest"):
            for fold in (0, 1):
                shared = {"dataset": dataset, "head": head, "fold": fold}
                made.append(row(len(made), **shared))
                text = {"modalities": "文本", "encoders": "tf-idf", "encoder_文本": "tf-idf"}
                made.append(row(len(made), **shared, **text, encoder_image=""))
                for size in (4, 8):
                    options = json.dumps({"encoder.image": {"size": size}})
                    made.append(fused(len(made), **shared, params=options))
                made.append(fused(len(made), **shared, fusion="vote", level="decision"))
    return made


def write_run(
    folder: Path,
    rows: list[dict[str, Any]],
    metric: str = "accuracy",
    *,
    classes: Sequence[str] = CLASSES,
    predictions: bool = True,
    extra: Sequence[str] = (),
    **environment: Any,
) -> pd.DataFrame:
    """Write a run's folder, predictions included, and read its table; it may have extra columns."""
    folder.mkdir(exist_ok=True)
    names = [*columns(["encoder_image", "encoder_文本"]), *extra]
    write_table(make_table(rows, names), folder)
    record = {"run": "动物 🐈", "machine": {"cores": 2, "gpus": []}, **environment}
    (folder / "environment.json").write_text(json.dumps(record), encoding="utf-8")
    matrix = f'name = "动物 🐈"\nmetric = "{metric}"\n# </code></pre>{SCRIPT}\n'
    (folder / "matrix.toml").write_text(matrix, encoding="utf-8")
    rng = np.random.default_rng(0)
    for each in rows:
        if predictions and each["status"] == "ok":
            n = each["n_test"]
            truth = rng.integers(0, len(classes) - 1, n)  # of the last class there is no sample
            probabilities = rng.dirichlet(np.ones(len(classes)), n)
            ids = [str(i) for i in range(n)]
            write_predictions(folder, each["cell"], ids, truth, probabilities, classes)
    return read_results(folder)


def hostile_rows() -> list[dict[str, Any]]:
    """Return rows in which everything that can be a name is hostile."""
    acid = {
        "dataset": SCRIPT,
        "modalities": f"{IMAGE}+文本",
        "encoders": f"{SCRIPT}+{IMAGE}",
        "encoder_image": SCRIPT,
        "encoder_文本": IMAGE,
        "alignment": IMAGE,
        "head": SCRIPT,
        "missing": IMAGE,
        "level": IMAGE,
        "params": json.dumps({IMAGE: {SCRIPT: SCRIPT}}),
    }
    fusions = [{"fusion": fusion} for fusion in (SCRIPT, IMAGE, "none")]
    good = [row(i, **{**acid, **fusion}) for i, fusion in enumerate(fusions)]
    bad = [{"status": "failed", "reason": IMAGE}, {"status": "skipped", "reason": SCRIPT}]
    return good + [row(i, **{**acid, **each}) for i, each in enumerate(bad, start=10)]


HOSTILE = {
    "run": SCRIPT,
    "machine": {SCRIPT: IMAGE, "gpus": [IMAGE]},
    "plugins": {IMAGE: SCRIPT},
    "versions": {SCRIPT: None},
    "command": ["/bin/mmbench", "run", IMAGE, SCRIPT],
}


# --- reading a report back ---------------------------------------------------------------------


class Page(HTMLParser):
    """Reads what the tests look at: elements, the text of each, tables by ``id`` or label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(("", dict(attrs).get("data-value")))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))
        if "td" in self.open or "th" in self.open:
            text, value = self.tables[-1][-1][-1]
            self.tables[-1][-1][-1] = (text + data, value)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def text(self) -> str:
        shown = (text for tag, text in self.texts if tag not in ("script", "style", "title"))
        return " ".join("".join(shown).split())

    def table(self, first_header: str) -> list[list[tuple[str, str | None]]]:
        return next(t for t in self.tables if t[0][0][0].strip() == first_header)
