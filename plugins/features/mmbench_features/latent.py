"""Weighted n-grams in few dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from mmbench_features.text import Segment, Stem, StopWords
from mmbench_features.tfidf import TfIdf


class LatentSemantic:
    """Latent semantic analysis: tf-idf projected on its first singular vectors.

    Parameters
    ----------
    components : int, default 100
        How many singular vectors, at most; there are no more than training texts, nor than n-grams.
    words, characters, min_df, sublinear, max_features, lowercase, stop_words, stem, segment
        Those of `mmbench_features.tfidf.TfIdf`.
    seed : int, default 0
        Of the randomised singular value decomposition.

    Attributes
    ----------
    tf_idf_ : TfIdf
    components_ : ndarray of float64, shape (d, n-grams)
        The singular vectors, the largest singular value first.

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer and Harshman, "Indexing by latent semantic analysis",
    Journal of the American Society for Information Science 41(6), 1990; Halko, Martinsson and
    Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011.
    """

    def __init__(
        self,
        *,
        components: int = 100,
        words: int = 2,
        characters: int = 4,
        min_df: int = 1,
        sublinear: bool = True,
        max_features: int | None = None,
        lowercase: bool = True,
        stop_words: StopWords = "none",
        stem: Stem = "none",
        segment: Segment = "none",
        seed: int = 0,
    ) -> None:
        self.components = components
        self.words = words
        self.characters = characters
        self.min_df = min_df
        self.sublinear = sublinear
        self.max_features = max_features
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.stem = stem
        self.segment = segment
        self.seed = seed

    def fit(
        self,
        items: Sequence[str],
        labels: np.ndarray | None = None,
        *,
        validation: tuple[Sequence[str], np.ndarray | None] | None = None,
    ) -> Self:
        """Learn the n-grams of the training texts and their singular vectors.

        Parameters
        ----------
        items : sequence of str
        labels, validation
            Not used.

        Raises
        ------
        ValueError
            If ``components`` is not positive, or there is no n-gram to learn.
        """
        if self.components < 1:
            raise ValueError(f"components = {self.components}: at least 1 is needed")
        from sklearn.utils.extmath import randomized_svd

        self.tf_idf_ = TfIdf(
            words=self.words,
            characters=self.characters,
            min_df=self.min_df,
            sublinear=self.sublinear,
            max_features=self.max_features,
            lowercase=self.lowercase,
            stop_words=self.stop_words,
            stem=self.stem,
            segment=self.segment,
        )
        weights = self.tf_idf_.fit(items).encode(items).astype(np.float64)
        _, _, self.components_ = randomized_svd(
            weights, min(self.components, *weights.shape), random_state=self.seed
        )
        return self

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Returns
        -------
        ndarray of float32, shape (n, d)
            The first component first; a text without any learnt n-gram is a row of zeros.
        """
        return np.asarray(self.tf_idf_.encode(items) @ self.components_.T, dtype=np.float32)
