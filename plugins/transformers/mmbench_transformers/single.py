"""A model of one kind of items: its hidden states, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmbench_transformers.checkpoint import Checkpoint, Precision
from mmbench_transformers.encoder import FrozenEncoder, ready, towers
from mmbench_transformers.pooling import MASK, Pooling, pooled

if TYPE_CHECKING:
    import torch

    from mmbench_transformers.pooling import Inputs

INPUTS = {
    "input_ids": "text",
    "pixel_values": "image",
    "input_values": "audio",
    "input_features": "audio",
}
"""The kind of items that a model takes, by the name of its main input."""

CLASS_TOKENS = ("cls_token", "class_embedding", "class_token")


class SingleTransformer(FrozenEncoder):
    """One model, of an encoder-decoder only its encoder, and its hidden states pooled."""

    kind: ClassVar[str]

    def __init__(
        self,
        *,
        model: str | None,
        folder: Path | None,
        revision: str | None,
        pooling: Pooling,
        layer: int | None,
        normalise: bool,
        precision: Precision,
        batch_size: int,
        pretrained: bool,
        initialisation: int,
        trust_remote_code: bool,
        device: str,
        threads: int,
    ) -> None:
        self.model = model
        self.folder = folder
        self.revision = revision
        self.pooling = pooling
        self.layer = layer
        self.normalise = normalise
        self.precision = precision
        self.batch_size = batch_size
        self.pretrained = pretrained
        self.initialisation = initialisation
        self.trust_remote_code = trust_remote_code
        self.device = device
        self.threads = threads
        if pooling == "pooler" and layer is not None:
            raise ValueError("pooling = 'pooler' is of the last layer: leave out layer")
        self._checkpoint = Checkpoint(
            model, folder, revision, pretrained, initialisation, trust_remote_code
        )
        ready(device, threads, batch_size)
        needed = ("pooler",) if pooling == "pooler" else ()
        self._network = self._built(needed).to(device)

    def _built(self, needed: tuple[str, ...]) -> Any:
        """Return the network, made sure to be of this encoder's kind."""
        whole: Any = self._checkpoint.network(self.precision, needed)
        name = self._checkpoint.name
        if found := towers(whole):
            raise ValueError(
                f"{name} is a model of two towers ({type(whole).__name__}): use "
                + " or ".join(f"two-tower-{kind}" for kind in found)
            )
        network = whole.get_encoder() if whole.config.is_encoder_decoder else whole
        kind = INPUTS.get(network.main_input_name, network.main_input_name)
        if kind != self.kind:
            made = type(whole).__name__
            raise ValueError(f"{name} is a model of {kind}, not of {self.kind} ({made})")
        if self.pooling == "cls" and kind != "text" and not _has_class_token(network):
            raise ValueError(f"{name} has no class token: use pooling = 'mean'")
        if getattr(network.config, "use_cache", False):
            network.config.use_cache = False  # only of use where text is generated
        return network

    def _embed(self, batch: Inputs) -> torch.Tensor:
        outputs = self._network(**batch, output_hidden_states=self.layer is not None)
        if self.pooling == "pooler":
            vector: torch.Tensor | None = getattr(outputs, "pooler_output", None)
            if vector is None:
                name = self._checkpoint.name
                raise ValueError(f"{name} has no pooler: use pooling = 'cls', 'mean' or 'last'")
            return vector.flatten(1)
        if self.layer is None:
            states = outputs.last_hidden_state
        else:
            states = self._of_layer(outputs.hidden_states)
        if states.ndim == 4:  # a convolutional network's map, (n, d, height, width)
            states = states.flatten(2).transpose(1, 2)
        return pooled(states, self._mask(batch, states.shape[1]), self.pooling)

    def _of_layer(self, states: Sequence[torch.Tensor]) -> torch.Tensor:
        assert self.layer is not None
        if not -len(states) <= self.layer < len(states):
            raise ValueError(
                f"layer = {self.layer}: {self._checkpoint.name} has hidden states 0 (before the "
                f"first layer) to {len(states) - 1}, or -{len(states)} to -1"
            )
        return states[self.layer]

    def _mask(self, batch: Inputs, length: int) -> torch.Tensor | None:
        """Return which hidden states are the item's, where the inputs say so."""
        mask = batch.get(MASK)
        if mask is None or mask.shape[1] == length:
            return mask
        shorten = getattr(self._network, "_get_feature_vector_attention_mask", None)
        if shorten is not None:  # wav2vec 2.0 and its like: by the strides of its convolutions
            shortened: torch.Tensor = shorten(length, mask)
            return shortened
        return mask[:, :: mask.shape[1] // length][:, :length]


def _has_class_token(network: Any) -> bool:
    return any(name.endswith(CLASS_TOKENS) for name, _ in network.named_parameters())
