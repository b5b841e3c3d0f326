"""Heads: scikit-learn's support vector machine, random forest and logistic regression."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_heads(register: Callable[..., None]) -> None:
    """Register the heads; scikit-learn is imported when one is built."""
    register(
        "svm",
        "mmbench_heads.classifiers:svm",
        sparse=True,
        summary="support vector machine with a kernel",
    )
    register(
        "random-forest",
        "mmbench_heads.classifiers:random_forest",
        sparse=True,
        summary="random forest",
    )
    register(
        "logistic-regression",
        "mmbench_heads.classifiers:logistic_regression",
        sparse=True,
        summary="multinomial logistic regression with an L2 penalty",
    )
