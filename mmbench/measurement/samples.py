"""Made samples of everyday size: what ``mmbench time NAME`` serves.

An image is a JPEG file of 500 × 375 pixels, decoded when it is asked for; a text has 24 words; a
sound lasts 2 s at 16 kHz; a vector has 64 numbers; a video has 8 frames of 320 × 240 pixels.
Embeddings have 128 columns, and what learns has 512 training samples of 4 classes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmbench.testing import specimens

TRAINING, SERVED = 512, 64
WIDTH = 128


def items(kind: str, n: int, seed: int) -> Sequence[Any]:
    """Return ``n`` items of a kind, always the same."""
    rng = np.random.default_rng([seed, 17])
    match kind:
        case "image":
            return _Photographs([_photograph(rng, 500, 375) for _ in range(n)])
        case "text":
            words = [" ".join(specimens.items("text", 1, seed=i)) for i in range(8)]
            vocabulary = " ".join(words).replace(".", "").split()
            return [" ".join(rng.choice(vocabulary, 24)) for _ in range(n)]
        case "audio":
            sounds = rng.normal(0, 0.1, (n, 32_000, 1)).astype(np.float32)
            return [specimens.Audio(sound) for sound in sounds]
        case "vector":
            return list(rng.normal(size=(n, 64)))
        case _:
            from PIL import Image

            files = [[_photograph(rng, 320, 240) for _ in range(8)] for _ in range(n)]
            return [specimens.Video([Image.open(io.BytesIO(f)) for f in one]) for one in files]


def features(n: int, modalities: int, seed: int, *, sequences: bool = False) -> dict[str, Any]:
    """Return embeddings (n, WIDTH) by modality, or sequences, of classes `specimens.labels`."""
    return specimens.features(n, (WIDTH,) * modalities, seed, sequences=sequences)


class _Photographs(Sequence[Any]):
    """JPEG files in memory, decoded on access."""

    def __init__(self, files: Sequence[bytes]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: Any) -> Any:
        from PIL import Image

        image = Image.open(io.BytesIO(self._files[index]))
        image.load()
        return image


def _photograph(rng: np.random.Generator, width: int, height: int) -> bytes:
    """Return a JPEG file of blurred patches with fine grain, as hard to decode as a photograph."""
    from PIL import Image

    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    grain = rng.normal(0, 8, smooth.shape[:2])[..., None]
    pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return file.getvalue()
