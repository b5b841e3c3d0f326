"""What all encoders of this plugin do alike: prepare items, compute batches, restore the order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench import stage
from mmbench_transformers.checkpoint import Checkpoint
from mmbench_transformers.pooling import in_batches

if TYPE_CHECKING:
    import torch

    from mmbench_transformers.pooling import Inputs


class FrozenEncoder(ABC):
    """A frozen model of transformers; a subclass says what it makes of a batch.

    A subclass sets `_network`, the model, and `_prepare`, which turns items into what the model
    takes and says by ``fill`` how that is padded.
    """

    batch_size: int
    device: str
    normalise: bool
    _network: Any
    _prepare: Any

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
        with torch.inference_mode():
            for places, batch in self._batches(items):
                embedded = self._finished(self._embed(batch))
                for place, row in zip(places, embedded, strict=True):
                    rows[place] = row
        stacked: np.ndarray = torch.stack(rows).numpy()
        return stacked

    def _batches(self, items: Sequence[Any]) -> Iterator[tuple[list[int], Inputs]]:
        """Prepare items, and give them in batches on the device, with their places."""
        with stage("preprocess"):
            inputs = self._prepare(items)
        for places, batch in in_batches(inputs, self.batch_size, self._prepare.fill):
            with stage("transfer"):
                moved = self._moved(batch)
            yield places, moved

    def _finished(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors (..., d) as float32 on the CPU, of length 1 where that is asked for."""
        import torch

        vectors = vectors.float()
        if self.normalise:
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        with stage("transfer"):
            return vectors.cpu()

    @abstractmethod
    def _embed(self, batch: Inputs) -> torch.Tensor:
        """Return the embeddings of a batch, shape (n, d)."""

    def _moved(self, batch: Inputs) -> Inputs:
        """Return a batch on the device, its floating-point inputs as precise as the model."""
        kind = self._network.dtype
        return {
            name: tensor.to(self.device, kind if tensor.is_floating_point() else tensor.dtype)
            for name, tensor in batch.items()
        }


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
