"""The dataset ``digits``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from mmbench_digits.phrases import Phrase, base, mistype, read_phrases

BLOCKS = 20
FOLDS = 5


class Digits:
    """Handwritten digits, each with its name or numeral in one of many languages.

    The images are real: the 1,797 of `sklearn.datasets.load_digits`, 8 by 8 pixels. The text
    is made: every image is given one of the phrases that name its digit. Images and phrases are
    dealt into 20 blocks, class by class, in an order fixed by a hash; a sample draws its phrase
    from its block. So no phrase stands in two folds.

    Parameters
    ----------
    typos : float, default=0.05
        Typing errors per character, in [0, 1]. Numerals are free of them.
    noise : float, default=0.25
        Standard deviation of the Gaussian noise on the pixels, as a part of their range.
    size : int, default=32
        Width and height to which images are enlarged (bicubic), after the noise; at least 8.
    draw : int, default=0
        Another number draws other phrases, typing errors and noise. The blocks stay.

    Attributes
    ----------
    modalities : dict of str to str
        ``{"image": "image", "text": "text"}``.
    labels : ndarray of int64, shape (1797,)
        The digit.
    classes : list of str
        ``"0"`` to ``"9"``.
    ids : list of str
        ``"digit-0000"`` to ``"digit-1796"``, in scikit-learn's order.
    groups : ndarray of int64, shape (1797,)
        The block, 0 to 19.
    folds : ndarray of int64, shape (1797,)
        The block modulo 5.
    phrases : list of str
        Each sample's phrase before typing errors.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    def __init__(
        self, *, typos: float = 0.05, noise: float = 0.25, size: int = 32, draw: int = 0
    ) -> None:
        if not 0 <= typos <= 1:
            raise ValueError(f"typos is a rate between 0 and 1, not {typos}")
        if not 0 <= noise < float("inf"):
            raise ValueError(f"noise is a standard deviation of 0 or more, not {noise}")
        if size < 8:
            raise ValueError(f"size is 8 pixels or more, not {size}")
        self.typos = typos
        self.noise = noise
        self.size = size
        self.draw = draw

        digits = load_digits()
        self._images = digits.images / 16
        self.labels = digits.target.astype(np.int64)
        self.classes = [str(digit) for digit in range(10)]
        self.ids = [f"digit-{i:04d}" for i in range(len(self.labels))]
        self.groups = deal(self.ids, self.labels)
        self.folds = self.groups % FOLDS

        self._phrases = self._draw_phrases()
        self.phrases = [phrase.text for phrase in self._phrases]
        self._make: dict[str, Callable[[int], Any]] = {"image": self._image, "text": self._text}
        self.modalities = {"image": "image", "text": "text"}

    def items(self, modality: str) -> Items:
        """Return the items of a modality, each made when it is accessed, none missing."""
        return Items(self._make[modality], len(self.ids))

    def fingerprint(self, modality: str) -> str:
        """Return a hash of all items of a modality."""
        content = hashlib.sha256()
        for item in self.items(modality):
            content.update(f"{item}\0".encode() if isinstance(item, str) else item.tobytes())
        return content.hexdigest()

    def _draw_phrases(self) -> list[Phrase]:
        phrases = read_phrases()
        blocks = deal(
            [base(phrase.text) for phrase in phrases],
            np.array([phrase.digit for phrase in phrases]),
        )
        hands: dict[tuple[int, int], list[Phrase]] = {}
        for phrase, block in zip(phrases, blocks, strict=True):
            hands.setdefault((phrase.digit, int(block)), []).append(phrase)
        drawn = []
        for name, label, block in zip(self.ids, self.labels, self.groups, strict=True):
            hand = hands[int(label), int(block)]
            drawn.append(hand[self._rng("phrase", name).integers(len(hand))])
        return drawn

    def _image(self, i: int) -> Image.Image:
        clean = self._images[i]
        noise = self.noise * self._rng("noise", self.ids[i]).standard_normal(clean.shape)
        pixels = np.rint(255 * np.clip(clean + noise, 0, 1)).astype(np.uint8)
        return Image.fromarray(pixels).resize((self.size, self.size), Image.Resampling.BICUBIC)

    def _text(self, i: int) -> str:
        phrase = self._phrases[i]
        if phrase.numeral:
            return phrase.text
        return mistype(phrase.text, self.typos, self._rng("typos", self.ids[i]))

    def _rng(self, purpose: str, name: str) -> np.random.Generator:
        """Return a generator for one purpose and sample, the same on every machine."""
        return np.random.default_rng(int.from_bytes(_digest(f"{self.draw} {purpose} {name}")))


class Items(Sequence[Any]):
    """A modality's items, each made by ``make(i)`` when it is accessed.

    Attributes
    ----------
    missing : ndarray of bool, shape (n,)
        All False.
    """

    def __init__(self, make: Callable[[int], Any], n: int) -> None:
        self._make = make
        self._range = range(n)
        self.missing = np.zeros(n, dtype=bool)

    def __len__(self) -> int:
        return len(self._range)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return the item at an index, or a list of those in a slice."""
        if isinstance(index, slice):
            return [self._make(i) for i in self._range[index]]
        return self._make(self._range[index])


def deal(names: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """Deal named things into blocks, in turn, class by class, in an order fixed by a hash.

    Blocks differ by one at most in their size, and in how many of a class they hold.

    Parameters
    ----------
    names : sequence of str
        Unique within a class.
    labels : ndarray of int, shape (n,)
        Their classes.

    Returns
    -------
    ndarray of int64, shape (n,)
        Blocks, 0 to 19.
    """
    order = sorted(range(len(names)), key=lambda i: (labels[i], _digest(names[i])))
    blocks = np.empty(len(names), dtype=np.int64)
    blocks[order] = np.arange(len(names)) % BLOCKS
    return blocks


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
