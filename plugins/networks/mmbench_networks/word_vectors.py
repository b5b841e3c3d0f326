"""Word vectors from a file."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import numpy as np

SHOWN = 40
"""Characters of a wrong line that an error shows."""


def read(file: Path, wanted: Container[str]) -> dict[str, np.ndarray]:
    """Read the vectors of some words.

    A line holds a word and its numbers, parted by single blanks; the word may have blanks in
    itself. The text format of word2vec has a first line of two integers before, how many words
    there are and how many numbers each has; that of GloVe has not, and its first word must be
    without blanks. Of a word that occurs twice the first vector is taken.

    Parameters
    ----------
    file : Path
        UTF-8 text.
    wanted : container of str
        The words whose vectors are kept. Of all other lines only the length is looked at.

    Returns
    -------
    dict of str to ndarray of float32, shape (d,)
        In the order of the file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file has no word, a line has too few numbers or a word that is not UTF-8, that of a
        wanted word has a number that is none, or the words are not as many as the first line
        says.

    References
    ----------
    Pennington, Socher and Manning, "GloVe: global vectors for word representation", EMNLP 2014.
    Mikolov et al., "Efficient estimation of word representations in vector space", ICLR 2013.
    """
    found: dict[str, np.ndarray] = {}
    announced, width, words = None, 0, 0
    with file.open("rb") as lines:  # a word may hold what a text file's reader takes for a new line
        for number, line in enumerate(lines, start=1):
            fields = line.rstrip().split(b" ")
            if number == 1 and len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():
                announced, width = int(fields[0]), int(fields[1])
                continue
            width = width or len(fields) - 1
            if width < 1 or len(fields) <= width:
                raise _wrong(file, number, line, f"a word and {width or 'its'} numbers expected")
            words += 1
            try:
                word = b" ".join(fields[:-width]).decode()
            except UnicodeDecodeError:
                raise _wrong(file, number, line, "the word is not UTF-8") from None
            if word not in wanted or word in found:
                continue
            try:
                vector = np.array(fields[-width:], dtype=np.float32)
            except ValueError:
                raise _wrong(file, number, line, f"{width} numbers expected") from None
            if not np.isfinite(vector).all():
                raise _wrong(file, number, line, "a number is not finite")
            found[word] = vector
    if not words or announced not in (None, words):
        raise ValueError(f"{file}: {announced or 'some'} words expected, {words} found")
    return found


def _wrong(file: Path, number: int, line: bytes, why: str) -> ValueError:
    shown = line.rstrip().decode(errors="replace")
    shown = shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 3]}..."
    return ValueError(f"{file}, line {number}: {why}; the line is {shown!r}")
