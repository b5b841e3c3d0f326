"""What the encoder returns, against timm called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from mmbench_timm.encoder import TimmEncoder
from PIL import Image


def by_hand(network, images):
    """Do what timm's documentation does to extract features, image by image."""
    network = network.eval()
    config = timm.data.resolve_model_data_config(network)
    transform = timm.data.create_transform(**config, is_training=False)
    with torch.no_grad():
        rows = [network(transform(image.convert("RGB"))[None]) for image in images]
    return torch.cat(rows).numpy()


def assert_same(embedded, expected):
    assert embedded.dtype == np.float32
    assert embedded.shape == expected.shape
    a, b = embedded.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() >= 0.99999
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * np.abs(b).max())


def drawn(model, seed=1, **options):
    """Return a network with random weights, its running statistics too."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = timm.create_model(model, **options)
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return network


@pytest.fixture(scope="module")
def images():
    """Return 66 textured images of several shapes: a batch of 64 and a rest."""
    rng = np.random.default_rng(0)
    shapes = [(60, 40), (170, 200), (90, 161), (64, 64), (33, 100)]
    coarse = rng.integers(0, 256, (66, 6, 6, 3), dtype=np.uint8)
    return [
        Image.fromarray(pixels).resize(shapes[i % len(shapes)]) for i, pixels in enumerate(coarse)
    ]


@pytest.mark.parametrize("model", ["test_vit", "test_resnet"])
def test_random_features_equal_timm_in_any_batch_size(model, images):
    torch.manual_seed(3)
    expected = by_hand(timm.create_model(model, num_classes=0), images)
    for size in (1, 7, 64):
        encoder = TimmEncoder(model=model, pretrained=False, initialisation=3, batch_size=size)
        assert_same(encoder.encode(images), expected)


def test_features_are_single_precision_whatever_the_network_computes_in(images):
    encoder = TimmEncoder(model="test_vit", pretrained=False)
    expected = encoder.encode(images[:4])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        embedded = encoder.encode(images[:4])
    assert embedded.dtype == np.float32
    assert 0 < np.abs(embedded - expected).max() < 0.1 * np.abs(expected).max()


def test_initialisation_draws_the_weights_and_leaves_the_generator_alone(images):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    one, again, other = (
        TimmEncoder(model="test_vit", pretrained=False, initialisation=i).encode(images[:2])
        for i in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01
    assert torch.equal(torch.get_rng_state(), before)


def test_local_folder(tmp_path, images):
    network = drawn("test_resnet", num_classes=7)
    timm.models.save_for_hf(network, str(tmp_path / "net"), safe_serialization=True)
    encoder = TimmEncoder(model=f"local-dir:{tmp_path / 'net'}")
    network.reset_classifier(0)
    assert_same(encoder.encode(images[:9]), by_hand(network, images[:9]))


def test_local_folder_whose_weights_are_anothers(tmp_path):
    timm.models.save_for_hf(drawn("test_resnet"), str(tmp_path / "net"), safe_serialization=True)
    weights = {f"net.{k}": v for k, v in drawn("test_resnet").state_dict().items()}
    safetensors.torch.save_file(weights, tmp_path / "net" / "model.safetensors")
    with pytest.raises(RuntimeError, match="Missing key"):
        TimmEncoder(model=f"local-dir:{tmp_path / 'net'}")


def test_missing_local_folder():
    with pytest.raises(FileNotFoundError, match=r"config.json$"):
        TimmEncoder(model="local-dir:nowhere")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("num_classes", [0, 7])
def test_checkpoint(suffix, num_classes, tmp_path, images):
    network = drawn("test_vit", num_classes=num_classes)
    file = tmp_path / f"trained{suffix}"
    if suffix == ".pth":
        torch.save({"epoch": 3, "state_dict": network.state_dict()}, file)
    else:
        safetensors.torch.save_file(network.state_dict(), file)
    network.reset_classifier(0)
    encoder = TimmEncoder(model="test_vit", checkpoint=file)
    assert_same(encoder.encode(images[:9]), by_hand(network, images[:9]))


def test_checkpoint_of_another_network(tmp_path):
    file = tmp_path / "other.safetensors"
    safetensors.torch.save_file(drawn("test_vit").state_dict(), file)
    with pytest.raises(ValueError, match=r"other.safetensors is no checkpoint of 'test_resnet'"):
        TimmEncoder(model="test_resnet", checkpoint=file)


def test_checkpoint_with_more_than_the_network(tmp_path):
    file = tmp_path / "deeper.safetensors"
    weights = drawn("test_vit").state_dict()
    safetensors.torch.save_file(weights | {"blocks.99.norm1.weight": torch.ones(4)}, file)
    with pytest.raises(ValueError, match=r"0 of the network's weights .* 1 in it"):
        TimmEncoder(model="test_vit", checkpoint=file)


def test_checkpoint_with_code_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    file = tmp_path / "evil.pth"
    torch.save({"state_dict": Trap()}, file)
    with pytest.raises(RuntimeError, match="weights_only"):
        TimmEncoder(model="test_vit", checkpoint=file)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("model", ["test_resnet", "test_resnet.r160_in1k"])
def test_pretrained_weights_come_from_the_hub_cache(model, cache_weights, images):
    network = drawn("test_resnet")
    cache_weights("timm/test_resnet.r160_in1k", network)
    encoder = TimmEncoder(model=model)
    network.reset_classifier(0)
    assert_same(encoder.encode(images[:9]), by_hand(network, images[:9]))


def test_hub_repository_at_a_revision(cache_weights, images):
    old, new = drawn("test_vit", 1, num_classes=3), drawn("test_vit", 2, num_classes=3)
    first = cache_weights("someone/birds", old, "a" * 40)
    cache_weights("someone/birds", new, "b" * 40)
    for model, network in {f"someone/birds@{first}": old, "someone/birds": new}.items():
        encoder = TimmEncoder(model=f"hf-hub:{model}")
        network.reset_classifier(0)
        assert_same(encoder.encode(images[:3]), by_hand(network, images[:3]))


@pytest.mark.parametrize("model", ["test_resnet", "hf-hub:someone/birds"])
def test_no_weights_is_one_line_that_says_how_to_supply_them(model):
    with pytest.raises(FileNotFoundError) as caught:
        TimmEncoder(model=model)
    message = str(caught.value)
    assert message.startswith(f"no weights for {model!r}, neither in the hub cache nor from the")
    for way in ("HF_HOME", "local-dir:", "checkpoint", "pretrained = false"):
        assert way in message
    assert "\n" not in message
    assert len(message) < 450


def test_unknown_network():
    with pytest.raises(RuntimeError, match="resnet_of_nobody"):
        TimmEncoder(model="resnet_of_nobody")


def test_threads_are_those_given():
    before = torch.get_num_threads()
    try:
        TimmEncoder(model="test_vit", pretrained=False, threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_an_error():
    with pytest.raises(RuntimeError, match="no CUDA device"):
        TimmEncoder(model="test_vit", pretrained=False, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("model", ["test_vit", "test_resnet"])
def test_cuda_features_equal_those_of_the_cpu(model, images):
    cpu, cuda = (
        TimmEncoder(model=model, pretrained=False, device=device).encode(images)
        for device in ("cpu", "cuda")
    )
    assert_same(cuda, cpu)
