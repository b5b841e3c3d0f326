"""Weighted n-grams of words and characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import sparse

from mmbench_features.text import Segment, Stem, StopWords, Words

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer


class TfIdf:
    """Term frequency times inverse document frequency of word and of character n-grams.

    Character n-grams are taken inside words (runs without white space, a blank added at either
    end, which is a character too), so that scripts which do not part their words, such as
    Chinese, are read too. Words of one character count. The word part and the character part of a
    row each have length 1, or 0 where the text has no n-gram that was learnt.

    Parameters
    ----------
    words : int, default 2
        Longest word n-gram; 0 for none.
    characters : int, default 4
        Longest character n-gram; 0 for none.
    min_df : int, default 1
        An n-gram in fewer training texts than this is left out.
    sublinear : bool, default True
        Whether a term's frequency ``f`` counts as ``1 + log(f)``.
    max_features : int, optional
        Keep only so many n-grams, the most frequent, of words and as many of characters.
    lowercase : bool, default True
        Whether words and characters are in lower case.
    stop_words, stem, segment
        How a text becomes the words of the word n-grams: see `mmbench_features.text.Words`.
        Character n-grams are of the whole text.

    Attributes
    ----------
    parts_ : list of sklearn.feature_extraction.text.TfidfVectorizer
        The fitted parts, words first; a part without any n-gram is left out.

    References
    ----------
    Salton and Buckley, "Term-weighting approaches in automatic text retrieval", Information
    Processing & Management 24(5), 1988.
    """

    def __init__(
        self,
        *,
        words: int = 2,
        characters: int = 4,
        min_df: int = 1,
        sublinear: bool = True,
        max_features: int | None = None,
        lowercase: bool = True,
        stop_words: StopWords = "none",
        stem: Stem = "none",
        segment: Segment = "none",
    ) -> None:
        self.words = words
        self.characters = characters
        self.min_df = min_df
        self.sublinear = sublinear
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
        """Learn the n-grams of the training texts and how many texts hold each.

        Parameters
        ----------
        items : sequence of str
        labels, validation
            Not used.

        Raises
        ------
        ValueError
            If nothing is left to learn: all texts empty, or every n-gram in fewer than ``min_df``.
        """
        if min(self.words, self.characters) < 0 or self.words == self.characters == 0:
            raise ValueError("words and characters must not be negative, nor both 0")
        texts = list(items)
        vectorizers = []
        if self.words:
            cut = Words(
                lowercase=self.lowercase,
                stop_words=self.stop_words,
                stem=self.stem,
                segment=self.segment,
            )
            vectorizers.append(
                self._vectorizer(self.words, tokenizer=cut, token_pattern=None, lowercase=False)
            )
        if self.characters:
            vectorizers.append(
                self._vectorizer(self.characters, analyzer="char_wb", lowercase=self.lowercase)
            )
        self.parts_, reasons = [], []
        for vectorizer in vectorizers:
            try:
                self.parts_.append(vectorizer.fit(texts))
            except ValueError as error:  # no n-gram at all, or none in min_df texts
                reasons.append(error)
        if not self.parts_:
            raise ValueError(f"no n-gram in {len(texts)} training texts: {reasons[-1]}")
        return self

    def encode(self, items: Sequence[str]) -> sparse.csr_matrix:
        """Embed texts.

        Returns
        -------
        csr_matrix of float32, shape (n, d)
        """
        texts = list(items)
        return sparse.hstack([part.transform(texts) for part in self.parts_], format="csr")

    def _vectorizer(self, longest: int, **options: Any) -> TfidfVectorizer:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(
            ngram_range=(1, longest),
            min_df=self.min_df,
            max_features=self.max_features,
            sublinear_tf=self.sublinear,
            dtype=np.float32,
            **options,
        )
