"""Gradient-boosted trees: scikit-learn's, XGBoost's and LightGBM's.

None draws rows or columns at random, so that none needs a seed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal


def gradient_boosting(
    *,
    threads: int,
    learning_rate: float = 0.1,
    max_iter: int = 100,
    max_leaf_nodes: int | None = 31,
    max_depth: int | None = None,
    min_samples_leaf: int = 20,
    l2_regularization: float = 0.0,
    class_weight: Literal["balanced"] | None = None,
    oversample: bool = False,
) -> Any:
    """Build scikit-learn's gradient boosting over histograms, without early stopping.

    Parameters
    ----------
    threads : int
        Threads that it may use; the result does not depend on it.
    learning_rate : float, default 0.1
        What each tree's values are multiplied by.
    max_iter : int, default 100
        Number of trees, of several classes for each.
    max_leaf_nodes : int or None, default 31
        Most leaves of a tree.
    max_depth : int, optional
        Greatest depth of a tree; default unlimited.
    min_samples_leaf : int, default 20
        Fewest samples in a leaf.
    l2_regularization : float, default 0
        Penalty on the leaves' squared values.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics
    29(5), 2001. Ke et al., "LightGBM: a highly efficient gradient boosting decision tree",
    NeurIPS 2017.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    from mmbench_heads.wrapper import wrapped

    boosting = HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=max_iter,
        max_leaf_nodes=max_leaf_nodes,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        l2_regularization=l2_regularization,
        class_weight=class_weight,
        early_stopping=False,
        random_state=0,  # of more than 200,000 samples, which ones the bins are taken from
    )
    return wrapped(boosting, oversample=oversample, threads=threads)


def xgboost(
    *,
    threads: int,
    n_estimators: int = 100,
    learning_rate: float = 0.3,
    max_depth: int = 6,
    min_child_weight: float = 1.0,
    gamma: float = 0.0,
    reg_alpha: float = 0.0,
    reg_lambda: float = 1.0,
    oversample: bool = False,
) -> Any:
    """Build XGBoost's classifier, with the histogram method.

    Parameters
    ----------
    threads : int
        Threads that it may use; the result does not depend on it.
    n_estimators : int, default 100
        Number of trees, of several classes for each.
    learning_rate : float, default 0.3
        What each tree's values are multiplied by.
    max_depth : int, default 6
        Greatest depth of a tree.
    min_child_weight : float, default 1
        Least sum of second derivatives of the loss in a leaf.
    gamma : float, default 0
        Least gain of a split.
    reg_alpha, reg_lambda : float, default 0 and 1
        Penalties on the leaves' absolute and squared values.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    Raises
    ------
    ImportError
        XGBoost is not installed.

    References
    ----------
    Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016.
    """
    from mmbench_heads.wrapper import wrapped

    boosting = _library("xgboost").XGBClassifier(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        max_depth=max_depth,
        min_child_weight=min_child_weight,
        gamma=gamma,
        reg_alpha=reg_alpha,
        reg_lambda=reg_lambda,
        tree_method="hist",
        n_jobs=threads,
    )
    return wrapped(boosting, oversample=oversample, threads=threads)


def lightgbm(
    *,
    threads: int,
    n_estimators: int = 100,
    learning_rate: float = 0.1,
    num_leaves: int = 31,
    max_depth: int | None = None,
    min_child_samples: int = 20,
    reg_alpha: float = 0.0,
    reg_lambda: float = 0.0,
    class_weight: Literal["balanced"] | None = None,
    oversample: bool = False,
) -> Any:
    """Build LightGBM's classifier, in its deterministic mode.

    Parameters
    ----------
    threads : int
        Threads that it may use; the result does not depend on it.
    n_estimators : int, default 100
        Number of trees, of several classes for each.
    learning_rate : float, default 0.1
        What each tree's values are multiplied by.
    num_leaves : int, default 31
        Most leaves of a tree.
    max_depth : int, optional
        Greatest depth of a tree; default unlimited.
    min_child_samples : int, default 20
        Fewest samples in a leaf.
    reg_alpha, reg_lambda : float, default 0
        Penalties on the leaves' absolute and squared values.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    Raises
    ------
    ImportError
        LightGBM is not installed.

    References
    ----------
    Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017.
    """
    from mmbench_heads.wrapper import wrapped

    boosting = _library("lightgbm").LGBMClassifier(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        num_leaves=num_leaves,
        max_depth=-1 if max_depth is None else max_depth,
        min_child_samples=min_child_samples,
        reg_alpha=reg_alpha,
        reg_lambda=reg_lambda,
        class_weight=class_weight,
        deterministic=True,
        force_col_wise=True,
        n_jobs=threads,
        verbosity=-1,
    )
    return wrapped(boosting, oversample=oversample, threads=threads)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ImportError(
            f"the head {name!r} needs a library that is not installed: "
            f"pip install 'mmbench-heads[{name}]'"
        ) from None
