from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mmbench_fusions.decision import MeanProbability, product_rule
from mmbench_fusions.evidence import DempsterShafer, LearnedDempsterShafer


def one_row(*parts):
    return {f"m{i}": np.array([part], dtype=float) for i, part in enumerate(parts)}


def dempster(bodies):
    """Combine bodies of evidence (mass by frozenset) by the definition; None at total conflict."""
    combined = {}
    for chosen in product(*(body.items() for body in bodies)):
        focal = frozenset.intersection(*(elements for elements, _ in chosen))
        mass = Fraction(1)
        for _, m in chosen:
            mass *= m
        combined[focal] = combined.get(focal, 0) + mass
    agreement = sum(mass for focal, mass in combined.items() if focal)
    if not agreement:
        return None
    return {focal: mass / agreement for focal, mass in combined.items() if focal}


def pignistic(body, k):
    return [float(sum(m / len(f) for f, m in body.items() if c in f)) for c in range(k)]


# --- worked examples ---------------------------------------------------------------------------


def test_zadehs_paradox():
    """Meningitis, concussion, tumour: both doctors hold a tumour to be all but impossible."""
    doctors = one_row([0.99, 0.0, 0.01], [0.0, 0.99, 0.01])
    certain = DempsterShafer(reliability=1.0).predict_proba(doctors)
    np.testing.assert_allclose(certain, [[0, 0, 1]], atol=1e-12)
    doubted = DempsterShafer(reliability=0.9).predict_proba(doctors)[0]
    assert doubted[0] == pytest.approx(doubted[1])
    assert doubted[2] < 0.05 < 0.45 < doubted[0]


def test_shafers_conflicting_simple_support():
    """1976, chapter 4: s1 for A and s2 against it support A by s1 (1 - s2) / (1 - s1 s2)."""
    s1, s2 = 0.8, 0.6
    support = s1 * (1 - s2) / (1 - s1 * s2), s2 * (1 - s1) / (1 - s1 * s2)
    unknown = (1 - s1) * (1 - s2) / (1 - s1 * s2)
    witnesses = one_row([1.0, 0.0], [0.0, 1.0])
    for masses in ("simple", "bayesian"):
        fused = DempsterShafer(reliability=[s1, s2], masses=masses).predict_proba(witnesses)
        np.testing.assert_allclose(fused, [[s + unknown / 2 for s in support]], rtol=1e-12)


def test_shafers_concordant_simple_support():
    """Two supports of one hypothesis support it by 1 - (1 - s1) (1 - s2)."""
    witnesses = one_row([0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0])
    fused = DempsterShafer(reliability=[0.8, 0.6]).predict_proba(witnesses)
    unknown = 0.2 * 0.4
    np.testing.assert_allclose(fused, [[unknown / 4, 1 - unknown * 3 / 4] + [unknown / 4] * 2])


# --- the rule by its definition ----------------------------------------------------------------


@pytest.mark.parametrize("masses", ["bayesian", "simple"])
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_equals_the_rule_over_sets(masses, data):
    k, m = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 3))
    marks = st.lists(st.integers(0, 6), min_size=k, max_size=k).filter(any)
    parts = [[Fraction(x, sum(row)) for x in row] for row in (data.draw(marks) for _ in range(m))]
    reliable = [Fraction(data.draw(st.integers(0, 10)), 10) for _ in range(m)]
    everything = frozenset(range(k))
    bodies = []
    for p, r in zip(parts, reliable, strict=True):
        if masses == "simple":
            p = [x if c == p.index(max(p)) else Fraction(0) for c, x in enumerate(p)]
        body = {frozenset([c]): r * x for c, x in enumerate(p)}
        body[everything] = 1 - sum(body.values())
        bodies.append(body)
    combined = dempster(bodies)
    given_parts = one_row(*parts)
    fusion = DempsterShafer(reliability=[float(r) for r in reliable], masses=masses)
    fused = fusion.predict_proba(given_parts)
    if combined is None:
        np.testing.assert_allclose(fused, MeanProbability().predict_proba(given_parts))
    else:
        np.testing.assert_allclose(fused, [pignistic(combined, k)], atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(2, 6), st.integers(0, 1000))
def test_full_reliability_is_the_product_rule(m, k, seed):
    rng = np.random.default_rng(seed)
    parts = {f"m{i}": rng.dirichlet(np.full(k, 0.3), 5) for i in range(m)}
    assume(all(part.min() > 1e-300 for part in parts.values()))
    np.testing.assert_allclose(
        DempsterShafer(reliability=1.0).predict_proba(parts),
        product_rule().predict_proba(parts),
        rtol=1e-6,
        atol=1e-12,
    )


def test_total_conflict_leaves_the_mean():
    parts = one_row([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.2, 0.3])
    fused = DempsterShafer(reliability=1.0).predict_proba(parts)
    np.testing.assert_allclose(fused, [[0.5, 0.4, 0.1]])


def test_many_small_probabilities_are_no_total_conflict():
    sure = [1 - 2e-200, 1e-200, 1e-200]
    parts = one_row(sure, sure, sure[::-1], sure[::-1])
    np.testing.assert_allclose(
        DempsterShafer(reliability=1.0).predict_proba(parts), [[0.5, 0, 0.5]], atol=1e-12
    )


# --- reliability -------------------------------------------------------------------------------


def test_a_modality_of_no_reliability_says_nothing():
    rng = np.random.default_rng(0)
    parts = {m: rng.dirichlet(np.ones(3), 6) for m in "ab"}
    fused = DempsterShafer(reliability=[0.7, 0.0]).predict_proba(parts)
    np.testing.assert_allclose(fused, 0.7 * parts["a"] + 0.1)
    nothing = DempsterShafer(reliability=0.0).predict_proba(parts)
    np.testing.assert_allclose(nothing, 1 / 3)


def test_learned_reliability_is_the_rate_of_right_decisions_out_of_fold():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 98)
    said = {"good": labels.copy(), "bad": (labels + 1) % 3}
    said["good"][:8] = (labels[:8] + 1) % 3
    out_of_fold = {m: 0.1 + 0.7 * np.eye(3)[s] for m, s in said.items()}
    for masses in ("bayesian", "simple"):
        fusion = LearnedDempsterShafer(masses=masses).fit(out_of_fold, labels)
        assert fusion.reliability_ == {"good": 91 / 100, "bad": 1 / 100}
        assert fusion.history_ == [
            {"modality": "good", "reliability": 0.91},
            {"modality": "bad", "reliability": 0.01},
        ]
        expected = DempsterShafer(reliability=[0.91, 0.01], masses=masses)
        test = {m: rng.dirichlet(np.ones(3), 9) for m in said}
        np.testing.assert_array_equal(fusion.predict_proba(test), expected.predict_proba(test))
        turned = fusion.predict_proba(dict(reversed(test.items())))
        np.testing.assert_allclose(turned, expected.predict_proba(test), rtol=1e-12)


@pytest.mark.parametrize(
    ("reliability", "reason"),
    [
        ([0.5], "one for all or one per modality is needed, and there are 2"),
        ([0.5, 1.5], "from 0 to 1"),
        (-0.1, "from 0 to 1"),
        (float("nan"), "from 0 to 1"),
    ],
)
def test_wrong_reliabilities_are_one_line(reliability, reason):
    with pytest.raises(ValueError, match=reason) as told:
        DempsterShafer(reliability=reliability).predict_proba(one_row([0.5, 0.5], [0.5, 0.5]))
    assert str(told.value).startswith(f"reliability = {reliability}: ")
