"""How long texts are, and what they are written with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import regex

from mmbench_features.text import Words

SHARES = {
    "letters": r"\p{L}",
    "capitals": r"\p{Lu}",
    "digits": r"\p{Nd}",
    "punctuation": r"\p{P}",
    "blanks": r"\s",
}
"""Characters, by what they are; their share in all characters of a text is a column."""

COUNTS = {
    "sentences": r"\w[^.!?。！？…]*",
    "lines": r"\S[^\n\r]*",
    "question marks": r"[?？؟]",
    "exclamation marks": r"[!！]",
    "ellipses": r"\.{3,}|…+",
    "quotation marks": r"[\"“”„«»「」『』]",
    "links": r"https?://\S+|www\.\S+",
    "mentions and hashtags": r"(?<!\w)[@#]\w+",
    "emoji": (
        r"(?:\p{RI}{2}|\p{Emoji_Presentation}|\p{Emoji}\uFE0F)"
        r"(?:[\p{Emoji_Modifier}\uFE0F\u20E3]|\u200D\p{Extended_Pictographic})*"
    ),
    "shouted words": r"(?<!\w)\p{Lu}{2,}+(?!\w)",
}
"""What is counted in a text, a column each."""

COLUMNS = ("characters", "words", "distinct words", "word length", *SHARES, *COUNTS)

_PATTERNS = [regex.compile(pattern) for pattern in (*SHARES.values(), *COUNTS.values())]


class TextStatistics:
    """Lengths, shares of kinds of characters, and counts of marks that carry tone.

    `COLUMNS` names the columns: the number of characters and of words, the share of words that
    differ, the mean length of a word in characters, the shares of `SHARES` in all characters, and
    the counts of `COUNTS`. Words are those of `mmbench_features.text.Words`.
    """

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Returns
        -------
        ndarray of float32, shape (n, 19)
            A column per name of `COLUMNS`; an empty text is a row of zeros.
        """
        return np.array([_row(text) for text in items], dtype=np.float32)


def _row(text: str) -> list[float]:
    words = Words()(text)
    found = [sum(1 for _ in pattern.finditer(text)) for pattern in _PATTERNS]
    return [
        len(text),
        len(words),
        len(set(words)) / max(len(words), 1),
        sum(map(len, words)) / max(len(words), 1),
        *(count / max(len(text), 1) for count in found[: len(SHARES)]),
        *found[len(SHARES) :],
    ]
