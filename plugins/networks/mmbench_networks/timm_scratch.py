"""The encoder ``timm-scratch``: any network of timm, trained here."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mmbench_timm.encoder import TimmEncoder
from pydantic import Field

from mmbench_networks.network import NetworkEncoder
from mmbench_networks.pixels import Pixels, normalised

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class _Initial(TimmEncoder):
    """The network of the encoder ``timm``, to be trained on."""

    def body(self) -> "Module":
        """Return the network without its classifier."""
        network: Module = self.module().network
        return network

    def config(self) -> dict[str, Any]:
        """Return the size, mean and standard deviation of the images it takes."""
        import timm

        data: Any = timm.data  # untyped
        found: dict[str, Any] = data.resolve_data_config({}, model=self.body())
        return found


@dataclass(kw_only=True, eq=False)
class TimmScratch(Pixels, NetworkEncoder):
    """A network of timm, trained from random or pretrained weights, all layers of it.

    Its pooled features are the embedding; a linear layer to the classes is trained with it. An
    image is turned as its EXIF orientation says, made RGB and brought to one size. Its channels
    are normalised as the network was trained with; from random weights, so that up to 1,000
    training images have mean 0 and standard deviation 1.

    The further parameters are those of `mmbench_networks.pixels.Pixels` (``resize``, ``crop``,
    ``flip``, ``jitter``) and of `mmbench_training.Training`.

    Parameters
    ----------
    model : str
        A name of timm's, ``local-dir:FOLDER`` or ``hf-hub:OWNER/NAME``, as of the encoder
        ``timm``.
    pretrained : bool, default False
        Whether training begins with the weights that ``model`` names: fine-tuning.
    checkpoint : Path, optional
        A file with weights to begin with, ``.safetensors`` or PyTorch's own.
    size : int, default 0
        Height and width in pixels that images are brought to; 0 for the network's own.
    dropout : float, default 0
        Before the classes.

    Raises
    ------
    FileNotFoundError
        If weights were asked for that are neither here nor, within reach, on the hub.
    ValueError
        If a checkpoint belongs to another network.

    References
    ----------
    Wightman, "PyTorch image models", 2019, https://github.com/huggingface/pytorch-image-models.
    """

    model: str
    pretrained: bool = False
    checkpoint: Path | None = None
    size: Annotated[int, Field(ge=0)] = 0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @classmethod
    def cache_key(
        cls, *, model: str, pretrained: bool = False, checkpoint: Path | None = None, **_: Any
    ) -> str:
        """Return the identity of the weights that training begins with.

        Raises
        ------
        FileNotFoundError
            If a local file or folder is not there.
        """
        return TimmEncoder.cache_key(model=model, pretrained=pretrained, checkpoint=checkpoint)

    @classmethod
    def facts(
        cls, *, pretrained: bool = False, checkpoint: Path | None = None, **_: Any
    ) -> dict[str, str]:
        """Return what the table says of the initial weights: random, pretrained, or the file."""
        initial = TimmEncoder.facts(pretrained=pretrained, checkpoint=checkpoint)
        return {"initial_weights": initial["weights"]}

    def learn(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return size, mean and standard deviation of the images."""
        config = self._initial(pretrained=False, checkpoint=None).config()
        size = self.size or max(config["input_size"][1:])
        if self.pretrained or self.checkpoint is not None:
            return {"size": size, "mean": list(config["mean"]), "std": list(config["std"])}
        return {"size": size, **self.channel_statistics(items, size, grey=False)}

    def build(self) -> "Module":
        """Return the network."""
        import torch

        from mmbench_networks.layers import Classifier

        initial = self._initial(pretrained=self.pretrained, checkpoint=self.checkpoint)
        body = initial.body().eval()
        size = self.learnt_["size"]
        with torch.inference_mode():
            width = body(torch.zeros(1, 3, size, size)).shape[1]
        return Classifier(body, width, self.learnt_["classes"], self.dropout)

    def prepare(self, items: Sequence[Any]) -> "list[Tensor]":
        """Return the pixels of each image."""
        return self.pixels(items, self.learnt_["size"], grey=False)

    def collate(self, inputs: list[Any], training: bool) -> "Tensor":
        """Return the images of a batch, normalised, augmented only in training."""
        import torch

        images = self.augmented(inputs) if training else torch.stack(inputs)
        return normalised(images, self.learnt_["mean"], self.learnt_["std"])

    def _initial(self, *, pretrained: bool, checkpoint: Path | None) -> _Initial:
        return _Initial(
            model=self.model,
            pretrained=pretrained,
            checkpoint=checkpoint,
            initialisation=self.seed,
            image_size=self.size or None,
            threads=self.threads,
        )
