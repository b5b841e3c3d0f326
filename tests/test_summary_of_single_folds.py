"""Where a seed has one fold there is nothing to pool: the pooled figures are the cells' own."""

from __future__ import annotations

import numpy as np
import pytest

import mmbench
from mmbench.results import columns, make_table

FIGURES = [{"accuracy": 0.5, "roc_auc": 0.75}, {"accuracy": 0.75, "roc_auc": None}]


def test_pooled_figures_of_single_folds_are_averaged_over_seeds() -> None:
    """One that is undefined for a seed stays so; no predictions are needed."""
    axes = {"dataset": "made", "fusion": "none", "head": "ridge", "status": "ok", "n_test": 40}
    rows = [
        {"cell": str(seed), "seed": seed, "fold": 0, **axes, **figures}
        for seed, figures in enumerate(FIGURES)
    ]
    (summary,) = mmbench.summarise(make_table(rows, columns([]))).to_dict("records")
    assert summary["accuracy_pooled"] == pytest.approx(0.625)
    assert np.isnan(summary["roc_auc_pooled"])
    assert summary["roc_auc"] == pytest.approx(0.75)


def test_folds_are_not_averaged_instead_of_pooled() -> None:
    axes = {"dataset": "made", "fusion": "none", "head": "ridge", "status": "ok", "n_test": 40}
    rows = [
        {"cell": str(fold), "seed": 0, "fold": fold, **axes, **figures}
        for fold, figures in enumerate(FIGURES)
    ]
    (summary,) = mmbench.summarise(make_table(rows, columns([]))).to_dict("records")
    assert np.isnan(summary["accuracy_pooled"])  # their predictions are not at hand
