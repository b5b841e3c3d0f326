"""Factories of scikit-learn classifiers; parameters mean what they mean there."""

from __future__ import annotations

from typing import Any, Literal


def svm(
    *,
    C: float = 1.0,
    kernel: Literal["linear", "rbf", "poly"] = "rbf",
    gamma: float | Literal["scale", "auto"] = "scale",
    degree: int = 3,
    coef0: float = 0.0,
    class_weight: Literal["balanced"] | None = None,
    oversample: bool = False,
) -> Any:
    """Build a support vector machine; it has `decision_function` and no probabilities.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty.
    kernel : {"rbf", "linear", "poly"}
        ``exp(-gamma |x - y|^2)``, ``<x, y>`` or ``(gamma <x, y> + coef0)^degree``.
    gamma : float or {"scale", "auto"}, default "scale"
        Coefficient of ``rbf`` and ``poly``: 1 / (features * variance), or 1 / features.
    degree : int, default 3
        Degree of ``poly``.
    coef0 : float, default 0
        Constant term of ``poly``.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Cortes and Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """
    from mmbench_heads.estimators import KernelMachine
    from mmbench_heads.wrapper import wrapped

    machine = KernelMachine(
        C=C,
        kernel=kernel,
        gamma=gamma,
        degree=degree,
        coef0=coef0,
        class_weight=class_weight,
        break_ties=True,
    )
    return wrapped(machine, oversample=oversample)


def _by_distances(*, kernel: str, **_options: Any) -> bool:
    """Whether the kernel depends on nothing but distances."""
    return kernel == "rbf"


svm.takes_distances = _by_distances  # type: ignore[attr-defined]


def logistic_regression(
    *,
    C: float = 1.0,
    l1_ratio: float = 0.0,
    class_weight: Literal["balanced"] | None = None,
    max_iter: int = 1000,
    tol: float = 1e-4,
    oversample: bool = False,
) -> Any:
    """Build a multinomial logistic regression with an L2, L1 or elastic net penalty.

    L2 is solved by L-BFGS, the others by SAGA, which visits samples in a pseudo-random order that
    is always the same. A solver that has not converged warns.

    Parameters
    ----------
    C : float, default 1.0
        Inverse strength of the penalty; infinite for none.
    l1_ratio : float, default 0
        Share of the L1 penalty: 0 is L2, 1 is L1, what lies between is the elastic net.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    max_iter : int, default 1000
        Most iterations of the solver.
    tol : float, default 1e-4
        What the solver takes for converged: the largest gradient (L-BFGS), or change of a
        coefficient relative to the largest (SAGA).
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Zou and Hastie, "Regularization and variable selection via the elastic net", Journal of the
    Royal Statistical Society B 67(2), 2005. Defazio, Bach and Lacoste-Julien, "SAGA", NeurIPS
    2014.
    """
    from sklearn.linear_model import LogisticRegression

    from mmbench_heads.wrapper import wrapped

    regression = LogisticRegression(
        C=C,
        l1_ratio=l1_ratio,
        solver="saga" if l1_ratio else "lbfgs",
        class_weight=class_weight,
        max_iter=max_iter,
        tol=tol,
        random_state=0,  # of the order in which SAGA visits the samples
    )
    return wrapped(regression, oversample=oversample, threads=1)


def ridge(
    *,
    alpha: float = 1.0,
    class_weight: Literal["balanced"] | None = None,
    oversample: bool = False,
) -> Any:
    """Build a ridge classifier: least squares on -1 and 1 per class, with an L2 penalty.

    It has `decision_function` and no probabilities.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty.
    class_weight : {"balanced"}, optional
        Weigh samples by the inverse frequency of their class.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
    Technometrics 12(1), 1970.
    """
    from sklearn.linear_model import RidgeClassifier

    from mmbench_heads.wrapper import wrapped

    classifier = RidgeClassifier(alpha=alpha, class_weight=class_weight)
    return wrapped(classifier, oversample=oversample, threads=1)


