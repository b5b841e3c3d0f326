"""Sounds as log-mel spectrograms, and their augmentation in training."""

# Options are read from annotations, which are not postponed here.

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor

LEAST_POWER = 1e-10
RANGE = 80.0
"""Decibels below the loudest at which power is cut off."""


@dataclass(kw_only=True, eq=False)
class Spectrograms:
    """The options of sounds. A class inherits them, as a dataclass, beside its own.

    Parameters
    ----------
    sample_rate : int, default 16000
        The common rate, in Hz.
    trim : float, default 0
        Windows at either end that are more than so many decibels below the loudest are cut off;
        0 to keep all.
    loudness : bool, default False
        Whether all sounds are brought to the same root mean square.
    bands : int, default 40
        Mel bands, from 0 Hz to half the sample rate.
    window : float, default 0.025
        Length of a window, in seconds.
    hop : float, default 0.01
        From one window to the next, in seconds.
    mask_bands : int, default 0
        The most bands that SpecAugment masks at once in a training sound; 0 for none.
    mask_frames : int, default 0
        The most windows that SpecAugment masks at once in a training sound; 0 for none.
    masks : int, default 1
        How often SpecAugment masks each.

    References
    ----------
    Park et al., "SpecAugment: a simple data augmentation method for automatic speech recognition",
    Interspeech 2019 (without time warping).
    """

    sample_rate: Annotated[int, Field(ge=1)] = 16000
    trim: Annotated[float, Field(ge=0)] = 0.0
    loudness: bool = False
    bands: Annotated[int, Field(ge=1)] = 40
    window: Annotated[float, Field(gt=0)] = 0.025
    hop: Annotated[float, Field(gt=0)] = 0.01
    mask_bands: Annotated[int, Field(ge=0)] = 0
    mask_frames: Annotated[int, Field(ge=0)] = 0
    masks: Annotated[int, Field(ge=1)] = 1

    def spectrograms(self, items: Sequence[Any], seconds: float) -> "list[Tensor]":
        """Return decibels in mel bands over time, float32 (windows, bands) each.

        Sound becomes mono and is resampled; what is shorter than one window, or empty, is filled
        up with silence. What is longer than ``seconds`` is cut off, unless that is 0.

        Raises
        ------
        ValueError
            If there are more bands than a window can tell apart.
        """
        import torch

        width, hop = (max(round(t * self.sample_rate), 1) for t in (self.window, self.hop))
        n_fft = 1 << (width - 1).bit_length()
        filters = torch.from_numpy(self._filters(n_fft))
        hann = torch.hann_window(width)
        found = []
        for item in items:
            mono = torch.from_numpy(self._mono(item, width))
            spectrum = torch.stft(
                mono, n_fft, hop, width, hann, pad_mode="constant", return_complex=True
            )
            power = (filters @ spectrum.abs().square()).T
            decibels = 10 * torch.log10(power.clamp_min(LEAST_POWER))
            decibels = decibels.clamp_min(float(decibels.max()) - RANGE)
            if self.trim:
                loud = torch.nonzero(decibels.amax(dim=1) >= decibels.max() - self.trim)
                decibels = decibels[int(loud[0]) : int(loud[-1]) + 1]
            if seconds:
                decibels = decibels[: self.frames(seconds)]
            found.append(decibels)
        return found

    def frames(self, seconds: float) -> int:
        """Return how many windows so many seconds have."""
        return 1 + int(seconds * self.sample_rate) // max(round(self.hop * self.sample_rate), 1)

    def band_statistics(self, spectrograms: "Sequence[Tensor]") -> dict[str, list[float]]:
        """Return mean and standard deviation of each band."""
        import torch

        values = torch.cat(list(spectrograms)).double()
        std = values.std(dim=0, correction=0).clamp_min(1.0)
        return {"mean": values.mean(dim=0).tolist(), "std": std.tolist()}

    def masked(self, spectrogram: "Tensor") -> "Tensor":
        """Return standardised bands over time with stretches set to 0, the mean, at random."""
        import torch

        changed = spectrogram.clone()
        for _ in range(self.masks):
            for dim, widest in enumerate((self.mask_frames, self.mask_bands)):
                length = changed.shape[dim]
                width = int(torch.randint(min(widest, length) + 1, ()))
                start = int(torch.randint(length - width + 1, ()))
                changed.narrow(dim, start, width).zero_()
        return changed

    def _filters(self, n_fft: int) -> np.ndarray:
        """Return the mel filters, shape (bands, frequencies)."""
        from librosa.filters import mel

        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Empty filters")
            try:
                filters: np.ndarray = mel(sr=self.sample_rate, n_fft=n_fft, n_mels=self.bands)
            except UserWarning:
                raise ValueError(
                    f"bands = {self.bands}: more than a window of {self.window} s can tell apart"
                ) from None
        return filters

    def _mono(self, item: Any, shortest: int) -> np.ndarray:
        """Return one channel at the common rate, at least so many frames."""
        import soxr

        mono = np.asarray(item.samples, dtype=np.float32).mean(axis=1)
        if item.sample_rate != self.sample_rate:
            mono = soxr.resample(mono, item.sample_rate, self.sample_rate)
        if self.loudness and (level := float(np.sqrt(np.mean(mono**2))) if len(mono) else 0.0):
            mono = mono * np.float32(0.1 / level)
        return np.pad(mono, (0, max(shortest - len(mono), 0)))


def standardised(spectrogram: "Tensor", mean: Sequence[float], std: Sequence[float]) -> "Tensor":
    """Return the bands with mean 0 and standard deviation 1."""
    import torch

    return (spectrogram - torch.tensor(mean)) / torch.tensor(std)
