from functools import partial

import pytest
import torch

from mmbench.timing.flops import (
    flops_per_sample,
    modules_in,
    parameters,
    peak_flops,
    utilisation,
)


class Encoder:
    def __init__(self, network):
        self.options = {"width": 3}
        self._parts = {"network": [network]}

    def encode(self, items):
        with torch.inference_mode():
            return self._parts["network"][0](items)


def linear(inputs=5, outputs=7):
    return torch.nn.Linear(inputs, outputs)


def test_parameters_of_modules_wherever_an_object_holds_them():
    network = torch.nn.Sequential(linear(5, 7), torch.nn.ReLU(), linear(7, 2))
    expected = 5 * 7 + 7 + 7 * 2 + 2
    encoder = Encoder(network)

    def enclosing(items):
        return encoder.encode(items)

    for thing in (network, encoder, encoder.encode, enclosing, partial(enclosing), [encoder] * 2):
        assert modules_in(thing) == [network]
        assert parameters(thing) == expected


def test_shared_parameters_count_once():
    first, second = linear(), linear()
    second.weight = first.weight
    assert parameters([first, second]) == 5 * 7 + 7 + 7


def test_what_is_not_torch_has_no_parameters():
    holder = Encoder(None)
    holder.itself = holder
    assert parameters(holder) is None
    assert parameters(len) is None
    assert parameters(None) is None


@pytest.mark.parametrize("batch", [1, 4])
def test_flops_of_a_linear_layer(batch):
    encoder = Encoder(linear())
    items = torch.randn(batch, 5)
    assert flops_per_sample(lambda: encoder.encode(items), batch) == 2 * 5 * 7


def test_flops_of_a_convolution_and_of_attention():
    convolution = torch.nn.Conv2d(3, 8, kernel_size=5)
    image = torch.randn(2, 3, 12, 12)
    expected = 2 * (3 * 5 * 5) * 8 * (8 * 8)
    assert flops_per_sample(lambda: convolution(image), 2) == expected
    q, k, v = torch.randn(3, 2, 4, 10, 16)
    attend = torch.nn.functional.scaled_dot_product_attention
    assert flops_per_sample(lambda: attend(q, k, v), 2) == 4 * (2 * 2 * 10 * 10 * 16)


def test_without_torch_work_there_is_nothing_to_count():
    called = []
    assert flops_per_sample(lambda: called.append(sum(range(100))), 1) is None
    assert called


@pytest.mark.parametrize(
    ("name", "precision", "tera"),
    [
        ("NVIDIA H200", "bf16", 989.5),
        ("NVIDIA H100 80GB HBM3", "tf32", 494.5),
        ("NVIDIA A100-SXM4-80GB", "fp16", 312),
        ("A100-PCIE-40GB", "fp32", 19.5),
        ("NVIDIA A100 80GB PCIe", "bf16", 312),
        ("NVIDIA L4", "bf16", 121),
        ("NVIDIA L40S", "fp32", 91.6),
        ("Tesla T4", "fp16", 65),
        ("Tesla V100-SXM2-16GB", "fp32", 15.7),
        ("NVIDIA GeForce RTX 4090", "fp16", 165.2),
    ],
)
def test_peaks_of_well_known_gpus(name, precision, tera):
    assert peak_flops(name, precision) == pytest.approx(1e12 * tera)


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("AMD EPYC", "fp32"),
        ("Tesla T4", "bf16"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "fp16"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "fp16"),
        ("NVIDIA H200 NVL", "bf16"),
    ],
)
def test_a_peak_that_is_not_known_is_none(name, precision):
    assert peak_flops(name, precision) is None


def test_utilisation_is_the_share_of_the_peak():
    # ResNet-50 at 2,500 images a second on a GPU of 312 TFLOP/s
    assert utilisation(8.2e9, 2500, 312e12) == pytest.approx(8.2e9 * 2500 / 312e12)
