"""Tuning against scikit-learn's searches, and what the table says of it."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    ParameterSampler,
    PredefinedSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import mmbench
from mmbench.blocks import Range
from mmbench.errors import UserError
from mmbench.searchspace import SearchSpace
from tests.byhand import (
    INNER,
    PLANTED,
    Block,
    arrays,
    assert_equal,
    calibrated,
    cancer,
    modalities,
    only,
    probabilities,
    run,
    select,
    wine,
)

pytestmark = pytest.mark.usefixtures("one_thread")

HOLDOUT = {"scheme": "holdout", "test": 0.3}
GRID = {"C": [0.1, 1, 10], "gamma": [0.01, 0.1, 1.0]}


def parts(y: np.ndarray, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and test rows of seed 0's holdout."""
    from sklearn.model_selection import train_test_split

    state = mmbench.derive_seed(0, None, "split")
    train, test = train_test_split(
        np.arange(len(y)), test_size=share, stratify=y, random_state=state
    )
    return np.sort(train), np.sort(test)


def curves(row: pd.Series, label: str) -> pd.DataFrame:
    """Return what a tuning job tried, values spread into columns."""
    file = Path("run") / "fits" / f"{row['cell']}.json"
    tried = pd.DataFrame(json.loads(file.read_text())[label])
    values = [
        {f"{role}.{k}": v for role, options in json.loads(text).items() for k, v in options.items()}
        for text in tried["candidate"]
    ]
    return pd.concat([pd.DataFrame(values), tried], axis=1)


# --- a grid ------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [wine, cancer])
def test_a_grid_is_scikit_learns(data: Any, manifest: Block) -> None:
    frame = data()
    X, y = arrays(frame)
    table = run(
        manifest(frame), fusions=["concat", "mean-probability"], heads="svm", split={"folds": 2},
        tuning={"heads": {"svm": GRID}},
    )  # fmt: skip
    outer = StratifiedKFold(2, shuffle=True, random_state=mmbench.derive_seed(0, None, "split"))
    names = {f"svc__{key}": values for key, values in GRID.items()}
    for fold, (train, test) in enumerate(outer.split(X, y)):
        cells = table[table["fold"] == fold]
        chains = {"+".join(modalities(frame)): [], **modalities(frame)}
        given, tuned = [], {}
        for which, columns in chains.items():
            steps = [StandardScaler(), SVC(break_ties=True)]
            model = Pipeline(
                [("part", select(columns or list(range(X.shape[1])))),
                 ("scaler", steps[0]), ("svc", steps[1])]
            )  # fmt: skip
            search = GridSearchCV(model, names, cv=INNER).fit(X[train], y[train])
            row = only(cells, modalities=which, fusion="none" if columns else "concat")
            best = {key.removeprefix("svc__"): v for key, v in search.best_params_.items()}
            assert json.loads(row["tuned"]) == {"head": best}
            assert math.isclose(row["inner_score"], search.best_score_, abs_tol=1e-12)
            tried = curves(row, f"tune svm on data.{which}")
            np.testing.assert_allclose(tried["score"], search.cv_results_["mean_test_score"])
            assert tried["head.C"].tolist() == list(search.cv_results_["param_svc__C"])
            final = make_pipeline(
                select(columns or list(range(X.shape[1]))),
                StandardScaler(),
                calibrated(SVC(break_ties=True, **best)),
            ).fit(X[train], y[train])
            assert_equal(row, final, X[test], which)
            if columns:
                given.append(final.predict_proba(X[test]))
                tuned[f"head.{which}"] = best
        row = only(cells, fusion="mean-probability")
        assert json.loads(row["tuned"]) == tuned
        np.testing.assert_allclose(probabilities(row), np.mean(given, axis=0), rtol=0, atol=1e-6)


