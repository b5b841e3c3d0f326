"""The dataset ``digits``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from mmbench_digits.phrases import base, mistype, read_phrases
from mmbench_digits.speech import Audio, load, read_clips

if TYPE_CHECKING:
    import pandas as pd

BLOCKS = 20
FOLDS = 5


class Named(Protocol):
    """What names a digit: a phrase or a clip."""

    @property
    def digit(self) -> int:
        """What it says."""
        ...


N = TypeVar("N", bound=Named)


class Digits:
    """Handwritten digits, each with its name in writing and in speech, in many languages.

    The images are real: the 1,797 of `sklearn.datasets.load_digits`, 8 by 8 pixels. Text and
    speech are made: every image is given one of the phrases that name its digit, and one of the
    clips of a speech synthesiser that say it. Images and phrases are dealt into 20 blocks, class
    by class, and so are the voices, language by language, in an order fixed by a hash; a sample
    draws its phrase and its clip from its block. So neither phrase nor voice stands in two folds.

    Parameters
    ----------
    typos : float, default=0.05
        Typing errors per character, in [0, 1]. Numerals are free of them.
    noise : float, default=0.3
        Standard deviation of the Gaussian noise on the pixels, as a part of their range.
    size : int, default=32
        Width and height to which images are enlarged (bicubic), after the noise; at least 8.
    hiss : float, default=0.2
        Strength (root mean square) of the white Gaussian noise on the speech, as a part of the
        clip's.
    draw : int, default=0
        Another number draws other phrases, clips, typing errors and noise. The blocks stay.

    Attributes
    ----------
    modalities : dict of str to str
        ``{"image": "image", "text": "text", "speech": "audio"}``.
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
    attributes : pandas.DataFrame
        ``language``, that of each sample's voice, and ``written``, as a numeral or a word.
    voices : list of str
        The voice that speaks each sample: language and variant, ``"en-us-f1"``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    def __init__(
        self,
        *,
        typos: float = 0.05,
        noise: float = 0.3,
        size: int = 32,
        hiss: float = 0.2,
        draw: int = 0,
    ) -> None:
        if not 0 <= typos <= 1:
            raise ValueError(f"typos is a rate between 0 and 1, not {typos}")
        if not 0 <= noise < float("inf"):
            raise ValueError(f"noise is a standard deviation of 0 or more, not {noise}")
        if size < 8:
            raise ValueError(f"size is 8 pixels or more, not {size}")
        if not 0 <= hiss < float("inf"):
            raise ValueError(f"hiss is a strength of 0 or more, not {hiss}")
        self.typos = typos
        self.noise = noise
        self.size = size
        self.hiss = hiss
        self.draw = draw

        digits = load_digits()
        self._images = digits.images / 16
        self.labels = digits.target.astype(np.int64)
        self.classes = [str(digit) for digit in range(10)]
        self.ids = [f"digit-{i:04d}" for i in range(len(self.labels))]
        self.groups = deal(self.ids, self.labels)
        self.folds = self.groups % FOLDS

        phrases = read_phrases()
        bases = [base(phrase.text) for phrase in phrases]
        meanings = np.array([phrase.digit for phrase in phrases])
        self._phrases = self._draw("phrase", phrases, deal(bases, meanings))
        self.phrases = [phrase.text for phrase in self._phrases]

        clips = read_clips()
        languages = {clip.voice: clip.language for clip in clips}
        _, codes = np.unique(list(languages.values()), return_inverse=True)
        block = dict(zip(languages, deal(list(languages), codes), strict=True))
        self._clips = self._draw("clip", clips, [block[clip.voice] for clip in clips])
        self.voices = [clip.voice for clip in self._clips]

        self._make: dict[str, Callable[[int], Any]] = {
            "image": self._image,
            "text": self._text,
            "speech": self._speech,
        }
        self.modalities = {"image": "image", "text": "text", "speech": "audio"}

    @cached_property
    def attributes(self) -> pd.DataFrame:
        """What tells samples apart besides the digit: how it is written and who speaks."""
        import pandas as pd

        return pd.DataFrame(
            {
                "language": [clip.language for clip in self._clips],
                "written": ["numeral" if p.numeral else "word" for p in self._phrases],
            }
        )

    def items(self, modality: str) -> Items:
        """Return the items of a modality, each made when it is accessed, none missing."""
        return Items(self._make[modality], len(self.ids))

    def fingerprint(self, modality: str) -> str:
        """Return a hash of all items of a modality."""
        content = hashlib.sha256()
        for item in self.items(modality):
            content.update(_digest(_bytes(item)))
        return content.hexdigest()

    def _draw(self, purpose: str, things: Sequence[N], blocks: Iterable[int]) -> list[N]:
        """Draw for each sample one of the things that name its digit and lie in its block."""
        hands: dict[tuple[int, int], list[N]] = {}
        for thing, block in zip(things, blocks, strict=True):
            hands.setdefault((thing.digit, int(block)), []).append(thing)
        drawn = []
        for name, label, block in zip(self.ids, self.labels, self.groups, strict=True):
            hand = hands[int(label), int(block)]
            drawn.append(hand[self._rng(purpose, name).integers(len(hand))])
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

    def _speech(self, i: int) -> Audio:
        return load(self._clips[i], self.hiss, self._rng("hiss", self.ids[i]))

    def _rng(self, purpose: str, name: str) -> np.random.Generator:
        """Return a generator for one purpose and sample, the same on every machine."""
        return np.random.default_rng(
            int.from_bytes(_digest(f"{self.draw} {purpose} {name}".encode()))
        )


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
    order = sorted(range(len(names)), key=lambda i: (labels[i], _digest(names[i].encode())))
    blocks = np.empty(len(names), dtype=np.int64)
    blocks[order] = np.arange(len(names)) % BLOCKS
    return blocks


def _bytes(item: str | Image.Image | Audio) -> bytes:
    if isinstance(item, str):
        return item.encode()
    return item.samples.tobytes() if isinstance(item, Audio) else item.tobytes()


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
