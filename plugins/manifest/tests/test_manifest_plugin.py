"""What the harness sees of the plugin."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_manifest
import numpy as np
import soundfile
from mmbench_manifest.dataset import Manifest
from PIL import Image

import mmbench
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


MATRIX = """
name = "moods"
fusions = ["concat"]
heads = ["logistic-regression"]

[[datasets]]
use = "manifest"
path = "clips.csv"
label = "mood"
[datasets.classes]
0 = "sad"
1 = "glad"
[datasets.modalities]
clip = { column = "clip", kind = "video", frame_rate = 5, frames = 1 }
said = { columns = ["title", "body"], kind = "text", separator = " " }
voice = { column = "voice", kind = "audio", start = "from", end = "to" }

[encoders]
text = ["tf-idf"]
audio = ["mfcc"]
"""


def test_a_plan_tells_classes_modalities_and_what_is_missing(tmp_path):
    (tmp_path / "clip").mkdir()
    Image.new("L", (4, 3)).save(tmp_path / "clip" / "1.png")
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    rows = "".join(
        f"{'clip' if i else ''},{'t' * (i > 1)},,a.wav,{i / 100},,{i % 2}\n" for i in range(20)
    )
    (tmp_path / "clips.csv").write_text("clip,title,body,voice,from,to,mood\n" + rows)
    (tmp_path / "moods.toml").write_text(MATRIX)
    (samples,) = mmbench.plan(tmp_path / "moods.toml").samples.values()
    told = samples.describe()
    assert told["samples"] == 20
    assert told["classes"] == {"sad": 10, "glad": 10}
    assert told["modalities"] == {
        "clip": {"kind": "video", "missing": 1},
        "said": {"kind": "text", "missing": 2},
        "voice": {"kind": "audio", "missing": 0},
    }
    assert told["problems"] == [
        "sample '0': clip is missing",
        "sample '0': said is missing",
        "sample '1': said is missing",
    ]
