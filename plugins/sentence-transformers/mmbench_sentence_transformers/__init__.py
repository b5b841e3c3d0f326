"""Any model of sentence-transformers as a frozen encoder."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoder; torch and sentence-transformers are imported when one is built."""
    register(
        "sentence-transformers",
        "mmbench_sentence_transformers.encoder:SentenceEncoder",
        kind="text",
        summary="sentence embeddings of any sentence-transformers model",
    )
