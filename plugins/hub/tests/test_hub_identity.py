"""Hashes of files, commits in the hub's cache, and errors in one line."""

from __future__ import annotations

import shutil
import subprocess
import sys

import huggingface_hub.constants
import pytest
from mmbench_hub import cause, content, pinned

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_files_and_folders_are_known_by_their_content(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_bytes(b"one")
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert content(folder) == content(copy)
    assert content(folder / "weights") == content(copy / "weights")
    (copy / "weights").write_bytes(b"two")
    assert content(folder) != content(copy)
    (copy / "weights").write_bytes(b"one")
    (copy / "weights").rename(copy / "others")
    assert content(folder) != content(copy)
    with pytest.raises(FileNotFoundError, match=r"gone: no such file or folder$"):
        content(tmp_path / "gone")


def test_a_repository_is_pinned_to_the_cached_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--owner--net"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    (cached / "snapshots" / COMMIT).mkdir(parents=True)
    assert pinned("owner/net") == f"owner/net@{COMMIT}"
    assert pinned(f"owner/net@{COMMIT}") == f"owner/net@{COMMIT}"
    with pytest.raises(Exception, match="offline"):
        pinned("owner/other")


def test_a_cause_is_one_short_line():
    assert cause(ValueError("a\n  b")) == "ValueError: a b"
    told = cause(ValueError("long " * 100))
    assert len(told) == 160
    assert told.endswith("...")


def test_it_imports_nothing_heavy():
    script = "import sys, mmbench_hub; print({'torch', 'huggingface_hub'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
