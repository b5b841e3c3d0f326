from __future__ import annotations

import pytest
from mmbench_manifest.dataset import Manifest


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def make(write):
    """Write a manifest and build it; by default with a text modality and the column label."""

    def make(content, name="m.csv", **options):
        options.setdefault("label", "label")
        options.setdefault("modalities", {"text": {"column": "text", "kind": "text"}})
        return Manifest(write(name, content), **options)

    return make


@pytest.fixture
def refused(make):
    """Build a manifest that is refused and return the one line that says why."""

    def refused(content, error=ValueError, **options):
        with pytest.raises(error) as caught:
            make(content, **options)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return refused
