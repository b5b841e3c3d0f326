"""A text's words: lower case, stop words, stems, and the segmentation of Chinese."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

UNPARTED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters and Japanese kana, which are written without blanks between words."""

PARTED = rf"(?:(?![{UNPARTED}])\w)+"
"""A run of other letters, digits and underscores."""

PATTERNS = {
    "none": re.compile(r"\w+"),
    "characters": re.compile(rf"[{UNPARTED}]|{PARTED}"),
    "jieba": re.compile(rf"[{UNPARTED}]+|{PARTED}"),
}
"""What is found in a text, by segmentation; jieba then cuts the runs of unparted characters."""

StopWords = Literal["none", "english"]
Segment = Literal["none", "characters", "jieba"]
Stem = Literal[
    "none",
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "czech",
    "danish",
    "dutch",
    "english",
    "esperanto",
    "estonian",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "persian",
    "polish",
    "porter",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "sesotho",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
]


@dataclass(frozen=True, kw_only=True)
class Words:
    """Cuts a text into words; without options, in lower case and nothing else.

    A word is a run of letters, digits and underscores, of one character too. Every Chinese
    character and Japanese kana is a word of its own unless ``segment`` says otherwise.

    Parameters
    ----------
    lowercase : bool, default True
        Whether words are in lower case. Stemmers are made for lower case.
    stop_words : {"none", "english"}, default "none"
        Words that are left out, before stemming: scikit-learn's English list, in any case.
    stem : str, default "none"
        Whose language's Snowball stemmer shortens words; ``"english"`` is Porter's second,
        ``"porter"`` his first.
    segment : {"none", "characters", "jieba"}, default "characters"
        How Chinese is cut: a run of characters is one word, every character is one, or jieba finds
        the words (Japanese kana remain one each).

    References
    ----------
    Porter, "An algorithm for suffix stripping", Program 14(3), 1980; "Snowball: a language for
    stemming algorithms", 2001.
    """

    lowercase: bool = True
    stop_words: StopWords = "none"
    stem: Stem = "none"
    segment: Segment = "characters"

    def __call__(self, text: str) -> list[str]:
        """Return the text's words in their order, repeated as often as they occur.

        Raises
        ------
        ModuleNotFoundError
            If ``segment`` is ``"jieba"`` and jieba is not installed.
        """
        words = PATTERNS[self.segment].findall(text.lower() if self.lowercase else text)
        if self.segment == "jieba":
            cut = _jieba()
            words = [part for word in words for part in (cut(word) if _unparted(word) else [word])]
        if self.stop_words == "english":
            left_out = _english_stop_words()
            words = [word for word in words if word.lower() not in left_out]
        if self.stem != "none":
            stem = _stemmer(self.stem)
            words = [stem(word) for word in words]
        return words


_unparted = re.compile(f"[{UNPARTED}]").match


@cache
def _english_stop_words() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words: frozenset[str] = ENGLISH_STOP_WORDS
    return words


@cache
def _stemmer(language: str) -> Callable[[str], str]:
    import snowballstemmer

    stem: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord
    return stem


@cache
def _jieba() -> Callable[[str], list[str]]:
    """Return jieba's cut by its default dictionary, which its own package holds.

    The dictionary is read here, as jieba itself would log, and keep a copy in the folder for
    temporary files, where another user of the machine could have put one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its patterns are not raw strings
            import jieba
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"segment = 'jieba' needs jieba, which mmbench-features[chinese] brings: {error}"
        ) from None
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    cut: Callable[[str], list[str]] = tokenizer.lcut
    return cut
