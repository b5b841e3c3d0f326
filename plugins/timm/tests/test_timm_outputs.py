"""Class tokens, means over patches, other image sizes and precisions, against timm by hand."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from mmbench_timm.encoder import TimmEncoder
from PIL import Image

from mmbench import Sequences


@pytest.fixture(scope="module")
def images():
    coarse = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    shapes = [(60, 40), (170, 200), (90, 161), (64, 64), (33, 100)]
    return [Image.fromarray(p).resize(s) for p, s in zip(coarse, shapes, strict=True)]


def features(model, images, pool, size=None, **options):
    """Return ``pool`` of what timm's networks give before pooling, image by image."""
    torch.manual_seed(0)
    network = timm.create_model(model, num_classes=0, **options).eval()
    given = {} if size is None else {"input_size": (3, size, size)}
    config = timm.data.resolve_data_config(given, model=network)
    transform = timm.data.create_transform(**config, is_training=False)
    with torch.no_grad():
        rows = [pool(network, transform(image.convert("RGB"))[None]) for image in images]
    return torch.cat(rows).numpy()


POOLS = {
    "pooled": lambda network, x: network(x),
    "class-token": lambda network, x: network.forward_features(x)[:, 0],
    "mean-token": lambda network, x: network.forward_features(x)[:, 1:].mean(1),
}


@pytest.mark.parametrize("size", [None, 96])
@pytest.mark.parametrize("output", POOLS)
def test_outputs_of_a_transformer(output, size, images):
    options = {} if size is None else {"img_size": size}
    expected = features("test_vit", images, POOLS[output], size, **options)
    encoder = TimmEncoder(model="test_vit", pretrained=False, output=output, image_size=size)
    np.testing.assert_allclose(encoder.encode(images), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("model", ["test_resnet", "test_convnext"])
def test_outputs_of_a_convolutional_network(model, images):
    expected = features(
        model, images, lambda network, x: network.forward_features(x).mean((2, 3)), 64
    )
    encoder = TimmEncoder(model=model, pretrained=False, output="mean-token", image_size=64)
    np.testing.assert_allclose(encoder.encode(images), expected, rtol=1e-3, atol=1e-5)
    assert not np.allclose(
        encoder.encode(images),
        TimmEncoder(model=model, pretrained=False, output="mean-token").encode(images),
    )


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_lower_precision_is_near(precision, images):
    full = TimmEncoder(model="test_vit", pretrained=False).encode(images)
    low = TimmEncoder(model="test_vit", pretrained=False, precision=precision).encode(images)
    assert low.dtype == np.float32
    assert np.abs(low - full).max() > 0
    cosine = (low * full).sum(1) / np.linalg.norm(low, axis=1) / np.linalg.norm(full, axis=1)
    assert cosine.min() > 0.999


def test_a_convolutional_network_has_no_class_token():
    with pytest.raises(ValueError, match="'test_resnet' has no class token; output = 'mean"):
        TimmEncoder(model="test_resnet", pretrained=False, output="class-token")


def test_weights_in_a_folder_take_another_size(tmp_path, images):
    torch.manual_seed(5)
    network = timm.create_model("test_vit", num_classes=3)
    timm.models.save_for_hf(network, tmp_path / "birds")
    sized = timm.create_model(f"local-dir:{tmp_path / 'birds'}", pretrained=True, num_classes=0,
                              img_size=96).eval()  # fmt: skip
    config = timm.data.resolve_data_config({"input_size": (3, 96, 96)}, model=sized)
    transform = timm.data.create_transform(**config, is_training=False)
    with torch.no_grad():
        expected = sized(torch.stack([transform(i.convert("RGB")) for i in images])).numpy()
    encoder = TimmEncoder(model=f"local-dir:{tmp_path / 'birds'}", image_size=96)
    np.testing.assert_allclose(encoder.encode(images), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "places"),
    [
        ("test_vit", lambda network, x: network.forward_features(x)[0, 1:]),
        ("test_resnet", lambda network, x: network.forward_features(x)[0].flatten(1).T),
        ("test_mambaout", lambda network, x: network.forward_features(x)[0].flatten(0, 1)),
    ],
)
def test_patches_and_places_as_sequences(model, places, images):
    expected = features(model, images, lambda network, x: places(network, x)[None], 96,
                        **({"img_size": 96} if model == "test_vit" else {}))  # fmt: skip
    encoder = TimmEncoder(model=model, pretrained=False, image_size=96, batch_size=2)
    made = encoder.encode_sequence(images)
    assert isinstance(made, Sequences)
    assert made.lengths.tolist() == [expected.shape[1]] * len(images)
    np.testing.assert_allclose(np.stack(list(made)), expected, rtol=1e-3, atol=1e-5)


def test_a_network_of_two_maps_has_pooled_features_alone(images):
    encoder = TimmEncoder(model="crossvit_9_240", pretrained=False)
    assert encoder.encode(images[:1]).shape == (1, 384)
    with pytest.raises(ValueError, match="'crossvit_9_240' has no single map of last features"):
        encoder.encode_sequence(images[:1])
