"""The encoder ``text-transformer``: a small transformer trained from scratch."""

# Annotations are not postponed, as in `mmbench_networks.vocabulary`.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from mmbench_networks.text_encoder import TextEncoder

if TYPE_CHECKING:
    from mmbench_networks.text_layers import AttentiveReader


@dataclass(kw_only=True, eq=False)
class TextTransformer(TextEncoder):
    """Self-attention over the vectors of a text's words, normalised before every layer.

    The further options are those of `TextEncoder` (``units``, ``min_count``, ``max_words``,
    ``max_length``, ``width``, ``vectors``, ``freeze``, ``dropout``, ``clip``),
    `mmbench_networks.vocabulary.Preparation` (``lowercase``, ``stop_words``, ``stem``,
    ``segment``) and `mmbench_training.Training` (``epochs``, ``batch_size``, ``optimiser``,
    ``learning_rate``, ``momentum``, ``weight_decay``, ``schedule``, ``patience``,
    ``validation_share``, ``class_weights``, ``mixed_precision``).

    Parameters
    ----------
    layers : int, default 2
    heads : int, default 4
        Of attention in every layer; a divisor of the word vectors' width.
    feedforward : int, default 128
        Units between the two linear maps of a layer.
    positions : {"sinusoidal", "learnt"}, default "sinusoidal"
        What is added to a word's vector to tell where it stands.
    pooling : {"mean", "cls"}, default "mean"
        The embedding: the mean over the words, or the last state of a learnt vector put before
        them.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017.
    Xiong et al., "On layer normalization in the transformer architecture", ICML 2020.
    """

    layers: Annotated[int, Field(ge=1)] = 2
    heads: Annotated[int, Field(ge=1)] = 4
    feedforward: Annotated[int, Field(ge=1)] = 128
    positions: Literal["sinusoidal", "learnt"] = "sinusoidal"
    pooling: Literal["mean", "cls"] = "mean"

    def reader(self, words: int, width: int) -> "AttentiveReader":
        """Return what reads texts, with random weights.

        Raises
        ------
        ValueError
            If ``heads`` does not divide the width.
        """
        from mmbench_networks.text_layers import AttentiveReader

        if width % self.heads:
            raise ValueError(f"heads = {self.heads} does not divide the words' width, {width}")
        return AttentiveReader(
            words,
            width,
            layers=self.layers,
            heads=self.heads,
            feedforward=self.feedforward,
            positions=self.positions,
            pooling=self.pooling,
            length=self.max_length,
            dropout=self.dropout,
        )
