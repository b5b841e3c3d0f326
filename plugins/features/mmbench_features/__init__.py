"""Encoders of hand-made features, for vectors, images, text and sound."""

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
        "colour-histogram",
        "mmbench_features.colour:ColourHistogram",
        kind="image",
        summary="shares of red, green and blue (Swain and Ballard 1991)",
    )
    register(
        "mfcc",
        "mmbench_features.mfcc:Mfcc",
        kind="audio",
        summary="mel-frequency cepstral coefficients over time (Davis and Mermelstein 1980)",
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
    register(
        "bag-of-words",
        "mmbench_features.words:BagOfWords",
        kind="text",
        trained=True,
        standardise=False,
        sparse=True,
        summary="counts of words, a Chinese character being one",
    )
