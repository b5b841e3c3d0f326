"""Runs written by hand whose figures are those of their predictions, so that they can be ranked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, log_loss

from mmbench.pooled import Pool
from mmbench.results import metrics_of, write_predictions, write_table
from mmbench.standings import headline_metric, stand
from tests.made_runs import CLASSES, METRICS, fused, row, write_run

FOLDS, SAMPLES = 2, 60


def alone(quality: float, **given: Any) -> tuple[float, dict[str, Any]]:
    """Return a combination of one modality that is right so often."""
    return quality, row(0, **given)


def both(quality: float, **given: Any) -> tuple[float, dict[str, Any]]:
    """Return a combination that fuses two and is right so often."""
    return quality, fused(0, **given)


def write_ranked(
    folder: Path, combinations: list[tuple[float, dict[str, Any]]], **environment: Any
) -> pd.DataFrame:
    """Write a run of some combinations on two folds, rank them, and read its table."""
    rows, predicted = [], {}
    for number, (quality, given) in enumerate(combinations):
        for fold in range(FOLDS):
            cell = f"{folder.name}-{number}-{fold}"
            rng = np.random.default_rng([number, fold])
            truth = np.arange(SAMPLES) % len(CLASSES)
            guess = np.where(rng.random(SAMPLES) < quality, truth, (truth + 1) % len(CLASSES))
            shown = np.full((SAMPLES, len(CLASSES)), 0.1)
            shown[np.arange(SAMPLES), guess] = 0.7
            figures = {
                "accuracy": accuracy_score(truth, guess),
                "f1_macro": f1_score(truth, guess, average="macro"),
                "log_loss": log_loss(truth, shown),
            }
            rows.append({**given, **figures, "cell": cell, "fold": fold, "n_test": SAMPLES})
            predicted[cell] = truth, shown
    table = write_run(folder, rows, predictions=False, **environment)
    for cell, (truth, shown) in predicted.items():
        ids = [f"{cell[-1]}.{i}" for i in range(SAMPLES)]
        write_predictions(folder, cell, ids, truth, shown, CLASSES)
    (folder / "metrics.json").write_text(json.dumps({name: {} for name in METRICS}))
    stand(table, Pool(folder, (), metrics_of(table), headline_metric(table)))
    write_table(table, folder)
    return table


def told_apart() -> list[tuple[float, dict[str, Any]]]:
    """Return combinations of which some are clearly worse than others."""
    text = {"modalities": "文本", "encoders": "tf-idf", "encoder_文本": "tf-idf"}
    return [
        alone(0.6),
        alone(0.5, encoder_image="", **text),
        both(0.92, fit_s=0.25),
        both(0.9, fusion="vote", level="decision", fit_s=50.0),
        both(0.9, fusion="vote", level="decision", head="forest", fit_s=5.0),
        both(0.4, head="forest"),
    ]


def by_name(summary: pd.DataFrame, *axes: str) -> Mapping[tuple[str, ...], Any]:
    """Return the rows of a summary by some of their axes."""
    return {tuple(each[axis] for axis in axes): each for each in summary.to_dict("records")}
