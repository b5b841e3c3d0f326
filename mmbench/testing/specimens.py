"""What plugins are tried on: small made items, features, probabilities, always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbench.sequences import Sequences

CLASSES = 4


@dataclass(frozen=True)
class Audio:
    """Sound: ``samples`` (frames, channels) float32, ``sample_rate`` in Hz."""

    samples: np.ndarray
    sample_rate: int = 16_000


class Video(list[Any]):
    """A sequence of images with a ``frame_rate`` in Hz."""

    def __init__(self, frames: Sequence[Any], frame_rate: float = 8.0) -> None:
        super().__init__(frames)
        self.frame_rate = frame_rate


def labels(n: int) -> np.ndarray:
    """Return ``n`` labels of all classes, of which the highest comes first."""
    return (CLASSES - 1 - np.arange(n) % CLASSES).astype(np.int64)


# --- items -------------------------------------------------------------------------------------


def _image(rng: np.random.Generator, label: int) -> Any:
    from PIL import Image

    width, height = rng.integers(20, 48, size=2)
    hue = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]])[label % CLASSES]
    slope = np.linspace(0.4, 1.0, int(width))[None, :, None]
    noise = rng.normal(0, 18, size=(int(height), int(width), 3))
    return Image.fromarray(np.clip(hue * slope + noise, 0, 255).astype(np.uint8), "RGB")


_WORDS = (
    ("river", "boat", "water", "harbour", "sail"),
    ("violin", "song", "melody", "concert", "drum"),
    ("bread", "oven", "flour", "butter", "taste"),
    ("planet", "star", "orbit", "rocket", "moon"),
)
_COMMON = ("the", "a", "and", "of", "was", "with", "very", "old", "new", "they", "saw")


def _text(rng: np.random.Generator, label: int) -> str:
    own = rng.choice(_WORDS[label % CLASSES], size=int(rng.integers(2, 9)))
    common = rng.choice(_COMMON, size=int(rng.integers(1, 12)))
    return " ".join(rng.permutation(np.concatenate([own, common]))) + "."


def _audio(rng: np.random.Generator, label: int) -> Audio:
    seconds = rng.uniform(0.15, 0.6)
    time = np.arange(int(seconds * 16_000)) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 220 * 2 ** (label % CLASSES) * time)
    noise = rng.normal(0, 0.02, size=len(time))
    return Audio((tone + noise).astype(np.float32)[:, None])


def _vector(rng: np.random.Generator, label: int) -> np.ndarray:
    return np.asarray(np.eye(12)[label % CLASSES] * 3 + rng.normal(size=12), dtype=np.float64)


def _video(rng: np.random.Generator, label: int) -> Video:
    from PIL import Image

    frames = [_image(rng, label) for _ in range(int(rng.integers(2, 6)))]
    return Video([frame.resize((32, 24), Image.Resampling.BILINEAR) for frame in frames])


_MAKERS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "image": _image,
    "text": _text,
    "audio": _audio,
    "vector": _vector,
    "video": _video,
}


def items(kind: str, n: int, seed: int = 0) -> list[Any]:
    """Return ``n`` ordinary items of a kind, of different sizes, whose classes are `labels`."""
    rng = np.random.default_rng([seed, 11])
    return [_MAKERS[kind](rng, int(label)) for label in labels(n)]


def content_of(item: Any) -> bytes:
    """Return an item's content, to see whether somebody has changed it."""
    if isinstance(item, np.ndarray):
        return item.tobytes()
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, Audio):
        return item.samples.tobytes() + str(item.sample_rate).encode()
    if isinstance(item, list):
        return b"".join(map(content_of, item))
    content: bytes = item.tobytes()
    return f"{item.mode} {item.size}".encode() + content


def odd_items(kind: str) -> dict[str, Any]:
    """Return items that are valid but unusual, by what they are."""
    return _ODD[kind]()


def _odd_images() -> dict[str, Any]:
    from PIL import Image

    plain = _image(np.random.default_rng(5), 1).resize((24, 20))
    found = {f"an image of mode {mode}": plain.convert(mode) for mode in
             ("1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F")}  # fmt: skip
    grey = np.asarray(plain.convert("L"), dtype=np.uint16) * 257
    found["a 16-bit grey image"] = Image.fromarray(grey)
    found["an image of one pixel"] = Image.new("RGB", (1, 1), (10, 200, 30))
    found["a black image"] = Image.new("RGB", (24, 24))
    found["an image of 200 x 2 pixels"] = Image.new("RGB", (200, 2), (90, 90, 90))
    return found


