"""Mel-frequency cepstral coefficients, summarised over time."""

from __future__ import annotations

import numpy as np

from mmbench_features.logmel import log_mel
from mmbench_features.sound import Framing, Loudness, SoundEncoder, over_time

DELTA_WINDOWS = 9


class Mfcc(SoundEncoder):
    """Mean and standard deviation over time of mel-frequency cepstral coefficients.

    The embedding holds the means of the coefficients, their standard deviations and, with
    ``deltas``, those of their changes: ``coefficients * (4 if deltas else 2)`` columns. The numbers
    are those of librosa, of which only the mel filters are used: its other functions are compiled
    where they are first called, for a quarter of a minute.

    Parameters
    ----------
    coefficients : int, default 20
        How many coefficients are kept, the first (loudness) included; at most ``bands``.
    bands : int, default 40
        Mel bands, from 0 Hz to half the sample rate.
    deltas : bool, default True
        Whether the changes over time (slopes over nine windows) are summarised too.
    sample_rate, window, hop, trim, seconds, loudness
        Those of `mmbench_features.sound.Framing`.

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
        coefficients: int = 20,
        bands: int = 40,
        deltas: bool = True,
        sample_rate: int = 16000,
        window: float = 0.025,
        hop: float = 0.01,
        trim: float | None = None,
        seconds: float | None = None,
        loudness: Loudness = "none",
    ) -> None:
        self.coefficients = coefficients
        self.bands = bands
        self.deltas = deltas
        self.sample_rate = sample_rate
        self.window = window
        self.hop = hop
        self.trim = trim
        self.seconds = seconds
        self.loudness = loudness

    def _embed(self, mono: np.ndarray, framing: Framing) -> np.ndarray:
        from scipy.fft import dct
        from scipy.signal import savgol_filter

        if not 0 < self.coefficients <= self.bands:
            raise ValueError(
                f"coefficients = {self.coefficients}: 1 to {self.bands} (bands) are possible"
            )
        series = [dct(log_mel(mono, framing, self.bands), norm="ortho")[:, : self.coefficients]]
        if self.deltas:
            slopes = savgol_filter(series[0], DELTA_WINDOWS, 1, deriv=1, axis=0, mode="nearest")
            series.append(slopes)
        return over_time(*series)
