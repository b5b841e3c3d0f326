"""Items to what a network takes: tokens, pixels, or waveforms and their spectra."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench import rgb
from mmbench_transformers.checkpoint import Checkpoint

if TYPE_CHECKING:
    from PIL import Image

    from mmbench_transformers.pooling import Inputs

SHORTEST = 0.1
"""Seconds; a shorter sound is filled up with silence."""

PADDED_TO_FULL_LENGTH = ("siglip", "siglip2")
"""Models that read a text from its last position, padding included, without a mask."""


class Texts:
    """Texts to token ids, cut where the model ends.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where the tokeniser is from.
    network : Module
        The model, which says how many positions it has.
    max_length : int, optional
        Tokens that are kept, the tokeniser's own included; the model's limit bounds it.
    threads : int
        1 keeps the tokeniser from taking all cores.

    Raises
    ------
    ValueError
        If no token is to be left of a text.
    """

    def __init__(
        self, checkpoint: Checkpoint, network: Any, max_length: int | None, threads: int
    ) -> None:
        if max_length is not None and max_length < 1:
            raise ValueError(f"max_length = {max_length}: 1 or more is possible")
        if threads == 1:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._tokenizer = checkpoint.read("tokeniser", _tokenizer)
        self._full = network.config.model_type in PADDED_TO_FULL_LENGTH
        limit = min(_positions(network), self._tokenizer.model_max_length)
        limit = limit if max_length is None else min(limit, max_length)
        self._options: dict[str, Any] = {}
        if limit < 1_000_000:  # else nobody has said so: the library's "very large integer"
            self._options = {"truncation": True, "max_length": int(limit)}
        padding = self._tokenizer.pad_token_id
        self.fill = {"input_ids": 0 if padding is None else padding}

    def __call__(self, items: Sequence[str]) -> list[Inputs]:
        """Return token ids and masks, one dict of tensors of shape (1, length) per text."""
        import torch

        tokens = self._tokenizer(
            [item.encode(errors="replace").decode() for item in items],  # no half surrogate pairs
            return_attention_mask=not self._full,
            padding="max_length" if self._full else False,
            **self._options,
        )
        names = ["input_ids"] if self._full else list(tokens)
        inputs = []
        for row in range(len(items)):
            values = {name: tokens[name][row] for name in names}
            if not values["input_ids"]:
                values = {name: [0] for name in names} | {"attention_mask": [1]}
                values["input_ids"] = [self._nothing()]
            inputs.append({name: torch.tensor([value]) for name, value in values.items()})
        return inputs

    def _nothing(self) -> int:
        """Return the token that stands for a text without any."""
        names = ("bos_token_id", "eos_token_id", "pad_token_id")
        ids = (getattr(self._tokenizer, name) for name in names)
        return next((token for token in ids if token is not None), 0)


def _tokenizer(name: str, **options: Any) -> Any:
    """Read a tokeniser; without its files the library may make one that knows no words."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(name, **options)
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise ValueError("there is no vocabulary")
    return tokenizer


def _positions(network: Any) -> float:
    """Return how many tokens a text model can number; infinite if it sets no limit."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and hasattr(module, "padding_idx"):
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            return float(module.num_embeddings - offset)
    config = network.config.get_text_config()
    return float(getattr(config, "max_position_embeddings", None) or "inf")


class Images:
    """Images of any mode to pixels, by the model's own processor.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where the processor is from.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        from transformers import AutoImageProcessor

        self._processor = checkpoint.read("image processor", AutoImageProcessor.from_pretrained)
        self.fill: dict[str, float] = {}

    def __call__(self, items: Sequence[Image.Image]) -> list[Inputs]:
        """Return pixels, one dict of tensors with a leading dimension of 1 per image."""
        return [
            dict(self._processor(images=rgb(item), return_tensors="pt").items()) for item in items
        ]


class Sounds:
    """Sounds of any rate and any number of channels to what an audio model takes.

    A sound becomes mono (the mean of its channels) and is resampled to the model's rate; one that
    is shorter than `SHORTEST` is filled up with silence.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where the feature extractor is from.
    max_seconds : float, optional
        What a sound is cut off after.

    Raises
    ------
    ValueError
        If nothing is to be left of a sound, or the extractor is none of sounds.
    """

    def __init__(self, checkpoint: Checkpoint, max_seconds: float | None = None) -> None:
        from transformers import AutoFeatureExtractor

        if max_seconds is not None and not max_seconds > 0:
            raise ValueError(f"max_seconds = {max_seconds}: more than 0 is possible")
        reader = AutoFeatureExtractor.from_pretrained
        self._extractor = checkpoint.read("feature extractor", reader)
        if not hasattr(self._extractor, "sampling_rate"):
            raise ValueError(f"{checkpoint.name}: its feature extractor is none of sounds")
        self._seconds = max_seconds
        # Whisper's fills up to 30 s; the mask says which part is the sound's.
        full_length = hasattr(self._extractor, "n_samples")
        self._options = {"return_attention_mask": True} if full_length else {}
        self.fill: dict[str, float] = {}

    def __call__(self, items: Sequence[Any]) -> list[Inputs]:
        """Return waveforms or spectra, one dict of tensors with a leading 1 per sound."""
        rate = self._extractor.sampling_rate
        inputs = []
        with fixed_draws() as begin:
            for item in items:
                begin()
                made = self._extractor(
                    mono(item, rate, self._seconds),
                    sampling_rate=rate,
                    return_tensors="pt",
                    **self._options,
                )
                inputs.append(dict(made.items()))
        return inputs


@contextmanager
def fixed_draws() -> Iterator[Any]:
    """Give a function that resets NumPy's global generator, and restore its state at the end.

    CLAP's feature extractor draws from it which part of a long sound is taken.
    """
    before = np.random.get_state()
    try:
        yield lambda: np.random.seed(0)
    finally:
        np.random.set_state(before)


def mono(audio: Any, rate: int, seconds: float | None = None) -> np.ndarray:
    """Return a sound as one channel at a rate, at least `SHORTEST` long.

    Parameters
    ----------
    audio : object
        With ``samples``, shape (frames, channels), and ``sample_rate`` in Hz.
    rate : int
        The rate wanted, in Hz.
    seconds : float, optional
        What it is cut off after.

    Returns
    -------
    ndarray of float32, shape (frames,)
    """
    from scipy.signal import resample_poly

    samples = np.asarray(audio.samples, dtype=np.float32).mean(axis=1)
    given = int(audio.sample_rate)
    if seconds is not None:
        samples = samples[: round(seconds * given)]
    if given != rate and len(samples):
        common = gcd(given, rate)
        samples = resample_poly(samples, rate // common, given // common).astype(np.float32)
    return np.pad(samples, (0, max(round(SHORTEST * rate) - len(samples), 0)))
