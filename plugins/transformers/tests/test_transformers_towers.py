"""What the towers return, against the two-tower models of transformers called by hand."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf
from mmbench_transformers.towers import AudioTower, ImageTower, TextTower

TOWERS = {"text": TextTower, "image": ImageTower, "audio": AudioTower}
CASES = [(name, kind) for name in ("clip", "siglip") for kind in ("text", "image")]
CASES += [("clap", "text"), ("clap", "audio"), ("clap-fused", "audio")]


def assert_same(embedded, expected):
    assert embedded.dtype == np.float32
    assert embedded.shape == expected.shape
    a, b = embedded.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() >= 0.99999
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def prepared(name, kind, folder, item):
    """Do what the library's documentation does to one item."""
    if kind == "image":
        return hf.AutoImageProcessor.from_pretrained(folder)(item, return_tensors="pt")
    if kind == "audio":
        extractor = hf.AutoFeatureExtractor.from_pretrained(folder)
        np.random.seed(0)  # which part of a long sound is taken
        return extractor(item.samples.mean(axis=1), sampling_rate=8000, return_tensors="pt")
    options = {"max_length": 24, "truncation": True, "return_tensors": "pt"}
    if name == "siglip":
        options |= {"padding": "max_length", "return_attention_mask": False}
    return hf.AutoTokenizer.from_pretrained(folder)(item, **options)


def by_hand(name, kind, folder, items):
    """Return the joint model's own embeddings, of length 1, each item paired with some other."""
    model = hf.AutoModel.from_pretrained(folder).eval()
    if kind == "text":
        other = "audio" if name == "clap" else "image"
        size = {"clip": (1, 3, 16, 16), "siglip": (1, 3, 16, 16), "clap": (1, 1, 63, 64)}[name]
        beside = {"input_features" if name == "clap" else "pixel_values": torch.zeros(size)}
        beside |= {"is_longer": torch.tensor([[False]])} if other == "audio" else {}
    else:
        beside = dict(prepared(name, "text", folder, "abc"))
    rows = []
    with torch.no_grad():
        for item in items:
            inputs = dict(prepared(name, kind, folder, item))
            if name == "siglip":
                inputs.pop("token_type_ids", None)
                beside.pop("token_type_ids", None)
            rows.append(model(**inputs, **beside)[f"{kind}_embeds"][0])
    return torch.stack(rows).numpy()


@pytest.fixture
def items_of(texts, images, sounds):
    """Return the items, the sounds at CLAP's rate here, one of them longer than it takes."""
    slow = [SimpleNamespace(samples=s.samples, sample_rate=8000) for s in sounds[:9]]
    slow.append(SimpleNamespace(samples=np.tile(sounds[1].samples, (2, 1)), sample_rate=8000))
    return {"text": texts, "image": images, "audio": slow}


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_embeddings_equal_the_librarys_in_any_batch_size(name, kind, folder_of, items_of):
    items, folder = items_of[kind], folder_of(name)
    expected = by_hand(name, kind, folder, items)
    assert np.ptp(expected, axis=0).max() > 1e-4
    for size in (1, 3, 16):
        encoder = TOWERS[kind](folder=folder, normalise=True, batch_size=size)
        assert_same(encoder.encode(items), expected)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_order_of_the_items_does_not_matter(name, kind, folder_of, items_of):
    items = items_of[kind]
    encoder = TOWERS[kind](folder=folder_of(name), batch_size=3)
    order = np.random.default_rng(1).permutation(len(items))
    state = np.random.get_state()[1].copy()
    shuffled = encoder.encode([items[i] for i in order])
    np.testing.assert_allclose(shuffled, encoder.encode(items)[order], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_embeddings_are_projected_and_as_long_as_the_model_makes_them(name, folder_of, images):
    model = hf.AutoModel.from_pretrained(folder_of(name)).eval()
    pixels = prepared(name, "image", folder_of(name), images[0])["pixel_values"]
    with torch.no_grad():
        pooled = model.vision_model(pixel_values=pixels).pooler_output
        expected = model.visual_projection(pooled) if name == "clip" else pooled
    assert_same(ImageTower(folder=folder_of(name)).encode(images[:1]), expected.numpy())
    assert abs(expected.norm().item() - 1) > 0.01


def test_towers_of_one_model_share_what_is_read_once(folder_of, tmp_path, images):
    text, image = (tower(folder=folder_of("clip")) for tower in (TextTower, ImageTower))
    assert text._module.network is image._module.network
    low = ImageTower(folder=folder_of("clip"), precision="bf16")
    assert low._module.network is not image._module.network
    copy = shutil.copytree(folder_of("clip"), tmp_path / "copy")
    before = ImageTower(folder=copy).encode(images)
    (copy / "model.safetensors").unlink()
    shutil.copy(folder_of("clip", seed=1) / "model.safetensors", copy)
    after = ImageTower(folder=copy).encode(images)
    assert np.abs(before - after).max() > 0.01


@pytest.mark.parametrize("name", ["clip", "siglip", "clap"])
def test_odd_texts(name, folder_of):
    odd = ["", " \t\n", "😀 שלום 零", "a" * 2000, "before\0after"]
    assert np.isfinite(TextTower(folder=folder_of(name)).encode(odd)).all()


@pytest.mark.parametrize("frames", [0, 1])
def test_a_sound_of_no_samples_is_silence(frames, folder_of):
    sound = SimpleNamespace(samples=np.zeros((frames, 1), np.float32), sample_rate=44100)
    silence = SimpleNamespace(samples=np.zeros((800, 1), np.float32), sample_rate=8000)
    a, b = AudioTower(folder=folder_of("clap")).encode([sound, silence])
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize(
    ("tower", "name", "has"),
    [
        (AudioTower, "clip", "only text and image (CLIPModel)"),
        (ImageTower, "clap", "only text and audio (ClapModel)"),
        (ImageTower, "vit", "nor is it a model of two (ViTModel)"),
    ],
)
def test_a_tower_that_is_not_there(tower, name, has, folder_of):
    with pytest.raises(ValueError, match=f"has no tower for {tower.kind}, ") as caught:
        tower(folder=folder_of(name))
    assert str(caught.value).endswith(has)
