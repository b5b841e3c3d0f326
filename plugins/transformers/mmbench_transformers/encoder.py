"""What all encoders of this plugin do alike: prepare items, compute batches, restore the order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from mmbench import stage
from mmbench_transformers.checkpoint import Checkpoint
from mmbench_transformers.pooling import in_batches

if TYPE_CHECKING:
    import torch

    from mmbench_transformers.module import EmbeddingModule
    from mmbench_transformers.pooling import Inputs


class FrozenEncoder:
    """A model of transformers, frozen unless its `module` is trained.

    A subclass sets `_module`, from prepared items to embeddings, and `_prepare`, which turns items
    into what the model takes and says by ``fill`` how that is padded.
    """

    tokens: ClassVar[int | None] = None
    """Tokens of a batch on the CPU, at most, where items are texts."""

    batch_size: int
    device: str
    _module: EmbeddingModule
    _prepare: Any

    @cached_property
    def _computing(self) -> AbstractContextManager[Any]:
        from mmbench_hub.computing import computing

        return computing(self.device)

    @classmethod
    def cache_key(cls, **options: Any) -> str:
        """Return the identity of the weights: the seed, the hash of local files, a hub commit.

        Hub weights that are not in the local cache are looked up on the hub; if it cannot be
        reached, the identity is the repository's name.

        Raises
        ------
        FileNotFoundError
            If a local folder is not there.
        ValueError
            If not exactly one of ``model`` and ``folder`` is given.
        """
        return Checkpoint.of(options).identity()

    @classmethod
    def facts(cls, **options: Any) -> dict[str, str]:
        """Return what the table says: random or pretrained weights, and whether code came along."""
        return Checkpoint.of(options).facts()

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Embed items; an embedding does not depend on the others beyond rounding.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` is the model's number of features.
        """
        import torch

        rows: list[torch.Tensor] = [torch.empty(0)] * len(items)
        with torch.inference_mode(), self._computing:
            for places, batch in self._batches(items):
                embedded = self._module.embed(batch)
                with stage("transfer"):
                    embedded = embedded.cpu()
                for place, row in zip(places, embedded, strict=True):
                    rows[place] = row
        stacked: np.ndarray = torch.stack(rows).numpy()
        return stacked

    def module(self) -> EmbeddingModule:
        """Return the network that `encode` uses, to be trained.

        Returns
        -------
        torch.nn.Module
            Takes the batches of `collate`, returns the embeddings, (n, d) float32; in evaluation
            mode, the same object in every call. With a `precision` below fp32 its weights are of
            that precision.
        """
        return self._module

    def collate(self, items: Sequence[Any]) -> list[tuple[torch.Tensor, Inputs]]:
        """Prepare items as one batch of `module`.

        Items are padded and masked. Of a model that takes no mask, items of different shapes
        (sounds of different lengths) are groups of their own, computed one after the other.

        Returns
        -------
        list of (Tensor of int64, dict of str to Tensor)
            By group the items' places and what the network takes, on the CPU.
        """
        import torch

        groups = in_batches(self._prepare(items), len(items), self._prepare.fill)
        return [(torch.tensor(places), inputs) for places, inputs in groups]

    def _batches(self, items: Sequence[Any]) -> Iterator[tuple[list[int], Inputs]]:
        """Prepare items, and give them in batches on the device, with their places."""
        with stage("preprocess"):
            inputs = self._prepare(items)
        tokens = self.tokens if self.device == "cpu" else None
        for places, batch in in_batches(inputs, self.batch_size, self._prepare.fill, tokens):
            with stage("transfer"):
                moved = {name: tensor.to(self.device) for name, tensor in batch.items()}
            yield places, moved


def ready(device: str, threads: int, batch_size: int) -> None:
    """Set torch to a number of threads, after a look at what is asked for.

    Raises
    ------
    ValueError
        If a batch is to hold no item.
    RuntimeError
        If there is no CUDA device where one was asked for.
    """
    import torch

    if batch_size < 1:
        raise ValueError(f"batch_size = {batch_size}: 1 or more is possible")
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("device 'cuda' was asked for, but torch finds no CUDA device")
    torch.set_num_threads(threads)


def towers(network: Any) -> dict[str, Callable[..., Any]]:
    """Return a two-tower model's function of each tower by kind; empty for other models.

    A language model that sees or hears has one such function, into no joint space.
    """
    names = {kind: f"get_{kind}_features" for kind in ("text", "image", "audio")}
    found = {kind: getattr(network, name) for kind, name in names.items() if hasattr(network, name)}
    return found if len(found) > 1 else {}
