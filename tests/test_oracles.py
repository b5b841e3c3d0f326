"""Cells against the same thing written by hand in scikit-learn."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import mmbench
from tests.byhand import (
    INNER,
    Block,
    arrays,
    assert_equal,
    calibrated,
    cancer,
    head,
    modalities,
    only,
    probabilities,
    run,
    select,
    stacking,
    stored,
    voting,
    wine,
)

pytestmark = pytest.mark.usefixtures("one_thread")

HEADS = {
    "logistic-regression": "logistic-regression",
    "svm": "svm",
    "random-forest": {"use": "random-forest", "n_estimators": 20},
}
FUSIONS = ["concat", "mean-probability", "vote", "stacking"]


# --- tests -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("data", [wine, cancer])
def test_every_fusion(name: str, data: Callable, manifest: Block) -> None:
    frame = data()
    parts = modalities(frame)
    X, y = arrays(frame)
    n_folds = 2 if name == "random-forest" else 3
    table = run(
        manifest(frame), fusions=FUSIONS, heads=HEADS[name], split={"folds": n_folds}, seeds=[3]
    )
    assert len(table) == n_folds * (len(parts) + len(FUSIONS))

    state = mmbench.derive_seed(3, None, "split")
    outer = StratifiedKFold(n_folds, shuffle=True, random_state=state)
    for fold, (train, test) in enumerate(outer.split(X, y)):
        cells = table[table["fold"] == fold]
        forest = {"random_state": mmbench.derive_seed(3, fold, "head")}
        last = head(name).set_params(**forest) if name == "random-forest" else head(name)
        alone = {m: make_pipeline(select(c), StandardScaler(), last) for m, c in parts.items()}
        fitted = {m: clone(model).fit(X[train], y[train]) for m, model in alone.items()}
        for modality, model in fitted.items():
            row = only(cells, fusion="none", modalities=modality)
            assert_equal(row, model, X[test], (fold, modality))
            assert (row["n_train"], row["n_test"]) == (len(train), len(test))
            assert stored(row)["id"].tolist() == [str(i) for i in test]
            assert stored(row)["truth"].tolist() == frame["label"].iloc[test].tolist()
        for fusion, model in {
            "concat": make_pipeline(StandardScaler(), last),
            "mean-probability": voting(alone, "soft"),
            "stacking": stacking(alone),
        }.items():
            model.fit(X[train], y[train])
            assert_equal(only(cells, fusion=fusion), model, X[test], (fold, fusion))

        ours = probabilities(only(cells, fusion="vote")).argmax(axis=1)
        votes = np.stack([model.predict(X[test]) for model in fitted.values()])
        shares = np.eye(y.max() + 1)[votes].sum(axis=0)
        clear = (shares == shares.max(axis=1, keepdims=True)).sum(axis=1) == 1
        assert clear.sum() > len(test) / 2
        majority = voting(alone, "hard").fit(X[train], y[train]).predict(X[test])
        assert (ours == majority)[clear].all()
        mean = np.mean([model.predict_proba(X[test]) for model in fitted.values()], axis=0)
        tied = np.where(shares == shares.max(axis=1, keepdims=True), mean, -1).argmax(axis=1)
        assert (ours == tied).all()


def test_given_split_calibrates_on_the_validation_part(manifest: Block) -> None:
    frame = wine().sample(frac=1, random_state=1, ignore_index=True)
    frame["part"] = np.repeat(["train", "validation", "test"], [90, 40, 48])
    X, y = arrays(frame)
    train, held, test = (
        np.flatnonzero(frame["part"] == p) for p in ("train", "validation", "test")
    )
    table = run(
        manifest(frame, split="part"),
        fusions=["concat", "stacking", "joint-logistic"],
        heads=["svm", "logistic-regression"],
    )
    assert set(zip(table["n_train"], table["n_test"], strict=True)) == {(90, 48)}

    svc = make_pipeline(StandardScaler(), SVC(break_ties=True)).fit(X[train], y[train])
    model = CalibratedClassifierCV(FrozenEstimator(svc), method="temperature")
    model.fit(X[held], y[held])
    assert_equal(only(table, fusion="concat", head="svm"), model, X[test])

    plain = make_pipeline(StandardScaler(), head("logistic-regression")).fit(X[train], y[train])
    assert_equal(only(table, fusion="concat", head="logistic-regression"), plain, X[test])

    last = head("logistic-regression")
    models = {
        m: make_pipeline(select(c), StandardScaler(), last) for m, c in modalities(frame).items()
    }
    stack = stacking(models).fit(X[train], y[train])
    assert_equal(only(table, fusion="stacking", head="logistic-regression"), stack, X[test])

    tried = [
        make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000)).fit(
            X[train], y[train]
        )
        for C in (1.0, 0.01)
    ]
    best = min(tried, key=lambda model: log_loss(y[held], model.predict_proba(X[held])))
    assert_equal(only(table, fusion="joint-logistic"), best, X[test])


def test_inner_folds_do_not_cut_groups(manifest: Block) -> None:
    frame = wine()
    frame["patch"] = np.random.default_rng(0).integers(25, size=len(frame))
    groups = frame["patch"].astype(str).to_numpy()
    X, y = arrays(frame)
    table = run(
        manifest(frame, group="patch"), fusions=["concat", "stacking"], heads="svm",
        split={"folds": 3},
    )  # fmt: skip
    state = mmbench.derive_seed(0, None, "split")
    outer = StratifiedGroupKFold(3, shuffle=True, random_state=state)
    for fold, (train, test) in enumerate(outer.split(X, y, groups)):
        assert not set(groups[train]) & set(groups[test])
        cells = table[table["fold"] == fold]

        inner = list(StratifiedGroupKFold(5).split(X[train], y[train], groups[train]))
        concat = make_pipeline(StandardScaler(), head("svm", inner=inner)).fit(X[train], y[train])
        assert_equal(only(cells, fusion="concat"), concat, X[test])

        # Written out, as scikit-learn cannot hand groups to a calibration inside stacking.
        columns, given = [], []
        for part in modalities(frame).values():

            def fit(rows: np.ndarray, part: list[int] = part) -> object:
                nested = list(StratifiedGroupKFold(5).split(rows, y[rows], groups[rows]))
                model = make_pipeline(select(part), StandardScaler(), head("svm", inner=nested))
                return model.fit(X[rows], y[rows])

            held_out = np.empty((len(train), 3))
            for a, b in inner:
                held_out[b] = fit(train[a]).predict_proba(X[train[b]])
            columns.append(held_out)
            given.append(fit(train).predict_proba(X[test]))
        meta = LogisticRegression(max_iter=1000).fit(np.hstack(columns), y[train])
        assert_equal(only(cells, fusion="stacking"), meta, np.hstack(given))


def test_missing_values(manifest: Block) -> None:
    frame = wine()
    rng = np.random.default_rng(4)
    gone = {m: rng.random(len(frame)) < 0.25 for m in ("acid", "colour")}
    for modality, rows in gone.items():
        frame.loc[rows, [c for c in frame if c.startswith(f"{modality}.")]] = None
    parts = modalities(frame)
    X, y = arrays(frame)
    table = run(
        manifest(frame), fusions=["concat", "mean-probability", "flagged"],
        heads="logistic-regression", missing=["mean", "zero", "skip"], split={"folds": 3},
    )  # fmt: skip
    complete = table[(table["fusion"] == "none") & (table["modalities"] == "phenol")]
    assert complete["missing"].tolist() == [""] * 3
    assert table["missing"].value_counts()["skip"] == 3 * 5

    state = mmbench.derive_seed(0, None, "split")
    outer = StratifiedKFold(3, shuffle=True, random_state=state)
    for fold, (train, test) in enumerate(outer.split(X, y)):
        cells = table[table["fold"] == fold]
        for policy, imputer in {
            "mean": SimpleImputer(),
            "zero": SimpleImputer(strategy="constant", fill_value=0.0),
        }.items():
            chosen = cells[cells["missing"] == policy]
            prepared, models = {}, {}
            for modality, columns in parts.items():
                filled = clone(imputer).fit(X[train][:, columns]).transform(X[:, columns])
                known = train[~np.isnan(X[train][:, columns]).any(axis=1)]
                scaler = StandardScaler().fit(X[known][:, columns])
                prepared[modality] = Z = scaler.transform(filled)
                models[modality] = head("logistic-regression").fit(Z[train], y[train])
                if modality in gone:
                    row = only(chosen, fusion="none", modalities=modality)
                    assert_equal(row, models[modality], Z[test], (policy, modality))
                    assert (row["n_train"], row["n_test"]) == (len(train), len(test))
            Z = np.hstack(list(prepared.values()))
            model = head("logistic-regression").fit(Z[train], y[train])
            assert_equal(only(chosen, fusion="concat"), model, Z[test], policy)
            soft = np.mean([models[m].predict_proba(prepared[m][test]) for m in parts], axis=0)
            row = only(chosen, fusion="mean-probability")
            np.testing.assert_allclose(probabilities(row), soft, rtol=0, atol=1e-6)

            flags = np.stack([np.isnan(X[:, c]).any(axis=1) for c in parts.values()], axis=1)
            known = {m: np.where(np.isnan(X[:, c]), 0, 1) for m, c in parts.items()}
            blank = np.hstack([prepared[m] * known[m] for m in parts])
            Z = np.hstack([blank, flags])
            model = head("logistic-regression").fit(Z[train], y[train])
            assert_equal(only(chosen, fusion="flagged"), model, Z[test], policy)

        chosen = cells[cells["missing"] == "skip"]
        for fusion, names in {"none": ["acid"], "concat": list(parts)}.items():
            row = only(chosen, fusion=fusion, modalities="+".join(names))
            columns = [c for m in names for c in parts[m]]
            there = ~np.isnan(X[:, columns]).any(axis=1)
            a, b = train[there[train]], test[there[test]]
            model = make_pipeline(select(columns), StandardScaler(), head("logistic-regression"))
            assert_equal(row, model.fit(X[a], y[a]), X[b], fusion)
            assert (row["n_train"], row["n_test"]) == (len(a), len(b))
            assert stored(row)["id"].tolist() == [str(i) for i in b]


class Weighted(TransformerMixin, BaseEstimator):
    """Multiplies the columns of each part by the part's weight, learnt with labels."""

    def __init__(self, parts: tuple = (), weigh: Callable | None = None) -> None:
        self.parts = parts
        self.weigh = weigh

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Weighted":
        self.scale_ = np.ones(X.shape[1])
        for part in self.parts:
            self.scale_[list(part)] = self.weigh(X[:, part], y)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return X * self.scale_


