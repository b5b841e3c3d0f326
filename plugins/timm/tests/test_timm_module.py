"""The network that is trained further: the same embeddings as `encode`, and gradients."""

from __future__ import annotations

import copy

import numpy as np
import peft
import pytest
import torch
from mmbench_timm.encoder import TimmEncoder
from PIL import Image


@pytest.fixture(scope="module")
def images():
    coarse = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    shapes = [(60, 40), (170, 200), (90, 161), (64, 64), (33, 100)]
    return [Image.fromarray(p).resize(s) for p, s in zip(coarse, shapes, strict=True)]


def built(model, output="pooled", **options):
    return TimmEncoder(model=model, pretrained=False, output=output, image_size=96, **options)


CASES = [
    ("test_resnet", "pooled"),
    ("test_resnet", "mean-token"),
    ("test_vit", "pooled"),
    ("test_vit", "class-token"),
    ("test_vit", "mean-token"),
]


@pytest.mark.parametrize(("model", "output"), CASES)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_module_gives_what_encode_gives(model, output, precision, images):
    encoder = built(model, output, precision=precision, batch_size=2)
    module = encoder.module()
    assert module is encoder.module()
    batch = encoder.collate(images)
    assert batch.shape == (5, 3, 96, 96)
    assert batch.dtype == torch.float32
    for one in (module, copy.deepcopy(module.train()).eval()):
        made = one.eval()(batch)
        assert made.dtype == torch.float32
        tolerance = 1e-5 if precision == "fp32" else 2e-2
        np.testing.assert_allclose(
            made.detach().numpy(), encoder.encode(images), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize(("model", "output"), CASES)
def test_gradients_reach_the_first_layer_and_a_step_changes_what_encode_gives(
    model, output, images
):
    encoder = built(model, output)
    before = encoder.encode(images[:2])
    module = encoder.module()
    batch = encoder.collate(images[:2])
    module(batch).square().sum().backward()
    parameters = dict(module.named_parameters())
    first = next(weight for weight in parameters.values() if weight.ndim == 4)
    assert first.grad.abs().max() > 0
    torch.optim.SGD(module.parameters(), lr=1e-3).step()
    after = encoder.encode(images[:2])
    assert np.abs(after - before).max() > 0
    np.testing.assert_allclose(module(batch).detach().numpy(), after, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["test_resnet", "test_vit"])
def test_adapters_of_low_rank_leave_the_embedding_until_they_are_trained(model, images):
    encoder = built(model, "mean-token")
    batch, expected = encoder.collate(images[:2]), encoder.encode(images[:2])
    module = copy.deepcopy(encoder.module())
    targets = [
        name
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
    ]
    adapted = peft.get_peft_model(module, peft.LoraConfig(r=2, target_modules=targets))
    made = adapted(batch)
    np.testing.assert_allclose(made.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    made.square().sum().backward()
    trained = {name: w for name, w in adapted.named_parameters() if w.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    assert max(w.grad.abs().max() for w in trained.values()) > 0
