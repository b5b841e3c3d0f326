"""The identity of weights, and what the table says of them."""

from __future__ import annotations

import os
import shutil

import pytest
from mmbench_transformers.kinds import AudioTransformer, ImageTransformer, TextTransformer
from mmbench_transformers.towers import AudioTower, ImageTower, TextTower

ALL = (TextTransformer, ImageTransformer, AudioTransformer, TextTower, ImageTower, AudioTower)
key = TextTransformer.cache_key


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize("encoder", ALL)
def test_a_folder_is_known_by_its_files(encoder, weights, tmp_path):
    key = encoder.cache_key
    one = key(folder=weights)
    os.utime(weights / "config.json", (0, 0))
    shutil.copytree(weights, tmp_path / "copy")
    assert one == key(folder=weights, normalise=True, batch_size=7, pooling="cls")
    assert one == key(folder=tmp_path / "copy")
    keys = {one}
    (weights / "model.safetensors").write_bytes(b"WEIGHTS")
    keys.add(key(folder=weights))
    (weights / "model.safetensors").rename(weights / "other.safetensors")
    keys.add(key(folder=weights))
    assert len(keys) == 3


def test_random_weights_are_known_by_their_seed_and_configuration(weights):
    one = key(folder=weights, pretrained=False)
    assert one == key(folder=weights, pretrained=False, initialisation=0, batch_size=7)
    keys = {one, key(folder=weights), key(folder=weights, pretrained=False, initialisation=1)}
    (weights / "config.json").write_text("{ }")
    keys.add(key(folder=weights, pretrained=False))
    assert len(keys) == 4


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone: no such file or folder$"):
        key(folder=tmp_path / "gone")


def test_hub_models_are_known_by_their_commit(cache_model, weights):
    assert key(model="someone/tiny") == "pretrained someone/tiny"
    cache_model("someone/tiny", weights, "a" * 40)
    first = key(model="someone/tiny")
    assert first == f"pretrained someone/tiny@{'a' * 40}" == key(model="someone/tiny", batch_size=7)
    cache_model("someone/tiny", weights, "b" * 40)
    assert key(model="someone/tiny") != first
    assert key(model="someone/tiny", revision="a" * 40) == first


@pytest.mark.parametrize("encoder", ALL)
def test_what_the_table_says_of_weights(encoder, weights):
    facts = encoder.facts
    assert facts(model="someone/tiny") == {"weights": "pretrained"}
    assert facts(model="someone/tiny", pretrained=False) == {"weights": "random"}
    assert facts(folder=weights) == {"weights": "model"}
    assert facts(folder=weights, pretrained=False) == {"weights": "random"}
    assert facts(folder=weights, trust_remote_code=True) == {"weights": "model", "code": "remote"}