def test_a_metric_of_probabilities_that_is_better_when_lower(manifest: Block) -> None:
    frame = wine()
    X, y = arrays(frame)
    table = run(
        manifest(frame), fusions="concat", heads={"use": "logistic-regression", "max_iter": 5000},
        split=HOLDOUT, metric="log_loss",
        tuning={"heads": {"logistic-regression": {"C": [0.001, 0.1, 10.0, 1000.0]}}},
    )  # fmt: skip
    train, test = parts(y)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
        {"logisticregression__C": [0.001, 0.1, 10.0, 1000.0]},
        scoring="neg_log_loss",
        cv=INNER,
    ).fit(X[train], y[train])
    row = only(table, fusion="concat")
    assert json.loads(row["tuned"])["head"]["C"] == search.best_params_["logisticregression__C"]
    assert math.isclose(row["inner_score"], -search.best_score_, rel_tol=1e-5)
    assert_equal(row, search, X[test])


def test_calibration_for_a_metric_of_probabilities(manifest: Block) -> None:
    frame = cancer()
    X, y = arrays(frame)
    table = run(
        manifest(frame), heads="svm", split=HOLDOUT, subsets=[["mean", "error"]], fusions="concat",
        tuning={"metric": "roc_auc", "heads": {"svm": GRID}},
    )  # fmt: skip
    train, _ = parts(y)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVC(break_ties=True)),
        {f"svc__{key}": values for key, values in GRID.items()},
        scoring="roc_auc",
        cv=INNER,
    ).fit(X[train], y[train])  # one temperature for all leaves the order of the scores alone
    row = only(table, fusion="concat")
    assert math.isclose(row["inner_score"], search.best_score_, abs_tol=1e-12)
    best = {key.removeprefix("svc__"): v for key, v in search.best_params_.items()}
    assert json.loads(row["tuned"]) == {"head": best}


