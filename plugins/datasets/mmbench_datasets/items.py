"""Items that are slices of an array."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from mmbench_manifest.items import Audio, Items

CHUNK = 1024


class Slices(Items):
    """The slices of an array along its first axis, each made into an item on access.

    Parameters
    ----------
    array : ndarray of shape (n, ...)
        In memory or memory-mapped.
    missing : ndarray of bool, shape (n,)
        True for slices to be given as None.
    """

    def __init__(self, array: np.ndarray, missing: np.ndarray) -> None:
        super().__init__(missing)
        self._array = array

    def digest(self) -> str:
        """Hash the numbers, their type and shape, and all that items are made with."""
        head = f"{self._head()} {self._array.dtype.str} {self._array.shape}"
        digest = hashlib.blake2b(head.encode() + self.missing.tobytes(), digest_size=20)
        for start in range(0, len(self), CHUNK):
            digest.update(self._array[start : start + CHUNK].tobytes())
        return digest.hexdigest()

    def _head(self) -> str:
        return type(self).__name__


class ImageSlices(Slices):
    """Images (height, width) or (height, width, 1 to 4 channels) of uint8, as `PIL.Image`."""

    def _item(self, index: int) -> Any:
        from PIL import Image

        pixels = np.ascontiguousarray(self._array[index])
        return Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)


class SoundSlices(Slices):
    """Sounds (frames,) or (frames, channels), as `Audio`; integers are scaled to [-1, 1].

    Parameters
    ----------
    array, missing
        See `Slices`.
    sample_rate : int
        Frames per second.
    """

    def __init__(self, array: np.ndarray, missing: np.ndarray, sample_rate: int) -> None:
        super().__init__(array, missing)
        self._sample_rate = sample_rate

    def _item(self, index: int) -> Audio:
        samples = np.asarray(self._array[index])
        if samples.ndim == 1:
            samples = samples[:, None]
        if samples.dtype.kind == "i":
            samples = samples / -float(np.iinfo(samples.dtype).min)
        return Audio(samples.astype(np.float32), self._sample_rate)

    def _head(self) -> str:
        return f"{super()._head()} {self._sample_rate}"
