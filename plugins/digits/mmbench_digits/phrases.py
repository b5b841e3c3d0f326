"""What a digit is called: the phrases of ``phrases.tsv``, and errors made in typing them."""

from __future__ import annotations

import unicodedata
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

NUMERAL = "numeral"
SHORTEST = 3
"""Words of fewer characters are typed without error."""


class Phrase(NamedTuple):
    """A phrase for one digit.

    Attributes
    ----------
    text : str
        As it stands in the file.
    digit : int
        What it says.
    numeral : bool
        Whether it is a numeral (``VII``) and no word; an error would make it another number.
    """

    text: str
    digit: int
    numeral: bool


def base(text: str) -> str:
    """Return the form by which two phrases are told apart: case and compatibility ignored."""
    return unicodedata.normalize("NFKC", text).casefold()


def read_phrases() -> list[Phrase]:
    """Read the phrases in the file's order.

    A string shared by several languages is one phrase; one that says different digits in
    different languages is left out.
    """
    table = resources.files(__package__).joinpath("phrases.tsv").read_text(encoding="utf-8")
    phrases: dict[str, Phrase] = {}
    ambiguous: set[str] = set()
    for line in table.splitlines()[1:]:
        _, form, *texts = line.split("\t")
        for digit, text in enumerate(texts):
            if text:
                first = phrases.setdefault(base(text), Phrase(text, digit, form == NUMERAL))
                if first.digit != digit:
                    ambiguous.add(base(text))
    return [phrase for key, phrase in phrases.items() if key not in ambiguous]


def mistype(text: str, rate: float, rng: np.random.Generator) -> str:
    """Return a text with typing errors.

    Each character is, with probability ``rate``, left out, doubled or swapped with the next. A
    character is a letter with its combining marks. Texts of fewer than `SHORTEST` characters
    come back unchanged, as does one of which nothing would be left.
    """
    characters: list[str] = []
    for point in text:
        if characters and unicodedata.category(point).startswith("M"):
            characters[-1] += point
        else:
            characters.append(point)
    if len(characters) < SHORTEST:
        return text
    typed: list[str] = []
    waiting = iter(characters)
    for character in waiting:
        if rng.random() >= rate:
            typed.append(character)
            continue
        match rng.integers(3):
            case 0:
                pass
            case 1:
                typed += [character, character]
            case _:
                typed += [next(waiting, ""), character]
    return "".join(typed) or text