def test_a_fitted_fusion_is_tuned_with_its_head(manifest: Block) -> None:
    frame = wine()
    X, y = arrays(frame)
    table = run(
        manifest(frame), fusions=["feature-selection", "concat"], split=HOLDOUT,
        heads={"use": "logistic-regression", "max_iter": 1000},
        tuning={
            "fusions": {"feature-selection": {"k": [1, 3]}},
            "heads": {"logistic-regression": {"C": [0.01, 1.0]}},
        },
    )  # fmt: skip
    train, test = parts(y)
    seed = mmbench.derive_seed(0, 0, "fusion")

    def information(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        return mutual_info_classif(X, y, random_state=seed)

    class PerModality(SelectKBest):
        """The k best columns of each modality."""

        def _get_support_mask(self) -> np.ndarray:
            mask = np.zeros(len(self.scores_), dtype=bool)
            for columns in modalities(frame).values():
                scores = information(self.X_[:, columns], self.y_)
                mask[np.array(columns)[np.argsort(-scores, kind="stable")[: self.k]]] = True
            return mask

        def fit(self, X: np.ndarray, y: np.ndarray) -> PerModality:
            self.X_, self.y_ = X, y
            return super().fit(X, y)

    model = Pipeline(
        [
            ("scale", StandardScaler()),
            ("fusion", PerModality(information)),
            ("head", LogisticRegression(max_iter=1000)),
        ]
    )
    space = {"fusion__k": [1, 3], "head__C": [0.01, 1.0]}
    search = GridSearchCV(model, space, cv=INNER).fit(X[train], y[train])
    row = only(table, fusion="feature-selection")
    tried = curves(row, "tune logistic-regression on data.acid+phenol+colour")
    np.testing.assert_allclose(tried["score"], search.cv_results_["mean_test_score"])
    assert json.loads(row["tuned"]) == {
        "fusion": {"k": search.best_params_["fusion__k"]},
        "head": {"C": search.best_params_["head__C"]},
    }
    assert_equal(row, search, X[test])
    assert json.loads(only(table, fusion="concat")["tuned"]).keys() == {"head"}


def test_a_decision_is_tuned_on_out_of_fold_probabilities(manifest: Block) -> None:
    frame = wine()
    X, y = arrays(frame)
    weights = [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    table = run(
        manifest(frame), fusions=["stacking", "weighted-mean"], split=HOLDOUT,
        heads={"use": "logistic-regression", "max_iter": 1000},
        tuning={
            "fusions": {
                "stacking": {"C": [0.01, 1.0, 100.0]},
                "weighted-mean": {"weights": weights},
            }
        },
    )  # fmt: skip
    train, test = parts(y)
    models = {
        m: make_pipeline(select(c), StandardScaler(), LogisticRegression(max_iter=1000))
        for m, c in modalities(frame).items()
    }
    held_out = {
        m: cross_val_predict(model, X[train], y[train], cv=INNER, method="predict_proba")
        for m, model in models.items()
    }
    given = [m.fit(X[train], y[train]).predict_proba(X[test]) for m in models.values()]

    search = GridSearchCV(
        LogisticRegression(max_iter=1000), {"C": [0.01, 1.0, 100.0]}, cv=INNER
    ).fit(np.hstack(list(held_out.values())), y[train])
    row = only(table, fusion="stacking")
    tried = curves(row, "tune stacking on data")
    np.testing.assert_allclose(tried["score"], search.cv_results_["mean_test_score"])
    assert json.loads(row["tuned"]) == {"fusion": search.best_params_}
    assert_equal(row, search, np.hstack(given))

    row = only(table, fusion="weighted-mean")
    scores = [
        np.mean([
            (np.average([p[rows] for p in held_out.values()], axis=0, weights=w).argmax(axis=1)
             == y[train][rows]).mean()
            for _, rows in INNER.split(X[train], y[train])
        ])
        for w in weights
    ]  # fmt: skip
    best = weights[int(np.argmax(scores))]
    assert json.loads(row["tuned"]) == {"fusion": {"weights": best}}
    assert math.isclose(row["inner_score"], max(scores))
    expected = np.average(given, axis=0, weights=best)
    np.testing.assert_allclose(probabilities(row), expected, rtol=0, atol=1e-6)


def test_a_validation_part_takes_the_place_of_inner_folds(manifest: Block) -> None:
    frame = wine().sample(frac=1, random_state=1, ignore_index=True)
    frame["part"] = np.repeat(["train", "validation", "test"], [90, 40, 48])
    X, y = arrays(frame)
    train, held = (np.flatnonzero(frame["part"] == p) for p in ("train", "validation"))
    table = run(
        manifest(frame, split="part"), fusions="concat", heads="svm",
        tuning={"heads": {"svm": GRID}},
    )  # fmt: skip
    rows = np.concatenate([train, held])
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVC(break_ties=True)),
        {f"svc__{key}": values for key, values in GRID.items()},
        cv=PredefinedSplit(np.repeat([-1, 0], [len(train), len(held)])),
        refit=False,
    ).fit(X[rows], y[rows])
    row = only(table, fusion="concat")
    assert math.isclose(row["inner_score"], search.best_score_)
    best = {key.removeprefix("svc__"): v for key, v in search.best_params_.items()}
    assert json.loads(row["tuned"]) == {"head": best}


def test_inner_folds_of_tuning_do_not_cut_groups(manifest: Block) -> None:
    frame = wine()
    frame["patch"] = np.random.default_rng(0).integers(25, size=len(frame))
    groups = frame["patch"].astype(str).to_numpy()
    X, y = arrays(frame)
    table = run(
        manifest(frame, group="patch"), fusions="concat", heads="svm", split={"folds": 3},
        tuning={"heads": {"svm": GRID}},
    )  # fmt: skip
    state = mmbench.derive_seed(0, None, "split")
    outer = StratifiedGroupKFold(3, shuffle=True, random_state=state)
    for fold, (train, _) in enumerate(outer.split(X, y, groups)):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), SVC(break_ties=True)),
            {f"svc__{key}": values for key, values in GRID.items()},
            cv=StratifiedGroupKFold(5),
            refit=False,
        ).fit(X[train], y[train], groups=groups[train])
        row = only(table, fusion="concat", fold=fold)
        tried = curves(row, "tune svm on data.acid+phenol+colour")
        np.testing.assert_allclose(tried["score"], search.cv_results_["mean_test_score"])


