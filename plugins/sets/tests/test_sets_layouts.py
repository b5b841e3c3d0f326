"""Each set as it is published: splits, labels, groups, and every kind of item."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from mmbench_sets.av_mnist import AVMNIST
from mmbench_sets.crema_d import CremaD
from mmbench_sets.food import Food101
from mmbench_sets.hateful_memes import HatefulMemes
from mmbench_sets.meld import Meld
from mmbench_sets.mustard import Mustard
from PIL import Image

import mmbench

SHADES = {number: [60 * number + 10 * i for i in range(5)] for number in range(3)}


def shades(video):
    return [float(np.asarray(frame.convert("L")).mean()) for frame in video]


def check_clip(sound, video, number, waves):
    """Check frames and sound against what was written."""
    np.testing.assert_allclose(shades(video), SHADES[number], atol=3)
    assert video.frame_rate == pytest.approx(25)
    assert sound.sample_rate == 16_000
    np.testing.assert_array_equal(sound.samples, waves[number].T / np.float32(2**15))


@pytest.mark.parametrize("nested", [False, True])
def test_hateful_memes(memes, tmp_path, nested):
    path = memes
    if nested:
        path = tmp_path / "outer"
        path.mkdir()
        memes.rename(path / "data")
    found = HatefulMemes(path, subset=True)
    assert found.modalities == {"image": "image", "text": "text"}
    assert found.classes == ["0", "1"]
    assert found.split.tolist() == ["train"] * 8 + ["validation"] * 4 + ["test"] * 5
    keys = [*range(1234, 1242), *range(1244, 1248), *range(1254, 1259)]
    assert found.ids == [str(key) for key in keys]
    assert found.labels.tolist() == [key % 2 for key in keys]
    assert found.items("text")[9] == "the meme 1245"
    inner = path / "data" if nested else path
    expected = Image.open(inner / "img" / "01254.png")
    assert np.array_equal(np.asarray(found.items("image")[12]), np.asarray(expected))


def test_hateful_memes_without_labels_of_the_test_part(memes):
    with pytest.raises(ValueError, match=r"^test_seen\.jsonl: label: no row has one; evaluation"):
        HatefulMemes(memes, evaluation="seen", subset=True)
    found = HatefulMemes(memes, evaluation="dev", subset=True)
    assert found.split.tolist() == ["train"] * 8 + ["test"] * 2
    file = memes / "test_seen.jsonl"
    lines = file.read_text().replace("}", ', "label": 1}', 2)
    file.write_text(lines)
    found = HatefulMemes(memes, evaluation="seen", subset=True)
    assert found.split.tolist() == ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    assert found.labels[-2:].tolist() == [1, 1]


def test_food_101(food):
    found = Food101(food, subset=True)
    assert found.classes == ["apple_pie", "baklava", "waffles"]
    assert found.split.tolist() == ["train"] * 12 + ["test"] * 6
    assert found.ids[0] == "train/apple_pie_0"
    assert found.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [0, 0, 1, 1, 2, 2]
    titles = found.items("text")
    assert titles[5] == 'baklava, the "best"\nof 1'
    assert titles.missing.tolist() == [i == 1 for i in range(18)]
    expected = np.asarray(Image.open(food / "images" / "test" / "waffles" / "waffles_101.jpg"))
    assert np.array_equal(np.asarray(found.items("image")[17]), expected)


def test_av_mnist(digits):
    found = AVMNIST(digits.folder, validation=3, subset=True)
    assert found.modalities == {"image": "image", "spectrogram": "image"}
    assert found.classes == ["0", "4", "8"]
    assert found.split.tolist() == ["train"] * 9 + ["validation"] * 3 + ["test"] * 6
    assert [found.classes[code] for code in found.labels[:4]] == ["0", "4", "8", "0"]
    for index, part, row in ((2, "train", 2), (11, "train", 11), (12, "test", 0), (17, "test", 5)):
        arrays = digits.arrays[part]
        image, spectrogram = found.items("image")[index], found.items("spectrogram")[index]
        assert (image.mode, spectrogram.mode) == ("F", "L")
        written = arrays.image[row].reshape(4, 4).astype(np.float32)
        assert np.array_equal(np.asarray(image), written)
        assert np.array_equal(np.asarray(spectrogram), arrays.audio[row])


def test_crema_d(crema, waves):
    found = CremaD(crema, subset=True)
    assert found.modalities == {"audio": "audio", "video": "video"}
    assert found.split is None
    assert found.ids[0] == "1001_DFA_ANG_XX"
    assert found.groups.tolist() == [name[:4] for name in found.ids]
    assert [found.classes[code] for code in found.labels] == ["anger", "sad"] * 4 + ["sad"] * 3
    sounds, videos = found.items("audio"), found.items("video")
    assert np.allclose(sounds[4].samples[:, 0], waves[1][0] / 2**15)
    np.testing.assert_allclose(shades(videos[4]), SHADES[1], atol=4)
    assert [found.ids[i] for i in np.flatnonzero(sounds.missing)] == ["1076_MTI_SAD_XX"]
    assert [found.ids[i] for i in np.flatnonzero(videos.missing)] == ["1064_TIE_SAD_XX"]
    assert len(CremaD(crema, frames=2, subset=True).items("video")[0]) == 2


def test_crema_d_as_it_was_heard(crema):
    found = CremaD(crema, label="voice", modalities=["audio"], subset=True)
    names = CremaD(crema, subset=True).ids
    assert found.ids == [name for i, name in enumerate(names) if i not in (2, 5)]
    heard = ["anger", "sad", "happy", "anger", "anger", "sad", "sad", "neutral", "disgust"]
    assert [found.classes[code] for code in found.labels] == heard
    assert found.groups.tolist() == [name[:4] for name in found.ids]
    assert len(found.items("audio")) == 9


@pytest.mark.parametrize("nested", [False, True])
def test_meld(meld, waves, nested):
    if nested:
        for name in ("train", "dev", "test"):
            (meld / name).mkdir()
        (meld / "train_splits").rename(meld / "train" / "train_splits")
        (meld / "dev_splits_complete").rename(meld / "dev" / "dev_splits_complete")
        (meld / "train_sent_emo.csv").rename(meld / "train" / "train_sent_emo.csv")
    found = Meld(meld, subset=True)
    assert found.modalities == {"text": "text", "audio": "audio", "video": "video"}
    assert found.classes == ["anger", "fear", "joy"]
    assert found.split.tolist() == ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    assert found.ids[4] == "train/dia1_utt1"
    assert found.groups[3:7].tolist() == ["train/dia1"] * 3 + ["dev/dia0"]
    assert found.items("text")[4] == 'You\x92re "anger", 4'
    check_clip(found.items("audio")[4], found.items("video")[4], 1, waves)
    moods = Meld(meld, label="sentiment", modalities=["text"], subset=True)
    assert moods.modalities == {"text": "text"}
    assert [moods.classes[code] for code in moods.labels[:3]] == ["positive"] + ["negative"] * 2


def test_melds_known_faults_are_missing_items(meld):
    for name, dialogue, turn in (("train", 125, 3), ("dev", 110, 7)):
        with (meld / f"{name}_sent_emo.csv").open("a", newline="") as file:
            file.write(f"9,Hm,Joey,joy,positive,{dialogue},{turn},8,21,a,b\r\n")
    (meld / "train_splits" / "dia125_utt3.mp4").write_bytes(b"broken")
    found = Meld(meld, subset=True)
    for modality in ("audio", "video"):
        absent = np.flatnonzero(found.items(modality).missing)
        assert [found.ids[i] for i in absent] == ["train/dia125_utt3", "dev/dia110_utt7"]
    assert not found.items("text").missing.any()


def test_mustard(mustard, waves):
    found = Mustard(mustard, subset=True)
    assert list(found.modalities.values()) == ["text"] * 3 + ["audio", "video"] * 2
    assert found.classes == ["false", "true"]
    assert found.labels.tolist() == [1, 0] * 5
    assert found.ids[:2] == ["1_60", "1_61"]
    assert found.folds.tolist() == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]
    assert found.split is None
    assert found.groups is None
    assert found.items("utterance")[3] == "said 3"
    assert found.items("context")[:2] == [None, "before 1\njust before"]
    check_clip(found.items("audio")[4], found.items("video")[4], 1, waves)
    check_clip(found.items("context_audio")[4], found.items("context_video")[4], 2, waves)


def test_mustard_without_the_speakers_of_the_test_part(mustard):
    modalities = ["utterance", "speaker"]
    found = Mustard(mustard, "speaker-independent", modalities=modalities, subset=True)
    assert found.folds is None
    assert found.split.tolist() == ["train", "test", "train", "train", "test"] * 2
    assert found.groups.tolist() == [f"PERSON{i // 2}" for i in range(10)]


def test_mustards_clips_may_lie_in_one_folder(mustard):
    flat = mustard / "data" / "videos"
    flat.mkdir()
    for file in list((mustard / "videos").rglob("*.mp4")):
        file.rename(flat / file.name)
    shutil.rmtree(mustard / "videos")
    found = Mustard(mustard, modalities=["video", "context_video"], subset=True)
    assert shades(found.items("context_video")[0])[0] == pytest.approx(60, abs=3)


def test_folds_of_an_older_numpy(mustard):
    file = mustard / "data" / "split_indices.p"
    content = file.read_bytes()
    older = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert older != content
    file.write_bytes(older)
    assert Mustard(mustard, subset=True).folds.tolist() == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_folds_that_would_run_code_are_refused(mustard):
    file = mustard / "data" / "split_indices.p"
    trace = mustard / "trace"
    file.write_bytes(pickle.dumps([Evil(str(trace))], protocol=2))
    with pytest.raises(ValueError, match=r"^split_indices\.p: it cannot .+ expected arrays alone$"):
        Mustard(mustard, subset=True)
    assert not trace.exists()


def test_a_plan_keeps_what_is_published(memes, mustard):
    matrix = {
        "name": "public",
        "datasets": [
            {"use": "hateful-memes", "path": str(memes), "subset": True},
            {
                "use": "mustard",
                "path": str(mustard),
                "subset": True,
                "modalities": ["utterance", "context"],
            },
        ],
        "encoders": {"image": "hog", "text": "tf-idf"},
        "heads": ["logistic-regression"],
        "fusions": ["concat"],
    }
    plan = mmbench.plan(matrix)
    told = {name: samples.describe() for name, samples in plan.samples.items()}
    assert told["memes"]["classes"] == {"0": 9, "1": 8}
    assert told["mustard"]["modalities"]["context"] == {"kind": "text", "missing": 1}
    assert "sample '1_60': context is missing" in told["mustard"]["problems"]
    parts = {}
    for cell in plan.cells:
        parts.setdefault(cell.dataset, set()).add((len(cell.part.train), len(cell.part.test)))
    assert parts == {"memes": {(8, 5)}, "mustard": {(8, 2)}}
