"""How a digit sounds: the clips of ``speech``, and noise over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@dataclass(frozen=True)
class Audio:
    """Sound.

    Attributes
    ----------
    samples : ndarray of float32, shape (frames, channels)
        Full scale is 1.
    sample_rate : int
        Frames per second.
    """

    samples: np.ndarray
    sample_rate: int


class Clip(NamedTuple):
    """One digit said by one voice: a piece of the voice's file.

    Attributes
    ----------
    language : str
        The synthesiser's name for it.
    voice : str
        Language, and variant of the synthesiser's voice: ``en-us-f1``.
    digit : int
        What it says.
    start, stop : int
        The first frame in the file, and the one after the last.
    """

    language: str
    voice: str
    digit: int
    start: int
    stop: int


def read_clips() -> list[Clip]:
    """Read the list of clips, voice by voice; no sound is decoded."""
    clips = []
    for line in _folder().joinpath("voices.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        language, variant, _, _, *ends = line.split("\t")
        stops = [int(end) for end in ends]
        for digit, (start, stop) in enumerate(zip([0, *stops], stops, strict=False)):
            clips.append(Clip(language, f"{language}-{variant}", digit, start, stop))
    return clips


def load(clip: Clip, hiss: float, rng: np.random.Generator) -> Audio:
    """Decode a clip and add white Gaussian noise, ``hiss`` times as strong as the clip (RMS)."""
    frames, rate = _decode(clip.voice)
    clean = frames[clip.start : clip.stop] / 2**15
    level = hiss * np.sqrt(np.mean(clean**2))
    noisy = clean + level * rng.standard_normal(clean.shape)
    return Audio(noisy.astype(np.float32), rate)


@cache
def _decode(voice: str) -> tuple[np.ndarray, int]:
    """Return all that a voice says, int16 (frames, 1), and the frames per second."""
    with _folder().joinpath(f"{voice}.flac").open("rb") as file:
        frames, rate = soundfile.read(file, dtype="int16", always_2d=True)
    return frames, rate


def _folder() -> Traversable:
    return resources.files(__package__).joinpath("speech")
