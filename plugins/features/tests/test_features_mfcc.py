from types import SimpleNamespace

import numpy as np
import pytest
import soxr
from mmbench_features.mfcc import Mfcc
from scipy.fft import dct
from transformers import audio_utils


def sound(frames=8000, rate=16000, channels=1, seed=0):
    """A tone that falls, under noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / rate
    tone = np.sin(2 * np.pi * (900 - 300 * time) * time)
    samples = 0.5 * tone[:, None] + 0.1 * rng.normal(size=(frames, channels))
    return SimpleNamespace(samples=samples.astype(np.float32), sample_rate=rate)


def by_hand(mono, rate, window, hop, n_fft, n_mfcc=20, n_mels=40):
    """What librosa's definitions give, by another library and by the formula of the deltas."""
    decibels = audio_utils.spectrogram(
        mono,
        audio_utils.window_function(window, "hann"),
        window,
        hop,
        fft_length=n_fft,
        power=2,
        pad_mode="constant",
        mel_filters=audio_utils.mel_filter_bank(
            n_fft // 2 + 1, n_mels, 0, rate / 2, rate, norm="slaney", mel_scale="slaney"
        ),
        log_mel="dB",
        db_range=80,
    )
    coefficients = dct(decibels.astype(float), norm="ortho", axis=0)[:n_mfcc]
    ends = np.pad(coefficients, ((0, 0), (4, 4)), mode="edge")
    n = coefficients.shape[1]
    deltas = sum(k * ends[:, 4 + k : 4 + k + n] for k in range(-4, 5)) / 60
    series = (coefficients, deltas)
    return np.concatenate([f(part, axis=1) for part in series for f in (np.mean, np.std)])


def test_equals_another_library():
    audio = sound()
    embedded = Mfcc().encode([audio])
    assert embedded.shape == (1, 80)
    assert embedded.dtype == np.float32
    expected = by_hand(audio.samples[:, 0], 16000, window=400, hop=160, n_fft=512)
    np.testing.assert_allclose(embedded[0], expected, rtol=1e-4, atol=1e-4)


def test_parameters_reach_the_spectrum():
    audio = sound(rate=8000)
    encoder = Mfcc(sample_rate=8000, coefficients=13, bands=26, window=0.03, hop=0.015)
    expected = by_hand(
        audio.samples[:, 0], 8000, window=240, hop=120, n_fft=256, n_mfcc=13, n_mels=26
    )
    np.testing.assert_allclose(encoder.encode([audio])[0], expected, rtol=1e-4, atol=1e-4)


def test_without_deltas_their_half_is_left_out():
    np.testing.assert_array_equal(
        Mfcc(deltas=False).encode([sound()]), Mfcc().encode([sound()])[:, :40]
    )


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_rates_are_resampled(rate):
    audio = sound(frames=rate, rate=rate)
    mono = soxr.resample(audio.samples[:, 0], rate, 16000, quality="HQ")
    expected = by_hand(mono, 16000, window=400, hop=160, n_fft=512)
    np.testing.assert_allclose(Mfcc().encode([audio])[0], expected, rtol=1e-4, atol=1e-4)


def test_channels_are_averaged():
    stereo = sound(channels=2)
    mono = SimpleNamespace(samples=stereo.samples.mean(axis=1, keepdims=True), sample_rate=16000)
    np.testing.assert_array_equal(Mfcc().encode([stereo]), Mfcc().encode([mono]))


def test_rows_belong_to_their_sounds():
    sounds = [sound(frames=4000 * (seed + 1), seed=seed) for seed in range(3)]
    together = Mfcc().encode(sounds)
    for row, audio in zip(together, sounds, strict=True):
        np.testing.assert_array_equal(row, Mfcc().encode([audio])[0])
    assert not np.allclose(together[0], together[1])


def test_no_sound_is_silence():
    empty = SimpleNamespace(samples=np.zeros((0, 2), np.float32), sample_rate=44100)
    silent = SimpleNamespace(samples=np.zeros((400, 1), np.float32), sample_rate=16000)
    np.testing.assert_array_equal(Mfcc().encode([empty]), Mfcc().encode([silent]))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"coefficients": 41}, r"^coefficients = 41: 1 to 40 \(bands\) are possible$"),
        ({"coefficients": 0}, r"^coefficients = 0: 1 to 40 \(bands\) are possible$"),
        ({"bands": 300}, r"^bands = 300: more than a window of 0.025 s can tell apart$"),
    ],
)
def test_impossible_parameters_are_one_clear_line(parameters, reason):
    with pytest.raises(ValueError, match=reason):
        Mfcc(**parameters).encode([sound()])
