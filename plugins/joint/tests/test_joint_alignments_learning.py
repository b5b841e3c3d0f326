"""Alignments learnt without labels: their losses by hand, and what they find that was planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmbench_joint.adversarial import Adversarial
from mmbench_joint.alignment_networks import Confusion, Contrast, Masking, info_nce
from mmbench_joint.contrastive import Contrastive
from mmbench_joint.masked import Masked
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LinearRegression, LogisticRegression

ALIGNMENTS = [Contrastive, Adversarial, Masked]
COLUMNS = (20, 12, 15)
SHAPE = {"columns": [4, 3, 5], "width": 2, "hidden": 0, "dropout": 0.0}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def views(modalities, n=400, n_new=200, noise=0.1):
    """Return standardised views of one latent variable of six dimensions, and those of others."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(n + n_new, 6))
    train, new = {}, {}
    for i, columns in enumerate(COLUMNS[:modalities]):
        view = latent @ rng.normal(size=(6, columns)) / np.sqrt(6)
        view += noise * rng.normal(size=view.shape)
        view = (view - view[:n].mean(axis=0)) / view[:n].std(axis=0)
        train[f"m{i}"], new[f"m{i}"] = view[:n], view[n:]
    return train, new


def batch(n=7):
    torch.manual_seed(0)
    return torch.randn(n, 12, dtype=torch.float64)


def numpy(tensors):
    return [tensor.detach().numpy() for tensor in tensors]


# --- losses by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize("modalities", [2, 3])
def test_info_nce_by_hand(modalities):
    rng = np.random.default_rng(0)
    codes = [rng.normal(size=(9, 4)) for _ in range(modalities)]
    codes = [code / np.linalg.norm(code, axis=1, keepdims=True) for code in codes]
    expected = []
    for i in range(modalities):
        for j in range(modalities):
            if i != j:
                told = log_softmax(codes[i] @ codes[j].T / 0.2, axis=1)
                expected.append(-np.diag(told).mean())
    found = info_nce([torch.from_numpy(code) for code in codes], 1 / 0.2)
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-12)


def test_the_loss_of_contrast_is_that_of_its_codes_at_a_temperature_within_bounds():
    network = Contrast(0.5, True, **SHAPE).double()
    codes = network.embed(batch())
    for code in numpy(codes):
        np.testing.assert_allclose(np.linalg.norm(code, axis=1), 1)
    torch.testing.assert_close(network(batch()), info_nce(codes, 2.0))
    with torch.no_grad():
        network.log_scale.fill_(9.0)
    torch.testing.assert_close(network(batch()), info_nce(codes, 100.0))


