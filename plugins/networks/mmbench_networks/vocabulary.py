"""From texts to words, and from words to numbers."""

# mmbench reads options from the annotations of a dataclass, which its subclasses inherit in other
# modules; they must be types, not text, so annotations are not postponed here.

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from mmbench_features.text import Segment, Stem, StopWords, Words

PADDING, UNKNOWN = 0, 1
"""The numbers of what fills up a shorter text, and of a word that is not in the vocabulary."""


@dataclass(kw_only=True, eq=False)
class Preparation:
    """How a text becomes words, as options (`mmbench_features.text.Words` says more).

    Parameters
    ----------
    lowercase : bool, default True
        Whether words are in lower case.
    stop_words : {"none", "english"}, default "none"
        Words that are left out.
    stem : str, default "none"
        Whose language's Snowball stemmer shortens words; ``"porter"`` is Porter's of 1980.
    segment : {"none", "characters", "jieba"}, default "characters"
        How Chinese is cut into words.
    """

    lowercase: bool = True
    stop_words: StopWords = "none"
    stem: Stem = "none"
    segment: Segment = "characters"

    def words(self, texts: Iterable[str]) -> list[list[str]]:
        """Return the words of each text."""
        cut = Words(
            lowercase=self.lowercase,
            stop_words=self.stop_words,
            stem=self.stem,
            segment=self.segment,
        )
        return [cut(text) for text in texts]


class Vocabulary:
    """Words by number, from 2 on: 0 is padding, 1 any other word.

    Parameters
    ----------
    words : sequence of str
        Without repetition.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._numbers = {word: number for number, word in enumerate(words, start=UNKNOWN + 1)}

    @classmethod
    def learnt(
        cls, texts: Iterable[Sequence[str]], *, min_count: int = 1, largest: int | None = None
    ) -> Self:
        """Return the vocabulary of texts, the most frequent words first.

        Words that occur equally often come by their code points, so that the numbers do not
        depend on the order of the texts.

        Parameters
        ----------
        texts : iterable of sequence of str
            Each text as its words.
        min_count : int, default 1
            A word that occurs less often is left out.
        largest : int, optional
            Keep only so many words.
        """
        counts = Counter(chain.from_iterable(texts))
        frequent = [word for word, count in counts.items() if count >= min_count]
        return cls(sorted(frequent, key=lambda word: (-counts[word], word))[:largest])

    def __len__(self) -> int:
        """Return how many numbers there are, padding and the unknown included."""
        return len(self.words) + UNKNOWN + 1

    def numbers(self, words: Iterable[str]) -> list[int]:
        """Return the number of each word, `UNKNOWN` where the vocabulary has it not."""
        return [self._numbers.get(word, UNKNOWN) for word in words]
