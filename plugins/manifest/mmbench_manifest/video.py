"""Videos: folders of frames, animated images and video files, decoded frame by frame."""

from __future__ import annotations

import io
import math
import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self, overload

from mmbench_manifest.items import Files, file_hash, hash_items, read_image, unreadable


class Source(Protocol):
    """Where the frames of a video come from."""

    def __len__(self) -> int:
        """Count the frames without decoding them."""
        ...

    def frame(self, index: int) -> Any:
        """Decode one frame, a `PIL.Image.Image`."""
        ...

    def rate(self) -> float | None:
        """Return the frames a second, as far as the source says so."""
        ...


class Video(Sequence[Any]):
    """The frames of a video, `PIL.Image.Image` each, decoded on access and not kept.

    A slice is a video too, of the frames in it.

    Parameters
    ----------
    source : Source
        All frames.
    positions : sequence of int
        Which of them this video has.
    rate : float or None
        Frames a second of the source; None: as it says itself.
    spacing : float
        How many frames of the source lie between two of this video.
    name : str
        Named where a frame cannot be decoded.
    """

    def __init__(
        self,
        source: Source,
        positions: Sequence[int],
        rate: float | None,
        spacing: float,
        name: str,
    ) -> None:
        self._source = source
        self._positions = positions
        self._rate = rate
        self._spacing = spacing
        self._name = name

    @cached_property
    def frame_rate(self) -> float:
        """Frames a second.

        Raises
        ------
        OSError
            If neither the file nor the matrix file says it.
        """
        with unreadable(self._name, "video"):
            rate = self._rate or self._source.rate()
            if rate is None:
                raise ValueError("it does not say its frame rate; give frame_rate")
            return rate / self._spacing

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            spacing = self._spacing * abs(index.step or 1)
            kept = self._positions[index]
            return type(self)(self._source, kept, self._rate, spacing, self._name)
        position = self._positions[index]
        with unreadable(self._name, "video"):
            return self._source.frame(position)


class Videos(Files):
    """Videos in folders or files of their own.

    Parameters
    ----------
    folder : Path
        What the names are relative to.
    names : sequence of str or None
        A folder or file per sample, as the manifest names it.
    frame_rate : float or None
        Frames a second; None: as the file says.
    frames : int or None
        How many frames, evenly spread, are given of each; None: all.

    Notes
    -----
    Frame i of N is the middle one of the i-th of N equal parts. A video of fewer frames is given
    whole. ``frame_rate`` is that of the frames given, so that the video lasts as long as before.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str | None],
        frame_rate: float | None,
        frames: int | None,
    ) -> None:
        super().__init__("video", folder, names, open_source)
        self._frame_rate = frame_rate
        self._frames = frames

    def _item(self, index: int) -> Video:
        source: Source = super()._item(index)
        name = self._names[index]
        assert name is not None
        with unreadable(name, "video"):
            total = len(source)
            if not total:
                raise ValueError("it holds no frame")
        count = min(self._frames or total, total)
        positions = [(2 * i + 1) * total // (2 * count) for i in range(count)]
        return Video(source, positions, self._frame_rate, total / count, name)

    def digest(self) -> str:
        """Hash the bytes of the files, those of folders in the order of frames, and the options."""
        head = f"video files, upright {self._frame_rate!r} {self._frames!r}".encode()
        return hash_items(head, self._hashes())

    def _content_hash(self, path: Path) -> bytes:
        if not path.is_dir():
            return file_hash(path)
        return hash_items(b"folder", map(file_hash, frame_files(path))).encode()


def open_source(path: Path) -> Source:
    """Open a folder of frames, an animated image or a video file."""
    if path.is_dir():
        return FrameFolder(path)
    return AnimatedImage(path) if is_image(path.name) else VideoFile(path)


def why_no_video(path: Path, frame_rate: float | None) -> str:
    """Say why a path will not do as a video, as far as known without opening it, else nothing."""
    if path.is_dir():
        if not any(map(_is_frame, os.listdir(path))):
            return "it holds no image file"
        return "" if frame_rate else "a folder does not say its frame rate; give frame_rate"
    if is_image(path.name) or find_spec("av") is not None:
        return ""
    return "video files need PyAV; pip install 'mmbench-manifest[video]'"


def frame_files(folder: Path) -> list[Path]:
    """Return a folder's image files in natural order (frame2 before frame10).

    Other files, and those whose name begins with a dot, are passed over.
    """
    names = sorted(filter(_is_frame, os.listdir(folder)), key=_natural)
    return [folder / name for name in names]


def _is_frame(name: str) -> bool:
    return is_image(name) and not name.startswith(".")


def _natural(name: str) -> tuple[list[str | int], str]:
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def is_image(name: str) -> bool:
    """Whether Pillow reads files with this extension."""
    return os.path.splitext(name)[1].lower() in _image_extensions()


@cache
def _image_extensions() -> frozenset[str]:
    from PIL import Image

    known = Image.registered_extensions()
    return frozenset(e for e, kind in known.items() if kind in Image.OPEN and kind != "MPEG")


class FrameFolder:
    """A folder of image files; it says no frame rate."""

    def __init__(self, folder: Path) -> None:
        self._files = frame_files(folder)

    def __len__(self) -> int:
        return len(self._files)

    def frame(self, index: int) -> Any:
        """Read one file."""
        with unreadable(self._files[index].name, "image"):
            return read_image(self._files[index])

    def rate(self) -> float | None:
        """Return None."""
        return None


class AnimatedImage:
    """A GIF, WebP, APNG or another image file of several frames, kept in memory undecoded."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._image = self._open()
        self._count: int = getattr(self._image, "n_frames", 1)

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Any:
        """Decode one frame; going forward, each of them once."""
        return self._at(index).copy()

    def rate(self) -> float | None:
        """Return the frames over the sum of their durations, None where they have none."""
        durations = (self._at(index).info.get("duration", 0) for index in range(self._count))
        milliseconds = sum(durations)
        return self._count * 1000 / milliseconds if milliseconds else None

    def _at(self, index: int) -> Any:
        if index < self._image.tell():
            self._image = self._open()  # Pillow does not rewind every format from every frame
        self._image.seek(index)
        self._image.load()
        return self._image

    def _open(self) -> Any:
        from PIL import Image

        return Image.open(io.BytesIO(self._data))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_image"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._image = self._open()


