"""What corruptions do to one item of each kind, at strengths 1 to 5.

A corruption is a function of an item, its strength and a random generator; the generator is drawn
from seed, sample and corruption, not from the strength, so that what a strength does is within
what the next one does: the same noise, larger; the same letters, and more.

Images follow ImageNet-C (Hendrycks & Dietterich, 2019) where it has the corruption.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.images import rgb

if TYPE_CHECKING:
    from PIL import Image

STRENGTHS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Scale:
    """What is usual in a modality of vectors, over all samples of the dataset.

    Attributes
    ----------
    mean, std : ndarray of float64, shape (d,)
        By column, NaN entries left out.
    """

    mean: np.ndarray
    std: np.ndarray


Rng = np.random.Generator
Corrupt = Callable[[Any, float, Rng, Scale | None], Any]


@dataclass(frozen=True)
class Noise:
    """One way to corrupt items of a kind.

    Attributes
    ----------
    levels : tuple of float
        What the strengths 1 to 5 stand for.
    unit : str
        What a level is measured in.
    drawn : bool
        Whether it depends on the seed.
    """

    corrupt: Corrupt
    levels: tuple[float, ...]
    unit: str
    drawn: bool = True

    def __call__(self, item: Any, strength: int, rng: Rng, scale: Scale | None = None) -> Any:
        """Return a corrupted copy of an item."""
        return self.corrupt(item, self.levels[strength - 1], rng, scale)


# --- images ------------------------------------------------------------------------------------


def _gaussian_image(image: Image.Image, sigma: float, rng: Rng, scale: Scale | None) -> Any:
    values = np.asarray(rgb(image)) / 255.0
    return _image(values + sigma * rng.standard_normal(values.shape))


def _blur(image: Image.Image, sigma: float, rng: Rng, scale: Scale | None) -> Any:
    from PIL import ImageFilter

    upright = rgb(image)
    return upright.filter(ImageFilter.GaussianBlur(sigma * min(upright.size) / 224))


def _jpeg(image: Image.Image, quality: float, rng: Rng, scale: Scale | None) -> Any:
    from PIL import Image

    written = io.BytesIO()
    rgb(image).save(written, "JPEG", quality=int(quality))
    return Image.open(io.BytesIO(written.getvalue())).convert("RGB")


def _occlusion(image: Image.Image, share: float, rng: Rng, scale: Scale | None) -> Any:
    values = np.array(rgb(image))
    height, width = values.shape[:2]
    down, right = rng.random(2)
    sides = np.maximum(1, np.round(np.sqrt(share) * np.array([height, width]))).astype(int)
    top, left = round(down * (height - sides[0])), round(right * (width - sides[1]))
    values[top : top + sides[0], left : left + sides[1]] = 128
    return _image(values / 255.0)


def _brightness(image: Image.Image, added: float, rng: Rng, scale: Scale | None) -> Any:
    from PIL import Image

    hsv = np.array(rgb(image).convert("HSV")).astype(np.float64)
    hsv[..., 2] = np.minimum(255, hsv[..., 2] + 255 * added)
    return Image.fromarray(hsv.round().astype(np.uint8), "HSV").convert("RGB")


def _image(values: np.ndarray) -> Image.Image:
    from PIL import Image

    return Image.fromarray((values.clip(0, 1) * 255).round().astype(np.uint8))


# --- texts -------------------------------------------------------------------------------------

_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> dict[str, str]:
    at = {c: (row, column) for row, keys in enumerate(_KEYBOARD) for column, c in enumerate(keys)}
    near = {
        c: "".join(
            other
            for other, (r, k) in at.items()
            if other != c and abs(r - row) <= 1 and abs(k + r / 2 - column - row / 2) <= 1
        )
        for c, (row, column) in at.items()
    }
    return near | {c.upper(): others.upper() for c, others in near.items()}


NEIGHBOURS = _neighbours()
"""By letter, those beside it on an American keyboard."""


def _typing(text: str, rate: float, rng: Rng, scale: Scale | None) -> str:
    chance, which = rng.random((2, len(text)))
    written = list(text)
    letters = [c for c in text if c.isalpha()]
    for i in np.flatnonzero(chance < rate):
        if text[i].isalpha():  # of scripts without keys known here, another letter of the text
            near = NEIGHBOURS.get(text[i]) or letters
            written[i] = near[int(which[i] * len(near))]
    return "".join(written)


def _deletion(text: str, rate: float, rng: Rng, scale: Scale | None) -> str:
    kept = rng.random(len(text)) >= rate
    return "".join(c for c, keep in zip(text, kept, strict=True) if keep)


def _swap(text: str, rate: float, rng: Rng, scale: Scale | None) -> str:
    chance = rng.random(len(text))
    written = list(text)
    for i in range(0, len(text) - 1, 2):
        if chance[i] < 2 * rate:  # of pairs, of which there are half as many
            written[i], written[i + 1] = written[i + 1], written[i]
    return "".join(written)


def _token_dropout(text: str, rate: float, rng: Rng, scale: Scale | None) -> str:
    words = text.split()
    kept = rng.random(len(words)) >= rate
    return " ".join(word for word, keep in zip(words, kept, strict=True) if keep)


# --- sounds ------------------------------------------------------------------------------------

DROPPED = 0.02
"""Seconds that drop out at once."""


def _noise(audio: Any, decibels: float, rng: Rng, scale: Scale | None) -> Any:
    samples = np.asarray(audio.samples, dtype=np.float64)
    power = np.mean(samples**2) if samples.size else 0.0
    sigma = np.sqrt(power * 10 ** (-decibels / 10))
    return _audio(audio, samples + sigma * rng.standard_normal(samples.shape))


def _clipping(audio: Any, share: float, rng: Rng, scale: Scale | None) -> Any:
    samples = np.asarray(audio.samples, dtype=np.float64)
    limit = share * np.abs(samples).max(initial=0)
    return _audio(audio, samples.clip(-limit, limit))


def _dropout(audio: Any, rate: float, rng: Rng, scale: Scale | None) -> Any:
    samples = np.array(audio.samples, dtype=np.float64)
    length = max(1, round(DROPPED * audio.sample_rate))
    lost = rng.random(-(-len(samples) // length)) < rate
    samples[np.repeat(lost, length)[: len(samples)]] = 0
    return _audio(audio, samples)


def _band_limit(audio: Any, hertz: float, rng: Rng, scale: Scale | None) -> Any:
    from scipy.signal import butter, sosfilt

    if hertz >= audio.sample_rate / 2 or not len(audio.samples):
        return audio
    passing = butter(4, hertz, fs=audio.sample_rate, output="sos")
    return _audio(audio, sosfilt(passing, np.asarray(audio.samples, dtype=np.float64), axis=0))


def _audio(audio: Any, samples: np.ndarray) -> Any:
    return SimpleNamespace(samples=samples.astype(np.float32), sample_rate=audio.sample_rate)


# --- vectors -----------------------------------------------------------------------------------


def _gaussian_vector(vector: np.ndarray, share: float, rng: Rng, scale: Scale | None) -> Any:
    assert scale is not None
    drawn = rng.standard_normal(len(vector))
    return np.asarray(vector, dtype=np.float64) + share * scale.std * drawn


def _missing_entries(vector: np.ndarray, rate: float, rng: Rng, scale: Scale | None) -> Any:
    assert scale is not None
    lost = rng.random(len(vector)) < rate
    return np.where(lost, scale.mean, np.asarray(vector, dtype=np.float64))


NOISES: Mapping[str, Mapping[str, Noise]] = {
    "image": {
        "gaussian-noise": Noise(
            _gaussian_image, (0.08, 0.12, 0.18, 0.26, 0.38), "standard deviation of values in 0..1"
        ),
        "blur": Noise(
            _blur, (1, 2, 3, 4, 6), "pixels of a shorter side of 224 (Gaussian)", drawn=False
        ),
        "jpeg": Noise(_jpeg, (25, 18, 15, 10, 7), "JPEG quality", drawn=False),
        "occlusion": Noise(_occlusion, (0.05, 0.1, 0.2, 0.3, 0.45), "share of the area, grey"),
        "brightness": Noise(
            _brightness, (0.1, 0.2, 0.3, 0.4, 0.5), "added to the HSV value in 0..1", drawn=False
        ),
    },
    "text": {
        "typing": Noise(_typing, (0.02, 0.05, 0.1, 0.2, 0.3), "share of letters, a key beside"),
        "deletion": Noise(_deletion, (0.02, 0.05, 0.1, 0.2, 0.3), "share of characters"),
        "swap": Noise(_swap, (0.02, 0.05, 0.1, 0.2, 0.3), "swaps of neighbours per character"),
        "token-dropout": Noise(_token_dropout, (0.1, 0.2, 0.3, 0.4, 0.5), "share of words"),
    },
    "audio": {
        "noise": Noise(_noise, (20, 15, 10, 5, 0), "signal-to-noise ratio in dB (white)"),
        "clipping": Noise(_clipping, (0.5, 0.3, 0.2, 0.1, 0.05), "share of the peak", drawn=False),
        "dropout": Noise(_dropout, (0.05, 0.1, 0.2, 0.3, 0.5), "share of stretches of 20 ms"),
        "band-limit": Noise(
            _band_limit, (4000, 3000, 2000, 1000, 500), "Hz (Butterworth, order 4)", drawn=False
        ),
    },
    "vector": {
        "gaussian-noise": Noise(
            _gaussian_vector, (0.25, 0.5, 1, 1.5, 2), "standard deviations of each column"
        ),
        "missing-entries": Noise(
            _missing_entries, (0.1, 0.2, 0.3, 0.4, 0.5), "share of entries, put to the mean"
        ),
    },
}
"""By kind of items and name. Videos take those of images, frame by frame."""
