"""Embedding JPEG files gives what timm's transform and a DataLoader give, in less time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.images import CORES, COSINES, MODELS, TARGETS, make_images, race


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of made JPEG files."""
    made = tmp_path_factory.mktemp("images")
    make_images(made)
    return made


@pytest.mark.parametrize("cores", CORES)
@pytest.mark.parametrize("precision", TARGETS)
@pytest.mark.parametrize("model", MODELS)
def test_images(benchmark: Any, folder: Path, model: str, precision: str, cores: int) -> None:
    """The embeddings are the same, within the bound of their cosine."""
    row, cosine = race(folder, model, precision, cores, benchmark=benchmark)
    benchmark.extra_info.update(row)
    assert cosine >= COSINES[precision]
