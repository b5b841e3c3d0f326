"""A model of one kind of items: its hidden states, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmbench import Sequences
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

    def encode_sequence(self, items: Sequence[Any]) -> Sequences:
        """Return the hidden states of each item's own tokens, patches or frames.

        Those of padding are left out, those of the model's own tokens (class, begin, end) are not;
        ``pooling`` says nothing here.

        Returns
        -------
        Sequences of float32, (t, d) each
        """
        import torch

        rows: list[torch.Tensor] = [torch.empty(0)] * len(items)
        with torch.inference_mode():
            for places, batch in self._batches(items):
                states, mask = self._states(batch)
                finished = self._finished(states)
                own = torch.ones(finished.shape[:2]) if mask is None else mask.cpu()
                for place, item, there in zip(places, finished, own, strict=True):
                    rows[place] = item[there.bool()]
        return Sequences.of(row.numpy() for row in rows)

    def _embed(self, batch: Inputs) -> torch.Tensor:
        if self.pooling == "pooler":
            outputs = self._network(**batch)
            vector: torch.Tensor | None = getattr(outputs, "pooler_output", None)
            if vector is None:
                name = self._checkpoint.name
                raise ValueError(f"{name} has no pooler: use pooling = 'cls', 'mean' or 'last'")
            return vector.flatten(1)
        states, mask = self._states(batch)
        return pooled(states, mask, self.pooling)

    def _states(self, batch: Inputs) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return hidden states (n, t, d), and which of them are the item's (n, t); None: all."""
        outputs = self._network(**batch, output_hidden_states=self.layer is not None)
        if self.layer is None:
            states = outputs.last_hidden_state
        else:
            states = self._of_layer(outputs.hidden_states)
        if states.ndim == 4:  # a convolutional network's map, (n, d, height, width)
            states = states.flatten(2).transpose(1, 2)
        return states, self._mask(batch, states.shape[1])

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
