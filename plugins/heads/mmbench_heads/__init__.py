"""Heads: scikit-learn's classifiers, XGBoost and LightGBM."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_heads(register: Callable[..., None]) -> None:
    """Register the heads; the libraries they need are imported when one is built."""
    register(
        "svm",
        "mmbench_heads.classifiers:svm",
        sparse=True,
        summary="support vector machine: linear, RBF or polynomial kernel",
    )
    register(
        "random-forest",
        "mmbench_heads.forests:random_forest",
        sparse=True,
        summary="random forest (Breiman 2001)",
    )
    register(
        "extra-trees",
        "mmbench_heads.forests:extra_trees",
        sparse=True,
        summary="extremely randomised trees (Geurts et al. 2006)",
    )
    register(
        "gradient-boosting",
        "mmbench_heads.boosting:gradient_boosting",
        summary="gradient-boosted trees over histograms",
    )
    register(
        "logistic-regression",
        "mmbench_heads.classifiers:logistic_regression",
        sparse=True,
        summary="multinomial logistic regression: L2, L1 or elastic net",
    )
    register(
        "ridge",
        "mmbench_heads.classifiers:ridge",
        sparse=True,
        summary="least squares with an L2 penalty",
    )
    register(
        "k-nearest",
        "mmbench_heads.classifiers:k_nearest",
        sparse=True,
        summary="vote of the k nearest training samples",
    )
    register(
        "naive-bayes",
        "mmbench_heads.classifiers:naive_bayes",
        summary="Gaussian naive Bayes",
    )
    register(
        "mlp",
        "mmbench_heads.classifiers:mlp",
        sparse=True,
        summary="multi-layer perceptron",
    )
    register(
        "xgboost",
        "mmbench_heads.boosting:xgboost",
        summary="XGBoost's gradient-boosted trees (needs mmbench-heads[xgboost])",
    )
    register(
        "lightgbm",
        "mmbench_heads.boosting:lightgbm",
        sparse=True,
        summary="LightGBM's gradient-boosted trees (needs mmbench-heads[lightgbm])",
    )
