"""The loudness of mel bands, summarised over time."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np

from mmbench_features.sound import LEAST_POWER, Framing, Loudness, SoundEncoder, over_time

RANGE = 80.0
"""Decibels below the loudest at which power is cut off."""


class LogMel(SoundEncoder):
    """Mean and standard deviation over time of the decibels in mel bands.

    Parameters
    ----------
    bands : int, default 40
        Mel bands, from 0 Hz to half the sample rate; the embedding has twice as many columns.
    sample_rate, window, hop, trim, seconds, loudness
        Those of `mmbench_features.sound.Framing`.

    References
    ----------
    Stevens, Volkmann and Newman, "A scale for the measurement of the psychological magnitude
    pitch", Journal of the Acoustical Society of America 8(3), 1937; the filters: Slaney, "Auditory
    toolbox", Interval Research Corporation, 1998.
    """

    def __init__(
        self,
        *,
        bands: int = 40,
        sample_rate: int = 16000,
        window: float = 0.025,
        hop: float = 0.01,
        trim: float | None = None,
        seconds: float | None = None,
        loudness: Loudness = "none",
    ) -> None:
        self.bands = bands
        self.sample_rate = sample_rate
        self.window = window
        self.hop = hop
        self.trim = trim
        self.seconds = seconds
        self.loudness = loudness

    def _embed(self, mono: np.ndarray, framing: Framing) -> np.ndarray:
        return over_time(log_mel(mono, framing, self.bands))


def log_mel(mono: np.ndarray, framing: Framing, bands: int) -> np.ndarray:
    """Return decibels down to 80 below the loudest, shape (windows, bands).

    Raises
    ------
    ValueError
        If there are more bands than a window can tell apart.
    """
    energy = framing.power(framing.frames(mono)) @ _filters(framing, bands).T
    decibels = 10 * np.log10(np.maximum(energy, LEAST_POWER))
    cut: np.ndarray = np.maximum(decibels, decibels.max() - RANGE)
    return cut


@lru_cache
def _filters(framing: Framing, bands: int) -> np.ndarray:
    """Return Slaney's mel filters, shape (bands, frequencies)."""
    from librosa.filters import mel

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Empty filters")
        try:
            filters: np.ndarray = mel(sr=framing.sample_rate, n_fft=framing.n_fft, n_mels=bands)
        except UserWarning:
            raise ValueError(
                f"bands = {bands}: more than a window of {framing.window} s can tell apart"
            ) from None
    return filters
