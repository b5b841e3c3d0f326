"""Any model of transformers as an encoder of text, images or sound, frozen or fine-tuned."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl

_KINDS = "mmbench_transformers.kinds:"
_TOWERS = "mmbench_transformers.towers:"


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoders; torch and transformers are imported when one is built."""
    register(
        "transformers-text",
        f"{_KINDS}TextTransformer",
        kind="text",
        finetune=True,
        sequences=True,
        summary="pooled hidden states of any text model of transformers",
    )
    register(
        "transformers-image",
        f"{_KINDS}ImageTransformer",
        kind="image",
        finetune=True,
        sequences=True,
        summary="pooled hidden states of any image model of transformers",
    )
    register(
        "transformers-audio",
        f"{_KINDS}AudioTransformer",
        kind="audio",
        finetune=True,
        sequences=True,
        summary="pooled hidden states of any audio model of transformers",
    )
    register(
        "two-tower-text",
        f"{_TOWERS}TextTower",
        kind="text",
        finetune=True,
        summary="text embedding of CLIP, SigLIP, CLAP and their like, in the joint space",
    )
    register(
        "two-tower-image",
        f"{_TOWERS}ImageTower",
        kind="image",
        finetune=True,
        summary="image embedding of CLIP, SigLIP and their like, in the joint space",
    )
    register(
        "two-tower-audio",
        f"{_TOWERS}AudioTower",
        kind="audio",
        finetune=True,
        summary="audio embedding of CLAP and its like, in the joint space",
    )
