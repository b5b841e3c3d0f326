"""The loop: batches, steps, a validation part that says when to stop, and the curves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmbench import progress
from mmbench_training.options import Training

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

Collate = Callable[[list[Any], bool], Any]
"""Inputs of one batch to what the network takes; told whether it is for training."""

Loss = Callable[[Any, Any, "Tensor | None", "Tensor | None"], "Tensor"]
"""Outputs, inputs, labels (n,) and class weights (k,) of a batch to its mean loss."""


Groups = Callable[[Any], "list[dict[str, Any]]"]
"""The network to groups of its parameters."""


class Fitted(NamedTuple):
    """A trained network, in evaluation mode, and its curves."""

    network: Module
    history: list[dict[str, float]]
    """One row per epoch: epoch, loss, learning_rate, seconds, best (whether its weights were
    kept); accuracy where there are labels; validation_loss, validation_accuracy likewise."""


def cross_entropy(
    outputs: Any, inputs: Any, labels: Tensor | None, weights: Tensor | None
) -> Tensor:
    """Return the cross-entropy of logits (n, k), or of the first of several outputs."""
    from torch.nn.functional import cross_entropy

    assert labels is not None
    return cross_entropy(_logits(outputs).float(), labels, weight=weights)


def reconstruction(
    outputs: Any, inputs: Any, labels: Tensor | None, weights: Tensor | None
) -> Tensor:
    """Return the mean squared difference of outputs and inputs."""
    from torch.nn.functional import mse_loss

    return mse_loss(outputs.float(), inputs)


def fit(
    build: Callable[[], Module],
    inputs: Sequence[Any],
    labels: np.ndarray | None,
    *,
    options: Training,
    collate: Collate,
    loss: Loss = cross_entropy,
    validation: tuple[Sequence[Any], np.ndarray | None] | None = None,
    groups: Groups | None = None,
) -> Fitted:
    """Train a network.

    Initial weights, dropout and what ``collate`` draws for augmentation come from torch's own
    generator, which is seeded here and afterwards as it was; the order of samples from one apart.

    Parameters
    ----------
    build : callable
        Returns the network with its initial weights.
    inputs : sequence
        One per training sample, as ``collate`` takes them; read once per epoch.
    labels : ndarray of int64, shape (n,), optional
        0 to k-1 without gaps. The network then returns logits (n, k), or several outputs of which
        they are the first.
    options : Training
        How to train.
    collate : callable
        ``collate(list of inputs, training)`` returns what the network is called with: a tensor, or
        tuples, lists and dicts of tensors; ``training`` says whether to augment.
    loss : callable, default `cross_entropy`
        ``loss(outputs, inputs, labels, class_weights)`` returns the mean over a batch.
    validation : (inputs, labels), optional
        What early stopping looks at; without it, a share of the training part (`held_out`).
    groups : callable, optional
        Of the network, returns the parameters that are trained, in groups as torch's optimisers
        take them, each with its ``lr``; without it all have that of the options.

    Returns
    -------
    Fitted

    Raises
    ------
    RuntimeError
        If there is no CUDA device where one was asked for, or the loss is not finite.
    ValueError
        If there are fewer than two training samples.
    """
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("device 'cuda' was asked for, but torch finds no CUDA device")
    torch.set_num_threads(options.threads)
    part = _Part(inputs, labels, np.arange(len(inputs)))
    held: _Part | None = None
    if validation is not None and len(validation[0]):
        held = _Part(*validation, np.arange(len(validation[0])))
    elif options.patience:
        rows = held_out(len(inputs), labels, options.validation_share, options.seed)
        if len(rows):
            held = _Part(inputs, labels, rows)
            part.rows = np.setdiff1d(part.rows, rows)
    if len(part.rows) < 2:
        raise ValueError(f"{len(part.rows)} training samples; two are the least to train on")
    with _seeded(options.seed, options.device):
        passes = _Passes(
            build().to(options.device), options, collate, loss, _weights(part, options)
        )
        trained = [{"params": passes.network.parameters()}]
        if groups is not None:
            trained = groups(passes.network)
        history = _epochs(passes, part, held, trained)
    return Fitted(passes.network.eval(), history)


def held_out(n: int, labels: np.ndarray | None, share: float, seed: int) -> np.ndarray:
    """Return the rows held out for validation: a systematic sample of the rows sorted by class.

    Every class gives its share, rounded up or down; one of a single sample gives none.

    Parameters
    ----------
    n : int
        Training samples.
    labels : ndarray of int64, shape (n,), optional
        Without labels the sample is a plain random one.
    share : float
        At most 0.5.
    seed : int
        Of the order within a class, and of where the sample begins.

    Returns
    -------
    ndarray of int64
        Ascending.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
        order = order[np.bincount(labels)[labels[order]] > 1]
    passed = np.floor(share * np.arange(len(order) + 1) + rng.random())
    return np.sort(order[np.diff(passed) > 0])


