"""Decision-level fusion by votes and ranks: plain and weighted majority, Borda count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmbench_fusions.absent import average, combined, counted
from mmbench_fusions.weights import normalised

TIE_BREAK = 1e-9
"""What is added to the class that is decided for, in votes or points."""


class Vote:
    """Hard majority vote: every modality votes for its most probable class.

    Among classes with equally many votes the one with the highest mean probability wins, then the
    first. (scikit-learn's ``VotingClassifier`` takes the first at once.) A modality that a sample
    lacks casts no vote.

    Parameters
    ----------
    weights : list of float, optional
        What each modality's vote counts (and its probability in the mean that breaks ties): one
        per modality, in the dataset's order, not negative, only their ratios matter. Default:
        equal.
    """

    def __init__(self, *, weights: list[float] | None = None) -> None:
        self.weights = weights

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return every class's share of the votes, shape (n, k).

        The winner has `TIE_BREAK` of a vote more, so that the largest share is the decision.

        Raises
        ------
        ValueError
            If the weights are not one per modality, finite, not negative and not all 0.
        """
        m = len(probabilities)
        weights = None if self.weights is None else m * normalised(self.weights, m)

        def vote(stacked: np.ndarray) -> np.ndarray:
            _, n, k = stacked.shape
            votes = np.zeros((n, k))
            for part, counts in zip(stacked, counted(stacked, weights), strict=True):
                here = np.flatnonzero(counts)
                votes[here, part[here].argmax(axis=1)] += counts[here]
            return _decided(votes, average(stacked, weights))

        return combined(probabilities, vote)


class Borda:
    """Borda count: every modality ranks the classes and gives each a point per class below it.

    Classes of equal probability share the points of their places equally. A modality that a sample
    lacks gives none. Among classes with equally many points the one with the highest mean
    probability wins, then the first. Of two classes it is the plain vote.

    References
    ----------
    Borda, "Mémoire sur les élections au scrutin", Histoire de l'Académie Royale des Sciences, 1781.
    Ho, Hull and Srihari, "Decision combination in multiple classifier systems", IEEE Transactions
    on Pattern Analysis and Machine Intelligence 16(1), 1994.
    """

    def predict_proba(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return every class's share of the points, shape (n, k).

        The winner has `TIE_BREAK` of a point more, so that the largest share is the decision.
        """

        def count(stacked: np.ndarray) -> np.ndarray:
            from scipy.stats import rankdata

            points = rankdata(stacked, axis=2) - 1
            return _decided(np.nansum(points, axis=0), average(stacked))

        return combined(probabilities, count)


def _decided(points: np.ndarray, preference: np.ndarray) -> np.ndarray:
    """Scale points (n, k) to sum to 1, of the leading classes the preferred one just ahead."""
    leading = points > points.max(axis=1, keepdims=True) - TIE_BREAK / 2
    winner = np.where(leading, preference, -1.0).argmax(axis=1)
    points[np.arange(len(points)), winner] += TIE_BREAK
    shares: np.ndarray = points / points.sum(axis=1, keepdims=True)
    return shares
