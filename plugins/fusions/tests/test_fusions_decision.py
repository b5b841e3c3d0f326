import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_fusions.decision import MeanProbability
from mmbench_fusions.stacking import RandomForestStacking, Stacking
from mmbench_fusions.votes import Vote
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

LOADERS = {2: load_breast_cancer, 3: load_wine}


def heads(n_features, n_modalities):
    """One pipeline per modality, each reading its columns of the whole."""
    modalities = np.array_split(np.arange(n_features), n_modalities)
    return [
        (
            f"m{i}",
            make_pipeline(
                make_column_transformer((StandardScaler(), columns)),
                LogisticRegression() if i % 2 else GaussianNB(),
            ),
        )
        for i, columns in enumerate(modalities)
    ]


@pytest.fixture(params=LOADERS)
def data(request):
    X, y = LOADERS[request.param](return_X_y=True)
    return train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)


def probabilities_of(estimators, X, y, X_test):
    return {name: head.fit(X, y).predict_proba(X_test) for name, head in estimators}


def test_mean_probability_equals_soft_voting(data):
    X, X_test, y, _ = data
    estimators = heads(X.shape[1], 3)
    expected = VotingClassifier(estimators, voting="soft").fit(X, y).predict_proba(X_test)
    fused = MeanProbability().predict_proba(probabilities_of(estimators, X, y, X_test))
    np.testing.assert_allclose(fused, expected, rtol=1e-12)


def test_vote_equals_hard_voting_where_no_two_classes_lead(data):
    X, X_test, y, _ = data
    estimators = heads(X.shape[1], 3)
    voting = VotingClassifier(estimators, voting="hard").fit(X, y)
    shares = np.eye(y.max() + 1)[voting.transform(X_test)].mean(axis=1)
    clear = (shares == shares.max(axis=1, keepdims=True)).sum(axis=1) == 1
    fused = Vote().predict_proba(probabilities_of(estimators, X, y, X_test))
    np.testing.assert_array_equal(fused.argmax(axis=1)[clear], voting.predict(X_test)[clear])
    np.testing.assert_allclose(fused, shares, atol=1e-9)
    assert (shares[clear].max(axis=1) < 1).any()  # some votes were not unanimous


def test_a_tied_vote_goes_to_the_higher_mean_probability():
    fused = Vote().predict_proba(
        {
            "image": np.array([[0.6, 0.4], [0.51, 0.49], [0.7, 0.3]]),
            "text": np.array([[0.1, 0.9], [0.48, 0.52], [0.3, 0.7]]),
        }
    )
    assert fused.argmax(axis=1).tolist() == [1, 1, 0]  # the last is tied in the mean as well
    np.testing.assert_allclose(fused, 0.5, atol=1e-9)


def test_only_leading_classes_win_a_tie():
    """The third class has the highest mean, but no vote."""
    fused = Vote().predict_proba(
        {"a": np.array([[0.51, 0.0, 0.49]]), "b": np.array([[0.0, 0.52, 0.48]])}
    )
    assert fused[0].argmax() == 1
    assert fused[0, 2] == 0.0


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(2, 5), st.integers(0, 10_000))
def test_vote_equals_counting(n_modalities, n, k, seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 4, (n_modalities, n, k)).astype(float)  # small numbers: many ties
    stacked = weights / weights.sum(axis=2, keepdims=True)
    fused = Vote().predict_proba(dict(enumerate(stacked)))
    np.testing.assert_allclose(fused.sum(axis=1), 1.0, rtol=1e-12)
    for i in range(n):
        votes = [max(range(k), key=lambda c: (stacked[m, i, c], -c)) for m in range(n_modalities)]
        mean = stacked.mean(axis=0)[i]
        best = max(range(k), key=lambda c: (votes.count(c), mean[c], -c))
        assert fused[i].argmax() == best
        np.testing.assert_allclose(
            fused[i], [votes.count(c) / n_modalities for c in range(k)], atol=1e-8
        )


