from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest
import timm
import torch

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch) -> Path:
    """Keep the hub out of reach, its cache empty; and leave the other cores to other tests."""
    torch.set_num_threads(1)
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def cache_weights(hub_cache):
    """Put a network into the hub's cache, as a download does."""

    def put(repository, network, commit=COMMIT):
        folder = hub_cache / f"models--{repository.replace('/', '--')}"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text(commit)
        snapshot = folder / "snapshots" / commit
        timm.models.save_for_hf(network, str(snapshot), safe_serialization=True)
        return commit

    return put