class VideoFile:
    """A video file, read through PyAV.

    Frames are numbered by their presentation times, which the packets tell without being decoded;
    so a frame is exact where the rate varies too. Going forward decodes each frame once; other
    accesses begin at the nearest key frame before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as container:
            if not container.streams.video:
                raise ValueError("it has no video stream")
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            self._rate = float(rate) if rate else None
            packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        shown = {packet.pts for packet in packets if not packet.is_discard}
        self._times: list[int] = sorted(shown)
        self._keys: list[int] = sorted(packet.pts for packet in packets if packet.is_keyframe)

    def __len__(self) -> int:
        return len(self._times)

    def frame(self, index: int) -> Any:
        """Decode one frame, upright: turned as the file's display matrix asks."""
        frame = self._reader.read(self._times[index])
        if frame is None:
            raise ValueError(f"frame {index + 1} of {len(self)} cannot be decoded")
        return frame.to_image().rotate(frame.rotation, expand=True)

    def rate(self) -> float | None:
        """Return the average frame rate."""
        return self._rate

    def _open(self) -> Any:
        import av

        # Where a container (AVI) has decoding times only, presentation times are made from them.
        return av.open(str(self._path), options={"fflags": "genpts"})

    @cached_property
    def _reader(self) -> _Reader:
        return _Reader(self._open, self._keys)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_reader"}


class _Reader:
    """An open container and how far its decoder has come."""

    def __init__(self, start: Callable[[], Any], keys: Sequence[int]) -> None:
        self._start = start
        self._keys = keys[1:]  # decoding begins at the first
        self._restart()

    def read(self, time: int) -> Any:
        """Return the frame shown at a time, None if there is none."""
        if not self._ahead(time):
            self._container.seek(time, stream=self._stream)
            self._decoder = self._container.decode(self._stream)
        frame = self._forward(time)
        if frame is None:  # some containers seek to a key frame too late, or not at all
            self._restart()
            frame = self._forward(time)
        return frame

    def _restart(self) -> None:
        self._container = self._start()
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        self._decoder = self._container.decode(self._stream)
        self._time = -math.inf

    def _ahead(self, time: int) -> bool:
        """Whether a time lies ahead, with no key frame between to go on from."""
        keys = self._keys
        return self._time < time and bisect_right(keys, self._time) == bisect_left(keys, time)

    def _forward(self, time: int) -> Any:
        for frame in self._decoder:
            if frame.pts is None:
                continue
            self._time = frame.pts
            if frame.pts >= time:
                return frame if frame.pts == time else None
        return None
