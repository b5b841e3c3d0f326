"""The encoder ``timm``: what a network makes of images before its classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from mmbench_hub import cause, content, pinned
from pydantic import Field

from mmbench import Sequences, stage
from mmbench_timm import names

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from mmbench_timm.module import ImageModule

LOCAL, HUB = "local-dir:", "hf-hub:"


class TimmEncoder:
    """Features of a frozen network of timm.

    The network is built without its classifier (``num_classes=0``), its images prepared as timm
    does for that network outside training: resized, cropped in the centre and normalised. An
    image is turned as its EXIF orientation says and made RGB.

    Parameters
    ----------
    model : str
        A name of timm's, with or without the tag of its weights (``resnet18``,
        ``resnet18.a1_in1k``); ``local-dir:FOLDER``, a folder that timm wrote, relative to the
        working directory; or ``hf-hub:OWNER/NAME``, with ``@REVISION`` if wanted.
    pretrained : bool, default True
        Whether the network has the weights that ``model`` names, or random ones.
    checkpoint : Path, optional
        A file with the weights, ``.safetensors`` or PyTorch's own, instead of those that
        ``model`` names. A classifier in it is left out.
    initialisation : int, default 0
        Seed of random weights, the same in every cell.
    batch_size : int, default 32
        Images computed at once.
    output : {"pooled", "class-token", "mean-token"}, default "pooled"
        What the network pools by itself; or of its last features (timm's ``forward_features``)
        those at a transformer's class token, or the mean over its image patches, of a
        convolutional network over all places.
    image_size : int, optional
        Height and width in pixels that images are brought to, instead of what the network was
        trained with. A transformer's position embeddings are interpolated.
    precision : {"fp32", "bf16", "fp16"}, default "fp32"
        Of weights and computation; embeddings are float32 whatever it is.
    device : {"cpu", "cuda"}, default "cpu"
        Given by mmbench.
    threads : int, default 1
        Given by mmbench.

    Raises
    ------
    FileNotFoundError
        If there are no weights: neither here nor, within reach, on the hub.
    ValueError
        If a checkpoint belongs to another network.
        Or the network has no class token, or cannot take images of that size.
    RuntimeError
        If timm knows no such network, or there is no CUDA device where one was asked for.

    References
    ----------
    Wightman, "PyTorch image models", 2019, https://github.com/huggingface/pytorch-image-models.
    """

    def __init__(
        self,
        *,
        model: str,
        pretrained: bool = True,
        checkpoint: Path | None = None,
        initialisation: int = 0,
        batch_size: int = 32,
        output: Literal["pooled", "class-token", "mean-token"] = "pooled",
        image_size: Annotated[int, Field(ge=1)] | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        import torch

        from mmbench_timm.cpu import arrange
        from mmbench_timm.module import ImageModule
        from mmbench_timm.prepare import Preparation

        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("device 'cuda' was asked for, but torch finds no CUDA device")
        self.model = model
        self.pretrained = pretrained
        self.checkpoint = checkpoint
        self.initialisation = initialisation
        self.batch_size = batch_size
        self.output = output
        self.image_size = image_size
        self.precision = precision
        self.device = device
        self.threads = threads
        torch.set_num_threads(threads)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(initialisation)
            network = self._build()
        if output == "class-token" and getattr(network, "cls_token", None) is None:
            raise ValueError(f"{model!r} has no class token; output = 'mean-token' or 'pooled'")
        kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        self._type = kind[precision]
        self._module = ImageModule(network, output, model).to(device, self._type).eval()
        layout = torch.contiguous_format
        if device == "cpu":
            arrange(self._module, self._type)
            layout = torch.channels_last
        self._prepare = Preparation(network, image_size, layout)

    @classmethod
    def cache_key(
        cls,
        *,
        model: str,
        pretrained: bool = True,
        checkpoint: Path | None = None,
        initialisation: int = 0,
        **_: Any,
    ) -> str:
        """Return the identity of the weights: the seed, the hash of local files, a hub commit.

        Hub weights that are not in the local cache are looked up on the hub; if it cannot be
        reached, the identity is the repository's name.

        Raises
        ------
        FileNotFoundError
            If a local file or folder is not there.
        """
        if checkpoint is not None:
            origin = content(checkpoint)
        else:
            origin = "pretrained" if pretrained else f"random {initialisation}"
        if model.startswith(LOCAL):
            return f"{origin} {content(Path(model.removeprefix(LOCAL)))}"
        repository = ""
        if model.startswith(HUB):
            repository = model.removeprefix(HUB)
        elif pretrained and checkpoint is None:
            repository = names.repositories().get(model, "")
        if not repository:
            return origin
        try:
            return f"{origin} {pinned(repository)}"
        except Exception:  # the cells themselves say that the hub cannot be reached
            return f"{origin} {repository}"

    @classmethod
    def facts(
        cls, *, pretrained: bool = True, checkpoint: Path | None = None, **_: Any
    ) -> dict[str, str]:
        """Return what the table says of the weights: random, pretrained, or the checkpoint."""
        if checkpoint is not None:
            return {"weights": checkpoint.name}
        return {"weights": "pretrained" if pretrained else "random"}

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` is the network's number of features.
        """
        embedded: np.ndarray = self._computed(items, self._module).numpy()
        return embedded

    def encode_sequence(self, items: Sequence[Image.Image]) -> Sequences:
        """Return an image's last features at its patches or places, row by row.

        Those at a class token and its like are left out; ``output`` says nothing here.

        Returns
        -------
        Sequences of float32, (patches, d) each

        Raises
        ------
        ValueError
            If the network's last features are no single map.
        """
        places = self._computed(items, self._module.places).numpy()
        n, t, d = places.shape
        return Sequences(places.reshape(n * t, d), np.arange(n + 1, dtype=np.int64) * t)

    def module(self) -> ImageModule:
        """Return the network that `encode` uses, to be trained.

        Returns
        -------
        torch.nn.Module
            Takes the batches of `collate`, returns the embeddings, (n, d) float32; in evaluation
            mode, the same object in every call. With a `precision` below fp32 its weights are of
            that precision.
        """
        return self._module

    def collate(self, items: Sequence[Image.Image]) -> torch.Tensor:
        """Prepare images as timm does for this network outside training.

        Returns
        -------
        Tensor of float32, shape (n, 3, height, width)
            On the CPU.
        """
        return self._prepare(items)

    def _computed(
        self, items: Sequence[Image.Image], compute: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Return what is computed of prepared images, batch by batch, on the CPU."""
        import torch

        pieces = []
        with torch.inference_mode():
            for start in range(0, len(items), self.batch_size):
                with stage("preprocess"):
                    batch = self.collate(items[start : start + self.batch_size])
                with stage("transfer"):
                    batch = batch.to(self.device, self._type)
                computed = compute(batch)
                with stage("transfer"):
                    pieces.append(computed.cpu())
        return torch.cat(pieces)

    def _build(self) -> torch.nn.Module:
        """Return the network on the CPU, without its classifier."""
        import timm

        pretrained = self.pretrained and self.checkpoint is None
        name, overlay = self.model, None
        if name.startswith(HUB):
            name = HUB + self._pinned(name.removeprefix(HUB))
        elif pretrained and not name.startswith(LOCAL):
            config = timm.get_pretrained_cfg(name)
            if config is not None and config.hf_hub_id:
                overlay = {"hf_hub_id": self._pinned(config.hf_hub_id)}
        try:
            if pretrained and name.startswith((LOCAL, HUB)):
                # Without its classifier a network takes the weights that fit and leaves the others
                # random; with it, timm refuses those of another network.
                timm.create_model(name, pretrained=True)
            network: torch.nn.Module = timm.create_model(
                name,
                pretrained=pretrained,
                pretrained_cfg_overlay=overlay,
                num_classes=0,
                **self._sized(name),
            )
        except OSError as error:
            if name.startswith(LOCAL):
                raise
            raise self._no_weights(error) from error
        if self.checkpoint is not None:
            _load(network, self.checkpoint, name)
        return network

    def _sized(self, name: str) -> dict[str, Any]:
        """Return how a network of one size of images is told of another."""
        import timm

        if self.image_size is None:
            return {}
        config: Any = None if name.startswith((LOCAL, HUB)) else timm.get_pretrained_cfg(name)
        fixed = getattr(config, "fixed_input_size", None)
        if fixed is None:
            built: Any = timm.create_model(name, num_classes=0)
            fixed = built.pretrained_cfg.get("fixed_input_size", False)
        return {"img_size": self.image_size} if fixed else {}

    def _pinned(self, repository: str) -> str:
        try:
            return pinned(repository)
        except Exception as error:
            raise self._no_weights(error) from error

    def _no_weights(self, error: Exception) -> FileNotFoundError:
        """Say in one line what was wanted and how to supply it."""
        return FileNotFoundError(
            f"no weights for {self.model!r}, neither in the hub cache nor from the hub "
            f"({cause(error)}); supply them by a cache that has them (HF_HOME), "
            "model = 'local-dir:FOLDER' or checkpoint = 'FILE', or set pretrained = false for "
            "random ones"
        )


def _load(network: torch.nn.Module, file: Path, name: str) -> None:
    """Load a checkpoint that is to have all of the network's weights, and a classifier at most."""
    import timm

    missing, unexpected = timm.models.load_checkpoint(
        network, str(file), strict=False, weights_only=True
    )
    if unexpected:
        unexpected = set(unexpected) - timm.create_model(name).state_dict().keys()
    if missing or unexpected:
        raise ValueError(
            f"{file} is no checkpoint of {name!r}: {len(missing)} of the network's weights are not "
            f"in it, and {len(unexpected)} in it are not the network's"
        )