def f_weight(X: np.ndarray, y: np.ndarray) -> float:
    f = f_classif(X, y)[0].mean()
    return f / (f + 10)


def held_out_accuracy(X: np.ndarray, y: np.ndarray) -> float:
    predicted = cross_val_predict(
        make_pipeline(StandardScaler(), head("logistic-regression")),
        X, y, cv=INNER, method="predict_proba",
    )  # fmt: skip
    return (predicted.argmax(axis=1) == y).mean()


def test_alignments_and_trained_fusions(manifest: Block) -> None:
    """With svm everything fitted with labels is fitted anew for the calibration."""
    frame = wine()
    parts = modalities(frame)
    X, y = arrays(frame)
    table = run(
        manifest(frame),
        alignments=["none", {"use": "principal", "n": 3}, "discriminating"],
        fusions=["concat", "f-weighted", "joint-logistic"],
        heads=["logistic-regression", "svm"],
        split={"folds": 2},
    )

    def each(*steps: object) -> ColumnTransformer:
        return ColumnTransformer([(m, make_pipeline(*steps), c) for m, c in parts.items()])

    sizes = {
        "none": [len(c) for c in parts.values()],
        "principal": [3, 3, 3],
        "discriminating": [2, 2, 2],
    }
    aligned = {
        "none": each(StandardScaler()),
        "principal": each(StandardScaler(), PCA(3, svd_solver="full")),
        "discriminating": each(StandardScaler(), LinearDiscriminantAnalysis()),
    }
    state = mmbench.derive_seed(0, None, "split")
    outer = StratifiedKFold(2, shuffle=True, random_state=state)
    for fold, (train, test) in enumerate(outer.split(X, y)):
        cells = table[table["fold"] == fold]
        for name, alignment in aligned.items():
            edges = np.cumsum([0, *sizes[name]])
            spans = tuple(tuple(range(a, b)) for a, b in itertools.pairwise(edges))
            fusions = {
                "concat": [alignment],
                "joint-logistic": [alignment],
                "f-weighted": [alignment, Weighted(spans, f_weight)],
            }
            for fusion, steps in fusions.items():
                plain = make_pipeline(*steps, head("logistic-regression"))
                svc = make_pipeline(*steps, head("svm"))
                if name == "discriminating" or fusion == "f-weighted":
                    svc = calibrated(make_pipeline(*steps, SVC(break_ties=True)))
                models = {"logistic-regression": plain, "svm": svc}
                if fusion == "joint-logistic":
                    models = {"": plain}
                for last, model in models.items():
                    row = only(cells, alignment=name, fusion=fusion, head=last)
                    assert_equal(row, model.fit(X[train], y[train]), X[test], (name, fusion, last))
        assert set(cells.loc[cells["fusion"] == "none", "alignment"]) == {"none"}


