"""Videos through an encoder of images, frame by frame: pooled over time, or as sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from mmbench.errors import PluginError
from mmbench.pipeline import checked_matrix, to_dense
from mmbench.sequences import Sequences

BATCH = 64
"""Frames that are decoded at once."""


class FrameWise:
    """An encoder of videos: an encoder of images, and a pooling over time.

    Parameters
    ----------
    encoder : Encoder
        Of images; if it is trained, on all frames, each with its video's label.
    pooling : {"mean", "max"}
        Over the frames of a video, column by column.
    """

    def __init__(self, encoder: Any, pooling: str) -> None:
        self.encoder = encoder
        self.pooling = pooling

    @property
    def history_(self) -> Any:
        """The curves of the encoder's ``fit``, where it left some."""
        return getattr(self.encoder, "history_", None)

    def fit(
        self,
        items: Sequence[Any],
        labels: np.ndarray | None,
        *,
        validation: tuple[Sequence[Any], np.ndarray | None] | None = None,
    ) -> FrameWise:
        """Fit the encoder on the frames of videos."""
        held_out = None if validation is None else _frames(*validation)
        frames, repeated = _frames(items, labels)
        self.encoder.fit(frames, repeated, validation=held_out)
        return self

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Embed videos.

        Returns
        -------
        ndarray of float32, shape (n, d)

        Raises
        ------
        PluginError
            A video has no frame, or the encoder returns something else than a row per frame.
        """
        pool = np.mean if self.pooling == "mean" else np.max
        return np.stack([pool(frames, axis=0) for frames in self._by_video(items)])

    def encode_sequence(self, items: Sequence[Any]) -> Sequences:
        """Embed videos as sequences, a vector per frame; raises as `encode` does."""
        return Sequences.of(self._by_video(items))

    def _by_video(self, items: Sequence[Any]) -> Iterator[np.ndarray]:
        """Give the embeddings (frames, d) of one video after the other."""
        lengths = [len(video) for video in items]
        if 0 in lengths:
            raise PluginError("a video has no frame")
        waiting = np.empty((0, 0), np.float32)
        batches = self._encoded(frame for video in items for frame in video)
        for length in lengths:
            while len(waiting) < length:
                rows = next(batches)
                waiting = np.vstack([waiting, rows]) if len(waiting) else rows
            yield waiting[:length]
            waiting = waiting[length:]

    def _encoded(self, frames: Iterator[Any]) -> Iterator[np.ndarray]:
        while batch := list(islice(frames, BATCH)):
            rows = self.encoder.encode(batch)
            yield to_dense(checked_matrix(rows, len(batch), "encode"))


def _frames(
    videos: Sequence[Any], labels: np.ndarray | None
) -> tuple[list[Any], np.ndarray | None]:
    frames = [frame for video in videos for frame in video]
    lengths = [len(video) for video in videos]
    return frames, None if labels is None else np.repeat(labels, lengths)