METAS = {
    "logistic-regression": (
        lambda: Stacking(C=0.05),
        lambda: LogisticRegression(C=0.05, max_iter=1000),
    ),
    "svm": (
        lambda: Stacking(meta="svm", C=2),
        lambda: CalibratedClassifierCV(
            SVC(C=2, break_ties=True), method="temperature", cv=StratifiedKFold(5), ensemble=False
        ),
    ),
    "random-forest": (
        lambda: RandomForestStacking(seed=3, n_estimators=20, min_samples_leaf=2, max_depth=4),
        lambda: RandomForestClassifier(
            n_estimators=20, min_samples_leaf=2, max_depth=4, random_state=3
        ),
    ),
}


@pytest.mark.parametrize("meta", METAS)
def test_stacking_equals_scikit_learn(data, meta):
    X, X_test, y, _ = data
    build, oracle = METAS[meta]
    estimators = heads(X.shape[1], 3)
    inner = StratifiedKFold(5)
    by_hand = StackingClassifier(
        estimators, final_estimator=oracle(), cv=inner, stack_method="predict_proba"
    ).fit(X, y)
    out_of_fold = {
        name: cross_val_predict(head, X, y, cv=inner, method="predict_proba")
        for name, head in estimators
    }
    fused = build().fit(out_of_fold, y).predict_proba(probabilities_of(estimators, X, y, X_test))
    np.testing.assert_allclose(fused, by_hand.predict_proba(X_test), rtol=1e-9)
    np.testing.assert_allclose(fused.sum(axis=1), 1)


def test_a_calibrated_svm_keeps_its_decision(data):
    X, X_test, y, _ = data
    out_of_fold = {
        name: cross_val_predict(head, X, y, method="predict_proba")
        for name, head in heads(X.shape[1], 2)
    }
    test = probabilities_of(heads(X.shape[1], 2), X, y, X_test)
    first = 1 if y.max() == 1 else 0
    columns = [np.hstack([p[:, first:] for p in each.values()]) for each in (out_of_fold, test)]
    fused = Stacking(meta="svm").fit(out_of_fold, y).predict_proba(test)
    expected = SVC(break_ties=True).fit(columns[0], y).predict(columns[1])
    np.testing.assert_array_equal(fused.argmax(axis=1), expected)


def test_what_cannot_be_stacked_is_one_line():
    halves = {"a": np.full((4, 3), 1 / 3), "b": np.full((4, 3), 1 / 3)}
    with pytest.raises(ValueError, match=r"two training samples of every class .* label 1 has 1"):
        Stacking(meta="svm").fit(halves, np.array([0, 1, 2, 0]))
    halves["b"][1:3] = np.nan
    with pytest.raises(ValueError, match="needs every modality of a sample: 2 lack 'b'") as told:
        Stacking().fit(halves, np.array([0, 1, 2, 0]))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("k", "columns"), [(2, 2), (3, 6)])
def test_stacking_drops_a_column_of_two(k, columns):
    rng = np.random.default_rng(0)
    labels = np.arange(30) % k
    probabilities = {m: rng.dirichlet(np.ones(k), 30) for m in ("image", "text")}
    assert Stacking().fit(probabilities, labels).classifier_.coef_.shape[1] == columns


def test_stacking_does_not_depend_on_the_order_of_the_mapping():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    probabilities = {m: rng.dirichlet(np.ones(2), 40) for m in ("image", "text")}
    stacking = Stacking().fit(probabilities, labels)
    turned = dict(reversed(probabilities.items()))
    np.testing.assert_array_equal(
        stacking.predict_proba(turned), stacking.predict_proba(probabilities)
    )


def test_max_iter_reaches_the_solver():
    assert (
        Stacking(max_iter=7)
        .fit({"a": np.full((4, 2), 0.5)}, np.array([0, 1, 0, 1]))
        .classifier_.max_iter
        == 7
    )
