"""How strong each pitch class is, summarised over time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mmbench_features.sound import Framing, Loudness, SoundEncoder, over_time

CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""Pitch classes, a column each."""

C4 = 440 * 2 ** (-9 / 12)
"""Middle C in Hz, of equal temperament where A is 440 Hz."""

CENTRE, WIDTH = 880.0, 2.0
"""Frequency in Hz that counts most, and octaves (a standard deviation) around it that count."""


class Chroma(SoundEncoder):
    """Mean and standard deviation over time of the power in the twelve pitch classes.

    Octaves are folded together, those around 880 Hz counting most; the strongest class of a window
    is 1, and silence is 0 in all. The numbers are those of librosa's ``chroma_stft`` with
    ``tuning=0``.

    Parameters
    ----------
    sample_rate, window, hop, trim, seconds, loudness
        Those of `mmbench_features.sound.Framing`. A window of 0.1 s tells semitones apart from
        about 300 Hz upwards.

    References
    ----------
    Fujishima, "Realtime chord recognition of musical sound", ICMC 1999; the filters: Ellis,
    "Chroma feature analysis and synthesis", Columbia University, 2007.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        window: float = 0.1,
        hop: float = 0.025,
        trim: float | None = None,
        seconds: float | None = None,
        loudness: Loudness = "none",
    ) -> None:
        self.sample_rate = sample_rate
        self.window = window
        self.hop = hop
        self.trim = trim
        self.seconds = seconds
        self.loudness = loudness

    def _embed(self, mono: np.ndarray, framing: Framing) -> np.ndarray:
        classes = framing.power(framing.frames(mono)) @ _filters(framing).T
        strongest = classes.max(axis=1, keepdims=True)
        return over_time(classes / np.where(strongest > 0, strongest, 1))


@lru_cache
def _filters(framing: Framing) -> np.ndarray:
    """Return the share of each frequency in each pitch class, shape (12, frequencies).

    A frequency's shares fall off as a Gaussian of its distance from a class, as wide as the step to
    the next frequency, a semitone at least.
    """
    frequencies = framing.frequencies[1:]
    semitones = 12 * np.log2(frequencies / C4)
    width = np.maximum(12 * np.log2(1 + frequencies[0] / frequencies), 1)
    distance = (semitones - np.arange(12)[:, None] + 6) % 12 - 6
    shares = np.exp(-2 * (distance / width) ** 2)
    shares /= np.linalg.norm(shares, axis=0)
    shares *= np.exp(-0.5 * (np.log2(frequencies / CENTRE) / WIDTH) ** 2)
    return np.pad(shares, ((0, 0), (1, 0)))