@dataclass
class _Part:
    """Samples that are trained on, or validated on."""

    inputs: Sequence[Any]
    labels: np.ndarray | None
    rows: np.ndarray

    def batches(self, size: int, generator: torch.Generator | None = None) -> list[np.ndarray]:
        """Return the rows of each batch, shuffled where a generator is given.

        A last batch of one row joins the one before: batch normalisation cannot train on it.
        """
        import torch

        rows = self.rows
        if generator is not None:
            rows = rows[torch.randperm(len(rows), generator=generator).numpy()]
        starts = np.arange(size, len(rows) - (size > 1), size)
        return np.split(rows, starts)


@dataclass
class _Passes:
    """A network with what is needed to send batches through it."""

    network: Module
    options: Training
    collate: Collate
    loss: Loss
    weights: Tensor | None

    def forward(self, part: _Part, rows: np.ndarray, training: bool) -> tuple[Tensor, Tensor]:
        """Return the mean loss of a batch, and how many of its labels were found."""
        import torch

        device = self.options.device
        inputs = moved(self.collate([part.inputs[i] for i in rows], training), device)
        labels = None
        if part.labels is not None:
            labels = torch.as_tensor(part.labels[rows], device=device)
        with self._precision():
            outputs = self.network(inputs)
        value = self.loss(outputs, inputs, labels, self.weights)
        found = torch.zeros((), device=device)
        if labels is not None:
            found = (_logits(outputs).detach().argmax(dim=1) == labels).sum()
        return value, found

    def evaluate(self, part: _Part) -> dict[str, float]:
        """Return loss and accuracy on a part, in evaluation mode."""
        import torch

        self.network.eval()
        tally = _Tally()
        with torch.no_grad():
            for rows in part.batches(self.options.batch_size):
                tally.add(len(rows), *self.forward(part, rows, training=False))
        return tally.means(part.labels is not None)

    def _precision(self) -> torch.autocast:
        import torch

        kind = _sixteen(self.options)
        return torch.autocast(self.options.device, dtype=kind, enabled=kind is not None)


class _Tally:
    """Sums over the batches of an epoch; nothing waits for the device before its end."""

    def __init__(self) -> None:
        self.n = 0
        self.loss: Any = 0.0
        self.found: Any = 0

    def add(self, n: int, loss: Tensor, found: Tensor) -> None:
        self.n += n
        self.loss = self.loss + n * loss.detach()
        self.found = self.found + found

    def means(self, labelled: bool) -> dict[str, float]:
        means = {"loss": float(self.loss) / self.n}
        return means | ({"accuracy": float(self.found) / self.n} if labelled else {})


