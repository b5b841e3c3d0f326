"""Decision-level fusion by Dempster's rule of combination."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np

from mmbench_fusions.absent import average, combined
from mmbench_fusions.weights import as_history

Masses = Literal["bayesian", "simple"]


class DempsterShafer:
    """Dempster's rule over the modalities' class probabilities as evidence.

    A modality of reliability r whose head says p gives mass to single classes and, for what it
    does not know, to the set of all: ``bayesian``, r * p to every class and 1 - r to the set of
    all (a Bayesian mass function, discounted by 1 - r); ``simple``, r * max(p) to the most
    probable class (the first of several) and all else to the set of all (a simple support
    function). The combined mass of the set of all is shared equally (pignistic probability).

    Where the conflict is total, which needs two modalities of reliability 1, the rule is undefined
    and the mean of the probabilities stands in. A modality that a sample lacks gives no evidence.

    Parameters
    ----------
    reliability : float or list of float, default 0.9
        From 0 to 1: of all modalities, or one per modality in the dataset's order. With 1 for all,
        ``bayesian`` masses give the product rule, and a class that one modality gives probability
        0 is out, whatever the others say.
    masses : {"bayesian", "simple"}

    References
    ----------
    Shafer, "A Mathematical Theory of Evidence", 1976.
    Xu, Krzyżak and Suen, "Methods of combining multiple classifiers and their applications to
    handwriting recognition", IEEE Transactions on Systems, Man, and Cybernetics 22(3), 1992.
    Smets and Kennes, "The transferable belief model", Artificial Intelligence 66(2), 1994.
    """

    def __init__(
        self, *, reliability: float | list[float] = 0.9, masses: Masses = "bayesian"
    ) -> None:
        self.reliability = reliability
        self.masses = masses

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return pignistic class probabilities, shape (n, k).

        Raises
        ------
        ValueError
            If the reliability is not one for all or one per modality, from 0 to 1.
        """
        given = np.asarray(self.reliability, dtype=np.float64)
        if given.shape not in ((), (len(probabilities),)):
            raise ValueError(
                f"reliability = {self.reliability}: one for all or one per modality is needed, "
                f"and there are {len(probabilities)}"
            )
        if not ((given >= 0) & (given <= 1)).all():
            raise ValueError(f"reliability = {self.reliability}: it must be from 0 to 1")
        reliability = np.broadcast_to(given, len(probabilities))
        return combined(probabilities, lambda p: combine(p, reliability, self.masses))


class LearnedDempsterShafer:
    """`DempsterShafer` with the reliability that the heads showed out of fold.

    The share of samples that a modality's head classifies rightly, by the rule of succession:
    (right + 1) / (samples + 2), never 0 or 1. Samples that lack the modality do not count.

    Parameters
    ----------
    masses : {"bayesian", "simple"}

    Attributes
    ----------
    reliability_ : dict of str to float
        By modality.
    history_ : list of dict
        The same, to be kept with the fit.

    References
    ----------
    Xu, Krzyżak and Suen, "Methods of combining multiple classifiers and their applications to
    handwriting recognition", IEEE Transactions on Systems, Man, and Cybernetics 22(3), 1992.
    """

    def __init__(self, *, masses: Masses = "bayesian") -> None:
        self.masses = masses

    def fit(self, probabilities: Mapping[str, np.ndarray], labels: np.ndarray) -> Self:
        """Find the reliabilities on out-of-fold probabilities (n, k) per modality."""
        self.reliability_ = {}
        for modality, part in probabilities.items():
            here = ~np.isnan(part).any(axis=1)
            right = np.count_nonzero(part[here].argmax(axis=1) == labels[here])
            self.reliability_[modality] = float((right + 1) / (here.sum() + 2))
        self.history_: list[dict[str, Any]] = as_history(self.reliability_, "reliability")
        return self

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return pignistic class probabilities, shape (n, k)."""
        reliability = np.array([self.reliability_[modality] for modality in probabilities])
        return combined(probabilities, lambda p: combine(p, reliability, self.masses))


def combine(stacked: np.ndarray, reliability: np.ndarray, masses: Masses) -> np.ndarray:
    """Combine by Dempster's rule what modalities (m, n, k) of reliabilities (m,) say.

    Focal sets are the single classes and the set of all. So, up to the normalising constant, the
    combined mass of class j is ``prod(b_j + u) - prod(u)`` and that of the set of all
    ``prod(u)``, over the modalities' masses b_j of the class and u of the set of all.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Pignistic probabilities; the mean of ``stacked`` where the conflict is total.
    """
    k = stacked.shape[2]
    weight = reliability[:, None, None]
    if masses == "simple":
        top = stacked.argmax(axis=2, keepdims=True)
        stated = weight * stacked * (np.arange(k) == top)
        unknown = 1 - weight * stacked.max(axis=2, keepdims=True)
    else:
        stated = weight * stacked
        unknown = np.where(np.isnan(stacked[:, :, :1]), np.nan, 1 - weight)
    with np.errstate(divide="ignore"):  # the logarithm of 0 is meant to be -inf
        classes = np.nansum(np.log(stated + unknown), axis=0)
        everything = np.nansum(np.log(unknown), axis=0)
    largest = classes.max(axis=1, keepdims=True)
    largest = np.where(np.isneginf(largest), 0.0, largest)
    shares = np.exp(classes - largest) - np.exp(everything - largest) * (1 - 1 / k)
    total = shares.sum(axis=1, keepdims=True)
    fused: np.ndarray = np.divide(shares, total, out=average(stacked), where=total > 0)
    return fused