JOINT = """
import numpy as np
from mmbench import hookimpl
from sklearn.linear_model import LogisticRegression


class JointLogistic:
    def __init__(self, *, C: float = 1.0):
        self.C = C

    def fit(self, features, labels, *, validation=None):
        assert validation is None
        self.model_ = LogisticRegression(C=self.C, max_iter=1000)
        self.model_.fit(np.hstack(list(features.values())), labels)
        return self

    def predict_proba(self, features):
        return self.model_.predict_proba(np.hstack(list(features.values())))


@hookimpl
def mmbench_register_fusions(register):
    register("joint-logistic", JointLogistic, level="joint")
"""


def test_a_joint_fusion_is_tuned_like_a_head(manifest: Block, tmp_path: Path) -> None:
    (tmp_path / "joint.py").write_text(JOINT)
    frame = wine()
    X, y = arrays(frame)
    values = [0.001, 0.1, 10.0]
    table = mmbench.run(
        {
            "name": "joint", "datasets": [manifest(frame)], "encoders": {"vector": "identity"},
            "fusions": "joint-logistic", "heads": "naive-bayes", "split": HOLDOUT,
            "tuning": {"metric": "log_loss", "fusions": {"joint-logistic": {"C": values}}},
        },
        out="run", plugins=[str(tmp_path / "joint.py")],
    )  # fmt: skip
    train, test = parts(y)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": values},
        scoring="neg_log_loss",
        cv=INNER,
    ).fit(X[train], y[train])
    row = only(table, fusion="joint-logistic")
    best = search.best_params_["logisticregression__C"]
    assert json.loads(row["tuned"]) == {"fusion": {"C": best}}
    assert math.isclose(row["inner_score"], -search.best_score_, rel_tol=1e-5)
    assert_equal(row, search, X[test])


# --- drawn -------------------------------------------------------------------------------------


def test_random_search_draws_within_its_ranges(manifest: Block) -> None:
    frame = wine()
    X, y = arrays(frame)
    ranges = {"C": {"low": 0.01, "high": 100, "log": True}, "gamma": [0.01, 0.1]}
    table = run(
        manifest(frame), fusions="concat", heads="svm", split=HOLDOUT, seeds=[0, 1],
        tuning={"method": "random", "budget": 7, "heads": {"svm": ranges}},
    )  # fmt: skip
    drawn = {}
    for seed in (0, 1):
        tried = curves(
            only(table, fusion="concat", seed=seed), "tune svm on data.acid+phenol+colour"
        )
        assert len(tried) == 7
        assert tried["head.C"].between(0.01, 100).all()
        assert set(tried["head.gamma"]) <= {0.01, 0.1}
        drawn[seed] = tried["head.C"].tolist()
    assert drawn[0] != drawn[1]
    row = only(table, fusion="concat", seed=0)
    best = json.loads(row["tuned"])["head"]
    train, _ = parts(y)
    model = make_pipeline(StandardScaler(), SVC(break_ties=True, **best))
    score = cross_val_score(model, X[train], y[train], cv=INNER).mean()
    assert math.isclose(row["inner_score"], score)


def test_seeds_that_draw_are_replicates_of_a_given_split(manifest: Block) -> None:
    frame = wine()
    frame["part"] = np.resize(["train", "train", "test"], len(frame))
    tuning = {"method": "random", "budget": 3, "heads": {"svm": {"C": {"low": 1, "high": 9.5}}}}
    table = mmbench.run(
        {
            "name": "drawn", "datasets": [manifest(frame, split="part")], "seeds": [0, 1],
            "encoders": {"vector": "identity"}, "fusions": "concat", "tuning": tuning,
            "heads": ["svm", "logistic-regression"],
        },
        out="run",
    )  # fmt: skip
    skipped = table[table["status"] == "skipped"]
    assert set(skipped["head"]) == {"logistic-regression"}
    assert (table[table["head"] == "svm"]["status"] == "ok").all()


