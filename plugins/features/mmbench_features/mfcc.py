"""Mel-frequency cepstral coefficients, summarised over time."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import librosa
import numpy as np


class Mfcc:
    """Mean and standard deviation over time of mel-frequency cepstral coefficients.

    Sound becomes mono (the mean of its channels) and is resampled to one rate; what is shorter than
    one transform is filled up with silence. The spectrum is taken of Hann windows, zero-padded to
    the next power of two.

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
        width = max(round(self.window * self.sample_rate), 1)
        n_fft = 1 << (width - 1).bit_length()
        filters = self._filters(n_fft)
        return np.stack([self._encode_one(audio, width, n_fft, filters) for audio in items])

    def _filters(self, n_fft: int) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Empty filters")
            try:
                filters: np.ndarray = librosa.filters.mel(
                    sr=self.sample_rate, n_fft=n_fft, n_mels=self.bands
                )
            except UserWarning:
                raise ValueError(
                    f"bands = {self.bands}: more than a window of {self.window} s can tell apart"
                ) from None
        return filters

    def _encode_one(self, audio: Any, width: int, n_fft: int, filters: np.ndarray) -> np.ndarray:
        power = np.abs(
            librosa.stft(
                self._mono(audio, n_fft),
                n_fft=n_fft,
                win_length=width,
                hop_length=max(round(self.hop * self.sample_rate), 1),
            )
        )
        mel = librosa.power_to_db(filters @ power**2)
        series = [librosa.feature.mfcc(S=mel, n_mfcc=self.coefficients)]
        if self.deltas:
            series.append(librosa.feature.delta(series[0], mode="nearest"))
        statistics = [f(part, axis=1) for part in series for f in (np.mean, np.std)]
        return np.concatenate(statistics).astype(np.float32)

    def _mono(self, audio: Any, shortest: int) -> np.ndarray:
        """Return one channel at the common rate, at least so many frames."""
        mono = np.asarray(audio.samples, dtype=np.float32).mean(axis=1)
        if len(mono):
            mono = librosa.resample(mono, orig_sr=audio.sample_rate, target_sr=self.sample_rate)
        return np.pad(mono, (0, max(shortest - len(mono), 0)))
