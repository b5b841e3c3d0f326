"""Forests: random forest and extremely randomised trees, as scikit-learn has them."""

from __future__ import annotations

from typing import Any, Literal


def random_forest(
    *,
    seed: int,
    threads: int,
    n_estimators: int = 100,
    max_features: int | float | Literal["sqrt", "log2"] | None = "sqrt",
    min_samples_leaf: int = 1,
    max_depth: int | None = None,
    class_weight: Literal["balanced", "balanced_subsample"] | None = None,
    oversample: bool = False,
) -> Any:
    """Build a random forest.

    Parameters
    ----------
    seed, threads : int
        Random state, and threads that grow trees; the result does not depend on ``threads``.
    n_estimators : int, default 100
        Number of trees.
    max_features : int, float, {"sqrt", "log2"} or None, default "sqrt"
        Features tried at a split: a number, a share, a function of all, or all.
    min_samples_leaf : int, default 1
        Fewest samples in a leaf.
    max_depth : int, optional
        Greatest depth of a tree; default unlimited.
    class_weight : {"balanced", "balanced_subsample"}, optional
        Weigh samples by the inverse frequency of their class, in all or in each tree's samples.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Breiman, "Random forests", Machine Learning 45, 2001.
    """
    from mmbench_heads.estimators import RandomForest
    from mmbench_heads.wrapper import wrapped

    forest = RandomForest(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        max_depth=max_depth,
        class_weight=class_weight,
        random_state=seed,
        n_jobs=threads,
    )
    return wrapped(forest, oversample=oversample)


def extra_trees(
    *,
    seed: int,
    threads: int,
    n_estimators: int = 100,
    max_features: int | float | Literal["sqrt", "log2"] | None = "sqrt",
    min_samples_leaf: int = 1,
    max_depth: int | None = None,
    class_weight: Literal["balanced"] | None = None,
    oversample: bool = False,
) -> Any:
    """Build extremely randomised trees: thresholds are drawn, and every tree sees all samples.

    Parameters
    ----------
    seed, threads : int
        Random state, and threads that grow trees; the result does not depend on ``threads``.
    n_estimators : int, default 100
        Number of trees.
    max_features : int, float, {"sqrt", "log2"} or None, default "sqrt"
        Features tried at a split: a number, a share, a function of all, or all.
    min_samples_leaf : int, default 1
        Fewest samples in a leaf.
    max_depth : int, optional
        Greatest depth of a tree; default unlimited.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Geurts, Ernst and Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006.
    """
    from mmbench_heads.estimators import ExtraTrees
    from mmbench_heads.wrapper import wrapped

    forest = ExtraTrees(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        max_depth=max_depth,
        class_weight=class_weight,
        random_state=seed,
        n_jobs=threads,
    )
    return wrapped(forest, oversample=oversample)
