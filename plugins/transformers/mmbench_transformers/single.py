"""A model of one kind of items: its hidden states, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmbench import Sequences, stage
from mmbench_transformers.checkpoint import Checkpoint, Precision
from mmbench_transformers.encoder import FrozenEncoder, ready, towers
from mmbench_transformers.pooling import Pooling

if TYPE_CHECKING:
    import torch

    from mmbench_transformers.module import HiddenStates

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
    _module: HiddenStates

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
        from mmbench_transformers.module import HiddenStates

        needed = ("pooler",) if pooling == "pooler" else ()
        network = self._built(needed).to(device)
        name = self._checkpoint.name
        self._module = HiddenStates(network, normalise, pooling, layer, name).eval()

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
        if getattr(network.config, "apply_spec_augment", False):
            network.config.apply_spec_augment = False  # in training; it refuses short sounds
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
        with torch.inference_mode(), self._computing:
            for places, batch in self._batches(items):
                states, mask = self._module.states(batch)
                with stage("transfer"):
                    states = states.cpu()
                own = torch.ones(states.shape[:2]) if mask is None else mask.cpu()
                for place, item, there in zip(places, states, own, strict=True):
                    rows[place] = item[there.bool()]
        return Sequences.of(row.numpy() for row in rows)


def _has_class_token(network: Any) -> bool:
    return any(name.endswith(CLASS_TOKENS) for name, _ in network.named_parameters())
