"""The network that can be trained, against what the encoder returns."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmbench_transformers.kinds import AudioTransformer, ImageTransformer, TextTransformer
from mmbench_transformers.towers import AudioTower, ImageTower, TextTower

CASES = [
    (TextTransformer, "bert", {}),
    (TextTransformer, "bert", {"pooling": "pooler", "normalise": True}),
    (TextTransformer, "gpt2", {"pooling": "last", "layer": 1}),
    (TextTransformer, "t5", {"precision": "bf16"}),
    (ImageTransformer, "vit", {}),
    (ImageTransformer, "resnet", {"pooling": "mean"}),
    (AudioTransformer, "wav2vec2", {"normalise": True}),
    (AudioTransformer, "wav2vec2-masked", {}),
    (AudioTransformer, "whisper", {"layer": -1}),
    (TextTower, "clip", {}),
    (ImageTower, "siglip", {"normalise": True}),
    (TextTower, "siglip", {}),
    (AudioTower, "clap-fused", {}),
]
FIRST = (
    "word_emb",
    "wte",
    "embed_tokens",
    "patch",
    "embedder",
    "conv_layers.0",
    "conv1",
    "token_emb",
)
"""Parts of the names of what the input meets first."""

NAMES = [f"{name}-{encoder.__name__}" for encoder, name, _ in CASES]


@pytest.fixture(scope="module")
def items_of(texts, images, sounds):
    """Return a few items by kind, of different sizes."""
    slow = [SimpleNamespace(samples=s.samples, sample_rate=8000) for s in sounds]
    return lambda encoder, name: {
        "text": texts,
        "image": images,
        "audio": slow if "clap" in name else sounds,
    }[encoder.kind][:5]


@pytest.mark.parametrize(("made", "name", "options"), CASES, ids=NAMES)
def test_the_module_embeds_as_the_encoder_does_and_is_trained(
    made, name, options, folder_of, items_of
):
    encoder, items = made(folder=folder_of(name), **options), items_of(made, name)
    before = encoder.encode(items)
    batch = encoder.collate(items)
    assert all(tensor.device.type == "cpu" for _, inputs in batch for tensor in inputs.values())
    module = encoder.module()
    assert encoder.module() is module
    loose = {"rtol": 2e-2, "atol": 2e-2} if "precision" in options else {"rtol": 1e-4, "atol": 1e-5}
    again = module.eval()(batch)
    assert again.dtype == torch.float32
    np.testing.assert_allclose(again.detach(), before, **loose)

    twin = copy.deepcopy(module).train()
    twin(batch)[:, 0].sum().backward()
    reached = {name for name, p in twin.named_parameters() if p.grad is not None and p.grad.any()}
    assert any(part in name for name in reached for part in FIRST), "the input is not reached"
    assert all(p.grad is None for p in module.parameters())
    np.testing.assert_array_equal(encoder.encode(items), before)

    module(batch)[:, 0].sum().backward()
    with torch.no_grad():
        for p in module.parameters():
            p -= 0 if p.grad is None else 0.1 * p.grad.sign()
    after = encoder.encode(items)
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_allclose(module(batch).detach(), after, **loose)


def test_a_trained_tower_leaves_others_of_its_model_alone(folder_of, texts, images):
    text, image = (tower(folder=folder_of("clip")) for tower in (TextTower, ImageTower))
    expected = TextTower(folder=folder_of("clip")).encode(texts), image.encode(images)
    with torch.no_grad():
        for p in text.module().parameters():
            p.add_(0.5)
    assert np.abs(text.encode(texts) - expected[0]).max() > 0.1
    np.testing.assert_array_equal(TextTower(folder=folder_of("clip")).encode(texts), expected[0])
    np.testing.assert_array_equal(image.encode(images), expected[1])
    names = [name for name, _ in text.module().named_parameters()]
    assert not [name for name in names if "vision" in name or "visual" in name]
    assert [name for name in names if "text" in name]


def test_sounds_of_a_model_without_a_mask_are_groups_of_one_length(folder_of, sounds):
    groups = AudioTransformer(folder=folder_of("wav2vec2")).collate(sounds[:6])
    assert [rows.tolist() for rows, _ in groups] == [[0, 5], [3], [2], [1, 4]]
    assert all(inputs["input_values"].shape[0] == len(rows) for rows, inputs in groups)
