"""The conformance kit, on manifests of all formats, with modalities of all kinds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmbench.testing import check_dataset

N = 24


@pytest.fixture
def folder(tmp_path):
    """A folder with a photo, a sound and a vector in a file for each sample, and one of vectors."""
    folder = tmp_path / "garden"
    for name in ("photos", "sounds", "vectors", "clips"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(N):
        pixels = rng.integers(0, 256, size=(9, 12, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{i}.png")
        soundfile.write(folder / "sounds" / f"{i}.wav", rng.uniform(-1, 1, 400), 8_000)
        np.save(folder / "vectors" / f"{i}.npy", rng.normal(size=3))
        frames = [Image.fromarray(frame) for frame in rng.integers(0, 256, (3, 5, 7), np.uint8)]
        if i % 2:
            (folder / "clips" / f"{i}").mkdir()
            for k, frame in enumerate(frames):
                frame.save(folder / "clips" / f"{i}" / f"{k}.png")
        else:
            frames[0].save(
                folder / "clips" / f"{i}.gif", save_all=True, append_images=frames[1:], duration=40
            )
    np.save(folder / "aligned.npy", rng.normal(size=(N, 5)))
    return folder


def rows():
    for i in range(N):
        yield {
            "name": f"plant {i}",
            "kind": ["10", "9", "1.5"][i % 3],
            "part": ["train", "train", "dev", "test"][i % 4],
            "fold": i % 5,
            "bed": f"bed {i // 2}",
            "note": None if i == 5 else f"leaf of {i} cm, grown",
            "photo": None if i == 7 else f"photos/{i}.png",
            "sound": f"sounds/{i}.wav",
            "clip": f"clips/{i}" if i % 2 else f"clips/{i}.gif",
            "from": i / 1_000,
            "to": None if i % 3 else i / 1_000 + 0.01,
            "vector": f"vectors/{i}.npy",
            "x1": i / 7,
            "x2": -i,
        }


MODALITIES = {
    "note": {"column": "note", "kind": "text"},
    "photo": {"column": "photo", "kind": "image"},
    "sound": {"column": "sound", "kind": "audio"},
    "part": {"column": "sound", "kind": "audio", "start": "from", "end": "to"},
    "clip": {"column": "clip", "kind": "video", "frame_rate": 25},
    "all": {"columns": ["name", "note"], "kind": "text"},
    "shape": {"column": "vector", "kind": "vector"},
    "size": {"columns": "x*", "kind": "vector"},
    "aligned": {"file": "aligned.npy", "kind": "vector"},
}
CLASSES = {"1.5": "tree", "9": "shrub", "10": "grass"}
OPTIONS = {
    "label": "kind",
    "classes": CLASSES,
    "id": "name",
    "split": "part",
    "fold": "fold",
    "group": "bed",
}


@pytest.mark.parametrize("name", ["garden.csv", "garden.jsonl"])
def test_it_keeps_the_contract(folder, name):
    lines = list(rows())
    if name.endswith(".jsonl"):
        text = "\n".join(map(json.dumps, lines))
    else:
        table = [lines[0], *(line.values() for line in lines)]
        fields = [["" if value is None else str(value) for value in line] for line in table]
        text = "\n".join(",".join(f'"{field}"' for field in line) for line in fields)
    (folder / name).write_text(text, encoding="utf-8")
    params = {"path": folder / name, "modalities": MODALITIES, **OPTIONS}
    (verdict,) = check_dataset("manifest", params=params)
    told = {finding.check: finding.what for finding in verdict.findings}
    assert told["classes"] == "3 classes"
    assert told["split"] == "12 train, 6 validation, 6 test"
    assert told["missing"].startswith("note: 1 missing, photo: 1 missing, sound: 0 missing")
    assert told["mistakes"] == "path"
    changes = int(told["fingerprint-content"].partition(" ")[0])
    assert changes >= len(MODALITIES)


def test_one_column_is_enough(tmp_path):
    file = tmp_path / "few" / "few.tsv"
    file.parent.mkdir()
    file.write_text("label\ttext\n" + "".join(f"{i % 2}\tword {i}\n" for i in range(6)))
    text = {"text": {"column": "text", "kind": "text"}}
    check_dataset("manifest", params={"path": file, "label": "label", "modalities": text})