def test_halving_gives_more_samples_to_fewer_candidates(manifest: Block) -> None:
    frame = wine()
    X, y = arrays(frame)
    ranges = {"C": {"low": 0.001, "high": 100, "log": True}}
    table = run(
        manifest(frame), fusions="concat", heads="svm", split=HOLDOUT,
        tuning={"method": "halving", "budget": 9, "heads": {"svm": ranges}},
    )  # fmt: skip
    row = only(table, fusion="concat")
    tried = curves(row, "tune svm on data.acid+phenol+colour")
    assert tried["share"].round(6).value_counts(sort=False).to_dict() == {
        round(1 / 9, 6): 9, round(1 / 3, 6): 3, 1: 1,
    }  # fmt: skip
    rounds = [group for _, group in tried.groupby("share")]
    for before, after in itertools.pairwise(rounds):
        best = before.sort_values("score", ascending=False, kind="stable")["head.C"]
        assert after["head.C"].tolist() == best.tolist()[: len(after)]
    chosen = json.loads(row["tuned"])["head"]["C"]
    assert chosen == rounds[-1]["head.C"].item()
    train, _ = parts(y)
    model = make_pipeline(StandardScaler(), SVC(break_ties=True, C=chosen))
    score = cross_val_score(model, X[train], y[train], cv=INNER).mean()
    assert math.isclose(row["inner_score"], score)


numbers = st.integers(-50, 50) | st.floats(-50, 50, allow_nan=False, width=16)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    log = draw(st.booleans())
    low, high = sorted([draw(numbers), draw(numbers)])
    if log:
        low, high = abs(low) + 1, abs(low) + 1 + high - low
    if low == high:
        high += 1
    return Range(low=low, high=high, log=log)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcd"), ranges() | st.lists(st.integers(), min_size=1), min_size=1
    ),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
)
def test_candidates_are_distinct_within_bounds_and_reproducible(
    options: dict[str, Any], budget: int, seed: int
) -> None:
    space = SearchSpace("random", "accuracy", budget, {"head": options})
    candidates = space.candidates(["fusion", "head"], seed)
    assert candidates == space.candidates(["head"], seed)
    assert 1 <= len(candidates) <= budget
    assert len({json.dumps(c, sort_keys=True) for c in candidates}) == len(candidates)
    for candidate in candidates:
        assert candidate["head"].keys() == options.keys()
        for name, value in candidate["head"].items():
            values = options[name]
            if isinstance(values, list):
                assert value in values
                continue
            assert values.low <= value <= values.high
            whole = isinstance(values.low, int) and isinstance(values.high, int)
            assert isinstance(value, int if whole else float)


def test_lists_are_drawn_as_scikit_learn_draws_them() -> None:
    options = {"C": [0.1, 1, 10, 100], "gamma": [1, 2, 3]}
    space = SearchSpace("random", "accuracy", 5, {"head": options})
    theirs = list(ParameterSampler(options, 5, random_state=3))
    assert [c["head"] for c in space.candidates(["head"], 3)] == theirs


def test_the_plan_tells_what_is_tried(manifest: Block) -> None:
    matrix = {
        "name": "told", "datasets": [manifest(wine())], "encoders": {"vector": "identity"},
        "fusions": ["concat", "stacking"], "heads": ["svm", "logistic-regression"],
        "tuning": {"heads": {"svm": GRID}, "fusions": {"stacking": {"C": [1, 2]}}},
    }  # fmt: skip
    plan = mmbench.plan(matrix)
    assert plan.products[-1] == "tuning: grid by accuracy: svm 9 candidates; stacking 2 candidates"
    jobs = [job for job in plan.jobs() if job.kind == "tune"]
    assert len(jobs) == 5 * (3 + 1 + 2)  # baselines, concat, and stacking of each head


def test_steps_of_a_range_make_a_grid() -> None:
    options = {
        "C": Range(low=0.01, high=100.0, log=True, steps=5),
        "k": Range(low=1, high=9, steps=3),
    }
    space = SearchSpace("grid", "accuracy", 20, {"head": options})
    made = [c["head"] for c in space.candidates(["head"], 0)]
    assert [c["k"] for c in made] == [1, 5, 9] * 5
    np.testing.assert_allclose([c["C"] for c in made[::3]], [0.01, 0.1, 1, 10, 100])


