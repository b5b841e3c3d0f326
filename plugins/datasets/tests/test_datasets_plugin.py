"""What the harness sees of the plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_datasets
import pytest
from mmbench_datasets.huggingface import HuggingFace


def test_the_entry_point_registers_the_data_sets():
    (found,) = (e for e in entry_points(group="mmbench") if e.value == "mmbench_datasets")
    assert found.load() is mmbench_datasets
    registered = {}
    mmbench_datasets.mmbench_register_datasets(
        lambda name, target, **flags: registered.update({name: flags["summary"]})
    )
    assert set(registered) == {"image-folder", "arrays", "sklearn", "huggingface", "multabench"}
    assert all(registered.values())


def test_listing_them_imports_nothing_heavy():
    heavy = {"numpy", "scipy", "sklearn", "pandas", "pyarrow", "PIL", "pydantic", "datasets"}
    code = f"import sys, mmbench_datasets; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert shown.strip() == "[]"


def test_a_library_that_is_not_installed_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'mmbench-datasets\[huggingface\]'$"):
        HuggingFace("label", path=tmp_path)
