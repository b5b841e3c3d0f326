"""Counts of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse

from mmbench_features.text import Segment, Stem, StopWords, Words


class BagOfWords:
    """How often each word of the training texts occurs.

    A word is a run of letters, digits and underscores, of one character too. Every Chinese
    character and Japanese kana is a word of its own, unless ``segment`` says otherwise.

    Parameters
    ----------
    words : int, default 1
        Longest word n-gram.
    binary : bool, default False
        1 for every word that occurs, however often.
    min_df : int, default 1
        A word in fewer training texts than this is left out.
    max_features : int, optional
        Keep only so many words, the most frequent.
    lowercase, stop_words, stem, segment
        How a text becomes words: see `mmbench_features.text.Words`.

    Attributes
    ----------
    vectorizer_ : sklearn.feature_extraction.text.CountVectorizer

    References
    ----------
    Harris, "Distributional structure", Word 10(2-3), 1954.
    """

    def __init__(
        self,
        *,
        words: int = 1,
        binary: bool = False,
        min_df: int = 1,
        max_features: int | None = None,
        lowercase: bool = True,
        stop_words: StopWords = "none",
        stem: Stem = "none",
        segment: Segment = "characters",
    ) -> None:
        self.words = words
        self.binary = binary
        self.min_df = min_df
        self.max_features = max_features
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.stem = stem
        self.segment = segment

    def fit(
        self,
        items: Sequence[str],
        labels: np.ndarray | None = None,
        *,
        validation: tuple[Sequence[str], np.ndarray | None] | None = None,
    ) -> Self:
        """Learn the words of the training texts.

        Parameters
        ----------
        items : sequence of str
        labels, validation
            Not used.

        Raises
        ------
        ValueError
            If nothing is left to learn: no text has a word, or every word is in fewer than
            ``min_df`` of them.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        texts = list(items)
        vectorizer = CountVectorizer(
            lowercase=False,
            tokenizer=Words(
                lowercase=self.lowercase,
                stop_words=self.stop_words,
                stem=self.stem,
                segment=self.segment,
            ),
            token_pattern=None,
            ngram_range=(1, self.words),
            binary=self.binary,
            min_df=self.min_df,
            max_features=self.max_features,
            dtype=np.float32,
        )
        try:
            self.vectorizer_ = vectorizer.fit(texts)
        except ValueError as error:
            raise ValueError(f"no word in {len(texts)} training texts: {error}") from None
        return self

    def encode(self, items: Sequence[str]) -> sparse.csr_matrix:
        """Count the learnt words.

        Returns
        -------
        csr_matrix of float32, shape (n, d)
            A text without any learnt word is a row of zeros.
        """
        counts: sparse.csr_matrix = self.vectorizer_.transform(list(items))
        return counts
