from __future__ import annotations

import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Transformer
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizerFast,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789零一二三四五六七八九"


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch) -> Path:
    """Keep the hub out of reach, its cache empty; and leave the other cores to other tests."""
    torch.set_num_threads(1)
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Make a tiny model with random weights that reads letters, and return its folder."""

    def make(name: str, seed: int = 0) -> Path:
        bare, folder = (tmp_path_factory.mktemp(name) / part for part in ("bare", "model"))
        words = [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
            *LETTERS,
            *(f"##{c}" for c in LETTERS),
        ]
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            BertModel(config).save_pretrained(bare)
        vocabulary = {word: i for i, word in enumerate(words)}
        BertTokenizerFast(vocab=vocabulary, model_max_length=64).save_pretrained(bare)
        SentenceTransformer(str(bare), device="cpu").save(str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def folder(make_model) -> Path:
    return make_model("tiny")


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """Return a tiny CLIP with random weights that reads lower-case letters."""
    bare, made = tmp_path_factory.mktemp("bare"), tmp_path_factory.mktemp("clip")
    tower = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }  # fmt: skip
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        words |= {letter: len(words), f"{letter}</w>": len(words) + 1}
    text = {"vocab_size": 64, "max_position_embeddings": 16, "bos_token_id": 0}
    config = CLIPConfig(
        text_config={**tower, **text, "eos_token_id": 1, "pad_token_id": 1},
        vision_config={**tower, "image_size": 16, "patch_size": 8},
        projection_dim=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(bare)
    pixels = CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    tokens = CLIPTokenizerFast(vocab=words, merges=[], model_max_length=16)
    CLIPProcessor(pixels, tokens).save_pretrained(bare)
    SentenceTransformer(modules=[Transformer(str(bare))], device="cpu").save(str(made))
    return made


@pytest.fixture
def cache_model(hub_cache):
    """Put a model's folder into the hub's cache, as a download does."""

    def put(repository, folder, commit=COMMIT):
        cached = hub_cache / f"models--{repository.replace('/', '--')}"
        (cached / "refs").mkdir(parents=True, exist_ok=True)
        (cached / "refs" / "main").write_text(commit)
        return Path(shutil.copytree(folder, cached / "snapshots" / commit))

    return put
