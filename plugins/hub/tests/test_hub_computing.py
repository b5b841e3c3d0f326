"""Batches in length order, and oneDNN's linear layers against PyTorch's."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmbench_hub.batches import in_length_order
from mmbench_hub.computing import OneDNN, computing


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=40),
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(1, 120)),
)
def test_batches_hold_all_items_by_length_within_their_bounds(lengths, most, tokens):
    batches = list(in_length_order(lengths, most, tokens))
    order = [item for batch in batches for item in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[i] for i in order] == sorted(lengths)
    for batch, after in zip_longest(batches, batches[1:]):
        longest = max(lengths[i] for i in batch)
        assert len(batch) <= most
        assert tokens is None or len(batch) == 1 or len(batch) * longest <= tokens
        if after is not None:  # the next item did not fit
            wider = (len(batch) + 1) * lengths[after[0]]
            assert len(batch) == most or (tokens is not None and wider > tokens)


@pytest.fixture
def called(monkeypatch):
    """Count what oneDNN computes, and what it lays out."""
    if not isinstance(computing("cpu"), OneDNN):
        pytest.skip("this PyTorch has no oneDNN")
    counts = {"_linear_pointwise": 0, "_reorder_linear_weight": 0}
    for name in counts:
        real = getattr(torch.ops.mkldnn, name)

        def counted(*args, real=real, name=name):
            counts[name] += 1
            return real(*args)

        monkeypatch.setattr(torch.ops.mkldnn, name, counted)
    return counts


def test_linear_layers_are_those_of_pytorch(called):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(7, 5), torch.nn.GELU(), torch.nn.Linear(5, 3, bias=False)
    )
    shapes = [torch.randn(4, 7), torch.randn(2, 3, 7), torch.randn(7), torch.randn(0, 7)]
    given = [*shapes, torch.randn(7, 4).T]
    mode = computing("cpu")
    with torch.inference_mode():
        expected = [network(each) for each in given]
        with mode:
            made = [network(each) for each in given]
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert called == {"_linear_pointwise": 6, "_reorder_linear_weight": 2}


def by_hand(layer, given):
    return given.numpy() @ layer.weight.numpy(force=True).T + layer.bias.numpy(force=True)


def test_changed_weights_are_seen_and_gradients_flow(called):
    torch.manual_seed(0)
    layer, given = torch.nn.Linear(6, 4), torch.randn(3, 6)
    with computing("cpu"):
        with torch.inference_mode():
            layer(given)
        with torch.no_grad():
            layer.weight.mul_(2)
            np.testing.assert_allclose(layer(given), by_hand(layer, given), rtol=1e-5)
            layer.weight.data = layer.weight.data + 1
            np.testing.assert_allclose(layer(given), by_hand(layer, given), rtol=1e-5)
            with torch.inference_mode():
                torch.nn.Linear(6, 4)(given)
        counts = dict(called)
        layer(given).sum().backward()
        layer.to(torch.bfloat16)(given.to(torch.bfloat16))
    assert layer.weight.grad is not None
    assert called == counts == {"_linear_pointwise": 3, "_reorder_linear_weight": 3}


def test_only_the_cpu_is_helped():
    assert not isinstance(computing("cuda"), OneDNN)
