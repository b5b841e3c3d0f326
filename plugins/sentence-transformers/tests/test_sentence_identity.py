"""The identity of weights, and what the table says of them."""

from __future__ import annotations

import os
import shutil

import pytest
from mmbench_sentence_transformers.encoder import SentenceEncoder

key = SentenceEncoder.cache_key


@pytest.fixture
def weights(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_folder_is_known_by_its_files(weights, tmp_path):
    one = key(folder=weights)
    os.utime(weights / "modules.json", (0, 0))
    shutil.copytree(weights, tmp_path / "copy")
    assert one == key(folder=weights, normalise=True, batch_size=7)
    assert one == key(folder=tmp_path / "copy")
    assert one == key(model=str(weights))
    keys = {one}
    (weights / "model.safetensors").write_bytes(b"WEIGHTS")
    keys.add(key(folder=weights))
    (weights / "model.safetensors").rename(weights / "other.safetensors")
    keys.add(key(folder=weights))
    assert len(keys) == 3


def test_a_package_is_known_by_its_model(weights, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "named_model_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('only to be found')")
    with pytest.raises(FileNotFoundError, match=r"^the package 'named-model-package' holds no"):
        key(model="package:named-model-package")
    shutil.copytree(weights, package / "model")
    assert key(model="package:named-model-package") == key(folder=weights)


def test_missing_folders_and_packages_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone: no such file or folder$"):
        key(folder=tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"^the package 'no-such' is not installed$"):
        key(model="package:no-such")


def test_hub_models_are_known_by_their_commit(cache_model, weights):
    assert key(model="someone/tiny") == "someone/tiny"
    cache_model("someone/tiny", weights, "a" * 40)
    first = key(model="someone/tiny")
    assert first == f"someone/tiny@{'a' * 40}" == key(model="someone/tiny", batch_size=7)
    cache_model("someone/tiny", weights, "b" * 40)
    assert key(model="someone/tiny") != first
    assert key(model=f"someone/tiny@{'a' * 40}") == first


def test_what_the_table_says_of_weights(weights):
    assert SentenceEncoder.facts(model="someone/tiny") == {"weights": "pretrained"}
    assert SentenceEncoder.facts(folder=weights) == {"weights": "model"}
