"""Samples that lack modalities: their probabilities are rows of NaN."""

import pkgutil

import mmbench_fusions
import numpy as np
import pytest
from mmbench_fusions.decision import LearnedWeightedMean, WeightedMean
from mmbench_fusions.evidence import DempsterShafer, LearnedDempsterShafer
from mmbench_fusions.votes import Vote
from mmbench_fusions.weights import learned

HANDLING = {
    name: (target, flags)
    for name, target, flags, _ in mmbench_fusions.FUSIONS
    if flags.get("handles_missing")
}


def probabilities(n, seed, k=3, modalities="abcd"):
    rng = np.random.default_rng(seed)
    return {m: rng.dirichlet(np.ones(k), n) for m in modalities}


def holed(parts, seed=0):
    """Return the parts with NaN in random rows, and which were left out; row 0 lacks all."""
    rng = np.random.default_rng(seed)
    gone = rng.random((len(parts), len(parts["a"]))) < 0.4
    gone[:, 0] = True
    gone[:, 1] = False
    made = {
        m: np.where(g[:, None], np.nan, part)
        for (m, part), g in zip(parts.items(), gone, strict=True)
    }
    return made, gone


def row(parts, gone, i):
    """Return one sample's probabilities by those modalities that it has."""
    return {m: parts[m][i : i + 1] for m, g in zip(parts, gone[:, i], strict=True) if not g}


def test_there_are_such_fusions():
    assert len(HANDLING) == 11
    assert {flags["level"] for _, flags in HANDLING.values()} == {"decision"}


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("name", HANDLING)
def test_the_others_decide(name, k):
    """As if there were no such modality; with none at all, classes are equally probable."""
    target, flags = HANDLING[name]
    fusion = pkgutil.resolve_name(f"mmbench_fusions.{target}")()
    if flags.get("trained"):
        fusion.fit(probabilities(60, 1, k), np.arange(60) % k)
    parts = probabilities(40, 2, k)
    given, gone = holed(parts)
    before = {m: part.copy() for m, part in given.items()}
    fused = fusion.predict_proba(given)
    np.testing.assert_allclose(fused[0], 1 / k, atol=1e-9)
    np.testing.assert_allclose(fused.sum(axis=1), 1, rtol=1e-9)
    for i in range(1, 40):
        left = row(parts, gone, i)
        if left:
            np.testing.assert_allclose(fused[i], fusion.predict_proba(left)[0], rtol=1e-9)
    for m, part in given.items():
        np.testing.assert_array_equal(part, before[m])
    nothing = {m: np.full_like(part, np.nan) for m, part in parts.items()}
    np.testing.assert_allclose(fusion.predict_proba(nothing), 1 / k, atol=1e-9)


@pytest.mark.parametrize(
    "build",
    [
        lambda weights: WeightedMean(weights=weights),
        lambda weights: Vote(weights=weights),
        lambda weights: DempsterShafer(reliability=weights),
    ],
)
def test_each_keeps_its_own_weight(build):
    weights = [0.9, 0.2, 0.5, 0.3]
    parts = probabilities(40, 3)
    given, gone = holed(parts)
    fused = build(weights).predict_proba(given)
    for i in range(1, 40):
        left = row(parts, gone, i)
        own = [w for m, w in zip(parts, weights, strict=True) if m in left]
        if left:
            np.testing.assert_allclose(fused[i], build(own).predict_proba(left)[0], rtol=1e-7)


@pytest.mark.parametrize("build", [WeightedMean, Vote])
def test_those_that_weigh_nothing_decide_where_they_are_alone(build):
    parts = probabilities(5, 4, modalities="abc")
    parts["a"][2] = np.nan
    fused = build(weights=[1, 0, 0]).predict_proba(parts)
    alone = build().predict_proba({m: parts[m][2:3] for m in "bc"})
    np.testing.assert_allclose(fused[2], alone[0], rtol=1e-9)
    np.testing.assert_array_equal(fused.argmax(axis=1)[[0, 1]], parts["a"].argmax(axis=1)[[0, 1]])


def test_reliability_is_learnt_from_the_samples_that_have_the_modality():
    labels = np.arange(30) % 3
    right = 0.1 + 0.7 * np.eye(3)[labels]
    part = np.where(np.arange(30)[:, None] < 12, np.nan, right)
    fusion = LearnedDempsterShafer().fit({"a": part, "b": np.full((30, 3), np.nan)}, labels)
    assert fusion.reliability_ == {"a": 19 / 20, "b": 1 / 2}


def test_of_two_modalities_weights_are_learnt_where_both_are():
    """Where one is absent the other decides, whatever the weights."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    said = np.where(rng.random((2, 200)) < [[0.8], [0.6]], labels, rng.integers(0, 3, (2, 200)))
    parts = dict(zip("ab", 0.1 + 0.7 * np.eye(3)[said], strict=True))
    given = {m: part.copy() for m, part in parts.items()}
    given["a"][:30], given["b"][20:60] = np.nan, np.nan  # ten rows lack both
    expected = learned({m: part[60:] for m, part in parts.items()}, labels[60:])
    fusion = LearnedWeightedMean().fit(given, labels)
    assert 0.55 < expected[0] < 0.95
    np.testing.assert_allclose(list(fusion.weights_.values()), expected, atol=1e-5)


def test_one_nan_in_a_row_is_as_good_as_all():
    parts = probabilities(4, 5, modalities="ab")
    whole = {m: part.copy() for m, part in parts.items()}
    parts["b"][1, 2] = np.nan
    whole["b"][1] = np.nan
    for target, flags in HANDLING.values():
        fusion = pkgutil.resolve_name(f"mmbench_fusions.{target}")()
        if flags.get("trained"):
            fusion.fit(probabilities(30, 1, modalities="ab"), np.arange(30) % 3)
        np.testing.assert_array_equal(fusion.predict_proba(parts), fusion.predict_proba(whole))
