"""A head whose own probabilities are calibrated: to the harness, one that has decision values."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mmbench.pipeline import Matrix, checked_probabilities, is_calibrated

LEAST = 1e-12
"""What is added to a probability before its logarithm is taken, as scikit-learn does.

A smaller one would leave the temperature to the few classes that a head holds for impossible.
"""


class Tempered:
    """A head with decision values, the logarithms of its probabilities, and nothing else.

    Parameters
    ----------
    head : Head
        One without probabilities keeps its decision values.
    """

    def __init__(self, head: Any) -> None:
        self.head = head

    @property
    def history_(self) -> Any:
        """The curves of the head's ``fit``, where it left some."""
        return getattr(self.head, "history_", None)

    def fit(self, X: Matrix, y: np.ndarray) -> Self:
        """Fit the head on features (n, d) and labels ``0 .. k-1``."""
        self.head = self.head.fit(X, y)
        self.n_classes_ = len(np.unique(y))
        return self

    def decision_function(self, X: Matrix) -> np.ndarray:
        """Return logits.

        Returns
        -------
        ndarray of float64, shape (n, k), or (n,) of two classes
            Of two classes half the logarithm of the odds.

        Raises
        ------
        PluginError
            The head's probabilities are none.
        """
        if not is_calibrated(self.head):
            return np.asarray(self.head.decision_function(X))
        given = self.head.predict_proba(X)
        values = checked_probabilities(given, X.shape[0], self.n_classes_, "predict_proba")
        logits: np.ndarray = np.log(np.maximum(values, 0) + LEAST)
        return (logits[:, 1] - logits[:, 0]) / 2 if self.n_classes_ == 2 else logits
