"""The spoken digits: what is shipped, who speaks where, and the noise."""

from collections import Counter, defaultdict
from importlib import resources

import numpy as np
import pytest
import soundfile
from mmbench_digits import speech
from mmbench_digits.dataset import Digits
from mmbench_digits.speech import Audio, load, read_clips

FOLDER = resources.files("mmbench_digits").joinpath("speech")


@pytest.fixture(scope="module")
def digits():
    return Digits()


@pytest.fixture(scope="module")
def clean():
    """Every sample's clip without noise."""
    return Digits(hiss=0).items("speech")[:]


def test_what_is_shipped_is_small():
    assert sum(len(file.read_bytes()) for file in FOLDER.iterdir()) < 2_000_000


def test_the_table_names_every_frame_of_every_file():
    ends = defaultdict(list)
    for clip in read_clips():
        assert clip.start == (ends[clip.voice][-1] if ends[clip.voice] else 0)
        assert clip.digit == len(ends[clip.voice])
        ends[clip.voice].append(clip.stop)
    assert {f"{voice}.flac" for voice in ends} | {"voices.tsv"} == {
        f.name for f in FOLDER.iterdir()
    }
    for voice, stops in ends.items():
        with FOLDER.joinpath(f"{voice}.flac").open("rb") as file:
            info = soundfile.info(file)
        assert (info.format, info.channels, info.samplerate) == ("FLAC", 1, 8000)
        assert len(stops) == 10
        assert stops[-1] == info.frames


def test_there_are_many_voices_languages_pitches_and_speeds():
    rows = FOLDER.joinpath("voices.tsv").read_text(encoding="utf-8").splitlines()[1:]
    languages, variants, pitches, speeds = (
        set(column) for column in zip(*(row.split("\t")[:4] for row in rows), strict=True)
    )
    assert len(rows) == 60
    assert len(languages) == 10
    assert len(variants) == 6
    assert len(pitches) > 20
    assert len(speeds) > 20


def test_clips_are_short_and_neither_silent_nor_clipped(clean):
    seconds = np.array([len(audio.samples) / audio.sample_rate for audio in clean])
    assert seconds.min() > 0.1
    assert seconds.max() < 1.5
    peaks = np.array([np.abs(audio.samples).max() for audio in clean])
    np.testing.assert_allclose(peaks, 0.9, atol=0.001)


def test_items_are_sound_as_the_contract_has_it(digits):
    audio = digits.items("speech")[0]
    assert isinstance(audio, Audio)
    assert audio.sample_rate == 8000
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 2
    assert audio.samples.shape[1] == 1
    with pytest.raises(AttributeError):
        audio.sample_rate = 1


def test_nothing_is_decoded_before_it_is_asked_for(monkeypatch):
    decoded = []

    def read(file, **options):
        decoded.append(file.name)
        return np.zeros((100_000, 1), np.int16), 8000

    speech._decode.cache_clear()
    monkeypatch.setattr(soundfile, "read", read)
    digits = Digits()
    items = digits.items("speech")
    assert decoded == []
    items[5]
    assert [name.endswith(f"{digits.voices[5]}.flac") for name in decoded] == [True]
    monkeypatch.undo()
    speech._decode.cache_clear()


def test_a_sample_is_the_piece_of_its_voice_that_says_its_digit(digits, clean):
    clips = {(clip.voice, clip.digit): clip for clip in read_clips()}
    for i in (0, 7, 1796):
        clip = clips[digits.voices[i], digits.labels[i]]
        with FOLDER.joinpath(f"{clip.voice}.flac").open("rb") as file:
            whole, _ = soundfile.read(file, dtype="float32", always_2d=True)
        np.testing.assert_array_equal(clean[i].samples, whole[clip.start : clip.stop])


def test_no_clip_and_no_voice_stands_in_training_and_test(digits, clean):
    sounds = np.array([audio.samples.tobytes() for audio in clean], dtype=object)
    voices = np.array(digits.voices)
    for fold in range(5):
        test = digits.folds == fold
        for heard in (sounds, voices):
            assert set(heard[test])
            assert not set(heard[test]) & set(heard[~test])
    assert len(set(sounds)) > 500


def test_every_block_has_three_voices_and_every_fold_every_language(digits):
    clips = read_clips()
    language = {clip.voice: clip.language for clip in clips}
    voices = {(v, int(b)) for v, b in zip(digits.voices, digits.groups, strict=True)}
    assert set(Counter(block for _, block in voices).values()) == {3}
    table = Counter((language[voice], block % 5) for voice, block in voices)
    assert len(table) == 10 * 5
    assert set(table.values()) == {1, 2}


@pytest.mark.parametrize("hiss", [0.1, 0.5])
def test_the_hiss_is_as_strong_as_asked_for_and_each_samples_own(clean, hiss):
    noisy = Digits(hiss=hiss).items("speech")
    noise = [noisy[i].samples - clean[i].samples for i in range(100)]
    strength = [np.std(noise[i]) / np.sqrt(np.mean(clean[i].samples ** 2)) for i in range(100)]
    assert np.mean(strength) == pytest.approx(hiss, rel=0.01)
    assert np.std(strength) < 0.05 * hiss
    frames = min(len(n) for n in noise)
    between = np.corrcoef([n[:frames, 0] for n in noise])[~np.eye(100, dtype=bool)]
    assert np.abs(between).mean() < 0.05
    white = np.mean([np.corrcoef(n[:-1, 0], n[1:, 0])[0, 1] for n in noise])
    assert abs(white) < 0.01


def test_the_same_sample_sounds_the_same_and_another_draw_does_not(digits):
    again, other = Digits(), Digits(draw=1)
    for i in (0, 1000):
        np.testing.assert_array_equal(
            digits.items("speech")[i].samples, again.items("speech")[i].samples
        )
    assert digits.voices == again.voices
    assert digits.voices != other.voices


def test_noise_does_not_stay_in_what_was_decoded():
    clip = read_clips()[0]
    first = load(clip, 0, np.random.default_rng(0)).samples
    load(clip, 1, np.random.default_rng(0)).samples[:] = 0
    np.testing.assert_array_equal(load(clip, 0, np.random.default_rng(0)).samples, first)
