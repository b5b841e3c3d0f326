"""Counts of hashed words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import sparse

from mmbench_features.text import Segment, Stem, StopWords, Words


class Hashing:
    """How often words occur, each counted in the column that its hash names; nothing is learnt.

    Words of one hash share a column. With ``signed``, a second bit of the hash says whether a word
    counts up or down, so that what shares a column tends to cancel out.

    Parameters
    ----------
    buckets : int, default 4096
        Columns.
    words : int, default 1
        Longest word n-gram.
    signed : bool, default True
        Whether half of the words count down.
    norm : {"l2", "l1", "none"}, default "l2"
        Whether a row is divided by its length, or by the sum of its absolute values.
    lowercase, stop_words, stem, segment
        How a text becomes words: see `mmbench_features.text.Words`.

    References
    ----------
    Weinberger, Dasgupta, Langford, Smola and Attenberg, "Feature hashing for large scale multitask
    learning", ICML 2009.
    """

    def __init__(
        self,
        *,
        buckets: int = 4096,
        words: int = 1,
        signed: bool = True,
        norm: Literal["l2", "l1", "none"] = "l2",
        lowercase: bool = True,
        stop_words: StopWords = "none",
        stem: Stem = "none",
        segment: Segment = "characters",
    ) -> None:
        self.buckets = buckets
        self.words = words
        self.signed = signed
        self.norm = norm
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.stem = stem
        self.segment = segment

    def encode(self, items: Sequence[str]) -> sparse.csr_matrix:
        """Count hashed words.

        Returns
        -------
        csr_matrix of float32, shape (n, buckets)
            A text without any word is a row of zeros.

        Raises
        ------
        ValueError
            If ``buckets`` or ``words`` is not positive.
        """
        from sklearn.feature_extraction.text import HashingVectorizer

        for name in ("buckets", "words"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: at least 1 is needed")
        vectorizer = HashingVectorizer(
            tokenizer=Words(
                lowercase=self.lowercase,
                stop_words=self.stop_words,
                stem=self.stem,
                segment=self.segment,
            ),
            token_pattern=None,
            lowercase=False,
            ngram_range=(1, self.words),
            n_features=self.buckets,
            alternate_sign=self.signed,
            norm=None if self.norm == "none" else self.norm,
            dtype=np.float32,
        )
        counts: sparse.csr_matrix = vectorizer.transform(list(items))
        return counts
