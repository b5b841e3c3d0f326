"""Encoders and a fusion as one network, trained on items. Imports torch: only for what trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmbench_training import moved
from torch import Tensor, nn

from mmbench import Sequences
from mmbench_joint.batches import Batch, alter, drawn, padded

if TYPE_CHECKING:
    from mmbench_joint.fusion import NetworkFusion

CHUNK = 64
"""Items that are embedded at once to see how embeddings are spread."""

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Together(Sequence[tuple[Any, ...]]):
    """Samples, each a tuple by modality: an item, None where there is none, or vectors (t, d).

    Parameters
    ----------
    given : sequence
        By modality, items, or features as `JointFusion.fit` is given them.
    """

    def __init__(self, given: Sequence[Any]) -> None:
        self.parts = [Sequences.of_rows(g) if isinstance(g, np.ndarray) else g for g in given]

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return tuple(part[int(index)] for part in self.parts)


@dataclass
class ItemBatches:
    """Makes batches of samples whose items are yet to be embedded.

    Parameters
    ----------
    encoders : list
        By modality the encoder, or None where the sample brings vectors.
    drop, mixup : float
        As of `Batches`; what is drawn is applied to the embeddings.
    """

    encoders: list[Any]
    drop: float = 0.0
    mixup: float = 0.0

    def __call__(self, given: list[tuple[Any, ...]], training: bool) -> Batch:
        """Return a batch: ``parts`` by modality, and in training what was drawn.

        A part has ``there`` and either ``values``, as of `Batches`, or ``inputs``, what the
        encoder makes of the items that are there, if any is.
        """
        parts: list[Batch] = []
        for encoder, column in zip(self.encoders, zip(*given, strict=True), strict=True):
            if encoder is None:
                values, there = padded(column)
                parts.append({"values": values, "there": there})
                continue
            items = [item for item in column if item is not None]
            known = torch.tensor([item is not None for item in column])
            parts.append({"there": known[:, None]})
            if items:
                parts[-1]["inputs"] = encoder.collate(items)
        batch: Batch = {"parts": parts}
        if training:
            has = torch.stack([part["there"].any(dim=1) for part in parts], dim=1)
            batch |= drawn(has, self.drop, self.mixup)
        return batch


@dataclass
class Stem:
    """Where a modality's vectors come from, and how they are spread before anything is trained.

    Attributes
    ----------
    encoder : object, optional
        What embeds items; None where vectors are given.
    mean : Tensor of float32, shape (d,)
        Of the training part's vectors.
    scale : Tensor of float32, shape (d,)
        Their standard deviation, 1 of constant columns; of vectors that are given all 1.
    """

    encoder: Any
    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, encoder: Any, given: Any, options: NetworkFusion) -> Stem:
        """Look at what the training part has of a modality; items are embedded once.

        Batch normalisation goes by the batch where it will in training: with random weights its
        running statistics tell of other embeddings.
        """
        if encoder is None:
            vectors = torch.as_tensor(given if isinstance(given, np.ndarray) else given.values)
            mean = vectors.double().nanmean(dim=0).float()
            return cls(None, mean, torch.ones_like(mean))
        device = options.device
        network = encoder.module().to(device).eval()
        rows = []
        by_batch = _normalising(network) if options.finetune == "full" else []
        with torch.no_grad(), _by_batch(by_batch):
            for chunk in _chunks(given):
                rows.append(network(moved(encoder.collate(chunk), device)).cpu())
        if not rows:
            raise ValueError("no training sample has a modality whose encoder is to be trained")
        embedded = torch.cat(rows).double()
        scale = embedded.std(dim=0, correction=0)
        scale[scale <= 1e-6 * embedded.abs().amax(dim=0)] = 1.0
        return cls(encoder, embedded.mean(dim=0).float(), scale.float())

    @property
    def fill(self) -> Tensor:
        """What stands for a missing or dropped vector: the mean, standardised where items are."""
        return self.mean if self.encoder is None else torch.zeros_like(self.mean)


class EndToEnd(nn.Module):
    """Encoders, their embeddings standardised as they were before training, and a fusion.

    Parameters
    ----------
    stems : list of Stem
        By modality.
    fusion : Module
        Takes batches as `Batches` makes them.
    options : NetworkFusion
        Says whether weights or adapters are trained, and whether what is missing is filled in.
    """

    def __init__(self, stems: Sequence[Stem], fusion: nn.Module, options: NetworkFusion) -> None:
        super().__init__()
        self.fusion = fusion
        self.encoders = nn.ModuleDict()
        self.adapted = options.finetune == "lora"
        self.fills = not options.handles_missing
        for m, stem in enumerate(stems):
            self.register_buffer(f"mean_{m}", stem.mean)
            self.register_buffer(f"scale_{m}", stem.scale)
            self.register_buffer(f"fill_{m}", stem.fill)
            if stem.encoder is not None:
                network = stem.encoder.module().requires_grad_(True)
                self.encoders[str(m)] = with_adapters(network, options) if self.adapted else network

    def train(self, mode: bool = True) -> EndToEnd:
        """Set training mode, but not of running statistics where only adapters are trained."""
        super().train(mode)
        if self.adapted:
            for module in _normalising(self.encoders):
                module.eval()
        return self

    def groups(self, learning_rate: float, of_encoders: float) -> list[dict[str, Any]]:
        """Return the parameters that are trained, as torch's optimisers take them."""
        return [
            {"params": [p for p in part.parameters() if p.requires_grad], "lr": rate}
            for part, rate in ((self.fusion, learning_rate), (self.encoders, of_encoders))
        ]

    def forward(self, batch: Batch) -> Any:
        """Return what the fusion makes of the embeddings; what is drawn is applied to these."""
        values = [self._values(m, part) for m, part in enumerate(batch["parts"])]
        there = [part["there"] for part in batch["parts"]]
        fill = None
        if self.fills:
            fill = [self.get_buffer(f"fill_{m}") for m in range(len(values))]
            filled = zip(values, there, fill, strict=True)
            values = [torch.where(known[:, :, None], v, f) for v, known, f in filled]
            there = [torch.ones_like(known) for known in there]
        made = {**batch, "values": values, "there": there}
        alter(made, fill)
        return self.fusion(made)

    def _values(self, m: int, part: Batch) -> Tensor:
        """Return vectors (n, t, d) of a modality, zeros where there are none."""
        if "values" in part:
            values: Tensor = part["values"]
            return values
        mean = self.get_buffer(f"mean_{m}")
        values = torch.zeros(len(part["there"]), 1, len(mean), device=mean.device)
        if "inputs" in part:
            embedded = self.encoders[str(m)](part["inputs"]).float()
            values[part["there"]] = (embedded - mean) / self.get_buffer(f"scale_{m}")
        return values


