"""The sentiment of English, by a lexicon."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

COLUMNS = ("neg", "neu", "pos", "compound")

LONGEST = 1000
"""Characters that are scored at once: VADER's time grows with the square of their number."""


class Sentiment:
    """Shares of negative, neutral and positive words, and the sum of their strengths.

    Of VADER, a lexicon of English words, emoticons and emoji with rules for negation, degree,
    capitals, "but" and punctuation. The three shares lie in [0, 1] and sum to 1 but for rounding
    (0 for an empty text); the sum is squashed into [-1, 1]. A text of more than 1,000
    characters is scored in pieces, cut at blanks, and their scores are averaged by their numbers
    of words.

    References
    ----------
    Hutto and Gilbert, "VADER: A parsimonious rule-based model for sentiment analysis of social
    media text", ICWSM 2014.
    """

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Returns
        -------
        ndarray of float32, shape (n, 4)
            Negative, neutral, positive, sum.
        """
        return np.stack([_score(text) for text in items]).astype(np.float32)


def _score(text: str) -> np.ndarray:
    if len(text) <= LONGEST:
        scores = _analyser().polarity_scores(text)
        return np.array([scores[name] for name in COLUMNS])
    pieces = textwrap.wrap(text, LONGEST, break_on_hyphens=False) or [""]
    lengths = [max(len(piece.split()), 1) for piece in pieces]
    return np.average([_score(piece) for piece in pieces], axis=0, weights=lengths)


@cache
def _analyser() -> SentimentIntensityAnalyzer:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()
