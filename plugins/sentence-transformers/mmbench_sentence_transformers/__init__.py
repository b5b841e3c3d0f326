"""Any model of sentence-transformers as an encoder, frozen or fine-tuned."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoders; torch and sentence-transformers are imported when one is built."""
    target = "mmbench_sentence_transformers.encoder:SentenceEncoder"
    register(
        "sentence-transformers",
        target,
        kind="text",
        finetune=True,
        sequences=True,
        summary="sentence embeddings of any sentence-transformers model",
    )
    register(
        "sentence-transformers-image",
        target,
        kind="image",
        summary="images by a sentence-transformers model of images and texts (CLIP)",
    )