# --- what goes wrong ---------------------------------------------------------------------------


def brittle(manifest: Block, fails_at: list[int]) -> pd.DataFrame:
    """Run a head that cannot be fitted to so many samples, the number tuned."""
    matrix = {
        "name": "brittle", "datasets": [manifest(wine())], "encoders": {"vector": "identity"},
        "fusions": "concat", "heads": {"use": "brittle"}, "split": HOLDOUT,
        "tuning": {"heads": {"brittle": {"fails_at": fails_at}}},
    }  # fmt: skip
    return mmbench.run(matrix, out="run", plugins=[str(PLANTED)])


def test_a_candidate_that_fails_is_passed_over(manifest: Block) -> None:
    _, y = arrays(wine())
    train, _ = parts(y)
    sizes = sorted({len(a) for a, _ in StratifiedKFold(5).split(train, y[train])})
    table = brittle(manifest, [sizes[0], 0])
    assert set(table["status"]) == {"ok"}
    assert {json.loads(t)["head"]["fails_at"] for t in table["tuned"]} == {0}
    tried = curves(only(table, fusion="concat"), "tune brittle on data.acid+phenol+colour")
    assert f"{sizes[0]} samples | <i>are wrong</i>" in tried["reason"].iloc[0]

    table = brittle(manifest, sizes[:1])
    assert set(table["status"]) == {"failed"}
    reason = f"no candidate can be used: ValueError: {sizes[0]} samples | <i>are wrong</i>"
    assert table["reason"].str.endswith(reason).all()
    assert table["tuned"].tolist() == [""] * 4


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        ({}, "tuning = {}: Value error, nothing to tune; give [tuning.heads.NAME]"),
        ({"heads": {"svn": {"C": [1]}}}, "tuning.heads.svn: the file's heads have no 'svn'; did"),
        ({"fusions": {"stacking": {"C": [1]}}}, "tuning.fusions.stacking: the file's fusions have"),
        ({"heads": {"svm": {"c": [1]}}}, "tuning.heads.svm: unknown option 'c'; did you mean 'C'?"),
        ({"heads": {"svm": {"C": ["one"]}}}, "tuning.heads.svm: C = 'one': Input should be a"),
        ({"heads": {"svm": {"C": []}}}, "tuning.heads.svm.C = []: List should have at least 1"),
        ({"heads": {"svm": {"kernel": ["rbf"]}}}, "tuning.heads.svm.kernel: 'svm' is also listed"),
        (
            {"heads": {"svm": {"C": {"low": 2, "high": 1}}}},
            "matrix: tuning.heads.svm.C = {'low': 2, 'high': 1}: Value error, low is not below",
        ),
        (
            {"heads": {"svm": {"C": {"low": 0, "high": 1, "log": True}}}},
            "C = {'low': 0, 'high': 1, 'log': True}: Value error, log = true needs low above 0",
        ),
        (
            {"heads": {"svm": {"C": {"low": 1, "high": 2}}}},
            "heads.svm.C has no steps, which method = 'grid' needs",
        ),
        ({"heads": {"svm": {"C": [1]}}, "budget": 3}, "budget is for random and halving"),
        ({"heads": {"svm": {"C": [1]}}, "method": "bayes"}, "tuning.method = 'bayes': Input"),
        ({"heads": {"svm": {"C": [1]}}, "metric": "acuracy"}, "tuning.metric: unknown metric 'acu"),
        ({"head": {"svm": {"C": [1]}}}, "unknown key 'tuning.head'; did you mean 'heads'?"),
        (
            {"heads": {"svm": {"C": [1]}}, "seeds": [1]},
            "seeds stands under [tuning]; move it above the first [table]",
        ),
    ],
)
def test_mistakes(tuning: dict, message: str, manifest: Block) -> None:
    matrix = {
        "name": "mistaken", "datasets": [manifest(wine())], "encoders": {"vector": "identity"},
        "fusions": "concat", "heads": {"use": "svm", "kernel": "linear"}, "tuning": tuning,
    }  # fmt: skip
    with pytest.raises(UserError) as told:
        mmbench.plan(matrix)
    assert message in str(told.value)
    assert str(told.value).startswith("matrix: ")
    assert "\n" not in str(told.value)


