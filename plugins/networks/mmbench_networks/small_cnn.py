"""The encoder ``small-cnn``: two convolutions and a hidden layer."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from mmbench_networks.network import NetworkEncoder
from mmbench_networks.pixels import Pixels, normalised

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class SmallCnn(Pixels, NetworkEncoder):
    """A small convolutional network, of which the hidden layer is the embedding.

    Two convolutions of 3 x 3, each followed by ReLU and a maximum over 2 x 2, a hidden layer with
    ReLU, dropout and the classes: the kind of network of LeCun et al. (1998). An image is turned
    as its EXIF orientation says, made RGB or grey, and brought to one size.

    The further parameters are those of `mmbench_networks.pixels.Pixels` (``resize``, ``crop``,
    ``flip``, ``jitter``) and of `mmbench_training.Training`.

    Parameters
    ----------
    size : int, default 32
        Height and width in pixels that images are brought to; at least 4.
    grey : bool, default False
        Whether images become grey.
    normalise : bool, default True
        Whether each channel gets mean 0 and standard deviation 1, those of up to 1,000 training
        images being taken; else values are from 0 to 1.
    channels : int, default 32
        Of the first convolution; the second has twice as many.
    width : int, default 128
        Columns of the embedding.
    dropout : float, default 0.25
        Before the classes.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998.
    """

    size: Annotated[int, Field(ge=4)] = 32
    grey: bool = False
    normalise: bool = True
    channels: Annotated[int, Field(ge=1)] = 32
    width: Annotated[int, Field(ge=1)] = 128
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.25

    def learn(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return mean and standard deviation of the channels."""
        if self.normalise:
            return dict(self.channel_statistics(items, self.size, self.grey))
        channels = 1 if self.grey else 3
        return {"mean": [0.0] * channels, "std": [1.0] * channels}

    def build(self) -> "Module":
        """Return the network."""
        from torch import nn

        from mmbench_networks.layers import Classifier

        body = nn.Sequential(
            nn.Conv2d(len(self.learnt_["mean"]), self.channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(self.channels, 2 * self.channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * self.channels * (self.size // 4) ** 2, self.width),
            nn.ReLU(),
        )
        return Classifier(body, self.width, self.learnt_["classes"], self.dropout)

    def prepare(self, items: Sequence[Any]) -> "list[Tensor]":
        """Return the pixels of each image."""
        return self.pixels(items, self.size, self.grey)

    def collate(self, inputs: list[Any], training: bool) -> "Tensor":
        """Return the images of a batch, normalised, augmented only in training."""
        import torch

        images = self.augmented(inputs) if training else torch.stack(inputs)
        return normalised(images, self.learnt_["mean"], self.learnt_["std"])
