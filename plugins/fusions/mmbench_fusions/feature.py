"""Feature-level fusion: several embeddings to one vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy import sparse


class Concat:
    """Put the embeddings of a sample side by side, in the order of the mapping."""

    def transform(
        self, features: Mapping[str, np.ndarray | sparse.csr_matrix]
    ) -> np.ndarray | sparse.csr_matrix:
        """Concatenate.

        Parameters
        ----------
        features : mapping of str to ndarray or CSR, shape (n, d_modality)

        Returns
        -------
        ndarray, or CSR where any part is sparse, shape (n, d)
            ``d`` is the sum of all ``d_modality``.
        """
        parts = list(features.values())
        if any(sparse.issparse(part) for part in parts):
            return sparse.hstack(parts, format="csr")
        return np.hstack(parts)

    def distance_weights(self, modalities: Iterable[str]) -> dict[str, float]:
        """Return the weights with which squared distances add up: 1 for every modality."""
        return dict.fromkeys(modalities, 1.0)
