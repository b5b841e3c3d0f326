"""The encoders ``lstm`` and ``gru``: recurrent networks that read a text word by word."""

# Annotations are not postponed, as in `mmbench_networks.vocabulary`.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mmbench_networks.text_encoder import TextEncoder

if TYPE_CHECKING:
    from mmbench_networks.text_layers import RecurrentReader


@dataclass(kw_only=True, eq=False)
class Recurrent(TextEncoder):
    """A recurrent network over the vectors of a text's words.

    Parameters
    ----------
    hidden : int, default 128
        Units of each layer, in each direction.
    layers : int, default 1
    bidirectional : bool, default True
        Whether a second network reads the text backwards; embeddings are twice as wide.
    pooling : {"last", "mean", "max"}, default "last"
        The embedding: the state after the last word (read backwards: the first), or the mean or
        maximum of the last layer's states at all words.
    """

    cell: ClassVar[Literal["LSTM", "GRU"]]

    hidden: Annotated[int, Field(ge=1)] = 128
    layers: Annotated[int, Field(ge=1)] = 1
    bidirectional: bool = True
    pooling: Literal["last", "mean", "max"] = "last"

    def reader(self, words: int, width: int) -> "RecurrentReader":
        """Return what reads texts, with random weights."""
        from mmbench_networks.text_layers import RecurrentReader

        return RecurrentReader(
            self.cell,
            words,
            width,
            hidden=self.hidden,
            layers=self.layers,
            bidirectional=self.bidirectional,
            pooling=self.pooling,
            dropout=self.dropout,
        )


class Lstm(Recurrent):
    """Long short-term memory over the vectors of a text's words.

    The options are those of `Recurrent` (``hidden``, ``layers``, ``bidirectional``, ``pooling``),
    `TextEncoder` (``units``, ``min_count``, ``max_words``, ``max_length``, ``width``, ``vectors``,
    ``freeze``, ``dropout``, ``clip``), `mmbench_networks.vocabulary.Preparation` (``lowercase``,
    ``stop_words``, ``stem``, ``segment``) and `mmbench_training.Training` (``epochs``,
    ``batch_size``, ``optimiser``, ``learning_rate``, ``momentum``, ``weight_decay``, ``schedule``,
    ``patience``, ``validation_share``, ``class_weights``, ``mixed_precision``).

    References
    ----------
    Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997.
    Schuster and Paliwal, "Bidirectional recurrent neural networks", IEEE Transactions on Signal
    Processing 45(11), 1997.
    """

    cell = "LSTM"


class Gru(Recurrent):
    """Gated recurrent units over the vectors of a text's words.

    The options are those of `Recurrent` (``hidden``, ``layers``, ``bidirectional``, ``pooling``),
    `TextEncoder` (``units``, ``min_count``, ``max_words``, ``max_length``, ``width``, ``vectors``,
    ``freeze``, ``dropout``, ``clip``), `mmbench_networks.vocabulary.Preparation` (``lowercase``,
    ``stop_words``, ``stem``, ``segment``) and `mmbench_training.Training` (``epochs``,
    ``batch_size``, ``optimiser``, ``learning_rate``, ``momentum``, ``weight_decay``, ``schedule``,
    ``patience``, ``validation_share``, ``class_weights``, ``mixed_precision``).

    References
    ----------
    Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", EMNLP 2014.
    """

    cell = "GRU"