def test_fusion_fitted_on_out_of_fold_probabilities(manifest: Block) -> None:
    frame = wine()
    X, y = arrays(frame)
    table = run(
        manifest(frame),
        fusions="reliability-weighted",
        heads="logistic-regression",
        split={"folds": 3},
    )
    spans = tuple(tuple(c) for c in modalities(frame).values())
    state = mmbench.derive_seed(0, None, "split")
    outer = StratifiedKFold(3, shuffle=True, random_state=state)
    for fold, (train, test) in enumerate(outer.split(X, y)):
        model = make_pipeline(
            StandardScaler(), Weighted(spans, held_out_accuracy), head("logistic-regression")
        )
        row = only(table, fold=fold, fusion="reliability-weighted")
        assert_equal(row, model.fit(X[train], y[train]), X[test])


def test_supervised_encoder(manifest: Block) -> None:
    """It is fitted on the training part, and anew in every inner fold."""
    frame = cancer()
    parts = modalities(frame)
    X, y = arrays(frame)
    raw = frame[[c for c in frame if "." in c]].to_numpy()
    table = run(
        manifest(frame),
        encoders={"vector": "discriminant"},
        fusions=["concat", "stacking"],
        heads=["logistic-regression", "svm"],
        split={"folds": 2},
    )
    single = FunctionTransformer(lambda Z: Z.astype(np.float32).astype(float))
    encode = {m: select(c, LinearDiscriminantAnalysis(), single) for m, c in parts.items()}
    state = mmbench.derive_seed(0, None, "split")
    outer = StratifiedKFold(2, shuffle=True, random_state=state)
    for fold, (train, test) in enumerate(outer.split(X, y)):
        cells = table[table["fold"] == fold]
        plain = {
            m: make_pipeline(encoder, StandardScaler(), head("logistic-regression"))
            for m, encoder in encode.items()
        }
        svc = {
            m: make_pipeline(encoder, StandardScaler(), SVC(break_ties=True))
            for m, encoder in encode.items()
        }
        both = make_union(*encode.values())
        models = {
            ("none", "logistic-regression"): plain["mean"],
            ("none", "svm"): calibrated(svc["mean"]),
            ("concat", "logistic-regression"): make_pipeline(
                both, StandardScaler(), head("logistic-regression")
            ),
            ("concat", "svm"): calibrated(
                make_pipeline(both, StandardScaler(), SVC(break_ties=True))
            ),
            ("stacking", "logistic-regression"): stacking(plain),
        }
        for (fusion, last), model in models.items():
            chosen = cells[(cells["fusion"] != "none") | (cells["modalities"] == "mean")]
            row = only(chosen, fusion=fusion, head=last)
            assert_equal(row, model.fit(raw[train], y[train]), raw[test], (fusion, last))

        # Stacked svms over it are calibrated once, on the pooled out-of-fold decisions.
        held_out, given = [], []
        for model in svc.values():
            decisions = cross_val_predict(
                model, raw[train], y[train], cv=INNER, method="decision_function"
            )
            whole = calibrated(model).fit(raw[train], y[train])
            beta = whole.calibrated_classifiers_[0].calibrators[0].beta_
            held_out.append(1 / (1 + np.exp(-2 * beta * decisions)))
            given.append(whole.predict_proba(raw[test])[:, 1])
        meta = LogisticRegression(max_iter=1000).fit(np.stack(held_out, axis=1), y[train])
        row = only(cells, fusion="stacking", head="svm")
        assert_equal(row, meta, np.stack(given, axis=1))


