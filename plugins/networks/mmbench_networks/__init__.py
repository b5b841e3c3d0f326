"""Encoders that are neural networks trained on the training part."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoders; the libraries they need are imported when one is built."""
    register(
        "small-cnn",
        "mmbench_networks.small_cnn:SmallCnn",
        kind="image",
        trained=True,
        supervised=True,
        summary="two convolutions and a hidden layer, trained on the labels",
    )
    register(
        "timm-scratch",
        "mmbench_networks.timm_scratch:TimmScratch",
        kind="image",
        trained=True,
        supervised=True,
        summary="any timm network, trained from scratch or fine-tuned on the labels",
    )
    register(
        "crnn",
        "mmbench_networks.crnn:Crnn",
        kind="audio",
        trained=True,
        supervised=True,
        summary="convolutions and a recurrent layer over log-mel spectrograms",
    )
    register(
        "autoencoder",
        "mmbench_networks.autoencoder:Autoencoder",
        kind=("image", "audio", "vector"),
        trained=True,
        summary="the narrow layer of a network that learns to give back its input",
    )
    register(
        "lstm",
        "mmbench_networks.recurrent:Lstm",
        kind="text",
        trained=True,
        supervised=True,
        summary="long short-term memory over the words, trained on the labels",
    )
    register(
        "gru",
        "mmbench_networks.recurrent:Gru",
        kind="text",
        trained=True,
        supervised=True,
        summary="gated recurrent units over the words, trained on the labels",
    )
    register(
        "text-transformer",
        "mmbench_networks.text_transformer:TextTransformer",
        kind="text",
        trained=True,
        supervised=True,
        summary="a small transformer over the words, trained from scratch on the labels",
    )
    register(
        "word2vec",
        "mmbench_networks.word2vec:Word2VecEncoder",
        kind="text",
        trained=True,
        summary="the mean of word vectors learnt from the texts (Mikolov et al. 2013)",
    )
