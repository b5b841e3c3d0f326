"""Prepared images against timm's own transform; networks laid out for a CPU against torch."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_timm.cpu import FEWEST_ROWS, PointwiseLinear
from mmbench_timm.encoder import TimmEncoder
from PIL import Image


@pytest.fixture(scope="module")
def images():
    coarse = np.random.default_rng(0).integers(0, 256, (6, 9, 9, 3), dtype=np.uint8)
    shapes = [(60, 40), (470, 400), (90, 461), (160, 160), (33, 100), (301, 200)]
    return [Image.fromarray(p).resize(s) for p, s in zip(coarse, shapes, strict=True)]


@pytest.mark.parametrize(
    ("model", "changed"),
    [
        ("test_vit", {}),
        ("test_resnet", {}),
        ("test_convnext", {"crop_pct": 1.0, "crop_mode": "squash"}),
        ("test_vit", {"crop_mode": "border"}),
        ("test_vit", {"interpolation": "lanczos"}),
        ("test_vit", {"input_size": (3, 96, 160)}),
    ],
)
def test_pixels_are_those_of_timm(model, changed, images, monkeypatch):
    asked = timm.data.resolve_data_config
    monkeypatch.setattr(timm.data, "resolve_data_config", lambda *a, **k: asked(*a, **k) | changed)
    encoder = TimmEncoder(model=model, pretrained=False)
    config = timm.data.resolve_data_config({}, model=encoder.module().network)
    transform = timm.data.create_transform(**config, is_training=False)
    expected = torch.stack([transform(image) for image in images])
    batch = encoder.collate(images)
    assert batch.dtype == torch.float32
    std = torch.tensor(config["std"]).view(-1, 1, 1)
    assert (255 * std * (batch - expected).abs()).max() < 1e-3  # of the 256 levels


@settings(max_examples=30, deadline=None)
@given(
    rows=st.sampled_from([(1, FEWEST_ROWS), (3, 150), (2, 16, 9), (2, 3), (FEWEST_ROWS,), ()]),
    widths=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    bias=st.booleans(),
)
def test_a_linear_layer_of_pixels_is_a_linear_layer(rows, widths, bias):
    torch.manual_seed(0)
    layer = torch.nn.Linear(*widths, bias=bias)
    x = torch.randn(*rows, widths[0])
    pixels = PointwiseLinear(*widths, bias=bias)
    pixels.load_state_dict(layer.state_dict())
    results = []
    for one in (layer, pixels):
        given_x = x.clone().requires_grad_()
        y = one(given_x)
        y.square().sum().backward()
        results.append([y.detach(), given_x.grad, *(p.grad for p in one.parameters())])
    for expected, made in zip(*results, strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-3)