def test_seeded_encoder(manifest: Block) -> None:
    frame = wine()
    frame["turn"] = np.arange(len(frame)) % 3
    columns = modalities(frame)["acid"]
    y = arrays(frame)[1]
    raw = frame[[c for c in frame if "." in c]].to_numpy()[:, columns]
    table = run(
        manifest(frame, fold="turn"),
        encoders={"acid": {"use": "projected", "d": 5}},
        heads="logistic-regression", seeds=[0, 7],
    )  # fmt: skip
    for seed in (0, 7):
        drawn = np.random.default_rng(mmbench.derive_seed(seed, None, "encoder.acid"))
        Z = (raw @ drawn.standard_normal((4, 5))).astype(np.float32).astype(float)
        for fold in range(3):
            train, test = np.flatnonzero(frame["turn"] != fold), frame["turn"] == fold
            model = make_pipeline(StandardScaler(), head("logistic-regression"))
            assert_equal(only(table, seed=seed, fold=fold), model.fit(Z[train], y[train]), Z[test])


def test_standardise_is_a_choice(manifest: Block) -> None:
    frame = cancer()
    frame["turn"] = np.arange(len(frame)) % 2
    X, y = arrays(frame)
    columns = modalities(frame)["mean"]
    table = run(
        manifest(frame, fold="turn"),
        encoders={"mean": ["identity", {"use": "identity", "standardise": False}]},
        heads=["svm"],
    )
    train, test = np.flatnonzero(frame["turn"] != 0), np.flatnonzero(frame["turn"] == 0)
    for row in table[table["fold"] == 0].to_dict("records"):
        steps = [] if "standardise" in row["params"] else [StandardScaler()]
        model = make_pipeline(select(columns), *steps, head("svm")).fit(X[train], y[train])
        assert_equal(pd.Series(row), model, X[test], row["params"])
    assert sorted(table.loc[table["fold"] == 0, "params"]) == sorted(
        ["{}", json.dumps({"encoder.mean": {"standardise": False}})]
    )