def _epochs(
    passes: _Passes, part: _Part, held: _Part | None, trained: list[dict[str, Any]]
) -> list[dict[str, float]]:
    """Go through the epochs; leave the network with the weights that are kept."""
    import torch

    options, network = passes.options, passes.network
    generator = torch.Generator().manual_seed(options.seed)
    n_steps = len(part.batches(options.batch_size))
    optimiser = _optimiser(trained, options)
    schedule = _schedule(optimiser, options, options.epochs * n_steps)
    scaler = torch.amp.GradScaler(options.device, enabled=_sixteen(options) == torch.float16)
    history: list[dict[str, float]] = []
    best, lowest, kept = 0, np.inf, None
    for epoch in range(options.epochs):
        begun, rate = time.perf_counter(), schedule.get_last_lr()[0]
        network.train()
        tally = _Tally()
        for step, rows in enumerate(part.batches(options.batch_size, generator)):
            progress(epoch * n_steps + step, options.epochs * n_steps)
            value, found = passes.forward(part, rows, training=True)
            optimiser.zero_grad()
            torch.autograd.backward(scaler.scale(value))
            if options.clip:
                scaler.unscale_(optimiser)
                torch.nn.utils.clip_grad_norm_(network.parameters(), options.clip)
            scaler.step(optimiser)
            scaler.update()
            schedule.step()
            tally.add(len(rows), value, found)
        row: dict[str, float] = {"epoch": epoch + 1, **tally.means(part.labels is not None)}
        if held is not None:
            row |= {f"validation_{name}": v for name, v in passes.evaluate(held).items()}
        seconds = time.perf_counter() - begun
        history.append({**row, "learning_rate": float(rate), "seconds": seconds})
        watched = row.get("validation_loss", row["loss"])
        if not np.isfinite([row["loss"], watched]).all():
            raise RuntimeError(
                f"the loss of epoch {epoch + 1} is {watched}; a lower learning_rate "
                f"(it was {options.learning_rate}) or a clip (it was {options.clip}) may help"
            )
        if held is None or not options.patience:
            best = epoch
        elif watched < lowest:
            best, lowest = epoch, watched
            kept = {name: value.clone() for name, value in network.state_dict().items()}
        elif epoch - best >= options.patience:
            break
    if kept is not None:
        network.load_state_dict(kept)
    return [{**row, "best": float(i == best)} for i, row in enumerate(history)]


def _sixteen(options: Training) -> torch.dtype | None:
    """Return the type of 16 bits to compute in; None for 32 bits."""
    import torch

    if options.device != "cuda" or not options.mixed_precision:
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _optimiser(trained: list[dict[str, Any]], options: Training) -> torch.optim.Optimizer:
    from torch import optim

    rate, decay = options.learning_rate, options.weight_decay
    if options.optimiser == "sgd":
        return optim.SGD(trained, lr=rate, momentum=options.momentum, weight_decay=decay)
    kind = optim.Adam if options.optimiser == "adam" else optim.AdamW
    return kind(trained, lr=rate, weight_decay=decay)


def _schedule(
    optimiser: torch.optim.Optimizer, options: Training, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    from torch.optim import lr_scheduler

    if options.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    if options.schedule == "one-cycle":
        momentum = bool(options.momentum) or options.optimiser != "sgd"
        highest = [group["lr"] for group in optimiser.param_groups]
        return lr_scheduler.OneCycleLR(
            optimiser, highest, total_steps=steps, cycle_momentum=momentum
        )
    return lr_scheduler.ConstantLR(optimiser, factor=1.0)


def _weights(part: _Part, options: Training) -> Tensor | None:
    """Return the weight of each class in the loss."""
    import torch
    from sklearn.utils.class_weight import compute_class_weight

    if options.class_weights == "none" or part.labels is None:
        return None
    labels = part.labels[part.rows]
    weights = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    return torch.as_tensor(weights, dtype=torch.float32, device=options.device)


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """Seed torch's generators within, and leave them as they were."""
    import torch

    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


def _logits(outputs: Any) -> Tensor:
    logits: Tensor = outputs[0] if isinstance(outputs, tuple | list) else outputs
    return logits


def moved(inputs: Any, device: str) -> Any:
    """Return tensors, and containers of tensors, on a device."""
    if hasattr(inputs, "to"):
        return inputs.to(device)
    if isinstance(inputs, dict):
        return {name: moved(value, device) for name, value in inputs.items()}
    return type(inputs)(moved(value, device) for value in inputs)
