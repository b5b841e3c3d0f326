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
        "pca",
        "mmbench_features.vectors:Pca",
        kind="vector",
        trained=True,
        standardise=False,
        summary="principal components (Pearson 1901)",
    )
    register(
        "quantile",
        "mmbench_features.vectors:Quantile",
        kind="vector",
        trained=True,
        summary="each value by its rank among the training part's",
    )
    register(
        "one-hot",
        "mmbench_features.vectors:OneHot",
        kind="vector",
        trained=True,
        summary="columns of categories as indicators",
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
        "local-binary-patterns",
        "mmbench_features.texture:LocalBinaryPatterns",
        kind="image",
        summary="histograms of local binary patterns (Ojala et al. 2002)",
    )
    register(
        "co-occurrence",
        "mmbench_features.texture:CoOccurrence",
        kind="image",
        summary="statistics of grey levels side by side (Haralick et al. 1973)",
    )
    register(
        "raw-pixels",
        "mmbench_features.pixels:RawPixels",
        kind="image",
        summary="the scaled image, pixel by pixel",
    )
    register(
        "pixels-pca",
        "mmbench_features.pixels:PixelsPca",
        kind="image",
        trained=True,
        standardise=False,
        summary="principal components of the pixels (Turk and Pentland 1991)",
    )
    register(
        "mfcc",
        "mmbench_features.mfcc:Mfcc",
        kind="audio",
        summary="mel-frequency cepstral coefficients over time (Davis and Mermelstein 1980)",
    )
    register(
        "log-mel",
        "mmbench_features.logmel:LogMel",
        kind="audio",
        summary="decibels in mel bands over time",
    )
    register(
        "audio-statistics",
        "mmbench_features.soundstatistics:AudioStatistics",
        kind="audio",
        summary="zero crossings, loudness and shape of the spectrum over time",
    )
    register(
        "chroma",
        "mmbench_features.chroma:Chroma",
        kind="audio",
        summary="power in the twelve pitch classes over time (Fujishima 1999)",
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
    register(
        "latent-semantic",
        "mmbench_features.latent:LatentSemantic",
        kind="text",
        trained=True,
        standardise=False,
        summary="tf-idf in few dimensions (Deerwester et al. 1990)",
    )
    register(
        "hashing",
        "mmbench_features.hashing:Hashing",
        kind="text",
        standardise=False,
        sparse=True,
        summary="counts of hashed words (Weinberger et al. 2009)",
    )
    register(
        "text-statistics",
        "mmbench_features.textstatistics:TextStatistics",
        kind="text",
        summary="lengths, kinds of characters, marks and emoji",
    )
    register(
        "sentiment",
        "mmbench_features.sentiment:Sentiment",
        kind="text",
        summary="VADER's sentiment of English (Hutto and Gilbert 2014)",
    )
    register(
        "part-of-speech",
        "mmbench_features.partsofspeech:PartOfSpeech",
        kind="text",
        summary="shares of the parts of speech, by a model of spaCy's",
    )
