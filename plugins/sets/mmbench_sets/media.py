"""Items that the published files hold in forms of their own: sound tracks and float pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmbench_datasets.items import ImageSlices
from mmbench_manifest.items import Audio, Files, Items, Texts
from mmbench_manifest.video import Videos


class SoundTracks(Files):
    """The first sound tracks of video files, decoded by PyAV at their own rate and channels."""

    _reading = "sound tracks"

    def __init__(self, folder: Path, names: Sequence[str | None]) -> None:
        super().__init__("audio", folder, names, read_track)


def read_track(path: Path) -> Audio:
    """Decode the first sound track of a video file.

    Raises
    ------
    ValueError
        If it has none, or that is empty.
    """
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise ValueError("it has no sound track")
        stream = container.streams.audio[0]
        planar = av.AudioResampler(format="fltp")
        frames = [*container.decode(stream), None]  # None: what the resampler holds back
        blocks = [block.to_ndarray() for frame in frames for block in planar.resample(frame)]
        rate = stream.rate
    if not sum(block.shape[1] for block in blocks):
        raise ValueError("its sound track is empty")
    samples = np.ascontiguousarray(np.concatenate(blocks, axis=1).T, dtype=np.float32)
    return Audio(samples, rate)


class Pictures(ImageSlices):
    """Grey pictures (n, height, width): mode L where they are uint8, else F with their values."""

    def _item(self, index: int) -> Any:
        from PIL import Image

        pixels = self._array[index]
        return Image.fromarray(
            pixels if pixels.dtype == np.uint8 else np.asarray(pixels, dtype=np.float32)
        )


class Chained(Items):
    """The items of several parts, one after the other, as of arrays that are in several files."""

    def __init__(self, parts: Sequence[Items]) -> None:
        super().__init__(np.concatenate([part.missing for part in parts]))
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def _item(self, index: int) -> Any:
        which = int(np.searchsorted(self._ends, index, side="right"))
        part = self._parts[which]
        return part[index - int(self._ends[which]) + len(part)]

    def digest(self) -> str:
        """Hash the parts' hashes."""
        joined = " ".join(part.digest() for part in self._parts)
        return hashlib.blake2b(joined.encode(), digest_size=20).hexdigest()


def clips(kind: str, folder: Path, names: Sequence[str | None], frames: int | None) -> Items:
    """Build the items of video files: the frames for kind video, the sound for kind audio."""
    if kind == "audio":
        return SoundTracks(folder, names)
    return Videos(folder, names, None, frames)


def texts(values: Sequence[str | None]) -> Texts:
    """Build the items of texts; an empty one is missing."""
    return Texts([value or None for value in values])
