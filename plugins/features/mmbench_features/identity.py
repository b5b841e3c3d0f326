"""Vectors as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Identity:
    """Embed vectors as themselves."""

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Stack vectors.

        Parameters
        ----------
        items : sequence of ndarray, shape (d,)
            Vectors of one length.

        Returns
        -------
        ndarray of float32, shape (n, d)

        Raises
        ------
        ValueError
            If the vectors differ in length.
        """
        return stacked(items).astype(np.float32)


def stacked(items: Sequence[np.ndarray]) -> np.ndarray:
    """Return vectors as float64 rows; raise `ValueError` where they differ in length."""
    vectors = list(items)
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        raise ValueError(f"vectors of unequal length: {', '.join(map(str, lengths))}")
    return np.stack(vectors).astype(np.float64)
