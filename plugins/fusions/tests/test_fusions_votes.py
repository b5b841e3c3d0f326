from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.votes import Borda, Vote
from sklearn.datasets import load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier


def election(ballots):
    """Return one modality per voter, one sample; a ballot is an order, the best first."""
    voters = [order for order, count in ballots.items() for _ in range(count)]
    names = sorted(voters[0])
    marks = np.array([0.6, 0.3, 0.08, 0.02])[: len(names)]
    parts = {}
    for number, order in enumerate(voters):
        row = np.array([marks[order.index(name)] for name in names])
        parts[number] = row[None] / row.sum()
    return parts


# --- Borda -------------------------------------------------------------------------------------


def test_bordas_own_example():
    """1781: of 21 voters 8 put A first, and yet A is what most like least.

    With marks of 3, 2 and 1 a ballot Borda counts 37, 42 and 47; with 2, 1 and 0 it is 21 less.
    """
    parts = election({"ABC": 1, "ACB": 7, "BCA": 7, "CBA": 6})
    points = Borda().predict_proba(parts)[0] * 63
    np.testing.assert_allclose(points, [37 - 21, 42 - 21, 47 - 21], atol=1e-6)
    votes = Vote().predict_proba(parts)[0] * 21
    np.testing.assert_allclose(votes, [8, 7, 6], atol=1e-6)


def test_the_capital_of_tennessee():
    """Voters of four towns rank them by distance: the textbooks' example of voting methods."""
    parts = election({"MNCK": 42, "NCKM": 26, "CKNM": 15, "KCNM": 17})
    chattanooga, knoxville, memphis, nashville = Borda().predict_proba(parts)[0] * 600
    np.testing.assert_allclose([memphis, nashville, chattanooga, knoxville], [126, 194, 173, 107])


def below(row, c):
    """Return how many classes are below one, an equal one counting half."""
    return Fraction(int((row < row[c]).sum())) + Fraction(int((row == row[c]).sum()) - 1, 2)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(2, 5), st.integers(0, 10_000))
def test_borda_equals_counting_the_classes_below(n_modalities, n, k, seed):
    rng = np.random.default_rng(seed)
    marks = rng.integers(1, 4, (n_modalities, n, k))  # small numbers: many ties
    stacked = marks / marks.sum(axis=2, keepdims=True)
    fused = Borda().predict_proba(dict(enumerate(stacked)))
    np.testing.assert_allclose(fused.sum(axis=1), 1, rtol=1e-12)
    for i in range(n):
        points = [sum(below(part[i], c) for part in stacked) for c in range(k)]
        mean = stacked.mean(axis=0)[i]
        best = max(range(k), key=lambda c: (points[c], mean[c], -c))
        assert fused[i].argmax() == best
        expected = [float(p / sum(points)) for p in points]
        np.testing.assert_allclose(fused[i], expected, atol=1e-8)


def test_of_two_classes_borda_is_the_plain_vote():
    rng = np.random.default_rng(0)
    parts = {m: rng.dirichlet(np.ones(2), 50) for m in "abcd"}
    np.testing.assert_allclose(Borda().predict_proba(parts), Vote().predict_proba(parts), rtol=1e-9)


# --- weighted votes ----------------------------------------------------------------------------


def test_weighted_votes_equal_weighted_hard_voting():
    X, y = load_wine(return_X_y=True)
    heads = [
        ("a", GaussianNB()),
        ("b", KNeighborsClassifier()),
        ("c", DecisionTreeClassifier(max_depth=1, random_state=0)),
    ]
    weights = [0.5, 0.15, 0.3]
    voting = VotingClassifier(heads, voting="hard", weights=weights).fit(X[::2], y[::2])
    parts = {name: head.fit(X[::2], y[::2]).predict_proba(X[1::2]) for name, head in heads}
    fused = Vote(weights=weights).predict_proba(parts)
    np.testing.assert_array_equal(fused.argmax(axis=1), voting.predict(X[1::2]))
    assert (fused.argmax(axis=1) != Vote().predict_proba(parts).argmax(axis=1)).any()
    one_hot = [np.eye(3)[part.argmax(axis=1)] for part in parts.values()]
    expected = np.average(one_hot, axis=0, weights=weights)
    np.testing.assert_allclose(fused, expected, atol=1e-8)


def test_equal_weights_are_the_plain_vote():
    rng = np.random.default_rng(0)
    parts = {m: rng.dirichlet(np.ones(3), 50) for m in "abc"}
    np.testing.assert_allclose(
        Vote(weights=[2, 2, 2]).predict_proba(parts), Vote().predict_proba(parts), rtol=1e-9
    )


def test_a_tie_of_weighted_votes_is_one_though_sums_are_rounded():
    """0.1 + 0.2 ties with 0.3, and the weighted mean decides: .1 * .9 + .2 * .9 < .3 * .95."""
    assert 0.1 + 0.2 != 0.3
    parts = {
        "a": np.array([[0.9, 0.1]]),
        "b": np.array([[0.9, 0.1]]),
        "c": np.array([[0.05, 0.95]]),
    }
    fused = Vote(weights=[0.1, 0.2, 0.3]).predict_proba(parts)
    np.testing.assert_allclose(fused, 0.5, atol=1e-8)
    assert fused[0].argmax() == 1
    parts["c"] = np.array([[0.2, 0.8]])
    assert Vote(weights=[0.1, 0.2, 0.3]).predict_proba(parts)[0].argmax() == 0


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_wrong_weights_of_votes_are_one_line(weights):
    parts = {"a": np.full((3, 2), 0.5), "b": np.full((3, 2), 0.5)}
    with pytest.raises(ValueError, match="weights = "):
        Vote(weights=weights).predict_proba(parts)
