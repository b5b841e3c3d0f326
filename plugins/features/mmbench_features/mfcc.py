"""Mel-frequency cepstral coefficients, summarised over time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import soxr
from librosa.filters import mel
from numpy.lib.stride_tricks import sliding_window_view
from scipy.fft import dct, rfft
from scipy.signal import get_window, savgol_filter

LEAST_POWER = 1e-10
RANGE = 80.0
"""Decibels below the loudest at which power is cut off."""

DELTA_WINDOWS = 9


class Mfcc:
    """Mean and standard deviation over time of mel-frequency cepstral coefficients.

    Sound becomes mono (the mean of its channels) and is resampled to one rate; what is shorter than
    one window is filled up with silence. The spectrum is taken of Hann windows, zero-padded to the
    next power of two. The numbers are those of librosa, of which only the mel filters are used: its
    other functions are compiled where they are first called, for a quarter of a minute.

    Parameters
    ----------
    sample_rate : int, default 16000
        The common rate, in Hz.
    coefficients : int, default 20
        How many coefficients are kept, the first (loudness) included; at most ``bands``.
    bands : int, default 40
        Mel bands, from 0 Hz to half the sample rate.
    window : float, default 0.025
        Length of a window, in seconds.
    hop : float, default 0.01
        From one window to the next, in seconds.
    deltas : bool, default True
        Whether the changes over time (slopes over nine windows) are summarised too.

    References
    ----------
    Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 28(4), 1980; deltas: Furui, "Speaker-independent isolated word recognition
    using dynamic features of speech spectrum", the same journal 34(1), 1986.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        coefficients: int = 20,
        bands: int = 40,
        window: float = 0.025,
        hop: float = 0.01,
        deltas: bool = True,
    ) -> None:
        self.sample_rate = sample_rate
        self.coefficients = coefficients
        self.bands = bands
        self.window = window
        self.hop = hop
        self.deltas = deltas

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Embed sounds of any length, also none.

        Parameters
        ----------
        items : sequence
            Each with ``samples``, shape (frames, channels), and ``sample_rate``.

        Returns
        -------
        ndarray of float32, shape (n, d)
            Means, standard deviations and, with ``deltas``, those of the changes:
            ``d = coefficients * (4 if deltas else 2)``.

        Raises
        ------
        ValueError
            If there are more coefficients than bands, or more bands than a window can tell apart.
        """
        if not 0 < self.coefficients <= self.bands:
            raise ValueError(
                f"coefficients = {self.coefficients}: 1 to {self.bands} (bands) are possible"
            )
        width, hop = (max(round(t * self.sample_rate), 1) for t in (self.window, self.hop))
        n_fft = 1 << (width - 1).bit_length()
        filters = self._filters(n_fft)
        window = get_window("hann", width)

        def embed(audio: Any) -> np.ndarray:
            mono = np.pad(self._mono(audio, width), width // 2)
            frames = sliding_window_view(mono, width)[::hop]
            power = np.abs(rfft(frames * window, n_fft)) ** 2
            return self._summarise(power @ filters.T)

        return np.stack([embed(audio) for audio in items]).astype(np.float32)

    def _filters(self, n_fft: int) -> np.ndarray:
        """Return the mel filters, shape (bands, frequencies)."""
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Empty filters")
            try:
                filters: np.ndarray = mel(sr=self.sample_rate, n_fft=n_fft, n_mels=self.bands)
            except UserWarning:
                raise ValueError(
                    f"bands = {self.bands}: more than a window of {self.window} s can tell apart"
                ) from None
        return filters

    def _mono(self, audio: Any, shortest: int) -> np.ndarray:
        """Return one channel at the common rate, at least so many frames."""
        mono = np.asarray(audio.samples, dtype=np.float32).mean(axis=1)
        if audio.sample_rate != self.sample_rate:
            mono = soxr.resample(mono, audio.sample_rate, self.sample_rate)
        return np.pad(mono, (0, max(shortest - len(mono), 0)))

    def _summarise(self, energy: np.ndarray) -> np.ndarray:
        """Return the statistics over time of energy in mel bands, (windows, bands)."""
        decibels = 10 * np.log10(np.maximum(energy, LEAST_POWER))
        decibels = np.maximum(decibels, decibels.max() - RANGE)
        series = [dct(decibels, norm="ortho")[:, : self.coefficients]]
        if self.deltas:
            slopes = savgol_filter(series[0], DELTA_WINDOWS, 1, deriv=1, axis=0, mode="nearest")
            series.append(slopes)
        return np.concatenate([f(part, axis=0) for part in series for f in (np.mean, np.std)])
