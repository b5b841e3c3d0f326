"""Fusions of features and of decisions."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl

FEATURE = {"level": "feature"}
SPARSE = {"level": "feature", "sparse": True}
SUPERVISED = {"level": "feature", "trained": True, "supervised": True}
WEIGHED = {**SUPERVISED, "out_of_fold": True}
DECISION = {"level": "decision", "handles_missing": True}
LEARNED = {**DECISION, "trained": True}
STACKED = {"level": "decision", "trained": True}

FUSIONS = (
    ("concat", "feature:Concat", SPARSE, "the embeddings side by side"),
    (
        "weighted-sum",
        "feature:WeightedSum",
        FEATURE,
        "the embeddings added up, with given weights",
    ),
    (
        "learned-weighted-sum",
        "feature:LearnedWeightedSum",
        WEIGHED,
        "the embeddings added up, weighted as suits the heads (Smyth and Wolpert 1999)",
    ),
    ("product", "feature:product", FEATURE, "the embeddings multiplied column by column"),
    ("max", "feature:maximum", FEATURE, "the largest value of every column"),
    ("mean", "feature:mean", FEATURE, "the mean of every column"),
    (
        "outer-product",
        "products:OuterProduct",
        FEATURE,
        "tensor fusion: all products of features across modalities (Zadeh et al. 2017)",
    ),
    (
        "compact-bilinear",
        "products:CompactBilinear",
        SPARSE,
        "a count sketch of the outer product (Gao et al. 2016, Fukui et al. 2016)",
    ),
    (
        "random-projection",
        "reduction:RandomProjection",
        SPARSE,
        "the embeddings side by side on random directions (Johnson and Lindenstrauss 1984)",
    ),
    (
        "feature-selection",
        "reduction:FeatureSelection",
        SUPERVISED,
        "the features with most mutual information with the labels (Battiti 1994)",
    ),
    (
        "kernel-sum",
        "kernels:KernelSum",
        WEIGHED,
        "the feature map of a sum of kernels (Lanckriet et al. 2004)",
    ),
    (
        "kernel-product",
        "kernels:KernelProduct",
        WEIGHED,
        "the feature map of a product of kernels (Gönen and Alpaydın 2011)",
    ),
    (
        "nystrom-kernel-sum",
        "kernels:NystromKernelSum",
        WEIGHED,
        "kernel-sum by random landmarks (Williams and Seeger 2000)",
    ),
    (
        "nystrom-kernel-product",
        "kernels:NystromKernelProduct",
        WEIGHED,
        "kernel-product by random landmarks (Williams and Seeger 2000)",
    ),
    (
        "mean-probability",
        "decision:MeanProbability",
        DECISION,
        "soft voting: the mean of the modalities' class probabilities",
    ),
    (
        "weighted-mean",
        "decision:WeightedMean",
        DECISION,
        "the mean of the class probabilities, with given weights",
    ),
    (
        "learned-weighted-mean",
        "decision:LearnedWeightedMean",
        LEARNED,
        "the mean of the class probabilities, weighted for least log loss (Smyth and Wolpert 1999)",
    ),
    (
        "product-rule",
        "decision:product_rule",
        DECISION,
        "the product of the class probabilities (Kittler et al. 1998)",
    ),
    (
        "max-rule",
        "decision:max_rule",
        DECISION,
        "the largest of the class probabilities (Kittler et al. 1998)",
    ),
    (
        "min-rule",
        "decision:min_rule",
        DECISION,
        "the smallest of the class probabilities (Kittler et al. 1998)",
    ),
    (
        "median",
        "decision:median",
        DECISION,
        "the median of the class probabilities (Kittler et al. 1998)",
    ),
    (
        "vote",
        "votes:Vote",
        DECISION,
        "hard majority vote, plain or weighted, ties broken by the mean probability",
    ),
    ("borda", "votes:Borda", DECISION, "Borda count: points by rank (Borda 1781)"),
    (
        "dempster-shafer",
        "evidence:DempsterShafer",
        DECISION,
        "Dempster's rule on evidence of given reliability (Shafer 1976)",
    ),
    (
        "learned-dempster-shafer",
        "evidence:LearnedDempsterShafer",
        LEARNED,
        "Dempster's rule, reliability as shown out of fold (Xu et al. 1992)",
    ),
    (
        "stacking",
        "stacking:Stacking",
        STACKED,
        "logistic regression or svm on out-of-fold class probabilities (Wolpert 1992)",
    ),
    (
        "random-forest-stacking",
        "stacking:RandomForestStacking",
        STACKED,
        "random forest on out-of-fold class probabilities (Wolpert 1992)",
    ),
)
"""Name, where its class or factory lies, flags and summary of each fusion."""


@hookimpl
def mmbench_register_fusions(register: Callable[..., None]) -> None:
    """Register the fusions; the libraries they need are imported when one is built."""
    for name, target, flags, summary in FUSIONS:
        register(name, f"mmbench_fusions.{target}", **flags, summary=summary)
