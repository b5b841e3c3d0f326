"""Feature-level fusion by kernels: explicit feature maps of one kernel made of the modalities'."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import numpy as np
from scipy.linalg import eigh

from mmbench_fusions.weights import as_history, learned_by_modality

Gamma = float | Literal["scale"]


class KernelFusion(ABC):
    """Vectors whose inner products are a kernel made of one RBF kernel per modality.

    The fused vector of x is ``K(x, Z) K(Z, Z)^(-1/2)`` for the landmarks Z, with the pseudo-inverse
    where the matrix is singular. With all training samples as landmarks the map is exact: inner
    products of training vectors are K, and a linear head on the vectors is the kernel machine.

    Attributes
    ----------
    weights_ : dict of str to float
        By modality, not negative, summing to 1: those with which the mean of the heads'
        out-of-fold probabilities has the least log loss.
    history_ : list of dict
        The same, to be kept with the fit.
    gammas_ : dict of str to float
        Each modality's gamma.
    landmarks_ : dict of str to ndarray
        The landmarks' embeddings, times the root of gamma.
    root_ : ndarray of float64, shape (landmarks, landmarks)
    """

    gamma: Gamma

    def fit(
        self,
        features: Mapping[str, np.ndarray],
        labels: np.ndarray,
        *,
        out_of_fold: Mapping[str, np.ndarray],
    ) -> Self:
        """Find the weights and the map.

        Parameters
        ----------
        features : mapping of str to ndarray, shape (n, d_modality)
        labels : ndarray of int, shape (n,)
        out_of_fold : mapping of str to ndarray, shape (n, k)
            Out-of-fold class probabilities by modality.

        Raises
        ------
        ValueError
            If gamma is not positive, the training samples are over the limit, or there is to be no
            landmark.
        """
        if self.gamma != "scale" and not 0 < self.gamma < np.inf:
            raise ValueError(f"gamma = {self.gamma}: it must be positive, or 'scale'")
        rows = self._choose(len(labels))
        self.weights_ = learned_by_modality(out_of_fold, labels)
        self.history_: list[dict[str, Any]] = as_history(self.weights_, "weight")
        self.gammas_ = {m: _gamma(part, self.gamma) for m, part in features.items()}
        self.landmarks_ = self._scaled({m: part[rows] for m, part in features.items()})
        self.root_ = inverse_root(self._kernel(self.landmarks_))
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fuse embeddings (n, d_modality) into vectors (n, landmarks)."""
        fused: np.ndarray = self._kernel(self._scaled(features)) @ self.root_
        return fused

    @abstractmethod
    def _choose(self, n: int) -> np.ndarray:
        """Return the training rows that serve as landmarks."""

    @abstractmethod
    def _combine(self, parts: Iterable[tuple[float, np.ndarray]]) -> np.ndarray:
        """Return the kernel of the modalities' weights and scaled squared distances."""

    def _scaled(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {m: np.sqrt(self.gammas_[m]) * part for m, part in features.items()}

    def _kernel(self, scaled: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the kernel (n, landmarks) of samples with the landmarks."""
        from sklearn.metrics.pairwise import euclidean_distances

        return self._combine(
            (weight, euclidean_distances(scaled[m], self.landmarks_[m], squared=True))
            for m, weight in self.weights_.items()
        )


class Sum(KernelFusion):
    """The weighted sum of the modalities' kernels."""

    def _combine(self, parts: Iterable[tuple[float, np.ndarray]]) -> np.ndarray:
        summed: np.ndarray = sum(weight * np.exp(-distances) for weight, distances in parts)
        return summed


class Product(KernelFusion):
    """The product of the modalities' kernels, each to the power of its weight."""

    def _combine(self, parts: Iterable[tuple[float, np.ndarray]]) -> np.ndarray:
        product: np.ndarray = np.exp(-sum(weight * distances for weight, distances in parts))
        return product


class Exact(KernelFusion):
    """All training samples are landmarks."""

    def __init__(self, *, gamma: Gamma = "scale", limit: int = 5000) -> None:
        self.gamma = gamma
        self.limit = limit

    def _choose(self, n: int) -> np.ndarray:
        if n > self.limit:
            raise ValueError(
                f"an exact feature map of {n} training samples is over limit = {self.limit}: take "
                "the nystrom fusion of the same kernel, or a higher limit"
            )
        return np.arange(n)


class Nystrom(KernelFusion):
    """Some training samples, drawn at random, are landmarks."""

    def __init__(self, *, seed: int, landmarks: int = 256, gamma: Gamma = "scale") -> None:
        self.seed = seed
        self.landmarks = landmarks
        self.gamma = gamma

    def _choose(self, n: int) -> np.ndarray:
        if self.landmarks < 1:
            raise ValueError(f"landmarks = {self.landmarks}: it must be at least 1")
        drawn = np.random.default_rng(self.seed).permutation(n)[: self.landmarks]
        return np.sort(drawn)


class KernelSum(Exact, Sum):
    """The weighted sum of the modalities' RBF kernels, as an exact feature map.

    Parameters
    ----------
    gamma : float or "scale"
        Of every modality's kernel, ``exp(-gamma |x - y|^2)``; ``scale`` is 1 / (features *
        variance) of the modality on the training part.
    limit : int, default 5000
        Most training samples: time grows with their cube, memory with their square.

    References
    ----------
    Lanckriet, Cristianini, Bartlett, El Ghaoui and Jordan, "Learning the kernel matrix with
    semidefinite programming", Journal of Machine Learning Research 5, 2004.
    """


class KernelProduct(Exact, Product):
    """The product of the modalities' RBF kernels, weights as exponents, as an exact feature map.

    It is the RBF kernel on the modalities side by side, each times the root of weight * gamma.

    Parameters
    ----------
    gamma : float or "scale"
        Of every modality's kernel, as in `KernelSum`.
    limit : int, default 5000
        Most training samples: time grows with their cube, memory with their square.

    References
    ----------
    Gönen and Alpaydın, "Multiple kernel learning algorithms", Journal of Machine Learning Research
    12, 2011.
    """


class NystromKernelSum(Nystrom, Sum):
    """`KernelSum` with some training samples, drawn at random, as landmarks.

    Parameters
    ----------
    seed : int
        Of the draw.
    landmarks : int, default 256
        How many; all training samples where there are fewer.
    gamma : float or "scale"
        Of every modality's kernel, as in `KernelSum`.

    References
    ----------
    Williams and Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000.
    """


class NystromKernelProduct(Nystrom, Product):
    """`KernelProduct` with some training samples, drawn at random, as landmarks.

    Parameters
    ----------
    seed : int
        Of the draw.
    landmarks : int, default 256
        How many; all training samples where there are fewer.
    gamma : float or "scale"
        Of every modality's kernel, as in `KernelSum`.

    References
    ----------
    Williams and Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000.
    """


def inverse_root(matrix: np.ndarray) -> np.ndarray:
    """Return the pseudo-inverse square root of a positive semidefinite matrix.

    Eigenvalues below the largest times size times machine epsilon count as 0.
    """
    values, vectors = eigh(matrix)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    vectors = vectors[:, kept]
    root: np.ndarray = (vectors / np.sqrt(values[kept])) @ vectors.T
    return root


def _gamma(part: np.ndarray, gamma: Gamma) -> float:
    """Return a modality's gamma; 1 for features that do not vary, as in scikit-learn's SVC."""
    if gamma != "scale":
        return gamma
    varies = np.ptp(part, axis=0).any()
    return 1 / (part.shape[1] * float(part.var())) if varies else 1.0
