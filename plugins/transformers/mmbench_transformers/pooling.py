"""Items of like length together, and hidden states to one vector per item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from mmbench_hub.batches import in_length_order

if TYPE_CHECKING:
    import torch

    Inputs = dict[str, torch.Tensor]

Pooling = Literal["cls", "mean", "last", "pooler"]

MASK = "attention_mask"


def in_batches(
    inputs: Sequence[Inputs], size: int, fill: Mapping[str, float], tokens: int | None = None
) -> Iterator[tuple[list[int], Inputs]]:
    """Put items together, the shortest first, and say which they are.

    Items with an attention mask are padded on the right to the longest of their batch; others
    meet only those of their own shape, since a network could not tell padding from content.

    Parameters
    ----------
    inputs : sequence of dict of str to Tensor
        What the network takes, one dict per item, each tensor of shape (1, length, ...).
    size : int
        Items in a batch, at most.
    fill : mapping of str to float
        What pads each input; 0 where it is not named.
    tokens : int, optional
        Steps of the first input in a batch, at most, padding included.
    """
    shapes = [[tuple(tensor.shape) for tensor in item.values()] for item in inputs]
    order = sorted(range(len(inputs)), key=shapes.__getitem__)
    masked = all(MASK in item for item in inputs)
    groups = groupby(order, key=shapes.__getitem__)
    alike = [order] if masked else [list(group) for _, group in groups]
    for group in alike:
        lengths = [shapes[item][0][1] for item in group]
        for batch in in_length_order(lengths, size, tokens):
            rows = [group[place] for place in batch]
            yield rows, _together([inputs[row] for row in rows], fill)


def _together(inputs: Sequence[Inputs], fill: Mapping[str, float]) -> Inputs:
    import torch

    batch = {}
    for name in inputs[0]:
        tensors = [item[name][0] for item in inputs]
        if tensors[0].ndim == 0:
            batch[name] = torch.stack(tensors)
        else:
            batch[name] = torch.nn.utils.rnn.pad_sequence(
                tensors, batch_first=True, padding_value=fill.get(name, 0.0)
            )
    return batch


def pooled(
    states: torch.Tensor, mask: torch.Tensor | None, pooling: Literal["cls", "mean", "last"]
) -> torch.Tensor:
    """Return one vector per item.

    Parameters
    ----------
    states : Tensor of shape (n, length, d)
        Hidden states, padded on the right.
    mask : Tensor of shape (n, length), optional
        Not 0 where a state is the item's; default: everywhere.
    pooling : {"cls", "mean", "last"}
        The first state, the mean of the item's, or the last of them.

    Returns
    -------
    Tensor of float32, shape (n, d)
    """
    import torch

    states = states.float()
    if pooling == "cls":
        return states[:, 0]
    if mask is None:
        mask = torch.ones(states.shape[:2], device=states.device)
    mask = mask.to(states.dtype)
    if pooling == "last":
        last = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), last]
    return (states * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