def _chunks(items: Sequence[Any]) -> Iterator[list[Any]]:
    """Give the items that are there, no last one alone: it could not be normalised by the batch."""
    waiting: list[Any] = []
    for i in range(len(items)):
        if (item := items[i]) is not None:
            waiting.append(item)
        if len(waiting) == 2 * CHUNK:
            yield waiting[:CHUNK]
            del waiting[:CHUNK]
    if waiting:
        yield waiting


def _normalising(network: nn.Module) -> list[nn.Module]:
    """Return the layers that normalise by running statistics."""
    return [module for module in network.modules() if hasattr(module, "running_mean")]


@contextmanager
def _by_batch(layers: list[nn.Module]) -> Iterator[None]:
    """Have layers normalise by the batch, and their running statistics stay as they are."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.train()
        layer.momentum = 0.0  # type: ignore[assignment]
    yield
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.eval()
        layer.momentum = momentum


def with_adapters(network: nn.Module, options: NetworkFusion) -> nn.Module:
    """Return a network whose linear layers and convolutions have trainable low-rank adapters.

    All other weights stay as they are. Grouped convolutions have no adapters.

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    from peft import LoraConfig, get_peft_model

    names = [name for name, module in network.named_modules() if _adaptable(name, module, network)]
    if not names:
        raise ValueError("finetune = 'lora': an encoder has neither linear nor convolution layers")
    config = LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules=names,
    )
    adapted: nn.Module = get_peft_model(network, config)
    return adapted


def _adaptable(name: str, module: nn.Module, network: nn.Module) -> bool:
    if isinstance(module, nn.MultiheadAttention):
        return bool(module._qkv_same_embed_dim)
    parent = network.get_submodule(name.rpartition(".")[0])
    if isinstance(parent, nn.MultiheadAttention):
        return False
    if isinstance(module, CONVOLUTIONS):
        return module.groups == 1
    return isinstance(module, nn.Linear)
