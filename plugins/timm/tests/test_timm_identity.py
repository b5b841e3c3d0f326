"""The identity of weights, and what the table says of them."""

from __future__ import annotations

import os
import shutil

import pytest
import timm
from mmbench_timm import names
from mmbench_timm.encoder import TimmEncoder

key = TimmEncoder.cache_key


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "trained.pth"
    file.write_bytes(b"weights")
    return file


@pytest.fixture
def known(monkeypatch):
    """Spare the process that asks timm."""
    both = ("resnet18", "resnet18.a1_in1k")
    table = dict.fromkeys(both, "timm/resnet18.a1_in1k")
    monkeypatch.setattr(names, "repositories", lambda: table)


def test_random_weights_are_known_by_their_seed():
    one = key(model="resnet18", pretrained=False)
    assert one == key(model="resnet18", pretrained=False, batch_size=7, initialisation=0)
    assert one != key(model="resnet18", pretrained=False, initialisation=1)


def test_a_checkpoint_is_known_by_its_content(weights, tmp_path):
    one = key(model="resnet18", checkpoint=weights)
    copy = shutil.copy(weights, tmp_path / "copy.pth")
    os.utime(weights, (0, 0))
    assert one == key(model="resnet18", checkpoint=weights, batch_size=7)
    assert one == key(model="resnet18", checkpoint=tmp_path / "copy.pth")
    copy.write_bytes(b"WEIGHTS")
    assert one != key(model="resnet18", checkpoint=copy)


def test_a_file_is_read_again_only_if_its_size_or_time_changed(weights):
    one = key(model="resnet18", checkpoint=weights)
    stat = weights.stat()
    weights.write_bytes(b"WEIGHTS")
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert one == key(model="resnet18", checkpoint=weights)
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert one != key(model="resnet18", checkpoint=weights)


def test_a_folder_is_known_by_its_files(tmp_path):
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    keys = [key(model=f"local-dir:{folder}"), key(model=f"local-dir:{folder}", pretrained=False)]
    (folder / "config.json").write_text("{ }")
    keys += [key(model=f"local-dir:{folder}"), key(model=f"local-dir:{folder}", pretrained=False)]
    (folder / "config.json").rename(folder / "other.json")
    keys += [key(model=f"local-dir:{folder}")]
    assert len(set(keys)) == 5


def test_missing_files_are_named(tmp_path):
    for options in (
        {"model": f"local-dir:{tmp_path / 'gone'}"},
        {"model": "resnet18", "checkpoint": tmp_path / "gone"},
    ):
        with pytest.raises(FileNotFoundError, match=r"gone: no such file or folder$"):
            key(**options)


@pytest.mark.usefixtures("known")
def test_hub_weights_are_known_by_their_commit(cache_weights):
    uncached = key(model="resnet18")
    assert uncached == "pretrained timm/resnet18.a1_in1k"
    network = timm.create_model("test_vit")
    cache_weights("timm/resnet18.a1_in1k", network, "a" * 40)
    first = key(model="resnet18")
    assert first.endswith("a" * 40)
    assert first == key(model="resnet18.a1_in1k", batch_size=7)
    assert first == key(model="hf-hub:timm/resnet18.a1_in1k")
    cache_weights("timm/resnet18.a1_in1k", network, "b" * 40)
    assert key(model="resnet18") != first
    assert key(model=f"hf-hub:timm/resnet18.a1_in1k@{'a' * 40}") == first


def test_what_the_table_says_of_weights(tmp_path):
    facts = TimmEncoder.facts
    assert facts(model="resnet18", pretrained=False) == {"weights": "random"}
    assert facts(model="resnet18") == {"weights": "pretrained"}
    assert facts(model="resnet18", checkpoint=tmp_path / "b.pth") == {"weights": "b.pth"}
