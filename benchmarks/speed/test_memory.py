"""Embedding streams: the memory that it takes does not grow with the items."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.memory import ENCODERS, TARGET, embed


@pytest.mark.parametrize("kind", ENCODERS)
def test_memory_does_not_grow_with_the_items(benchmark: Any, kind: str) -> None:
    """The embedding of 40,000 items is itself larger than what memory may grow by."""
    embed(100, kind)  # the fork server has begun
    few = embed(1_000, kind)
    many = benchmark.pedantic(lambda: embed(40_000, kind), rounds=1)
    assert many["growth_mb"] < TARGET
    assert many["growth_mb"] - few["growth_mb"] < many["stored_mb"] / 4
    benchmark.extra_info |= {**many, "few_mb": few["growth_mb"], "target": TARGET}
