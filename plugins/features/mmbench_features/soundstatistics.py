"""Zero crossings, loudness and the shape of the spectrum, summarised over time."""

from __future__ import annotations

import numpy as np

from mmbench_features.sound import LEAST_POWER, Framing, Loudness, SoundEncoder, over_time

COLUMNS = ("zero crossings", "loudness", "centroid", "bandwidth", "roll-off", "flatness")
"""What is measured in each window."""


class AudioStatistics(SoundEncoder):
    """Mean and standard deviation over time of six measures of a window.

    Zero crossings: the share of neighbouring samples of unlike sign. Loudness: the root mean
    square. Of the magnitude spectrum, in Hz: centroid (mean frequency), bandwidth (standard
    deviation of frequency) and roll-off (below it lies a share of all magnitude), each 0 in
    silence. Flatness: the geometric over the arithmetic mean of the power spectrum, 1 for white
    noise and for silence.

    Parameters
    ----------
    rolloff : float, default 0.85
        The share below the roll-off, above 0 and up to 1.
    sample_rate, window, hop, trim, seconds, loudness
        Those of `mmbench_features.sound.Framing`.

    References
    ----------
    Tzanetakis and Cook, "Musical genre classification of audio signals", IEEE Transactions on
    Speech and Audio Processing 10(5), 2002; flatness: Gray and Markel, "A spectral-flatness measure
    for studying the autocorrelation method of linear prediction of speech analysis", IEEE
    Transactions on Acoustics, Speech, and Signal Processing 22(3), 1974.
    """

    def __init__(
        self,
        *,
        rolloff: float = 0.85,
        sample_rate: int = 16000,
        window: float = 0.025,
        hop: float = 0.01,
        trim: float | None = None,
        seconds: float | None = None,
        loudness: Loudness = "none",
    ) -> None:
        self.rolloff = rolloff
        self.sample_rate = sample_rate
        self.window = window
        self.hop = hop
        self.trim = trim
        self.seconds = seconds
        self.loudness = loudness

    def _embed(self, mono: np.ndarray, framing: Framing) -> np.ndarray:
        if not 0 < self.rolloff <= 1:
            raise ValueError(f"rolloff = {self.rolloff}: above 0 and up to 1 is possible")
        frames, frequencies = framing.frames(mono), framing.frequencies
        power = framing.power(frames)
        magnitude = np.sqrt(power)
        total = magnitude.sum(axis=1, keepdims=True)
        shares = np.divide(magnitude, total, out=np.zeros_like(magnitude), where=total > 0)
        centroid = shares @ frequencies
        variance = shares @ frequencies**2 - centroid**2
        reached = np.cumsum(magnitude, axis=1) >= self.rolloff * total
        audible = np.maximum(power, LEAST_POWER)
        measures = [
            np.mean(np.diff(frames < 0, axis=1), axis=1),
            np.sqrt(np.mean(frames**2, axis=1)),
            centroid,
            np.sqrt(np.maximum(variance, 0)),  # of one frequency alone it may round below 0
            frequencies[reached.argmax(axis=1)],
            np.exp(np.mean(np.log(audible), axis=1)) / np.mean(audible, axis=1),
        ]
        return over_time(np.stack(measures, axis=1))
