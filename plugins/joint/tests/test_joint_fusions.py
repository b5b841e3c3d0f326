"""Joint fusions: what they learn, how they are trained, and what samples may lack."""

from __future__ import annotations

import pkgutil

import mmbench_joint
import numpy as np
import pytest
import torch
from mmbench_joint.batches import Batches, samples
from scipy.special import log_softmax, psi
from sklearn.utils.class_weight import compute_class_weight

from mmbench import Sequences

TARGETS = {name: target for name, target, *_ in mmbench_joint.FUSIONS}
FLAGS = {name: flags for name, _, flags, _ in mmbench_joint.FUSIONS}
QUICK = {"epochs": 12, "learning_rate": 0.01, "width": 32, "batch_size": 50}
SMALL = {"epochs": 2, "width": 8, "batch_size": 8, "learning_rate": 0.01}


def fusion(name, **options):
    return pkgutil.resolve_name(f"mmbench_joint.{TARGETS[name]}")(**options)


def accuracy(fitted, features, labels):
    return (fitted.predict_proba(features).argmax(axis=1) == labels).mean()


def planted(n, seed):
    """Return an XOR: each modality shows one bit, and the label says whether the two differ."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (2, n))
    features = {}
    for modality, bit, width in zip(("image", "text"), bits, (4, 6), strict=True):
        features[modality] = rng.normal(size=(n, width))
        features[modality][:, 0] = 2 * bit - 1 + 0.4 * rng.normal(size=n)
    return features, bits[0] ^ bits[1]


SOLVING = [(name, {}) for name in TARGETS if name != "trusted"]


@pytest.mark.parametrize(("name", "options"), [*SOLVING, ("low-rank-tensor", {"hidden": 0})])
def test_what_two_modalities_say_only_together(name, options):
    (train, labels), (test, truth) = planted(600, 0), planted(500, 1)
    assert accuracy(fusion(name, **QUICK, **options).fit(train, labels), test, truth) >= 0.93


@pytest.mark.parametrize(
    ("name", "modalities"),
    [("mlp", ["image"]), ("mlp", ["text"]), ("trusted", ["image", "text"])],
)
def test_one_of_them_alone_and_sums_of_evidence_are_at_chance(name, modalities):
    (train, labels), (test, truth) = planted(300, 0), planted(500, 1)
    fitted = fusion(name, **QUICK).fit({m: train[m] for m in modalities}, labels)
    assert 0.4 < accuracy(fitted, {m: test[m] for m in modalities}, truth) < 0.6


# --- of all of them ------------------------------------------------------------------------------


def apart(n, seed, lacking=False):
    """Return three classes that stand apart in two modalities, sequences in the second."""
    rng, labels = np.random.default_rng(seed), np.arange(n) % 3
    centres = 3 * np.random.default_rng(9).normal(size=(2, 3, 4))
    vectors = centres[0][labels] + rng.normal(size=(n, 4))
    lengths = rng.integers(1, 4, n)
    if lacking:
        vectors[::5] = np.nan
        lengths[1::5] = 0
    words = [centres[1][k] + rng.normal(size=(t, 4)) for k, t in zip(labels, lengths, strict=True)]
    return {"image": vectors, "text": Sequences.of(words)}, labels


def given(name, n, seed, lacking=False):
    """Return features as the harness gives them to this fusion, and labels."""
    features, labels = apart(n, seed, lacking and "handles_missing" in FLAGS[name])
    if "sequences" in FLAGS[name]:
        return {**features, "image": Sequences.of_rows(features["image"])}, labels
    first = [part[0] if len(part) else np.full(4, np.nan) for part in features["text"]]
    return {**features, "text": np.stack(first).astype(np.float64)}, labels


@pytest.mark.parametrize("name", TARGETS)
def test_each_learns_keeps_and_gives_back(name, tmp_path):
    """It learns, by its seed alone; a row stands by itself, and what is loaded is what was."""
    options = {**QUICK, "epochs": 7, "batch_size": 10, "width": 16, "seed": 3}
    options |= {"label_smoothing": 0.02, "modality_dropout": 0.1, "mixup": 0.1, "l1": 1e-5}
    (train, labels), (test, truth) = given(name, 70, 0, True), given(name, 40, 1, True)
    before = torch.default_generator.get_state()
    fitted = fusion(name, **options).fit(train, labels, validation=given(name, 10, 2))
    assert torch.equal(torch.default_generator.get_state(), before)
    assert accuracy(fitted, test, truth) > 0.8
    assert {"loss", "validation_loss", "best"} <= set(fitted.history_[0])

    predicted = fitted.predict_proba(test)
    assert predicted.shape == (40, 3)
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(predicted.sum(axis=1), 1)
    backwards = {m: part[[31, 5, 10]] for m, part in reversed(test.items())}
    np.testing.assert_allclose(fitted.predict_proba(backwards), predicted[[31, 5, 10]], atol=1e-6)

    again = fusion(name, **options).fit(train, labels, validation=given(name, 10, 2))
    np.testing.assert_array_equal(again.predict_proba(test), predicted)
    fitted.save(tmp_path)
    loaded = fusion(name, **options).load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(test), predicted)


# --- the loss ------------------------------------------------------------------------------------


def first_loss(name, **options):
    """Return the loss of the first step as told, and the network and batch that it was of."""
    (features, labels), n = given(name, 20, 0), 20
    labels = np.where(labels == 2, 0, labels)  # unbalanced
    options |= {"epochs": 1, "batch_size": n, "patience": 0, "dropout": 0.0, "width": 6, "seed": 4}
    fitted = fusion(name, **options).fit(features, labels)
    with torch.random.fork_rng(), torch.no_grad():
        torch.default_generator.manual_seed(4)
        network = fitted.build()
        order = torch.randperm(n, generator=torch.Generator().manual_seed(4)).numpy()
        rows = samples(list(features.values()))
        batch = Batches(mixup=options.get("mixup", 0.0))([rows[i] for i in order], True)
        outputs = network.eval()(batch)
    return fitted.history_[0]["loss"], network, batch, outputs, labels[order]


def test_penalties_smoothing_weights_and_mixing_in_the_loss():
    options = {"l1": 0.01, "label_smoothing": 0.2, "mixup": 0.7, "class_weights": "balanced"}
    told, network, batch, logits, labels = first_loss("mlp", **options)
    share, partner = batch["share"].numpy(), batch["partner"].numpy()
    assert 0 < share.min() < share.max() < 1
    scores = -log_softmax(logits.double().numpy(), axis=1)
    weights = compute_class_weight("balanced", classes=np.arange(2), y=labels)
    total = counted = 0.0
    for truth, part in ((labels, share), (labels[partner], 1 - share)):
        losses = 0.8 * scores[np.arange(20), truth] + 0.2 * scores.mean(axis=1)
        total, counted = total + part * weights[truth] @ losses, counted + part @ weights[truth]
    penalty = sum(abs(w.detach().numpy()).sum() for w in network.parameters() if w.ndim == 2)
    assert told == pytest.approx(total / counted + 0.01 * penalty, rel=1e-5)


def test_a_loss_for_each_modality():
    told, _, _, outputs, labels = first_loss("multi-task", modality_weight=0.3)
    joint, *single = (
        -log_softmax(logits.double().numpy(), axis=1)[np.arange(20), labels].mean()
        for logits in outputs
    )
    assert len(single) == 2
    assert told == pytest.approx(joint + 0.3 * np.mean(single), rel=1e-5)


def test_evidence_of_each_modality_and_of_all():
    """Early on the divergence hardly counts; later it makes the loss the larger."""
    told, _, _, outputs, labels = first_loss("trusted", annealing=1e9)
    alphas = [alpha.numpy() for alpha in outputs]
    expected = sum(
        (psi(alpha.sum(axis=1)) - psi(alpha[np.arange(20), labels])).mean() for alpha in alphas
    )
    assert len(alphas) == 3
    assert told == pytest.approx(expected, rel=1e-5)
    assert told < first_loss("trusted", annealing=5.0)[0] < first_loss("trusted", annealing=0.0)[0]


# --- what samples lack ---------------------------------------------------------------------------


def test_mixed_samples():
    features, _ = apart(30, 0, lacking=True)
    rows = samples(list(features.values()))
    plain = Batches()(rows, True)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(1)
        mixed = Batches(mixup=0.5)(rows, True)
    assert "share" not in Batches(mixup=0.5)(rows, False)
    for m in range(2):
        part, other = mixed["share"][:, None, None], mixed["partner"]
        expected = part * plain["values"][m] + (1 - part) * plain["values"][m][other]
        torch.testing.assert_close(mixed["values"][m], expected)
        assert torch.equal(mixed["there"][m], plain["there"][m] | plain["there"][m][other])


@pytest.mark.parametrize("fill", [None, [torch.full((4,), 9.0), torch.full((4,), 8.0)]])
def test_dropped_modalities(fill):
    features, _ = apart(2000, 0, lacking=fill is None)
    given_ = list(features.values())
    if fill is not None:
        given_[1] = given_[0]
    rows = samples(given_)
    plain = Batches()(rows, False)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(1)
        batch = Batches(0.3, fill=fill)(rows, True)
    had = np.stack([there.any(dim=1) for there in plain["there"]], axis=1)
    if fill is None:
        has = np.stack([there.any(dim=1) for there in batch["there"]], axis=1)
        assert all(not v[~t].any() for v, t in zip(batch["values"], batch["there"], strict=True))
    else:
        filled = [(v[:, 0] == f).all(dim=1) for v, f in zip(batch["values"], fill, strict=True)]
        has = ~np.stack(filled, axis=1)
    assert not (has & ~had).any()
    assert has.any(axis=1).all()
    lost = 1 - has[had.all(axis=1)]
    np.testing.assert_allclose(lost.mean(axis=0), 0.3 - 0.09, atol=0.05)  # both is neither
    assert torch.equal(batch["values"][0][has[:, 0]], plain["values"][0][has[:, 0]])


def uneven(n, seed):
    """Return a modality that shows the label, and one that hides it in an XOR of its columns."""
    (hidden, labels), rng = planted(n, seed), np.random.default_rng(seed)
    plain = rng.normal(size=(n, 4)) + 3 * (2 * labels - 1)[:, None]
    return {"plain": plain, "hidden": np.hstack(list(hidden.values()))}, labels


@pytest.mark.parametrize("name", ["mlp", "attention"])
def test_modality_dropout_helps_where_one_is_missing(name):
    longer = {**QUICK, "epochs": 30}
    (train, labels), (test, truth) = uneven(600, 0), uneven(600, 1)
    if name == "attention":
        train, test = ({m: Sequences.of_rows(v) for m, v in f.items()} for f in (train, test))
        test["plain"] = Sequences.of_rows(np.full((600, 4), np.nan))
    else:
        test["plain"] = np.zeros((600, 4))  # the mean
    found = [
        accuracy(fusion(name, **longer, modality_dropout=p).fit(train, labels), test, truth)
        for p in (0.0, 0.4)
    ]
    assert found[0] + 0.1 < 0.8 < found[1], found


def test_a_modality_that_is_lacking_leaves_trusted_decisions_to_the_others():
    features, labels = given("trusted", 60, 0)
    fitted = fusion("trusted", **SMALL).fit(features, labels)
    features["text"][:] = np.nan
    with torch.no_grad():
        batch = Batches()(samples(list(features.values())), False)
        alpha = fitted.network_(batch)[1].numpy()  # of the image alone
    expected = alpha / alpha.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(features), expected, rtol=1e-9)
    features["image"][:] = np.nan
    np.testing.assert_allclose(fitted.predict_proba(features), 1 / 3, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "options", "modalities", "told"),
    [
        ("attention", {"heads": 3}, 2, "heads = 3 does not divide width = 8"),
        ("cross-transformer", {"heads": 3}, 2, "heads = 3 does not divide width = 8"),
        ("film", {"condition": "imag"}, 2, "'imag' is none of image, text; did you mean 'image'"),
        ("film", {}, 1, "one modality by another; there is 'image' only"),
    ],
)
def test_options_that_do_not_suit(name, options, modalities, told):
    features, labels = given(name, 12, 0)
    some = {m: features[m] for m in list(features)[:modalities]}
    with pytest.raises(ValueError, match=told):
        fusion(name, **SMALL, **options).fit(some, labels)
