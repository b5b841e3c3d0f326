"""Small sets in the layouts in which the large ones are published."""

from __future__ import annotations

import csv
import json
import pickle
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

RATE = 16_000
SIZE = (16, 12)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 9, 8, 3)).astype(np.uint8)
WAVES = RNG.integers(-20_000, 20_000, (3, 2, 800)).astype(np.int16)


def record(path, codec, number, sound=True):
    """Write five grey frames, the darker the lower the number, and a lossless stereo sound."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        if sound:
            audio = container.add_stream("alac", rate=RATE, layout="stereo")
            block = av.AudioFrame.from_ndarray(WAVES[number], format="s16p", layout="stereo")
            block.sample_rate, block.pts, block.time_base = RATE, 0, Fraction(1, RATE)
        for i in range(5):
            pixels = np.full((*SIZE[::-1], 3), 60 * number + 10 * i, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if sound:
            container.mux(audio.encode(block))
            container.mux(audio.encode())


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Three clips of each sort, their bytes by extension."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(3):
        record(folder / f"{number}.mp4", "mpeg4", number)
        record(folder / f"{number}.flv", "flv", number, sound=False)
    return {
        extension: [(folder / f"{number}.{extension}").read_bytes() for number in range(3)]
        for extension in ("mp4", "flv")
    }


@pytest.fixture(scope="session")
def waves():
    """The sounds of the clips in mp4 files, int16 (3, 2 channels, frames)."""
    return WAVES


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS[number]).save(path)


MEMES = {"train": 8, "dev_seen": 2, "dev_unseen": 4, "test_seen": 6, "test_unseen": 5}


@pytest.fixture
def memes(tmp_path):
    """Hateful Memes: ids count from 1234, odd ones are hateful; test_seen has no labels."""
    folder = tmp_path / "memes"
    number = 0
    for name, n in MEMES.items():
        lines = []
        for _ in range(n):
            key = 1234 + number
            row = {"id": key, "img": f"img/{key:05d}.png", "text": f"the meme {key}"}
            if name != "test_seen":
                row["label"] = key % 2
            lines.append(json.dumps(row))
            picture(folder / row["img"], number)
            number += 1
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def food(tmp_path):
    """UPMC Food-101: three dishes, of each four training and two test samples."""
    folder = tmp_path / "food"
    number = 0
    for part, n in (("train", 4), ("test", 2)):
        rows = []
        for dish in ("apple_pie", "baklava", "waffles"):
            for i in range(n):
                name = f"{dish}_{i if part == 'train' else 100 + i}.jpg"
                picture(folder / "images" / part / dish / name, number)
                title = "" if number == 1 else f'{dish}, the "best"\nof {i}'
                rows.append((name, title, dish))
                number += 1
        (folder / "texts").mkdir(exist_ok=True)
        with (folder / "texts" / f"{part}_titles.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def digits(tmp_path):
    """AV-MNIST: flattened floats and uint8 spectrograms; also the arrays."""
    folder = tmp_path / "avmnist"
    arrays = {}
    for part, n in (("train", 12), ("test", 6)):
        arrays[part] = SimpleNamespace(
            image=RNG.uniform(0, 255, (n, 16)),
            audio=RNG.integers(0, 256, (n, 6, 6)).astype(np.uint8),
            labels=np.arange(n) % 3 * 4,
        )
        for name in ("image", "audio"):
            (folder / name).mkdir(parents=True, exist_ok=True)
            np.save(folder / name / f"{part}_data.npy", getattr(arrays[part], name))
        np.save(folder / f"{part}_labels.npy", arrays[part].labels)
    return SimpleNamespace(folder=folder, arrays=arrays)


@pytest.fixture
def crema(tmp_path, clips):
    """CREMA-D: the clips of two actors, three emotions and two sentences, and the odd names."""
    folder = tmp_path / "crema"
    names = [f"100{a}_{s}_{e}_XX" for a in (1, 2) for s in ("DFA", "IEO") for e in ("ANG", "SAD")]
    names += ["1040_ITH_SAD_X", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX"]
    votes = ["A", "S", "A:D", "H", "A", "F:N:S", "A", "S", "S", "N", "D"]
    table = ['"","FileName","VoiceVote","MultiModalVote"']
    rows = zip(sorted(names), votes, strict=True)
    table += [f'"{i}","{n.replace("_X", "_XX")[:15]}","{v}","A"' for i, (n, v) in enumerate(rows)]
    put(folder / "processedResults" / "summaryTable.csv", "\n".join(table).encode())
    (folder / "AudioWAV").mkdir(parents=True)
    for i, name in enumerate(names):
        sound = WAVES[i % 3][0] / 2**15
        soundfile.write(folder / "AudioWAV" / f"{name}.wav", sound, RATE, subtype="FLOAT")
        put(folder / "VideoFlash" / f"{name}.flv", clips["flv"][i % 3])
    return folder


MELD = {"train": ("train_splits", 6), "dev": ("dev_splits_complete", 3)}
MELD["test"] = ("output_repeated_splits_test", 3)
HEAD = ["Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"]
HEAD += ["Season", "Episode", "StartTime", "EndTime"]


@pytest.fixture
def meld(tmp_path, clips):
    """MELD: dialogues of three utterances, and a clip that no table names."""
    folder = tmp_path / "meld"
    for name, (place, n) in MELD.items():
        rows = [HEAD]
        for i in range(n):
            felt, mood = [("joy", "positive"), ("anger", "negative"), ("fear", "negative")][i % 3]
            dialogue, turn = i // 3, i % 3
            said = f'You\x92re "{felt}", {i}'
            rows.append([i + 1, said, "Joey", felt, mood, dialogue, turn, 8, 21, "0:1,2", "0:3,4"])
            put(folder / place / f"dia{dialogue}_utt{turn}.mp4", clips["mp4"][i % 3])
        put(folder / place / "dia99_utt9.mp4", b"in no table")
        with (folder / f"{name}_sent_emo.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    return folder


SHOWS = ("BBT", "FRIENDS", "BBT", "GOLDENGIRLS", "FRIENDS")


@pytest.fixture
def mustard(tmp_path, clips):
    """MUStARD: ten utterances, folds as the authors' code writes them, clips in one folder."""
    folder = tmp_path / "mustard"
    rows = {
        f"1_{60 + i}": {
            "utterance": f"said {i}",
            "speaker": f"PERSON{i // 2}",
            "context": [f"before {i}", "just before"] if i else [],
            "context_speakers": ["A", "B"] if i else [],
            "show": SHOWS[i % 5],
            "sarcasm": i % 2 == 0,
        }
        for i in range(10)
    }
    put(folder / "data" / "sarcasm_data.json", json.dumps(rows, indent=4).encode())
    tests = [np.array([fold, 9 - fold]) for fold in range(5)]
    pairs = [(np.setdiff1d(np.arange(10), test), test) for test in tests]
    put(folder / "data" / "split_indices.p", pickle.dumps(pairs, protocol=2))
    for i, name in enumerate(rows):
        put(folder / "videos" / "utterances_final" / f"{name}.mp4", clips["mp4"][i % 3])
        put(folder / "videos" / "context_final" / f"{name}_c.mp4", clips["mp4"][(i + 1) % 3])
    return folder