# --- what else stands on it --------------------------------------------------------------------


def test_what_is_timed_is_the_tuned_combination(manifest: Block) -> None:
    timing = {"min_repeats": 3, "min_seconds": 0, "max_seconds": 1, "warmup": 1, "batch_sizes": 4}
    table = mmbench.run(
        {
            "name": "timed", "datasets": [manifest(wine())], "encoders": {"vector": "identity"},
            "fusions": ["concat", "mean-probability", "stacking"], "heads": "svm", "split": HOLDOUT,
            "tuning": {
                "heads": {"svm": {"C": [1e-3, 5.0]}}, "fusions": {"stacking": {"C": [0.01, 9.0]}}
            },
            "timing": {**timing, "end_to_end": "all"},
        },
        out="run",
    )  # fmt: skip
    assert set(table["status"]) == {"ok"}
    assert {json.loads(t)["head"]["C"] for t in table["tuned"] if "head" in json.loads(t)} == {5.0}
    timings = mmbench.read_timings("run")
    assert set(timings["status"]) == {"ok"}
    assert set(timings["unit"]) >= {"classifier", "decision", "end-to-end"}


def test_what_is_tuned_names_the_cell_and_is_stored_once(manifest: Block, own_store: Path) -> None:
    matrix = {
        "name": "named", "datasets": [manifest(wine())], "encoders": {"vector": "identity"},
        "fusions": "concat", "heads": ["svm", "logistic-regression"], "split": HOLDOUT,
    }  # fmt: skip
    plain = mmbench.run(matrix, out="plain")
    tuning = {"heads": {"svm": {"C": [0.1, 1.0]}}}
    tuned = mmbench.run({**matrix, "tuning": tuning}, out="tuned")
    same = plain["cell"].reset_index(drop=True) == tuned["cell"].reset_index(drop=True)
    assert same.tolist() == (plain["head"] == "logistic-regression").tolist()
    assert "tuned" not in plain
    assert tuned.columns[-2:].tolist() == ["tuned", "inner_score"]
    assert (tuned["tuned"] == "").tolist() == same.tolist()

    before = sorted(own_store.rglob("*"))
    again = mmbench.run({**matrix, "tuning": tuning}, out="again", jobs=1)
    assert sorted(own_store.rglob("*")) == before
    exact = [c for c in tuned if c not in mmbench.TIMING_COLUMNS]
    pd.testing.assert_frame_equal(again[exact], tuned[exact])
    summary = mmbench.summarise(again)
    assert summary["tuned"].tolist() == again["tuned"].tolist()
    report = (Path("again") / "report.md").read_text()
    assert "| head: C=" in report
    assert "head: C=" in (Path("again") / "report.html").read_text()
    np.testing.assert_allclose(summary["inner_score"], again["inner_score"])


def test_a_damaged_input_is_made_anew(manifest: Block, own_store: Path) -> None:
    matrix = {
        "name": "damaged", "datasets": [manifest(wine())], "encoders": {"vector": "identity"},
        "fusions": "concat", "heads": "svm", "split": HOLDOUT,
        "tuning": {"heads": {"svm": {"C": [0.1, 1.0]}}},
    }  # fmt: skip
    before = mmbench.run(matrix, out="before")
    for meta in list(own_store.rglob("meta.json")):
        kind = json.loads(meta.read_text())["kind"]
        if kind != "embed":
            shutil.rmtree(meta.parent)
            continue
        content = bytearray((meta.parent / "values.npy").read_bytes())
        content[-1] ^= 255
        (meta.parent / "values.npy").write_bytes(content)
    after = mmbench.run(matrix, out="after")
    exact = [c for c in before if c not in mmbench.TIMING_COLUMNS]
    assert set(after["status"]) == {"ok"}, after["reason"].tolist()
    pd.testing.assert_frame_equal(after[exact], before[exact])
