"""Render the spoken digits of ``mmbench_digits/speech``.

Needs eSpeak NG (Debian: ``apt-get install espeak-ng``; the shipped clips were made with 1.51),
and of Python numpy, scipy and soundfile >= 0.13. Run in the plugin's folder::

    python scripts/render_speech.py

Every voice (a language in one of eSpeak's variants, its pitch and speed drawn by a hash) says the
ten digits. What it says is written to one FLAC file, clip after clip, without silence between
them; ``voices.tsv`` says where each clip ends. Clips are mono, at 8 kHz, of equal peak, and of 11
bits in samples of 16: the noise that the dataset adds is far above the last five.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import subprocess
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

LANGUAGES = ("ar", "cmn", "de", "en-us", "es", "fi", "fr-fr", "hi", "ja", "ru")
VARIANTS = ("m1", "m3", "m6", "f1", "f2", "f5")
PITCHES = range(30, 71)  # eSpeak's scale from 0 to 99
SPEEDS = range(140, 221)  # words a minute
RATE = 8000
BITS = 11
PEAK = 0.9
SILENCE = 0.02
"""What is quieter at either end, as a part of the peak, is cut off."""

FOLDER = Path(__file__).parents[1] / "mmbench_digits" / "speech"


def speak(voice: str, pitch: int, speed: int, digit: int) -> np.ndarray:
    """Return one clip as int16."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdout", str(digit)]
    wave = subprocess.run(command, capture_output=True, check=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wave))
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.abs(samples).max())
    clip = resample_poly(samples[loud[0] : loud[-1] + 1], RATE, rate)
    steps = np.rint(PEAK * clip / np.abs(clip).max() * 2 ** (BITS - 1))
    return (steps * 2 ** (16 - BITS)).astype(np.int16)


def draw(name: str, choices: range) -> int:
    """Return the choice that a hash of the name falls on."""
    return choices[int.from_bytes(hashlib.sha256(name.encode()).digest()) % len(choices)]


def main() -> None:
    """Write all voices and their table."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.flac"):
        old.unlink()
    with (FOLDER / "voices.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["language", "variant", "pitch", "speed", *range(10)])
        for language, variant in itertools.product(LANGUAGES, VARIANTS):
            pitch = draw(f"pitch {language} {variant}", PITCHES)
            speed = draw(f"speed {language} {variant}", SPEEDS)
            clips = [speak(f"{language}+{variant}", pitch, speed, digit) for digit in range(10)]
            soundfile.write(
                FOLDER / f"{language}-{variant}.flac",
                np.concatenate(clips),
                RATE,
                subtype="PCM_16",
                compression_level=1.0,
            )
            ends = np.cumsum([len(clip) for clip in clips])
            table.writerow([language, variant, pitch, speed, *ends])


if __name__ == "__main__":
    main()
