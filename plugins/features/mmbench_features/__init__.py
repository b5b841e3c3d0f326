"""Encoders of hand-made features: vectors as they are, HOG for images, tf-idf for text."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoders; the libraries they need are imported when one is built."""
    register(
        "identity",
        "mmbench_features.identity:Identity",
        kind="vector",
        summary="the vectors as they are",
    )
    register(
        "hog",
        "mmbench_features.hog:Hog",
        kind="image",
        summary="histogram of oriented gradients (Dalal and Triggs 2005)",
    )
    register(
        "tf-idf",
        "mmbench_features.tfidf:TfIdf",
        kind="text",
        trained=True,
        standardise=False,
        sparse=True,
        summary="weighted word and character n-grams, for any script",
    )