def _odd_texts() -> dict[str, str]:
    return {
        "the empty text": "",
        "a text of blanks": " \t\n ",
        "a single letter": "x",
        "a very long text": "many words " * 4_000,
        "one very long word": "a" * 20_000,
        "punctuation alone": "?!... --",
        "emoji": "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{ROCKET}",
        "Chinese": "\u4f60\u597d\u4e16\u754c",
        "Arabic": "\u0645\u0631\u062d\u0628\u0627",
        "a text with a NUL": "before\0after",
    }


def _odd_sounds() -> dict[str, Audio]:
    rng = np.random.default_rng(6)

    def noise(frames: int, channels: int = 1) -> np.ndarray:
        return rng.normal(0, 0.1, size=(frames, channels)).astype(np.float32)

    return {
        "a sound of one frame": Audio(noise(1)),
        "a sound of 20 frames": Audio(noise(20)),
        "silence": Audio(np.zeros((8_000, 1), np.float32)),
        "stereo": Audio(noise(8_000, 2)),
        "six channels": Audio(noise(4_000, 6)),
        "a sound at 8 kHz": Audio(noise(4_000), 8_000),
        "a sound at 44.1 kHz": Audio(noise(22_050), 44_100),
        "a clipped sound": Audio(np.sign(noise(8_000))),
    }


def _odd_vectors() -> dict[str, np.ndarray]:
    return {
        "a vector of zeros": np.zeros(12),
        "a constant vector": np.full(12, 7.0),
        "large values": np.linspace(-1e9, 1e9, 12),
        "tiny values": np.linspace(-1e-12, 1e-12, 12),
        "a float32 vector": np.arange(12, dtype=np.float32),
    }


def _odd_videos() -> dict[str, Video]:
    frames = _video(np.random.default_rng(7), 2)
    return {
        "a video of one frame": Video(frames[:1]),
        "a video of equal frames": Video([frames[0]] * 3),
        "a grey video": Video([frame.convert("L") for frame in frames]),
        "a video of 40 frames": Video((list(frames) * 20)[:40]),
    }


_ODD: dict[str, Callable[[], dict[str, Any]]] = {
    "image": _odd_images,
    "text": _odd_texts,
    "audio": _odd_sounds,
    "vector": _odd_vectors,
    "video": _odd_videos,
}


# --- arrays ------------------------------------------------------------------------------------


def features(
    n: int,
    widths: Sequence[int],
    seed: int = 0,
    k: int = CLASSES,
    *,
    sequences: bool = False,
) -> dict[str, Any]:
    """Return standardised float64 features (n, width) by modality, whose classes stand apart.

    The classes are `labels`, or ``k - 1, ..., 0, k - 1, ...`` where ``k`` is given. As sequences,
    samples have one to four vectors of the first modality, and one of each other.
    """
    rng = np.random.default_rng([seed, 12])
    centres = np.random.default_rng([3, 12])
    codes = k - 1 - np.arange(n) % k
    made = {}
    for number, width in enumerate(widths):
        centre = centres.normal(size=(k, width)) * 3
        made[f"m{number}"] = (centre[codes] + rng.normal(size=(n, width))) / np.sqrt(10)
    if sequences:
        lengths = {name: rng.integers(1, 5 if name == "m0" else 2, size=n) for name in made}
        return {name: _noisy(rng, values, lengths[name]) for name, values in made.items()}
    return made


def _noisy(rng: np.random.Generator, values: np.ndarray, lengths: np.ndarray) -> Sequences:
    """Return rows as sequences of these lengths, with noise."""
    tokens = np.repeat(values, lengths, axis=0)
    tokens += rng.normal(0, 0.1, size=tokens.shape)
    return Sequences.of(np.split(tokens, np.cumsum(lengths)[:-1]))


def probabilities(
    n: int, modalities: int, seed: int = 0, k: int = CLASSES, sharp: float = 3.0
) -> dict[str, Any]:
    """Return class probabilities (n, k) by modality that mostly favour the true class."""
    rng = np.random.default_rng([seed, 13])
    truth = np.eye(k)[k - 1 - np.arange(n) % k]
    made = {}
    for number in range(modalities):
        favours = np.exp(sharp * truth + rng.normal(size=(n, k)))
        made[f"m{number}"] = favours / favours.sum(axis=1, keepdims=True)
    return made