def test_the_reversed_gradient_is_minus_the_weight_times_the_gradient():
    """Of a linear discriminator by hand; what it learns itself is not reversed."""
    network = Confusion(0.7, 0, 0.0, **SHAPE).double()
    inputs = batch()
    codes, parts = network.embed(inputs), inputs.split([4, 3, 5], dim=1)
    (layer,) = (m for m in network.discriminator if isinstance(m, torch.nn.Linear))
    z, (W, b) = np.vstack(numpy(codes)), numpy([layer.weight, layer.bias])
    modality = np.repeat(np.arange(3), 7)
    errors = (softmax(z @ W.T + b, axis=1) - np.eye(3)[modality]) / len(z)
    rebuilt = sum(
        ((decode(code) - part) ** 2).mean()
        for decode, code, part in zip(network.decoders, codes, parts, strict=True)
    )
    (rebuilt / 3).backward(retain_graph=True)
    torch.cat(codes).backward(torch.from_numpy(-0.7 * errors @ W))
    expected = [p.grad.clone() for p in network.projections.parameters()]
    network.zero_grad()
    network(inputs).backward()
    for parameter, gradient in zip(network.projections.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    np.testing.assert_allclose(layer.weight.grad.numpy(), errors.T @ z, atol=1e-12)
    assert np.abs(errors.T @ z).max() > 1e-3


def test_the_penalty_is_the_mean_squared_gradient_and_leaves_the_projections_alone():
    losses, gradients = [], []
    for penalty in (0.0, 3.0):
        torch.manual_seed(1)
        network = Confusion(0.7, 0, penalty, **SHAPE).double()
        loss = network(batch())
        loss.backward()
        losses.append(loss.item())
        gradients.append([p.grad for p in network.projections.parameters()])
    (layer,) = (m for m in network.discriminator if isinstance(m, torch.nn.Linear))
    z, (W, b) = np.vstack(numpy(network.embed(batch()))), numpy([layer.weight, layer.bias])
    slopes = W[np.repeat(np.arange(3), 7)] - softmax(z @ W.T + b, axis=1) @ W
    assert losses[1] - losses[0] == pytest.approx(3 * (slopes**2).sum(axis=1).mean())
    torch.testing.assert_close(*gradients)


def test_in_evaluation_the_adversarial_loss_falls_as_the_discriminator_is_deceived():
    inputs = batch()
    network = Confusion(0.7, 0, 1.0, **SHAPE).double().eval()
    (layer,) = (m for m in network.discriminator if isinstance(m, torch.nn.Linear))
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))  # worse than a guess
        rebuilt = network(inputs).item()
        codes, parts = network.embed(inputs), inputs.split([4, 3, 5], dim=1)
        pairs = zip(network.decoders, codes, parts, strict=True)
        assert rebuilt == pytest.approx(
            np.mean([((d(c) - p) ** 2).mean().item() for d, c, p in pairs])
        )
        layer.weight.copy_(torch.randn(3, 2))
        layer.bias.zero_()
        z, modality = np.vstack(numpy(codes)), np.repeat(np.arange(3), 7)
        classifier = LogisticRegression(C=1e6).fit(z, modality)
        layer.weight.copy_(torch.from_numpy(classifier.coef_))
        layer.bias.copy_(torch.from_numpy(classifier.intercept_))
        told = -classifier.predict_log_proba(z)[np.arange(len(z)), modality].mean()
        assert told < np.log(3) - 0.01
        assert network(inputs).item() == pytest.approx(rebuilt + 0.7 * (np.log(3) - told))


def test_the_loss_of_masking_by_hand():
    """Every modality hidden in turn, and all rebuilt from the mean code of the others."""
    network = Masking(0.25, 0.6, **SHAPE).double().eval()
    inputs = batch()
    codes, parts = np.stack(numpy(network.embed(inputs))), numpy(inputs.split([4, 3, 5], dim=1))
    layers = [numpy(decoder[-1].parameters()) for decoder in network.decoders]
    expected = []
    for hidden in range(3):
        shared = np.delete(codes, hidden, axis=0).mean(axis=0)
        rebuilt = [shared @ W.T + b for W, b in layers]
        errors = [((r - part) ** 2).mean() for r, part in zip(rebuilt, parts, strict=True)]
        weights = np.where(np.arange(3) == hidden, 1.0, 0.25)
        expected.append(np.average(errors, weights=weights))
        np.testing.assert_allclose(network.rebuild(inputs)[hidden].detach(), rebuilt[hidden])
    assert network(inputs).item() == pytest.approx(np.mean(expected))


def test_modality_dropout_hides_further_modalities_but_never_all():
    network = Masking(1.0, 0.5, **SHAPE).double()  # in training
    inputs, read = batch(2000), []
    codes = numpy(network.embed(inputs))
    network.decoders[0].register_forward_hook(lambda _, given, made: read.append(given[0]))
    network(inputs)
    for hidden, shared in enumerate(numpy(read)):
        one, other = np.delete(codes, hidden, axis=0)
        counts = [
            np.isclose(shared, seen).all(axis=1).sum() for seen in (one, other, (one + other) / 2)
        ]
        assert sum(counts) == 2000
        np.testing.assert_allclose(np.array(counts) / 2000, [0.375, 0.375, 0.25], atol=0.04)


# --- what was planted --------------------------------------------------------------------------


@pytest.mark.parametrize(("modalities", "options"), [(2, {}), (3, {"hidden": 32})])
def test_contrastive_finds_the_partner_of_a_new_sample(modalities, options):
    train, new = views(modalities)
    fitted = Contrastive(width=16, epochs=60, learning_rate=5e-3, **options).fit(train)
    codes = list(fitted.transform(new).values())
    for one in codes:
        assert one.shape == (200, 16)
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1)
        for other in codes:
            assert ((one @ other.T).argmax(axis=1) == np.arange(200)).mean() >= 0.9


