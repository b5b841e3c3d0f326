"""The networks against their formulas, computed by other means."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from mmbench_joint.attention import CrossAttention, SelfAttention
from mmbench_joint.batches import Batches, samples
from mmbench_joint.evidence import Opinion, evidential_loss
from mmbench_joint.layers import GatedUnit, LowRankProduct, Modulated, StackedConvolution
from scipy.ndimage import correlate1d
from scipy.special import expit, gammaln, psi
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from mmbench import Sequences

WIDTHS = (4, 3, 5)


@pytest.fixture(autouse=True)
def drawn():
    """Draw initial weights from a seed; leave torch's generator as it was."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.default_generator.manual_seed(5)
        yield


def vectors(count, n=6):
    return [torch.randn(n, width) for width in WIDTHS[:count]]


def linear(layer, x):
    return x @ layer.weight.numpy().T + layer.bias.numpy()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_low_rank_is_tensor_fusion_by_a_tensor_of_that_rank(count):
    given, rank, width = vectors(count), 3, 7
    body = LowRankProduct(WIDTHS[:count], width, rank)
    tensor: np.ndarray | float = 0.0
    for r in range(rank):  # the full tensor: a sum of outer products, one for each output
        part = np.ones(width)
        for layer in body.factors:
            factor = np.hstack([layer.weight.numpy(), layer.bias.numpy()[:, None]])
            part = np.einsum("o...,oi->o...i", part, factor.reshape(rank, width, -1)[r])
        tensor = tensor + part
    fused = np.ones(len(given[0]))
    for x in given:
        fused = np.einsum("n...,ni->n...i", fused, np.hstack([x.numpy(), np.ones((len(x), 1))]))
    expected = fused.reshape(len(fused), -1) @ np.reshape(tensor, (width, -1)).T
    np.testing.assert_allclose(body(given), expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_gates(count):
    given, width = vectors(count), 7
    body = GatedUnit(WIDTHS[:count], width)
    hidden = [np.tanh(linear(w, x.numpy())) for w, x in zip(body.hidden, given, strict=True)]
    gates = np.split(expit(linear(body.gates, np.hstack(given))), 1 if count == 2 else count, 1)
    gates = [gates[0], 1 - gates[0]] if count == 2 else gates
    expected = sum(z * h for z, h in zip(gates, hidden, strict=True))
    np.testing.assert_allclose(body(given), expected, atol=1e-6)


@pytest.mark.parametrize("condition", [0, 2])
def test_modulation(condition):
    given = vectors(3)
    body = Modulated(WIDTHS, condition, 6, 2, 0.3).eval()
    others = [x.numpy() for m, x in enumerate(given) if m != condition]
    hidden = np.maximum(linear(body.first[0], np.hstack(others)), 0)
    for block, scale in zip(body.maps, body.scales, strict=True):
        inner = linear(block[2], np.maximum(linear(block[0], hidden), 0))
        normed = inner - inner.mean(axis=1, keepdims=True)
        normed /= np.sqrt((normed**2).mean(axis=1, keepdims=True) + 1e-5)
        gamma, beta = np.hsplit(linear(scale, given[condition].numpy()), 2)
        hidden = hidden + np.maximum((1 + gamma) * normed + beta, 0)
    np.testing.assert_allclose(body(given), hidden, atol=1e-5)


def test_convolution():
    given = vectors(3)
    body = StackedConvolution(WIDTHS, 5, channels=2, kernel=3, layers=1, dropout=0.3).eval()
    rows = [linear(w, x.numpy()) for w, x in zip(body.projections, given, strict=True)]
    kernel, bias = (p.numpy() for p in body.convolutions[0].parameters())
    channels = []
    for c in range(2):
        seen = bias[c] + sum(
            correlate1d(row, kernel[c, m], mode="constant") for m, row in enumerate(rows)
        )
        seen = np.maximum(seen, 0)
        channels += [seen[:, :2].max(axis=1), seen[:, 2:4].max(axis=1), seen[:, 4]]
    assert body.columns == 6
    np.testing.assert_allclose(body(given), np.stack(channels, axis=1), atol=1e-6)


# --- attention ----------------------------------------------------------------------------------


def attended(block, tokens, others):
    """Return a block's output for one sample, (t, width), of tokens that are all there."""
    if not len(tokens):
        return tokens
    attention, width = block.attention, tokens.shape[1]
    normed = [layer_norm(x, (width,), *block.norms[0].parameters()) for x in (tokens, others)]
    weights = zip(attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True)
    parts = [
        normed[i > 0] @ weight.T + bias for i, (weight, bias) in enumerate(weights)
    ]  # queries, keys, values
    if attention.bias_k is not None:
        parts[1:] = [
            torch.cat([part, extra[0]])
            for part, extra in zip(parts[1:], (attention.bias_k, attention.bias_v), strict=True)
        ]
    shape = attention.num_heads, width // attention.num_heads
    heads = [part.reshape(len(part), *shape).transpose(0, 1) for part in parts]
    mixed = scaled_dot_product_attention(*heads).transpose(0, 1).flatten(1)
    tokens = tokens + attention.out_proj(mixed)
    feedforward, norm = block.feedforward, block.norms[1]
    return tokens + feedforward[3](
        gelu(feedforward[0](layer_norm(tokens, (width,), *norm.parameters())))
    )


def ragged(lengths):
    rng = np.random.default_rng(1)
    return [
        Sequences.of([rng.normal(size=(t, width)) for t in some])
        for some, width in zip(lengths, WIDTHS, strict=False)
    ]


LENGTHS = [(3, 1, 0, 2), (1, 1, 4, 0), (0, 2, 1, 0)]  # the last sample has nothing
SIZES = {"width": 8, "heads": 2, "layers": 2, "dropout": 0.3}


def test_self_attention_is_that_of_each_sample_alone():
    features = ragged(LENGTHS)
    network = SelfAttention(WIDTHS, 3, **SIZES).eval()
    made = network(Batches()(samples(features), False))
    for i, parts in enumerate(zip(*features, strict=True)):
        projected = [w(torch.as_tensor(x)) for w, x in zip(network.projections, parts, strict=True)]
        tokens = torch.cat([network.first[None], *projected])
        for block in network.blocks:
            tokens = attended(block, tokens, tokens)
        np.testing.assert_allclose(made[i], network.head(network.norm(tokens[0])), atol=1e-5)


def test_cross_attention_is_that_of_each_sample_alone():
    features = ragged(LENGTHS)
    network = CrossAttention(WIDTHS, 3, **SIZES).eval()
    made = network(Batches()(samples(features), False))
    for i, parts in enumerate(zip(*features, strict=True)):
        tokens = [w(torch.as_tensor(x)) for w, x in zip(network.projections, parts, strict=True)]
        means = []
        for to in range(3):
            seen = []
            for of in [m for m in range(3) if m != to]:
                states = tokens[to]
                for block in network.crossing[f"{to}-{of}"]:
                    states = attended(block, states, tokens[of])
                seen.append(states)
            joined = network.joining[to](torch.cat(seen, dim=1))
            states = network.norms[to](attended(network.own[to], joined, joined))
            means.append(states.mean(dim=0) if len(states) else torch.zeros(8))
        expected = network.head(network.hidden(torch.cat(means)))
        np.testing.assert_allclose(made[i], expected, atol=1e-5)


# --- evidence -----------------------------------------------------------------------------------


def masses(evidence):
    """Return the masses of a Dirichlet opinion: of each class, and of all of them together."""
    strength = Fraction(sum(evidence) + len(evidence))
    found = {frozenset([c]): Fraction(e) / strength for c, e in enumerate(evidence)}
    return {**found, frozenset(range(len(evidence))): len(evidence) / strength}


def dempster(one, other):
    """Return masses combined by Dempster's rule, over all pairs of sets."""
    combined: dict[frozenset[int], Fraction] = {}
    for (a, m), (b, n) in product(one.items(), other.items()):
        combined[a & b] = combined.get(a & b, Fraction(0)) + m * n
    conflict = combined.pop(frozenset(), Fraction(0))
    return {s: m / (1 - conflict) for s, m in combined.items()}


@pytest.mark.parametrize(
    "evidence",
    [
        [(40, 1, 1), (5, 0, 0)],  # agreeing
        [(40, 0, 0), (0, 30, 2), (1, 1, 1)],  # at odds
        [(7, 2), (0, 0)],  # the other knows nothing
    ],
)
def test_opinions_are_combined_by_dempsters_rule(evidence):
    opinions = [Opinion.of(torch.tensor([e], dtype=torch.float64) + 1) for e in evidence]
    combined, expected = opinions[0], masses(evidence[0])
    for opinion, e in zip(opinions[1:], evidence[1:], strict=True):
        combined, expected = combined.with_(opinion), dempster(expected, masses(e))
    k = len(evidence[0])
    belief = [float(expected[frozenset([c])]) for c in range(k)]
    open_ = float(expected[frozenset(range(k))])
    np.testing.assert_allclose(combined.belief[0], belief, rtol=1e-12)
    np.testing.assert_allclose(combined.uncertainty[0], [open_], rtol=1e-12)
    np.testing.assert_allclose(combined.alpha()[0], [b * k / open_ + 1 for b in belief], rtol=1e-12)


def test_opinions_worked_out_by_hand():
    """S = 10 and 5: b = (.7, .1), u = .2; b = (.2, .4), u = .4; C = .7 * .4 + .1 * .2 = .3."""
    first, second = Opinion.of(torch.tensor([[8.0, 2.0]])), Opinion.of(torch.tensor([[2.0, 3.0]]))
    combined = first.with_(second)
    np.testing.assert_allclose(combined.belief[0], np.array([0.46, 0.16]) / 0.7, rtol=1e-6)
    np.testing.assert_allclose(combined.uncertainty[0], [0.08 / 0.7], rtol=1e-6)
    np.testing.assert_allclose(combined.alpha()[0], [12.5, 5.0], rtol=1e-6)  # S = 17.5


def test_evidential_loss():
    rng = np.random.default_rng(0)
    alpha, labels = 1 + rng.exponential(5, (6, 3)), np.array([0, 1, 2, 2, 1, 0])
    target = 0.9 * np.eye(3)[labels] + 0.1 / 3
    expected = (target * (psi(alpha.sum(axis=1))[:, None] - psi(alpha))).sum(axis=1)
    wrong = np.where(np.eye(3)[labels] == 1, 1, alpha)
    total = wrong.sum(axis=1)
    divergence = gammaln(total) - gammaln(3) - gammaln(wrong).sum(axis=1)
    divergence += ((wrong - 1) * (psi(wrong) - psi(total)[:, None])).sum(axis=1)
    for weight in (0.0, 0.3):
        made = evidential_loss(torch.tensor(alpha), torch.tensor(labels), 0.1, weight)
        np.testing.assert_allclose(made, expected + weight * divergence, rtol=1e-10)
