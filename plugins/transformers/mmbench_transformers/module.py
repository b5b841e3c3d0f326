"""From batches of prepared items to embeddings: the networks, as `encode` uses them.

Imports torch: only for what has loaded a network.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from mmbench_transformers.pooling import MASK, Pooling, pooled

if TYPE_CHECKING:
    from mmbench_transformers.pooling import Inputs

WORDS = {
    "text": ("text",),
    "image": ("vision", "visual", "image"),
    "audio": ("audio",),
}
"""How the names of a two-tower model's parts begin, by the kind that they are for."""


class EmbeddingModule(torch.nn.Module, ABC):
    """A network, and what makes embeddings of its results.

    Parameters
    ----------
    network : torch.nn.Module
        A model of transformers.
    normalise : bool
        Whether embeddings are scaled to length 1.
    """

    def __init__(self, network: torch.nn.Module, normalise: bool) -> None:
        super().__init__()
        self.network: Any = network  # models of transformers offer more than torch's class says
        self.normalise = normalise

    def forward(self, batch: Sequence[tuple[torch.Tensor, Inputs]]) -> torch.Tensor:
        """Embed prepared items.

        Parameters
        ----------
        batch : sequence of (Tensor of int64, dict of str to Tensor)
            Groups of items that are computed together: their places, and what the network takes.

        Returns
        -------
        Tensor of float32, shape (n, d)
            In the order of the places.
        """
        places = torch.cat([rows for rows, _ in batch])
        embedded = torch.cat([self.embed(inputs) for _, inputs in batch])
        return embedded[places.argsort()]

    def embed(self, inputs: Inputs) -> torch.Tensor:
        """Return the embeddings of one group, float32 (n, d)."""
        return self._finished(self._vectors(self._typed(inputs)))

    @abstractmethod
    def _vectors(self, inputs: Inputs) -> torch.Tensor:
        """Return the embeddings as the network makes them, shape (n, d)."""

    def _typed(self, inputs: Inputs) -> Inputs:
        """Return inputs, those of floating point as precise as the network."""
        kind = self.network.dtype
        return {
            name: tensor.to(kind) if tensor.is_floating_point() else tensor
            for name, tensor in inputs.items()
        }

    def _finished(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors (..., d) as float32, of length 1 where that is asked for."""
        vectors = vectors.float()
        return torch.nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors


class HiddenStates(EmbeddingModule):
    """A model of one kind of items, its hidden states pooled.

    Parameters
    ----------
    network, normalise
        As of `EmbeddingModule`.
    pooling : {"cls", "mean", "last", "pooler"}
        What is made of the states.
    layer : int, optional
        Which hidden states; default: the model's output.
    name : str
        What errors call the model.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        normalise: bool,
        pooling: Pooling,
        layer: int | None,
        name: str,
    ) -> None:
        super().__init__(network, normalise)
        self.pooling = pooling
        self.layer = layer
        self.name = name

    def states(self, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return hidden states, float32 (n, t, d), and which are the item's (n, t); None: all."""
        states, mask = self._states(self._typed(inputs))
        return self._finished(states), mask

    def _vectors(self, inputs: Inputs) -> torch.Tensor:
        if self.pooling == "pooler":
            vector: torch.Tensor | None = getattr(self.network(**inputs), "pooler_output", None)
            if vector is None:
                raise ValueError(
                    f"{self.name} has no pooler: use pooling = 'cls', 'mean' or 'last'"
                )
            return vector.flatten(1)
        states, mask = self._states(inputs)
        return pooled(states, mask, self.pooling)

    def _states(self, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor | None]:
        outputs = self.network(**inputs, output_hidden_states=self.layer is not None)
        if self.layer is None:
            states = outputs.last_hidden_state
        else:
            states = self._of_layer(outputs.hidden_states)
        if states.ndim == 4:  # a convolutional network's map, (n, d, height, width)
            states = states.flatten(2).transpose(1, 2)
        return states, self._mask(inputs, states.shape[1])

    def _of_layer(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        assert self.layer is not None
        if not -len(states) <= self.layer < len(states):
            raise ValueError(
                f"layer = {self.layer}: {self.name} has hidden states 0 (before the "
                f"first layer) to {len(states) - 1}, or -{len(states)} to -1"
            )
        return states[self.layer]

    def _mask(self, inputs: Inputs, length: int) -> torch.Tensor | None:
        """Return which hidden states are the item's, where the inputs say so."""
        mask = inputs.get(MASK)
        if mask is None or mask.shape[1] == length:
            return mask
        shorten = getattr(self.network, "_get_feature_vector_attention_mask", None)
        if shorten is not None:  # wav2vec 2.0 and its like: by the strides of its convolutions
            shortened: torch.Tensor = shorten(length, mask)
            return shortened
        return mask[:, :: mask.shape[1] // length][:, :length]


class Tower(EmbeddingModule):
    """One tower of a model that has several into one space.

    Parameters
    ----------
    network, normalise
        As of `EmbeddingModule`.
    kind : {"text", "image", "audio"}
        Which tower.
    """

    def __init__(self, network: torch.nn.Module, normalise: bool, kind: str) -> None:
        super().__init__(network, normalise)
        self.kind = kind

    def _vectors(self, inputs: Inputs) -> torch.Tensor:
        outputs = getattr(self.network, f"get_{self.kind}_features")(**inputs)
        embedded: torch.Tensor = outputs.pooler_output
        return embedded

    def alone(self) -> Tower:
        """Return a copy of this tower, the others and what only compares them left out."""
        tower = copy.deepcopy(self)
        others = tuple(word for kind in WORDS if kind != self.kind for word in WORDS[kind])
        parts = [name for name, _ in self.network.named_children() if name.startswith(others)]
        scales = [name for name, _ in self.network.named_parameters(recurse=False)]
        for name in parts + scales:
            delattr(tower.network, name)
        return tower
