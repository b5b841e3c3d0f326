"""Fusions of features and of decisions."""

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
        "weighted-sum",
        "mmbench_fusions.feature:WeightedSum",
        level="feature",
        summary="the embeddings added up, with given weights",
    )
    register(
        "learned-weighted-sum",
        "mmbench_fusions.feature:LearnedWeightedSum",
        level="feature",
        trained=True,
        supervised=True,
        out_of_fold=True,
        summary="the embeddings added up, weighted as suits the heads (Smyth and Wolpert 1999)",
    )
    register(
        "product",
        "mmbench_fusions.feature:product",
        level="feature",
        summary="the embeddings multiplied column by column",
    )
    register(
        "max",
        "mmbench_fusions.feature:maximum",
        level="feature",
        summary="the largest value of every column",
    )
    register(
        "mean",
        "mmbench_fusions.feature:mean",
        level="feature",
        summary="the mean of every column",
    )
    register(
        "mean-probability",
        "mmbench_fusions.decision:MeanProbability",
        level="decision",
        summary="soft voting: the mean of the modalities' class probabilities",
    )
    register(
        "weighted-mean",
        "mmbench_fusions.decision:WeightedMean",
        level="decision",
        summary="the mean of the class probabilities, with given weights",
    )
    register(
        "product-rule",
        "mmbench_fusions.decision:product_rule",
        level="decision",
        summary="the product of the class probabilities (Kittler et al. 1998)",
    )
    register(
        "max-rule",
        "mmbench_fusions.decision:max_rule",
        level="decision",
        summary="the largest of the class probabilities (Kittler et al. 1998)",
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
