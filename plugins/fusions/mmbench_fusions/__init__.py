"""Fusions: concatenated features, and decisions by mean probability, vote and stacking."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_fusions(register: Callable[..., None]) -> None:
    """Register the fusions; the libraries they need are imported when one is built."""
    register(
        "concat",
        "mmbench_fusions.feature:Concat",
        level="feature",
        sparse=True,
        summary="the embeddings side by side",
    )
    register(
        "mean-probability",
        "mmbench_fusions.decision:MeanProbability",
        level="decision",
        summary="soft voting: the mean of the modalities' class probabilities",
    )
    register(
        "vote",
        "mmbench_fusions.decision:Vote",
        level="decision",
        summary="hard majority vote, ties broken by the mean probability",
    )
    register(
        "stacking",
        "mmbench_fusions.decision:Stacking",
        level="decision",
        trained=True,
        summary="logistic regression on out-of-fold class probabilities (Wolpert 1992)",
    )
