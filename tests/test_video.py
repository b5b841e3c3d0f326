"""Videos through encoders of images: every frame, pooled over time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mmbench
from mmbench.errors import UserError
from tests.byhand import assert_equal, only

pytestmark = pytest.mark.usefixtures("one_thread")

PLUGIN = '''
import numpy as np
from mmbench import hookimpl


class Numbers:
    """The pixels as they are."""

    def encode(self, items):
        assert len(items) <= 64
        return np.stack([np.asarray(item, np.float32).ravel() for item in items])


class Centred(Numbers):
    """The pixels minus the mean pixels of the classes' means: fitted with labels, on frames."""

    def fit(self, items, labels, *, validation=None):
        pixels = Numbers.encode(self, items[:64])
        for start in range(64, len(items), 64):
            pixels = np.vstack([pixels, Numbers.encode(self, items[start : start + 64])])
        assert len(labels) == len(pixels)
        self.mean_ = np.mean([pixels[labels == k].mean(axis=0) for k in np.unique(labels)], axis=0)
        return self

    def encode(self, items):
        return (super().encode(items) - self.mean_).astype(np.float32)


class Words:
    def encode(self, items):
        return np.zeros((len(items), 1), np.float32)


@hookimpl
def mmbench_register_encoders(register):
    register("pixels", Numbers, kind="image")
    register("centred", Centred, kind="image", trained=True, supervised=True, standardise=False)
    register("words", Words, kind="text")
'''


def videos(folder: Path, n: int = 40) -> tuple[list[np.ndarray], np.ndarray, dict]:
    """Write folders of 1 to 90 frames; return their pixels, the codes and the data set's block."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % 2
    made, rows = [], []
    for number, code in enumerate(codes):
        frames = rng.integers(0, 256, (rng.integers(1, 12) if number else 90, 4, 5))
        frames[:, 0] = np.minimum(frames[:, 0] + 90 * code, 255)
        for place, frame in enumerate(frames):
            file = folder / f"clip{number}" / f"{place}.png"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(frame.astype(np.uint8)).save(file)
        made.append(frames.reshape(len(frames), -1).astype(float))
        rows.append(
            {
                "clip": f"clip{number}",
                "label": "ab"[code],
                "part": ["train", "test"][number % 4 == 3],
            }
        )
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    clip = {"column": "clip", "kind": "video", "frame_rate": 25}
    block = {
        "use": "manifest", "name": "data", "path": str(folder / "clips.csv"), "label": "label",
        "split": "part", "modalities": {"clip": clip},
    }  # fmt: skip
    return made, codes, block


def matrix(block: dict, encoders: object) -> dict:
    return {
        "name": "video", "datasets": [block], "encoders": {"video": encoders},
        "heads": "logistic-regression",
    }  # fmt: skip


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    file = tmp_path / "pixels.py"
    file.write_text(PLUGIN)
    return str(file)


def test_frames_are_pooled_over_time(tmp_path: Path, plugin: str) -> None:
    made, codes, block = videos(tmp_path)
    encoders = [{"use": "pixels", "over_time": ["mean", "max"]}, "centred"]
    timing = {"min_repeats": 3, "min_seconds": 0, "max_seconds": 1, "warmup": 1, "batch_sizes": 3}
    table = mmbench.run(
        {**matrix(block, encoders), "timing": {**timing, "end_to_end": "all"}},
        out="run", plugins=[plugin],
    )  # fmt: skip
    assert set(table["status"]) == {"ok"}, table["reason"].tolist()
    test = np.arange(len(codes)) % 4 == 3
    for over_time, pool in {"mean": np.mean, "max": np.max}.items():
        X = np.stack([pool(frames, axis=0) for frames in made]).astype(np.float32).astype(float)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        told = {"encoder.clip": {"over_time": over_time}}
        row = only(table, encoder_clip="pixels", params=json.dumps(told))
        assert_equal(row, model.fit(X[~test], codes[~test]), X[test], over_time)

    train = [frames for frames, held in zip(made, test, strict=True) if not held]
    labels = np.repeat(codes[~test], [len(frames) for frames in train])
    pixels = np.vstack(train)
    centre = np.mean([pixels[labels == code].mean(axis=0) for code in (0, 1)], axis=0)
    X = np.stack([frames.mean(axis=0) - centre for frames in made])
    model = LogisticRegression(max_iter=1000).fit(X[~test], codes[~test])
    ours = only(table, encoder_clip="centred")
    stored = pd.read_parquet(Path("run") / "predictions" / f"{ours['cell']}.parquet")
    np.testing.assert_allclose(stored[["p_a", "p_b"]], model.predict_proba(X[test]), atol=1e-4)

    timings = mmbench.read_timings("run")
    assert set(timings["status"]) == {"ok"}
    assert set(timings["unit"]) >= {"encoder", "end-to-end"}


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        ({"video": "words"}, "encoders.video: 'words' takes text, but 'clip' of dataset 'data' is"),
        (
            {"video": {"use": "pixels", "over_time": "median"}},
            "encoders.video[0].over_time[0] = 'median': Input should be 'mean' or 'max'",
        ),
    ],
)
def test_mistakes(encoders: dict, message: str, tmp_path: Path, plugin: str) -> None:
    _, _, block = videos(tmp_path, 8)
    with pytest.raises(UserError) as told:
        mmbench.plan({**matrix(block, "pixels"), "encoders": encoders}, plugins=[plugin])
    assert message in str(told.value)


def test_over_time_is_for_video(tmp_path: Path, plugin: str) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    pd.DataFrame({"file": ["a.png", "b.png"] * 6, "label": ["a", "b"] * 6}).to_csv("images.csv")
    block = {
        "use": "manifest", "name": "data", "path": "images.csv", "label": "label",
        "modalities": {"photo": {"column": "file", "kind": "image"}},
    }  # fmt: skip
    encoders = {"image": {"use": "pixels", "over_time": "mean"}}
    with pytest.raises(UserError, match="over_time is for encoders of images on video; 'photo' of"):
        mmbench.plan({**matrix(block, ""), "encoders": encoders}, plugins=[plugin])
