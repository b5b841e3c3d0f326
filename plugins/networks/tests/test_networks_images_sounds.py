"""Networks trained on images, sounds and vectors: what they learn, and what they must not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from librosa.filters import mel
from mmbench_networks.autoencoder import Autoencoder
from mmbench_networks.crnn import Crnn
from mmbench_networks.small_cnn import SmallCnn
from mmbench_networks.timm_scratch import TimmScratch
from PIL import Image, ImageOps
from sklearn.linear_model import LogisticRegression

LABELS = np.arange(48) % 2
SHORT = {"epochs": 6, "batch_size": 8, "learning_rate": 0.003}
SMALL = {"size": 12, "channels": 4, "width": 8, **SHORT}


def images(n, seed):
    """Return noise of unlike size and mode with a bright upper half, or a bright lower one."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        high, wide = rng.integers(12, 20, size=2)
        values = rng.integers(0, 120, size=(high, wide, 3))
        half = slice(0, high // 2) if i % 2 else slice(high // 2, high)
        values[half] += 60
        image = Image.fromarray(values.astype(np.uint8))
        found.append(image.convert("L") if i % 3 == 0 else image)
    return found


def sounds(n, seed):
    """Return noise of unlike length, rate and channels with a tone that rises, or falls."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        rate = 4000 if i % 3 else 8000
        time = np.arange(int(rng.uniform(0.15, 0.4) * rate)) / rate
        pitch = 300 + 900 * (time if i % 2 else time[::-1]) / time[-1]
        tone = np.sin(2 * np.pi * np.cumsum(pitch) / rate)
        samples = tone[:, None] + rng.normal(0, 0.1, (len(time), 1 + i % 2))
        found.append(SimpleNamespace(samples=samples.astype(np.float32), sample_rate=rate))
    return found


def vectors(n, seed):
    """Return points of a plane in ten dimensions, the classes apart in it."""
    plane = np.random.default_rng(3).normal(size=(2, 10))
    spots = np.random.default_rng(seed).normal(size=(n, 2)) + 4 * (np.arange(n) % 2)[:, None]
    return list(spots @ plane)


SOUNDS = {"sample_rate": 4000, "bands": 16, "hop": 0.02, "channels": 4, "width": 8, **SHORT}
CASES = {
    "small-cnn": (SmallCnn, images, SMALL),
    "timm-scratch": (
        TimmScratch,
        images,
        {"model": "test_resnet", "size": 32, **SHORT},
    ),
    "crnn": (Crnn, sounds, SOUNDS),
    "autoencoder of images": (Autoencoder, images, SMALL),
    "autoencoder of sounds": (Autoencoder, sounds, {**SOUNDS, "seconds": 0.3}),
    "autoencoder of vectors": (Autoencoder, vectors, {"hidden": 16, "width": 2, **SHORT}),
}


def fitted(name, **options):
    kind, make, given = CASES[name]
    labels = None if kind is Autoencoder else LABELS
    return kind(**{**given, **options}).fit(make(48, seed=0), labels)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """Return a fitted encoder, other items, and their embeddings."""
    before = torch.get_num_threads()
    encoder = fitted(request.param)
    items = CASES[request.param][1](48, seed=1)
    yield request.param, encoder, items, encoder.encode(items)
    torch.set_num_threads(before)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


def test_what_was_planted_is_learnt(case):
    name, encoder, _, embedded = case
    assert embedded.dtype == np.float32
    assert encoder.history_[-1]["loss"] < encoder.history_[0]["loss"]
    if name in ("autoencoder of images", "autoencoder of sounds"):
        return  # what it rebuilds need not tell these classes apart
    known = encoder.encode(CASES[name][1](48, seed=0))
    assert LogisticRegression().fit(known, LABELS).score(embedded, LABELS) > 0.9


def test_a_row_depends_on_its_item_alone(case):
    _, encoder, items, embedded = case
    close(np.concatenate([encoder.encode([item]) for item in items[:9]]), embedded[:9])
    close(encoder.encode(items[::-1])[::-1], embedded)
    assert np.ptp(embedded, axis=0).max() > 0


def test_what_is_saved_embeds_alike(case, tmp_path):
    name, encoder, items, embedded = case
    encoder.save(tmp_path)
    kind, _, given = CASES[name]
    loaded = kind(**given).load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(items), embedded)
    assert loaded.learnt_ == encoder.learnt_


def test_the_seed_says_what_is_learnt():
    items = images(10, seed=1)
    one, again, other = (
        fitted("small-cnn", epochs=1, crop=2, flip=True, jitter=0.3, seed=seed).encode(items)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)


def test_a_validation_part_is_looked_at_and_not_trained_on():
    held = images(6, seed=2), np.array([1, 0, 1, 0, 1, 0])
    encoder = SmallCnn(**SMALL).fit(images(48, seed=0), LABELS, validation=held)
    best = next(row for row in encoder.history_ if row["best"])
    logits = encoder.network_(encoder.collate(encoder.prepare(held[0]), False))
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(held[1]))
    assert best["validation_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_images_are_augmented_in_training_alone():
    image = images(1, seed=4)[0].convert("RGB").resize((12, 12))
    encoder = SmallCnn(size=12, flip=True)
    pixels = encoder.pixels([image], 12, grey=False)
    np.testing.assert_array_equal(pixels[0].permute(1, 2, 0), np.asarray(image))
    mirrored = np.asarray(ImageOps.mirror(image))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = encoder.augmented(pixels * 20).permute(0, 2, 3, 1).numpy()
        as_it_is = (drawn == np.asarray(image)).all(axis=(1, 2, 3))
        assert 0 < as_it_is.sum() < 20
        assert (drawn[~as_it_is] == mirrored).all()
        (moved,) = SmallCnn(crop=3).augmented([torch.full((3, 12, 12), 9, dtype=torch.uint8)])
        assert moved.shape == (3, 12, 12)
        assert len({int(v.sum()) for v in SmallCnn(jitter=0.5).augmented(pixels * 5)}) > 1
    encoder.learnt_ = encoder.learn([image])
    batch = encoder.collate(pixels, False)
    np.testing.assert_allclose(batch.mean(dim=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(batch.std(dim=(0, 2, 3)), 1, atol=1e-3)


def test_a_spectrogram_is_the_one_by_hand():
    audio = sounds(3, seed=5)[2]
    (found,) = Crnn(sample_rate=4000, bands=16).spectrograms([audio], 0.0)
    wave = np.pad(audio.samples.mean(axis=1).astype(np.float64), 64)  # half of 128 points
    hann = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(100) / 100), 14)
    frames = np.stack([wave[s : s + 128] * hann for s in range(0, len(wave) - 127, 40)])
    power = np.abs(np.fft.rfft(frames)) ** 2 @ mel(sr=4000, n_fft=128, n_mels=16).T
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    np.testing.assert_allclose(found, np.maximum(decibels, decibels.max() - 80), atol=0.05)


def test_sounds_are_masked_trimmed_cut_and_made_equally_loud():
    spectrogram = torch.ones(40, 16)
    encoder = Crnn(mask_frames=5, mask_bands=3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gone = [encoder.masked(spectrogram) == 0 for _ in range(60)]
    rows, columns = (np.array([int(m.all(dim=d).sum()) for m in gone]) for d in (1, 0))
    assert set(rows) == set(range(6))
    assert set(columns) == set(range(4))
    assert int(spectrogram.min()) == 1

    noise = np.random.default_rng(0).normal(0, 0.3, (4000, 1)).astype(np.float32)
    padded = np.concatenate([np.zeros((4000, 1), np.float32), noise])
    late, soft = (SimpleNamespace(samples=s, sample_rate=4000) for s in (padded, 0.01 * noise))
    loud = SimpleNamespace(samples=noise, sample_rate=4000)

    def length(audio, seconds=0.0, **options):
        (found,) = Crnn(sample_rate=4000, bands=16, **options).spectrograms([audio], seconds)
        return len(found)

    assert (length(late), length(loud)) == (201, 101)
    assert abs(length(late, trim=40.0) - 101) <= 2
    assert length(late, seconds=0.5) == 51
    equal = Crnn(sample_rate=4000, bands=16, loudness=True).spectrograms([loud, soft], 0.0)
    np.testing.assert_allclose(equal[0], equal[1], atol=1e-3)


def test_no_sound_is_silence():
    empty = SimpleNamespace(samples=np.zeros((0, 1), np.float32), sample_rate=4000)
    silent = SimpleNamespace(samples=np.zeros((80, 1), np.float32), sample_rate=4000)
    one, other = Crnn(sample_rate=4000, bands=16, loudness=True).spectrograms([empty, silent], 0.0)
    np.testing.assert_array_equal(one, other)
    assert torch.isfinite(one).all()


@pytest.mark.parametrize(
    ("build", "items", "reason"),
    [
        (lambda: Crnn(bands=3), sounds, r"^bands = 3: 2 layers halve them, which takes 4 at least"),
        (lambda: Crnn(bands=300), sounds, r"^bands = 300: more than a window of 0.025 s can tell"),
        (lambda: Autoencoder(seconds=0.01), sounds, r"^2 windows of 40 bands: at least 4 are need"),
        (
            Autoencoder,
            lambda n, seed: [np.zeros(3), np.zeros(4)],
            r"^a vector of 4 numbers; 3 were expected$",
        ),
    ],
)
def test_errors_are_one_line(build, items, reason):
    with pytest.raises(ValueError, match=reason):
        build().fit(items(4, 0), np.array([0, 1, 0, 1]))


def test_an_autoencoder_rebuilds_what_lies_in_a_plane():
    encoder = fitted("autoencoder of vectors", epochs=150, patience=0, learning_rate=0.01)
    assert encoder.history_[-1]["loss"] < 0.02  # of a variance of 1: two numbers say it all


def test_fine_tuning_begins_with_the_weights_given(tmp_path):
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = timm.create_model("test_resnet", num_classes=3)
    file = tmp_path / "weights.pth"
    torch.save(network.state_dict(), file)
    options = {"model": "test_resnet", "checkpoint": file, "size": 32}
    encoder = TimmScratch(**options, epochs=1, patience=0, learning_rate=1e-9, optimiser="sgd")
    encoder.fit(images(8, seed=0), LABELS[:8])
    trained = dict(encoder.network_.body.named_parameters())
    first = next(iter(dict(network.named_parameters())))
    np.testing.assert_allclose(
        trained[first].detach(), network.state_dict()[first], rtol=0, atol=1e-6
    )
    assert encoder.learnt_["mean"] == list(network.pretrained_cfg["mean"])
    assert TimmScratch.facts(**options) == {"initial_weights": "weights.pth"}
    key = TimmScratch.cache_key(**options)
    file.write_bytes(b"other")
    assert TimmScratch.cache_key(**options) != key
    with pytest.raises(FileNotFoundError, match=r"gone.pth: no such file or folder$"):
        TimmScratch.cache_key(model="test_resnet", checkpoint=tmp_path / "gone.pth")
