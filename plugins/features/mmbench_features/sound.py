"""Sounds made alike, cut into windows, and described over time: what encoders of sound share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view

Loudness = Literal["none", "rms", "peak"]

LEAST_POWER = 1e-10
"""Power below which all is as silent."""

RMS = 0.1
"""The root mean square of sounds made equally loud: 20 decibels below full scale."""


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How a sound is made ready and cut into windows.

    It becomes mono (the mean of its channels), is resampled, trimmed, cut to its length, made as
    loud as others and filled up with silence, in this order, each only where asked for; what is
    shorter than one window is filled up with silence.

    Parameters
    ----------
    sample_rate : int
        The common rate, in Hz.
    window : float
        Length of a window, in seconds.
    hop : float
        From one window to the next, in seconds.
    trim : float, optional
        What is more than so many decibels below the loudest window is cut off at both ends.
    seconds : float, optional
        The common length: what is longer is cut at its end, what is shorter is filled up there.
    loudness : {"none", "rms", "peak"}
        Whether the root mean square becomes 0.1, or the largest absolute value 1.

    Raises
    ------
    ValueError
        If a length, a rate or ``trim`` is not positive.
    """

    sample_rate: int
    window: float
    hop: float
    trim: float | None = None
    seconds: float | None = None
    loudness: Loudness = "none"

    def __post_init__(self) -> None:
        for name in ("sample_rate", "window", "hop", "trim", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} = {value}: it must be positive")

    @property
    def width(self) -> int:
        """Samples in a window."""
        return max(round(self.window * self.sample_rate), 1)

    @property
    def step(self) -> int:
        """Samples from one window to the next."""
        return max(round(self.hop * self.sample_rate), 1)

    @property
    def n_fft(self) -> int:
        """Samples in a window filled up with zeros: the next power of two."""
        return 1 << (self.width - 1).bit_length()

    @property
    def frequencies(self) -> np.ndarray:
        """What `power` is of, in Hz, shape (n_fft // 2 + 1,)."""
        return np.fft.rfftfreq(self.n_fft, 1 / self.sample_rate)

    def mono(self, audio: Any) -> np.ndarray:
        """Return a sound made ready, shape (samples,)."""
        mono = np.asarray(audio.samples, dtype=np.float32).mean(axis=1)
        if audio.sample_rate != self.sample_rate:
            mono = soxr.resample(mono, audio.sample_rate, self.sample_rate)
        if self.trim is not None:
            mono = self._trimmed(mono, self.trim)
        length = len(mono)
        if self.seconds is not None:
            length = max(round(self.seconds * self.sample_rate), 1)
            mono = mono[:length]
        if self.loudness != "none" and mono.any():
            peak = np.abs(mono).max()
            mono = mono / peak  # first, so that squares are neither too small nor too large
            if self.loudness == "rms":
                mono *= RMS / np.sqrt(np.mean(mono**2))
        return np.pad(mono, (0, max(length, self.width) - len(mono)))

    def frames(self, mono: np.ndarray) -> np.ndarray:
        """Return a view of the windows, shape (windows, width); the first is centred on the start.

        The sound is at least one window long.
        """
        return sliding_window_view(np.pad(mono, self.width // 2), self.width)[:: self.step]

    def power(self, frames: np.ndarray) -> np.ndarray:
        """Return the power of Hann windows at `frequencies`, shape (windows, n_fft // 2 + 1)."""
        from scipy.fft import rfft
        from scipy.signal import get_window

        spectrum = rfft(frames * get_window("hann", self.width), self.n_fft)
        power: np.ndarray = np.abs(spectrum) ** 2
        return power

    def _trimmed(self, mono: np.ndarray, below: float) -> np.ndarray:
        """Return a sound without the quiet windows at its ends."""
        frames = self.frames(np.pad(mono, (0, max(self.width - len(mono), 0))))
        power = np.einsum("ij,ij->i", frames, frames) / self.width
        level = 10 * np.log10(np.maximum(power, LEAST_POWER))
        (loud,) = np.nonzero(level > level.max() - below)
        return mono[loud[0] * self.step : (loud[-1] + 1) * self.step]


class SoundEncoder(ABC):
    """Embeds sounds one by one; a subclass holds the fields of `Framing` under their names."""

    sample_rate: int
    window: float
    hop: float
    trim: float | None
    seconds: float | None
    loudness: Loudness

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Embed sounds of any length, also none.

        Parameters
        ----------
        items : sequence
            Each with ``samples``, shape (frames, channels), and ``sample_rate``.

        Returns
        -------
        ndarray of float32, shape (n, d)

        Raises
        ------
        ValueError
            If an option is out of its range.
        """
        framing = Framing(
            sample_rate=self.sample_rate,
            window=self.window,
            hop=self.hop,
            trim=self.trim,
            seconds=self.seconds,
            loudness=self.loudness,
        )
        rows = [self._embed(framing.mono(audio), framing) for audio in items]
        return np.stack(rows).astype(np.float32)

    @abstractmethod
    def _embed(self, mono: np.ndarray, framing: Framing) -> np.ndarray:
        """Return the row of a sound made ready."""


def over_time(*series: np.ndarray) -> np.ndarray:
    """Return means, then standard deviations, of each series of shape (windows, columns)."""
    return np.concatenate([f(part, axis=0) for part in series for f in (np.mean, np.std)])
