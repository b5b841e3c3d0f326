"""The encoder ``crnn``: convolutions, then a recurrent layer, over log-mel spectrograms."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from mmbench_networks.network import NetworkEncoder
from mmbench_networks.spectrogram import Spectrograms, standardised

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class Crnn(Spectrograms, NetworkEncoder):
    """A convolutional recurrent network over log-mel spectrograms, for sounds of any length.

    Convolutions of 3 x 3 with batch normalisation and ReLU, each followed by a maximum over two
    bands, the first also over two windows; then a gated recurrent layer (GRU) in both directions,
    whose last states are the embedding; dropout and the classes. Sounds of unequal length are
    packed: what one is padded with does not reach its embedding.

    The further parameters are those of `mmbench_networks.spectrogram.Spectrograms`
    (``sample_rate``, ``trim``, ``loudness``, ``bands``, ``window``, ``hop``, ``mask_bands``,
    ``mask_frames``, ``masks``) and of `mmbench_training.Training`.

    Parameters
    ----------
    seconds : float, default 0
        What is longer is cut off; 0 for sounds as long as they are.
    channels : int, default 16
        Of the first convolution; each further one has twice as many, 64 at most.
    layers : int, default 2
        How many convolutions.
    width : int, default 128
        Columns of the embedding, half of them for either direction; even.
    dropout : float, default 0.25
        Before the classes.
    clip : float, default 1
        As in `mmbench_training.Training`, but on: recurrent layers need it.

    Raises
    ------
    ValueError
        If there are more bands than a window can tell apart, or too few for the convolutions.

    References
    ----------
    Choi, Fazekas, Sandler and Cho, "Convolutional recurrent neural networks for music
    classification", ICASSP 2017.
    """

    seconds: Annotated[float, Field(ge=0)] = 0.0
    channels: Annotated[int, Field(ge=1)] = 16
    layers: Annotated[int, Field(ge=1)] = 2
    width: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.25
    clip: Annotated[float, Field(ge=0)] = 1.0

    def learn(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return mean and standard deviation of the bands."""
        if self.bands < 2**self.layers:
            raise ValueError(
                f"bands = {self.bands}: {self.layers} layers halve them, which takes "
                f"{2**self.layers} at least"
            )
        return dict(self.band_statistics(self.spectrograms(items, self.seconds)))

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_networks.layers import Classifier
        from mmbench_networks.sequences import ConvolutionsAndGru

        body = ConvolutionsAndGru(self.bands, self.channels, self.layers, self.width)
        return Classifier(body, self.width, self.learnt_["classes"], self.dropout)

    def prepare(self, items: Sequence[Any]) -> "list[Tensor]":
        """Return the spectrogram of each sound, its bands standardised."""
        mean, std = self.learnt_["mean"], self.learnt_["std"]
        return [standardised(s, mean, std) for s in self.spectrograms(items, self.seconds)]

    def collate(self, inputs: list[Any], training: bool) -> "tuple[Tensor, Tensor]":
        """Return spectrograms padded to the longest, (n, windows, bands), and their lengths."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        if training and (self.mask_frames or self.mask_bands):
            inputs = [self.masked(spectrogram) for spectrogram in inputs]
        lengths = torch.tensor([len(spectrogram) for spectrogram in inputs])
        return pad_sequence(inputs, batch_first=True), lengths
