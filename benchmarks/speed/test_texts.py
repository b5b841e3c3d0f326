"""Sentence embeddings are those of SentenceTransformer.encode, in less time."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.texts import COSINES, computes, race, texts, unavailable

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.mark.parametrize("precision", COSINES)
def test_texts(benchmark: Any, device: str, precision: str) -> None:
    """The embeddings are the same, within the bound of their cosine."""
    if not computes(precision, device):
        pytest.skip("the processor does not compute in bfloat16")
    row, cosine = race(texts(), precision, device, benchmark=benchmark)
    benchmark.extra_info.update(row)
    assert cosine >= COSINES[precision]