def test_contrastive_finds_no_partner_where_none_was_shown():
    train, new = views(2)
    train["m1"] = np.random.default_rng(1).permutation(train["m1"])
    one, other = Contrastive(width=16, epochs=20).fit(train).transform(new).values()
    assert ((one @ other.T).argmax(axis=1) == np.arange(200)).mean() < 0.1


def test_a_temperature_that_is_not_learnt_stays():
    train, _ = views(2, n=40)
    scales = []
    for learnt in (False, True):
        fitted = Contrastive(epochs=3, temperature=0.2, learn_temperature=learnt).fit(train)
        scales.append(fitted.network_.log_scale)
    assert scales[0].exp().item() == pytest.approx(5)
    assert abs(scales[1].exp().item() - 5) > 1e-3


def test_adversarial_codes_do_not_tell_their_modality_but_keep_their_content():
    train, new = views(2)
    modality = {n: np.repeat([0, 1], n) for n in (400, 200)}
    told = {}
    for weight in (0.0, 0.1):
        options = {"width": 8, "hidden": 32, "epochs": 80, "learning_rate": 0.01}
        fitted = Adversarial(**options, weight=weight).fit(train)
        before, after = fitted.transform(train), fitted.transform(new)
        classifier = LogisticRegression().fit(np.vstack(list(before.values())), modality[400])
        told[weight] = classifier.score(np.vstack(list(after.values())), modality[200])
        for name in train:
            content = LinearRegression().fit(before[name], train[name])
            assert content.score(after[name], new[name]) > 0.9  # 0 for the mean
    assert told[0.0] > 0.7
    assert told[0.1] < 0.6


@pytest.mark.parametrize(("modalities", "options"), [(2, {}), (3, {"modality_dropout": 0.3})])
def test_masked_rebuilds_what_is_hidden(modalities, options):
    train, new = views(modalities)
    fitted = Masked(width=8, epochs=60, learning_rate=1e-2, **options).fit(train)
    rebuilt = fitted.rebuild(new)
    for name, part in new.items():
        error, of_the_mean = ((rebuilt[name] - part) ** 2).mean(), (part**2).mean()
        assert error < 0.1 * of_the_mean
    one, other = list(fitted.transform(new).values())[:2]
    for j in range(8):  # one space
        assert np.corrcoef(one[:, j], other[:, j])[0, 1] > 0.8


# --- what holds for all ------------------------------------------------------------------------


@pytest.mark.parametrize("build", ALIGNMENTS)
def test_the_same_seed_gives_the_same_and_what_is_loaded_too(build, tmp_path):
    train, new = views(3, n=50, n_new=12)
    options = {"width": 5, "hidden": 6, "dropout": 0.2, "epochs": 3}
    fitted = build(**options).fit(train, None)
    expected = fitted.transform(new)
    again = build(**options).fit(train).transform(new)
    unlike = build(**options, seed=1).fit(train).transform(new)
    fitted.save(tmp_path)
    loaded = build(**options).load(tmp_path).transform(dict(reversed(new.items())))
    alone = fitted.transform({name: part[3:4] for name, part in new.items()})
    assert list(expected) == list(new)
    assert list(loaded) == list(new)[::-1]
    for name, codes in expected.items():
        assert codes.shape == (12, 5)
        assert codes.dtype == np.float64
        np.testing.assert_array_equal(again[name], codes)
        np.testing.assert_array_equal(loaded[name], codes)
        np.testing.assert_allclose(alone[name], codes[3:4], atol=1e-12)
        assert np.abs(unlike[name] - codes).max() > 1e-3
    assert len(fitted.history_) == 3


@pytest.mark.parametrize("build", ALIGNMENTS)
def test_too_few_samples_to_hold_some_out_are_all_trained_on(build):
    """The loss of a single held-out sample would say nothing: InfoNCE is then 0."""
    train, _ = views(2, n=19)
    history = build(width=2, epochs=4, patience=1).fit(train).history_
    assert len(history) == 4
    assert "validation_loss" not in history[0]
    train, _ = views(2, n=20)
    assert "validation_loss" in build(width=2, epochs=1, patience=1).fit(train).history_[0]


@pytest.mark.parametrize("build", ALIGNMENTS)
def test_one_modality_is_one_clear_line(build):
    train, _ = views(1, n=20)
    with pytest.raises(ValueError, match="two or more") as caught:
        build().fit(train)
    assert str(caught.value) == f"{build.name} needs two or more modalities, and there is one"
