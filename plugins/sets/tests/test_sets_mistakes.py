"""What is not there, or not as it is published, is one line that says where to get it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import entry_points

import mmbench_sets
import numpy as np
import pytest
from mmbench_sets.av_mnist import AVMNIST
from mmbench_sets.crema_d import CremaD
from mmbench_sets.food import Food101
from mmbench_sets.hateful_memes import HatefulMemes
from mmbench_sets.meld import Meld
from mmbench_sets.mustard import Mustard


def refused(target, path, **options):
    options.setdefault("subset", True)
    with pytest.raises((ValueError, OSError)) as caught:
        target(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_summary_says_where_to_get_the_files():
    (found,) = (e for e in entry_points(group="mmbench") if e.value == "mmbench_sets")
    registered = {}
    found.load().mmbench_register_datasets(
        lambda name, target, **flags: registered.update({name: flags["summary"]})
    )
    assert set(registered) == set(mmbench_sets.SETS)
    assert all("; from https://" in summary for summary in registered.values())


def test_listing_them_imports_nothing_heavy():
    heavy = {"numpy", "pandas", "pyarrow", "PIL", "av", "pydantic", "mmbench_manifest"}
    code = f"import sys, mmbench_sets; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert shown.strip() == "[]"


@pytest.mark.parametrize(
    ("fixture", "target", "gone", "source"),
    [
        ("memes", HatefulMemes, "test_unseen.jsonl", "https://hatefulmemeschallenge.com"),
        ("memes", HatefulMemes, "img/01254.png", "https://hatefulmemeschallenge.com"),
        ("food", Food101, "texts/test_titles.csv", "https://www.kaggle.com/datasets/gianmarco96"),
        ("food", Food101, "images/train/baklava/baklava_2.jpg", "https://www.kaggle.com/datasets"),
        ("crema", CremaD, "AudioWAV", "https://github.com/CheyneyComputerScience/CREMA-D"),
        ("crema", CremaD, "VideoFlash/1002_IEO_ANG_XX.flv", "https://github.com/CheyneyComputer"),
        ("meld", Meld, "dev_sent_emo.csv", "https://affective-meld.github.io"),
        ("meld", Meld, "output_repeated_splits_test", "https://affective-meld.github.io"),
        ("meld", Meld, "train_splits/dia1_utt2.mp4", "https://affective-meld.github.io"),
        ("mustard", Mustard, "data/split_indices.p", "https://github.com/soujanyaporia/MUStARD"),
    ],
)
def test_the_first_file_that_is_not_there_is_named(request, fixture, target, gone, source):
    folder = request.getfixturevalue(fixture)
    place = folder / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    message = refused(target, folder)
    assert message.startswith(f"{folder.name}: ")
    assert repr(gone) in message
    assert f"; the files are at {source}" in message


def test_a_modality_that_is_left_out_needs_no_files(mustard):
    shutil.rmtree(mustard / "videos")
    assert "no folder 'utterances_final' (nor at 'videos/utt" in refused(Mustard, mustard)
    found = Mustard(mustard, modalities=["context", "utterance"], subset=True)
    assert list(found.modalities) == ["utterance", "context"]
    message = refused(Mustard, mustard, modalities=["contxt"])
    assert message == "modalities: no modality 'contxt'; did you mean 'context'?"
    assert refused(Mustard, mustard, modalities=[]).startswith("modalities: the list names none")


def test_one_file_in_a_hundred_may_be_absent(memes):
    template = (memes / "img" / "01234.png").read_bytes()
    with (memes / "train.jsonl").open("a") as file:
        for key in range(2_000, 2_183):
            file.write(json.dumps({"id": key, "img": f"img/{key}.png", "text": "x", "label": 1}))
            file.write("\n")
            (memes / "img" / f"{key}.png").write_bytes(template)
    for key in (2_000, 2_001):
        (memes / "img" / f"{key}.png").unlink()
    found = HatefulMemes(memes, subset=True)
    assert len(found.ids) == 200
    absent = np.flatnonzero(found.items("image").missing)
    assert [found.ids[i] for i in absent] == ["2000", "2001"]
    (memes / "img" / "2002.png").unlink()
    message = refused(HatefulMemes, memes)
    assert "image: no file 'img/2000.png' (3 of 200 are absent)" in message


def test_counts_are_those_published(memes, crema):
    assert refused(HatefulMemes, memes, subset=False) == (
        "memes: train: 8 samples; published are 8,500 (the files are at "
        "https://hatefulmemeschallenge.com; subset = true accepts a part of it)"
    )
    assert "clips: 11 samples; published are 7,442" in refused(CremaD, crema, subset=False)
    for file in (crema / "AudioWAV").iterdir():
        file.unlink()
    message = refused(CremaD, crema, modalities=["audio"])
    assert message.startswith("crema: clips: 0 samples; published are 7,442")


def test_a_pointer_in_place_of_a_file(crema):
    for file in (crema / "AudioWAV").iterdir():
        file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    message = refused(CremaD, crema)
    assert message.startswith(
        "crema: audio: 'AudioWAV/1001_DFA_ANG_XX.wav' is a pointer of Git LFS"
    )


def test_content_that_is_not_as_published(memes, food, digits, crema, mustard):
    assert refused(Mustard, mustard / "none").startswith("path: no folder 'none': 'none' is not in")
    message = refused(CremaD, crema, label="multimodal")
    assert message.endswith("MultiModalVote: 11 clips without a tie, not of two emotions")
    message = refused(CremaD, crema, label="face")
    assert message.startswith("summaryTable.csv: FaceVote: no column 'FaceVote'")
    votes = crema / "processedResults" / "summaryTable.csv"
    votes.write_text(votes.read_text().replace('"A:D"', '"A:X"').replace("1064_TIE", "1065_TIE"))
    message = refused(CremaD, crema, label="voice")
    assert "VoiceVote: 'A:X' for the clip '1001_IEO_ANG_XX'; expected one of A, D," in message
    votes.write_text(votes.read_text().replace('"A:X"', '"A:D"'))
    message = refused(CremaD, crema, label="voice")
    assert message == "summaryTable.csv: FileName: no row for the clip '1064_TIE_SAD_XX'"
    (crema / "AudioWAV" / "1001_DFA_JOY_XX.wav").write_bytes(b"")
    assert "the clip '1001_DFA_JOY_XX' is not called ACTOR_" in refused(CremaD, crema)
    titles = food / "texts" / "test_titles.csv"
    titles.write_text(titles.read_text() + "waffles_9.jpg,waffles\n")
    assert "has 2 fields; expected image, title and class" in refused(Food101, food)
    train = memes / "train.jsonl"
    rows = train.read_text()
    train.write_text(rows.replace('"label": 1', '"label": 7', 1))
    assert "train.jsonl: label: '7' in row 2; expected 0 or 1" in refused(HatefulMemes, memes)
    train.write_text(rows.replace("1235", "1234", 1))
    assert refused(HatefulMemes, memes) == "memes: the id '1234' stands there 2 times"
    data = mustard / "data" / "sarcasm_data.json"
    data.write_text(data.read_text().replace('"sarcasm": true', '"sarcasm": "yes"', 1))
    assert "the row '1_60' has no 'sarcasm' of type bool" in refused(Mustard, mustard)
    assert "validation = 12: expected 0 to 11" in refused(AVMNIST, digits.folder, validation=12)
    np.save(digits.folder / "audio" / "test_data.npy", np.zeros((5, 6, 6)))
    message = refused(AVMNIST, digits.folder)
    assert message.endswith("audio/test_data.npy: 5 rows; there are 6 labels")


def test_folds_that_do_not_fit(mustard):
    data = mustard / "data" / "sarcasm_data.json"
    rows = json.loads(data.read_text())
    del rows["1_60"]
    data.write_text(json.dumps(rows))
    message = refused(Mustard, mustard)
    assert message == (
        "split_indices.p: its test parts hold 10 positions; expected each of the 9 utterances once"
    )


def test_the_fingerprint_is_of_content(meld, clips):
    before = Meld(meld, subset=True)
    prints = {name: before.fingerprint(name) for name in before.modalities}
    assert len(set(prints.values())) == 3
    clip = meld / "train_splits" / "dia0_utt0.mp4"
    clip.write_bytes(clips["mp4"][2])
    after = Meld(meld, label="sentiment", subset=True)
    assert after.fingerprint("text") == prints["text"]
    assert after.fingerprint("audio") != prints["audio"]
    assert after.fingerprint("video") != prints["video"]
    few = Meld(meld, frames=2, subset=True)
    assert few.fingerprint("video") != after.fingerprint("video")
    assert few.fingerprint("audio") == after.fingerprint("audio")


def test_clips_that_cannot_be_decoded_name_themselves(meld, clips):
    place = meld / "train_splits"
    (place / "dia0_utt0.mp4").write_bytes(b"no clip")
    (place / "dia0_utt1.mp4").write_bytes(clips["flv"][0])
    found = Meld(meld, subset=True)
    for modality in ("audio", "video"):
        with pytest.raises(OSError, match=rf"^train_splits/dia0_utt0.mp4 cannot .+ {modality}: "):
            found.items(modality)[0]
    with pytest.raises(OSError, match=r"^train_splits/dia0_utt1.mp4 cannot .+: it has no sound t"):
        found.items("audio")[1]