def k_nearest(
    *,
    threads: int,
    n_neighbors: int = 5,
    weights: Literal["uniform", "distance"] = "uniform",
    metric: Literal["euclidean", "manhattan", "cosine"] = "euclidean",
    oversample: bool = False,
) -> Any:
    """Build a classifier by the k nearest training samples.

    Parameters
    ----------
    threads : int
        Threads that search; the result does not depend on it.
    n_neighbors : int, default 5
        How many neighbours vote; the training part must have as many samples.
    weights : {"uniform", "distance"}
        Equal votes, or votes by the inverse of the distance.
    metric : {"euclidean", "manhattan", "cosine"}
        Distance.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    References
    ----------
    Cover and Hart, "Nearest neighbor pattern classification", IEEE Transactions on Information
    Theory 13(1), 1967.
    """
    from sklearn.neighbors import KNeighborsClassifier

    from mmbench_heads.wrapper import wrapped

    nearest = KNeighborsClassifier(
        n_neighbors=n_neighbors, weights=weights, metric=metric, n_jobs=threads
    )
    return wrapped(nearest, oversample=oversample, threads=threads)


def naive_bayes(*, var_smoothing: float = 1e-9, oversample: bool = False) -> Any:
    """Build a Gaussian naive Bayes classifier.

    Parameters
    ----------
    var_smoothing : float, default 1e-9
        Share of the largest variance of all features that is added to every variance.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest: it makes
        the classes' prior probabilities equal.
    """
    from mmbench_heads.estimators import GaussianNaiveBayes
    from mmbench_heads.wrapper import wrapped

    return wrapped(GaussianNaiveBayes(var_smoothing=var_smoothing), oversample=oversample)


def mlp(
    *,
    seed: int,
    hidden_layer_sizes: int | tuple[int, ...] = 100,
    activation: Literal["relu", "tanh", "logistic"] = "relu",
    alpha: float = 1e-4,
    learning_rate_init: float = 1e-3,
    batch_size: int | Literal["auto"] = "auto",
    max_iter: int = 200,
    early_stopping: bool = False,
    n_iter_no_change: int = 10,
    oversample: bool = False,
) -> Any:
    """Build a multi-layer perceptron, trained by Adam.

    Parameters
    ----------
    seed : int
        Random state of the first weights and the order of samples.
    hidden_layer_sizes : int or list of int, default 100
        Units of the hidden layer, or of each.
    activation : {"relu", "tanh", "logistic"}
        Of the hidden units.
    alpha : float, default 1e-4
        Strength of the L2 penalty.
    learning_rate_init : float, default 1e-3
        Step size of Adam.
    batch_size : int or "auto"
        Samples per step; by default 200, or all where there are fewer.
    max_iter : int, default 200
        Most epochs.
    early_stopping : bool, default False
        Hold out a tenth of the training part, stratified, and stop when accuracy there rises no
        more (instead of when the loss falls no more); the best weights are kept.
    n_iter_no_change : int, default 10
        Epochs without improvement after which training stops.
    oversample : bool, default False
        Repeat the samples of smaller classes, so that all are as large as the largest.

    Raises
    ------
    ValueError
        ``early_stopping`` and ``oversample`` together: repeats of one sample would be trained on
        and held out.

    References
    ----------
    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature
    323, 1986. Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """
    from mmbench_heads.estimators import Perceptron
    from mmbench_heads.wrapper import wrapped

    if early_stopping and oversample:
        raise ValueError(
            "mlp: early_stopping and oversample exclude each other: repeats of one sample would "
            "be both trained on and held out"
        )
    perceptron = Perceptron(
        hidden_layer_sizes=hidden_layer_sizes,
        activation=activation,
        alpha=alpha,
        learning_rate_init=learning_rate_init,
        batch_size=batch_size,
        max_iter=max_iter,
        early_stopping=early_stopping,
        n_iter_no_change=n_iter_no_change,
        random_state=seed,
    )
    return wrapped(perceptron, oversample=oversample, threads=1)
