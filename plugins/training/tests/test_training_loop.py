"""The loop, step by step, against torch and arithmetic by hand."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, fields

import numpy as np
import pytest
import torch
from mmbench_training import Training, fit, held_out, reconstruction
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn.functional import cross_entropy

N, D, K = 24, 3, 3
RNG = np.random.default_rng(0)
LABELS = np.arange(N) % K
INPUTS = (RNG.normal(size=(N, D)) + 2 * np.eye(K)[LABELS]).astype(np.float32)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def stack(inputs, training):
    return torch.from_numpy(np.stack(inputs))


def linear():
    return nn.Linear(D, K)


def zeros():
    network = linear()
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return network


def train(build=linear, labels=LABELS, inputs=INPUTS, validation=None, **options):
    options = {"epochs": 3, "batch_size": 8, "patience": 0, **options}
    options = Training(**options)
    return fit(build, inputs, labels, options=options, collate=stack, validation=validation)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()]).numpy()


def gradient(labels=LABELS):
    """Return the gradient of the mean cross-entropy of a network of zeros, by hand."""
    errors = np.full((N, K), 1 / K) - np.eye(K)[labels]
    return np.concatenate([(errors.T @ INPUTS).ravel(), errors.sum(axis=0)]) / N


def test_a_step_of_gradient_descent_is_the_one_by_hand():
    network, (row,) = train(zeros, epochs=1, batch_size=N, optimiser="sgd", learning_rate=0.5)
    np.testing.assert_allclose(weights(network), -0.5 * gradient(), rtol=1e-5, atol=1e-7)
    assert row["loss"] == pytest.approx(math.log(K))
    assert row["accuracy"] == pytest.approx(1 / K)
    assert not network.training


def test_clipping_bounds_the_norm_of_a_step():
    options = {"epochs": 1, "batch_size": N, "optimiser": "sgd", "learning_rate": 0.5}
    assert np.linalg.norm(gradient()) > 0.1
    network, _ = train(zeros, clip=0.1, **options)
    expected = -0.5 * 0.1 * gradient() / np.linalg.norm(gradient())
    np.testing.assert_allclose(weights(network), expected, rtol=1e-4, atol=1e-7)
    free, _ = train(zeros, clip=100.0, **options)
    np.testing.assert_allclose(weights(free), -0.5 * gradient(), rtol=1e-5, atol=1e-7)


def test_balanced_class_weights_are_those_of_scikit_learn():
    labels = np.repeat([0, 1, 2], [16, 6, 2])
    given = []

    def watched(outputs, inputs, labels, weights):
        given.append(weights)
        return cross_entropy(outputs, labels, weight=weights)

    for kind in ("balanced", "none"):
        options = Training(epochs=1, patience=0, class_weights=kind)
        fit(linear, INPUTS, labels, options=options, collate=stack, loss=watched)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(given[0].numpy(), expected, rtol=1e-6)
    assert given[-1] is None


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
def test_the_steps_are_those_of_torch(optimiser):
    options = {"learning_rate": 0.05, "weight_decay": 0.1, "schedule": "cosine"}
    network, _ = train(zeros, epochs=4, batch_size=N, optimiser=optimiser, **options)
    made = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    extra = {"momentum": 0.9} if optimiser == "sgd" else {}
    twin = zeros()
    stepping = made[optimiser](twin.parameters(), lr=0.05, weight_decay=0.1, **extra)
    for step in range(4):
        stepping.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * step / 4)) / 2
        stepping.zero_grad()
        cross_entropy(twin(torch.from_numpy(INPUTS)), torch.from_numpy(LABELS)).backward()
        stepping.step()
    np.testing.assert_allclose(weights(network), weights(twin), rtol=1e-4, atol=1e-6)


def test_schedules_follow_their_formulas():
    def rates(schedule):
        _, history = train(epochs=10, schedule=schedule, learning_rate=0.1)
        return np.array([row["learning_rate"] for row in history])

    step = np.arange(10) * 3  # three batches an epoch
    np.testing.assert_allclose(rates("constant"), 0.1)
    np.testing.assert_allclose(rates("cosine"), 0.1 * (1 + np.cos(np.pi * step / 30)) / 2)
    peak = 0.3 * 30 - 1  # up over three tenths of the steps from a 25th, down to a 250,000th
    low, end = 0.1 / 25, 0.1 / 25 / 1e4
    up = low + (0.1 - low) * (1 - np.cos(np.pi * step / peak)) / 2
    down = end + (0.1 - end) * (1 + np.cos(np.pi * (step - peak) / (29 - peak))) / 2
    np.testing.assert_allclose(rates("one-cycle"), np.where(step <= peak, up, down), rtol=1e-6)


def test_early_stopping_restores_the_best_epoch():
    """Validation labels that contradict: the longer it trains, the worse it gets there."""
    turned = (INPUTS, (LABELS + 1) % K)
    options = {"optimiser": "sgd", "learning_rate": 0.1, "momentum": 0.0}
    network, history = train(zeros, validation=turned, epochs=20, patience=3, **options)
    assert len(history) == 4
    assert [row["best"] for row in history] == [1, 0, 0, 0]
    assert np.all(np.diff([row["validation_loss"] for row in history]) > 0)
    first, _ = train(zeros, validation=turned, epochs=1, patience=0, **options)
    np.testing.assert_array_equal(weights(network), weights(first))
    logits = network(torch.from_numpy(INPUTS))
    expected = cross_entropy(logits, torch.from_numpy(turned[1])).item()
    assert history[0]["validation_loss"] == pytest.approx(expected)
    _, every = train(zeros, validation=turned, epochs=6, patience=0, **options)
    assert [row["best"] for row in every] == [0, 0, 0, 0, 0, 1]


def test_without_a_validation_part_a_share_is_not_trained_on():
    seen = {True: set(), False: set()}

    def watched(inputs, training):
        seen[training] |= {float(row[0]) for row in inputs}
        return torch.from_numpy(np.stack(inputs))

    options = Training(epochs=2, patience=1, validation_share=0.25, seed=5)
    _, history = fit(linear, INPUTS, LABELS, options=options, collate=watched)
    rows = held_out(N, LABELS, 0.25, 5)
    assert seen[False] == {float(v) for v in INPUTS[rows, 0]}
    assert seen[True] == {float(v) for v in INPUTS[:, 0]} - seen[False]
    assert np.bincount(LABELS[rows]).tolist() == [2, 2, 2]
    assert {"validation_loss", "validation_accuracy"} <= history[0].keys()


def test_every_class_gives_its_share_and_a_single_sample_none():
    labels = np.repeat([0, 1, 2, 3, 4], [100, 40, 15, 2, 1])
    for seed in range(20):
        rows = held_out(len(labels), labels, 0.2, seed)
        counts = np.bincount(labels[rows], minlength=5)
        expected = 0.2 * np.array([100, 40, 15, 2, 0])
        assert np.all(np.abs(counts - expected) < 1)
        assert counts[3] < 2
    assert len(held_out(50, None, 0.1, 0)) == 5
    assert not len(held_out(50, None, 0.0, 0))


def test_same_seed_same_weights_and_torchs_generator_is_left_alone():
    def dropping():
        return nn.Sequential(nn.Linear(D, 16), nn.Dropout(0.5), nn.Linear(16, K))

    torch.manual_seed(9)
    before = torch.get_rng_state()
    one, history = train(dropping, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(5)
    again, second = train(dropping, seed=1)
    other, _ = train(dropping, seed=2)
    np.testing.assert_array_equal(weights(one), weights(again))
    assert not np.allclose(weights(one), weights(other))
    assert [row["loss"] for row in history] == [row["loss"] for row in second]


def test_inputs_may_be_given_back_without_labels():
    def build():
        return nn.Linear(D, D)

    options = Training(epochs=60, batch_size=8, patience=0, learning_rate=0.05)
    network, history = fit(build, INPUTS, None, options=options, collate=stack, loss=reconstruction)
    assert history[-1]["loss"] < 0.05 * history[0]["loss"]
    assert "accuracy" not in history[0]
    assert torch.allclose(network(torch.from_numpy(INPUTS)), torch.from_numpy(INPUTS), atol=0.5)


def test_a_last_batch_of_one_joins_the_one_before():
    sizes = []

    def watched(inputs, training):
        sizes.append(len(inputs))
        return torch.from_numpy(np.stack(inputs))

    normed = nn.Sequential(nn.Linear(D, K), nn.BatchNorm1d(K))
    options = Training(epochs=1, batch_size=8, patience=0)
    fit(lambda: normed, INPUTS[:17], LABELS[:17], options=options, collate=watched)
    assert sizes == [8, 9]


def test_errors_are_one_line():
    with pytest.raises(ValueError, match=r"^1 training samples; two are the least to train on$"):
        train(inputs=INPUTS[:1], labels=LABELS[:1])
    with pytest.raises(RuntimeError, match=r"^the loss of epoch 1 is nan; a lower learning_rate"):
        train(inputs=np.full_like(INPUTS, np.nan))
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="no CUDA device"):
            train(device="cuda")


def test_a_docstring_describes_inherited_options_once():
    @dataclass(kw_only=True, eq=False)
    class Net(Training):
        """A network.

        Parameters
        ----------
        width : int, default 8
            How wide it is.
        epochs : int, default 2
            Few.

        References
        ----------
        Nobody, "Nothing", 1900.
        """

        width: int = 8
        epochs: int = 2

    text = inspect.getdoc(Net)
    for field in fields(Net):
        assert text.count(f"\n{field.name} : ") == 1
    assert text.index("    Few.") < text.index("batch_size : ") < text.index("\n\nReferences\n---")
    assert "How often the training part" not in text
    assert text.endswith("1900.")
    assert "stochastic gradient" in text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("mixed", [True, False])
def test_it_learns_on_a_gpu(mixed):
    options = {"epochs": 60, "learning_rate": 0.05, "mixed_precision": mixed, "clip": 1.0}
    network, history = train(device="cuda", class_weights="balanced", **options)
    assert next(network.parameters()).is_cuda
    assert history[-1]["accuracy"] > 0.9
