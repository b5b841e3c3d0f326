"""Items of like length together, in batches that a CPU's cache can hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

TOKENS = 1024
"""Tokens of a batch on the CPU, padding included: its intermediate results then stay in cache."""

TEXTS = 1024
"""Texts that an encoder takes at once, so that there are some of like length."""


def in_length_order(
    lengths: Sequence[int], most: int, tokens: int | None = None
) -> Iterator[list[int]]:
    """Give items of like length together, the shortest first.

    Parameters
    ----------
    lengths : sequence of int
        Every item's tokens.
    most : int
        Items of a batch, at most.
    tokens : int, optional
        Tokens of a batch, at most, each item padded to its longest; default: any number. One item
        may have more.

    Yields
    ------
    list of int
        Which items.
    """
    batch: list[int] = []
    for item in sorted(range(len(lengths)), key=lengths.__getitem__):
        padded = (len(batch) + 1) * lengths[item]
        if batch and (len(batch) == most or (tokens is not None and padded > tokens)):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
