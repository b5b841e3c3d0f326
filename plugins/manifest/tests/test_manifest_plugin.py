"""What the harness sees of the plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_manifest
from mmbench_manifest.dataset import Manifest

from mmbench.contracts import Dataset


def test_the_entry_point_registers_the_data_set():
    (found,) = (e for e in entry_points(group="mmbench") if e.value == "mmbench_manifest")
    assert found.load() is mmbench_manifest
    registered = {}
    mmbench_manifest.mmbench_register_datasets(
        lambda name, target, **flags: registered.update({name: target})
    )
    assert registered == {"manifest": "mmbench_manifest.dataset:Manifest"}


def test_listing_it_imports_nothing_heavy():
    heavy = {"numpy", "pandas", "pyarrow", "PIL", "soundfile", "pydantic"}
    code = f"import sys, mmbench_manifest; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert shown.strip() == "[]"


def test_it_is_a_data_set(make):
    manifest = make("text,label\nx,a\ny,b\n")
    assert isinstance(manifest, Dataset)
    assert isinstance(manifest, Manifest)