def test_class_absent_from_a_training_part(manifest: Block) -> None:
    frame = wine()
    frame["turn"] = np.where(frame["label"] == "class_1", 2, np.arange(len(frame)) % 3)
    parts = modalities(frame)
    X, y = arrays(frame)
    table = run(
        manifest(frame, fold="turn"),
        fusions=["concat", "mean-probability", "stacking", "joint-logistic"],
        heads=["logistic-regression", "svm"],
        encoders={"vector": "identity"},
    )
    train, test = np.flatnonzero(frame["turn"] != 2), np.flatnonzero(frame["turn"] == 2)
    assert set(y[train]) == {0, 2}
    cells = table[table["fold"] == 2]
    for name in ("logistic-regression", "svm"):
        last = head(name)
        alone = {m: make_pipeline(select(c), StandardScaler(), last) for m, c in parts.items()}
        for fusion, model in {
            "concat": make_pipeline(StandardScaler(), last),
            "mean-probability": voting(alone, "soft"),
            "stacking": stacking(alone),
        }.items():
            ours = probabilities(only(cells, fusion=fusion, head=name))
            assert (ours[:, 1] == 0).all()
            # scikit-learn 1.9 scales temperatures rightly for the labels 0, 1, ... only
            theirs = model.fit(X[train], y[train] // 2).predict_proba(X[test])
            np.testing.assert_allclose(ours[:, [0, 2]], theirs, rtol=0, atol=1e-6)
    joint = probabilities(only(cells, fusion="joint-logistic"))
    concat = probabilities(only(cells, fusion="concat", head="logistic-regression"))
    np.testing.assert_allclose(joint, concat, rtol=0, atol=1e-6)


# --- text --------------------------------------------------------------------------------------


def tfidf() -> FeatureUnion:
    """Word and character n-grams, each of length 1, in double precision for the head."""
    options = {"sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b", **options)
    characters = TfidfVectorizer(ngram_range=(1, 4), analyzer="char_wb", **options)
    double = FunctionTransformer(lambda Z: Z.astype(float), accept_sparse=True)
    return make_pipeline(make_union(words, characters), double)


def pick(column: int) -> FunctionTransformer:
    return FunctionTransformer(lambda rows: [row[column] for row in rows], validate=False)


def test_digits_text_and_images() -> None:
    """Sparse text beside dense images, in groups; tf-idf is fitted anew in every inner fold."""
    from mmbench_digits.dataset import Digits
    from mmbench_features.hog import Hog

    limit = 150
    content = {
        "name": "oracle",
        "datasets": [{"use": "digits"}],
        "encoders": {"image": {"use": "hog", "size": 32}, "text": "tf-idf"},
        "fusions": ["concat", "mean-probability", "stacking"],
        "heads": "logistic-regression",
    }
    table = mmbench.run(content, out="run", jobs=1, limit=limit)
    assert (table["status"] == "ok").all()

    data = Digits()
    ids = pd.concat([stored(row)["id"] for _, row in table[table["fusion"] == "concat"].iterrows()])
    assert len(set(ids)) == limit
    rows = np.flatnonzero(np.isin(data.ids, list(ids)))
    y, folds, groups = data.labels[rows], np.asarray(data.folds)[rows], data.groups[rows]
    texts, images = data.items("text"), data.items("image")
    pixels = Hog(size=32).encode([images[int(i)] for i in rows]).astype(float)
    X = np.empty((len(rows), 2), dtype=object)
    X[:, 0] = list(pixels)
    X[:, 1] = [texts[int(i)] for i in rows]

    image = make_pipeline(pick(0), FunctionTransformer(np.stack), StandardScaler())
    text = make_pipeline(pick(1), tfidf())
    for fold in range(2):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        inner = mmbench.folds(y[train], groups[train])
        n_splits = len(inner)
        theirs = StratifiedGroupKFold(n_splits).split(train, y[train], groups[train])
        for (a, b), (c, d) in zip(inner, theirs, strict=True):
            assert a.tolist() == c.tolist()
            assert b.tolist() == d.tolist()
        last = head("logistic-regression")
        alone = {"image": make_pipeline(image, last), "text": make_pipeline(text, last)}
        models = {
            "image": alone["image"],
            "text": alone["text"],
            "concat": make_pipeline(make_union(image, text), last),
            "mean-probability": voting(alone, "soft"),
            "stacking": stacking(alone, inner),
        }
        cells = table[table["fold"] == fold]
        for name, model in models.items():
            axes = {"modalities": name} if name in alone else {"fusion": name}
            assert_equal(only(cells, **axes), model.fit(X[train], y[train]), X[test], (fold, name))


# --- real sets ---------------------------------------------------------------------------------


@pytest.mark.shared_data
def test_leaf(shared_data: Path) -> None:
    block = {
        "use": "manifest",
        "path": str(shared_data / "leaf" / "manifest.csv"),
        "label": "species",
        "id": "id",
        "modalities": {
            m: {"columns": f"{m}*", "kind": "vector"} for m in ("margin", "shape", "texture")
        },
    }
    table = run(
        block, fusions=["concat"], heads=["logistic-regression", "svm"],
        exclude=[{"head": "svm", "fusion": "none"}],
    )  # fmt: skip
    mean = table.groupby(["modalities", "head"])["accuracy"].mean()
    together = "margin+shape+texture"
    assert mean[together, "svm"] >= 0.97
    assert mean[together, "logistic-regression"] >= 0.97
    for modality, expected in {"margin": 0.81, "shape": 0.61, "texture": 0.80}.items():
        assert mean[modality, "logistic-regression"] == pytest.approx(expected, abs=0.02)

    frame = pd.read_csv(block["path"])
    vectors = [c for c in frame if c.rstrip("0123456789") in block["modalities"]]
    X = frame[vectors].to_numpy().astype(np.float32).astype(float)
    y = np.unique(frame["species"], return_inverse=True)[1]
    state = mmbench.derive_seed(0, None, "split")
    train, test = next(StratifiedKFold(5, shuffle=True, random_state=state).split(X, y))
    for name in ("logistic-regression", "svm"):
        model = make_pipeline(StandardScaler(), head(name)).fit(X[train], y[train])
        row = only(table, modalities=together, head=name, fold=0)
        assert_equal(row, model, X[test], name)
        assert stored(row)["id"].tolist() == frame["id"].astype(str).iloc[test].tolist()


@pytest.mark.shared_data
def test_mustard(shared_data: Path) -> None:
    path = shared_data / "mustard" / "manifest.jsonl"
    names = ["utterance", "speaker"]
    block = {
        "use": "manifest", "path": str(path), "label": "sarcasm", "id": "id", "fold": "fold",
        "modalities": {m: {"column": m, "kind": "text"} for m in names},
    }  # fmt: skip
    table = run(
        block, encoders={"text": "tf-idf"}, fusions=["concat", "stacking"],
        heads="logistic-regression", only=("fold=0", "fold=3"),
    )  # fmt: skip
    frame = pd.read_json(path, lines=True, dtype={"id": str})
    X, y = frame[names].to_numpy(), frame["sarcasm"].astype(int).to_numpy()
    last = head("logistic-regression")
    alone = {m: make_pipeline(pick(i), tfidf(), last) for i, m in enumerate(names)}
    both = make_union(*(make_pipeline(pick(i), tfidf()) for i in range(len(names))))
    for fold in (0, 3):
        train, test = np.flatnonzero(frame["fold"] != fold), np.flatnonzero(frame["fold"] == fold)
        cells = table[table["fold"] == fold]
        models = {**alone, "concat": make_pipeline(both, last), "stacking": stacking(alone)}
        for name, model in models.items():
            axes = {"modalities": name} if name in alone else {"fusion": name}
            row = only(cells, **axes)
            assert_equal(row, model.fit(X[train], y[train]), X[test], (fold, name))
            assert stored(row)["id"].tolist() == frame["id"].iloc[test].tolist()
