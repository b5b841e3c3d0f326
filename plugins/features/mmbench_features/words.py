"""Counts of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

UNPARTED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters and Japanese kana, which are written without blanks between words."""

WORD = rf"[{UNPARTED}]|(?:(?![{UNPARTED}])\w)+"
"""One such character, or a run of other letters, digits and underscores."""


class BagOfWords:
    """How often each word of the training texts occurs, in lower case.

    A word is a run of letters, digits and underscores, of one character too. Every Chinese
    character and Japanese kana is a word of its own.

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
    ) -> None:
        self.words = words
        self.binary = binary
        self.min_df = min_df
        self.max_features = max_features

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
        texts = list(items)
        vectorizer = CountVectorizer(
            token_pattern=WORD,
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
