"""The encoder ``autoencoder``: the narrow layer of a network that gives back its input."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from mmbench_training import reconstruction
from PIL import Image
from pydantic import Field

from mmbench_networks.network import NetworkEncoder
from mmbench_networks.pixels import Pixels
from mmbench_networks.spectrogram import Spectrograms, standardised

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class Autoencoder(Spectrograms, Pixels, NetworkEncoder):
    """The code of an autoencoder: what a narrow layer keeps so that the input can be rebuilt.

    It learns without labels, by the mean squared error of what it gives back. Images (pixels from
    0 to 1) and sounds (log-mel spectrograms of one length, bands standardised) pass two
    convolutions of stride 2 and a linear layer to the code, and the reverse back; vectors
    (columns standardised) a hidden layer with ReLU.

    Of the parameters that follow, and of those of `mmbench_networks.pixels.Pixels`,
    `mmbench_networks.spectrogram.Spectrograms` and `mmbench_training.Training`, those of another
    kind than the modality's have no effect.

    Parameters
    ----------
    width : int, default 32
        Columns of the code.
    noise : float, default 0
        Standard deviation of Gaussian noise on the input in training; what is rebuilt is the input
        without it (Vincent et al. 2008).
    size : int, default 32
        Height and width in pixels that images are brought to; at least 4.
    grey : bool, default False
        Whether images become grey.
    seconds : float, default 1
        Length that sounds are brought to, cut off or filled up with silence.
    channels : int, default 16
        Of the first convolution; the second has twice as many.
    hidden : int, default 128
        Width of the hidden layer, for vectors.
    epochs : int, default 50
        As in `mmbench_training.Training`.

    Raises
    ------
    ValueError
        If vectors have unequal lengths, or a spectrogram is less than 4 bands or windows wide.

    References
    ----------
    Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science
    313, 2006; Masci et al., "Stacked convolutional auto-encoders for hierarchical feature
    extraction", ICANN 2011; Vincent et al., "Extracting and composing robust features with
    denoising autoencoders", ICML 2008.
    """

    loss: ClassVar[Callable[..., Any]] = staticmethod(reconstruction)

    width: Annotated[int, Field(ge=1)] = 32
    noise: Annotated[float, Field(ge=0)] = 0.0
    size: Annotated[int, Field(ge=4)] = 32
    grey: bool = False
    seconds: Annotated[float, Field(gt=0)] = 1.0
    channels: Annotated[int, Field(ge=1)] = 16
    hidden: Annotated[int, Field(ge=1)] = 128
    epochs: Annotated[int, Field(ge=1)] = 50

    def learn(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return the kind and shape of inputs, and what they are standardised by."""
        if isinstance(items[0], Image.Image):
            return {"kind": "image", "shape": [1 if self.grey else 3, self.size, self.size]}
        if hasattr(items[0], "samples"):
            shape = [1, self.frames(self.seconds), self.bands]
            if min(shape[1:]) < 4:
                raise ValueError(f"{shape[1]} windows of {shape[2]} bands: at least 4 are needed")
            moments = self.band_statistics(self._sounds(items))
            return {"kind": "audio", "shape": shape, **moments}
        values = _stacked(items, len(items[0]))
        moments = {"mean": values.mean(axis=0).tolist(), "std": _spread(values).tolist()}
        return {"kind": "vector", "shape": [values.shape[1]], **moments}

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_networks.coding import of_grids, of_vectors

        if self.learnt_["kind"] == "vector":
            return of_vectors(self.learnt_["shape"][0], self.hidden, self.width, self.noise)
        return of_grids(self.learnt_["shape"], self.channels, self.width, self.noise)

    def prepare(self, items: Sequence[Any]) -> "Sequence[Tensor]":
        """Return pixels, standardised spectrograms (1, windows, bands) or standardised vectors."""
        import torch

        learnt = self.learnt_
        if learnt["kind"] == "image":
            return self.pixels(items, self.size, self.grey)
        if learnt["kind"] == "audio":
            sounds = self._sounds(items)
            return [standardised(s, learnt["mean"], learnt["std"])[None] for s in sounds]
        values = _stacked(items, learnt["shape"][0])
        centred = (values - np.array(learnt["mean"])) / np.array(learnt["std"])
        return list(torch.from_numpy(centred.astype(np.float32)))

    def collate(self, inputs: list[Any], training: bool) -> "Tensor":
        """Return a batch, augmented only in training."""
        import torch

        if self.learnt_["kind"] == "image":
            images = self.augmented(inputs) if training else torch.stack(inputs)
            return images.float() / 255
        if self.learnt_["kind"] == "audio" and training:
            inputs = [self.masked(spectrogram[0])[None] for spectrogram in inputs]
        return torch.stack(inputs)

    def _sounds(self, items: Sequence[Any]) -> "list[Tensor]":
        """Return spectrograms of one length, filled up with the least that was heard."""
        from torch.nn.functional import pad

        frames = self.frames(self.seconds)
        return [
            pad(s, (0, 0, 0, frames - len(s)), value=float(s.min()))
            for s in self.spectrograms(items, self.seconds)
        ]


def _stacked(items: Sequence[Any], width: int) -> np.ndarray:
    """Return vectors as a float64 matrix.

    Raises
    ------
    ValueError
        If one has another length.
    """
    rows = [np.asarray(item, dtype=np.float64) for item in items]
    for row in rows:
        if row.shape != (width,):
            raise ValueError(f"a vector of {row.size} numbers; {width} were expected")
    return np.stack(rows)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of columns; 1 where one is constant."""
    std: np.ndarray = values.std(axis=0)
    return np.where(std > 0, std, 1.0)
