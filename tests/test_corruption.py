"""Corruption as an axis: what is done to items, and cells redone by hand on corrupted items."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mmbench
from mmbench import catalogue
from mmbench.corruption.noise import NOISES, Scale
from mmbench.errors import UserError
from tests.byhand import assert_equal, calibrated, only, probabilities, select, stacking, wine
from tests.here import Here

pytestmark = pytest.mark.usefixtures("one_thread")

Matrix = Callable[..., dict[str, Any]]


def rng(seed: int = 0, sample: str = "0", modality: str = "a", name: str = "x") -> Any:
    """Return the generator that the documentation promises for a sample."""
    text = "\0".join([str(seed), sample, modality, name])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16]))


# --- items -------------------------------------------------------------------------------------


def picture(height: int = 150, width: int = 100) -> Image.Image:
    shades = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(shades).filter(ImageFilter.GaussianBlur(1))


def tone(n: int = 16_000) -> Any:
    t = np.arange(n) / 16_000
    waves = np.sin(2 * np.pi * 300 * t) + np.sin(2 * np.pi * 5_000 * t)
    return SimpleNamespace(samples=waves.astype(np.float32)[:, None], sample_rate=16_000)


def distance(kind: str, clean: Any, worse: Any) -> float:
    if kind == "image":
        return float(np.abs(np.asarray(clean, float) - np.asarray(worse, float)).mean())
    if kind == "audio":
        heard = [np.abs(np.fft.rfft(each.samples[:, 0])) for each in (clean, worse)]
        return float(np.abs(heard[0] - heard[1]).mean())
    if kind == "vector":
        return float(np.abs(clean - worse).mean())
    if len(clean) != len(worse):
        return abs(len(clean) - len(worse))
    return float(sum(a != b for a, b in zip(clean, worse, strict=True)))


ITEMS: dict[str, Any] = {
    "image": picture(),
    "audio": tone(),
    "text": "Es war einmal ein kleines Mädchen, dem starben Vater und Mutter. " * 5,
    "vector": np.random.default_rng(2).normal(size=40),
}
EVERY = [(kind, name) for kind, named in NOISES.items() for name in named]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_the_stronger_the_farther_and_nothing_else_is_drawn(kind: str, name: str) -> None:
    clean, noise = ITEMS[kind], NOISES[kind][name]
    scale = Scale(np.zeros(40), np.ones(40)) if kind == "vector" else None
    worse = [noise(clean, strength, rng(), scale) for strength in range(1, 6)]
    far = [distance(kind, clean, each) for each in worse]
    assert 0 < far[0] < far[-1]
    assert far == sorted(far) or name in ("band-limit", "clipping")
    assert distance(kind, worse[2], noise(clean, 3, rng(), scale)) == 0
    other = noise(clean, 3, rng(seed=1), scale)
    is_same = worse[2] == other if kind == "text" else not distance(kind, worse[2], other)
    assert is_same != noise.drawn
    if kind == "image":
        assert {each.size for each in worse} == {clean.size}


def test_images_against_pillow_and_arithmetic() -> None:
    clean, noises = picture(), NOISES["image"]
    values = np.asarray(clean) / 255
    noisy = np.asarray(noises["gaussian-noise"](clean, 2, rng()))
    drawn = values + 0.12 * rng().standard_normal(values.shape)
    np.testing.assert_array_equal(noisy, (drawn.clip(0, 1) * 255).round())
    blurred = clean.filter(ImageFilter.GaussianBlur(3 * 100 / 224))
    np.testing.assert_array_equal(noises["blur"](clean, 3, rng()), blurred)
    covered = np.asarray(noises["occlusion"](clean, 4, rng()))
    assert (covered != np.asarray(clean)).any(axis=2).mean() == pytest.approx(0.3, abs=0.03)
    brighter = np.asarray(noises["brightness"](clean, 1, rng()).convert("HSV"))[..., 2].astype(int)
    expected = np.minimum(255, np.asarray(clean.convert("HSV"))[..., 2] + 25.5)
    assert np.abs(brighter - expected).max() <= 2
    small = NOISES["image"]["occlusion"](clean, 1, rng())
    hidden = (np.asarray(small) != np.asarray(clean)).any(axis=2)
    assert (covered[hidden] == 128).all(), "what a strength hides, the next one does"


def test_sounds_have_the_ratio_and_the_band_that_are_said() -> None:
    clean, noises = tone(), NOISES["audio"]
    for strength, decibels in enumerate((20, 15, 10, 5, 0), start=1):
        added = noises["noise"](clean, strength, rng()).samples - clean.samples
        ratio = 10 * np.log10(np.mean(clean.samples**2) / np.mean(added**2))
        assert ratio == pytest.approx(decibels, abs=0.2)
    spectrum = np.abs(np.fft.rfft(noises["band-limit"](clean, 3, rng()).samples[:, 0]))
    assert spectrum[5_000] < 0.05 * spectrum[300]
    assert np.abs(noises["clipping"](clean, 2, rng()).samples).max() == pytest.approx(
        0.3 * np.abs(clean.samples).max()
    )
    silent = (noises["dropout"](clean, 5, rng()).samples == 0).reshape(-1, 320).all(axis=1)
    assert 0.25 < silent.mean() < 0.75
    slow = SimpleNamespace(samples=clean.samples, sample_rate=1_000)
    assert noises["band-limit"](slow, 1, rng()) is slow, "nothing above half the rate is there"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(1, 5), st.integers(0, 9))
def test_texts_of_any_script(text: str, strength: int, seed: int) -> None:
    noises = {name: n(text, strength, rng(seed)) for name, n in NOISES["text"].items()}
    assert len(noises["typing"]) == len(text)
    for before, after in zip(text, noises["typing"], strict=True):
        assert after == before or (before.isalpha() and after.isalpha())
    left = iter(text)
    assert all(character in left for character in noises["deletion"]), "what is left keeps order"
    assert sorted(noises["swap"]) == sorted(text)
    words = iter(text.split())
    assert all(word in words for word in noises["token-dropout"].split())


def test_a_typing_error_hits_a_key_beside() -> None:
    typed = NOISES["text"]["typing"]("gG" * 500, 5, rng())
    assert set(typed.lower()) <= set("gfhtyvb")
    assert typed[0::2].islower()
    assert typed[1::2].isupper()
    assert sum(c not in "gG" for c in typed) == pytest.approx(300, abs=60)


# --- cells -------------------------------------------------------------------------------------


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., pd.DataFrame]]:
    """Run matrices in this process."""
    monkeypatch.setattr(catalogue, "_notebook", [])
    mmbench.register("runner", "here", Here)

    def run(content: dict[str, Any], **keywords: Any) -> pd.DataFrame:
        table = mmbench.run({"name": "worse", **content}, out="run", runner="here", **keywords)
        assert set(table["status"]) <= {"ok", "skipped"}, table["reason"].tolist()
        return table[table["status"] == "ok"]

    return run


def corrupted(values: np.ndarray, ids: Any, modality: str, strength: float, seed: int) -> Any:
    """Return vectors with the noise that is documented: each column's deviation times a draw."""
    drawn = [
        rng(seed, str(i), modality, "gaussian-noise").standard_normal(values.shape[1]) for i in ids
    ]
    return (values + strength * values.std(axis=0) * np.stack(drawn)).astype(np.float32)


def halves(table: pd.DataFrame) -> dict[str, Any]:
    """Return two of the wine's modalities, float32 as encoders give them, and labels."""
    views = {
        m: table[[c for c in table if c.startswith(f"{m}.")]].to_numpy() for m in ("acid", "colour")
    }
    return views | {"label": np.unique(table["label"], return_inverse=True)[1]}


def test_noise_at_test_time_by_hand(manifest: Callable, here: Callable) -> None:
    frame = wine().drop(columns=[f"phenol.{i}" for i in range(5)])
    frame["id"] = [f"sample {i}" for i in range(len(frame))]
    table = here(
        {
            "datasets": [manifest(frame, id="id")],
            "encoders": {"vector": "identity"},
            "fusions": ["concat", "mean-probability", "stacking"],
            "heads": ["logistic-regression", "svm"],
            "split": {"folds": 2},
            "seeds": [4],
            "corruption": {"noise": {"acid": "gaussian-noise"}, "strengths": [3, 5]},
        }
    )
    views = halves(frame)
    state = mmbench.derive_seed(4, None, "split")
    folds = StratifiedKFold(2, shuffle=True, random_state=state)
    y, X = views["label"], np.hstack([views["acid"], views["colour"]])
    X = X.astype(np.float32).astype(float)
    columns = {"acid": [0, 1, 2, 3], "colour": [4, 5, 6, 7]}
    for fold, (train, test) in enumerate(folds.split(X, y)):
        for head_name in ("logistic-regression", "svm"):
            models = {
                m: make_pipeline(select(c, StandardScaler()), _head(head_name))
                for m, c in columns.items()
            }
            fitted = {m: model.fit(X[train], y[train]) for m, model in models.items()}
            both = make_pipeline(StandardScaler(), _head(head_name)).fit(X[train], y[train])
            stacked = stacking(models).fit(X[train], y[train])
            for strength, share in ((3, 1.0), (5, 2.0)):
                acid = corrupted(views["acid"], frame["id"], "acid", share, seed=4)
                worse = np.hstack([acid, X[:, 4:]])[test].astype(float)
                axes = {
                    "fold": fold,
                    "head": head_name,
                    "corruption": f"acid gaussian-noise {strength}",
                }
                assert_equal(only(table, fusion="concat", **axes), both, worse)
                assert_equal(only(table, fusion="stacking", **axes), stacked, worse)
                for m, model in fitted.items():
                    assert_equal(only(table, modalities=m, **axes), model, worse)
                mean = np.mean([model.predict_proba(worse) for model in fitted.values()], axis=0)
                row = only(table, fusion="mean-probability", **axes)
                np.testing.assert_allclose(probabilities(row), mean, atol=1e-6)
    clean = table[table["corruption"] == ""].set_index(["modalities", "fusion", "head", "fold"])
    worst = table[table["corruption"] == "acid gaussian-noise 5"]
    worst = worst.set_index(["modalities", "fusion", "head", "fold"]).reindex(clean.index)
    untouched = clean.index.get_level_values("modalities") == "colour"
    assert (clean["accuracy"] == worst["accuracy"])[untouched].all()
    assert worst["accuracy"][~untouched].mean() < clean["accuracy"][~untouched].mean() - 0.05


def _head(name: str) -> Any:
    from sklearn.svm import SVC

    return LogisticRegression(max_iter=1000) if name != "svm" else calibrated(SVC(break_ties=True))


def test_missing_at_test_time_by_hand(manifest: Callable, here: Callable) -> None:
    frame = wine().drop(columns=[f"phenol.{i}" for i in range(5)])
    content = {
        "datasets": [manifest(frame)],
        "encoders": {"vector": "identity"},
        "fusions": ["concat", "mean-probability", "stacking"],
        "heads": ["logistic-regression"],
        "missing": ["mean", "drop-modality"],
        "split": {"scheme": "holdout"},
        "corruption": {"missing": [{"modality": "acid", "rate": [0.3, 0.6]}]},
    }
    table = here(content)
    views, split = halves(frame), json_split(mmbench.plan({"name": "worse", **content}))
    y, (train, test) = views["label"], split
    lost = {}
    for rate in (0.3, 0.6):
        drawn = np.array([rng(0, str(i), "acid", "missing").random() for i in range(len(y))])
        lost[rate] = (drawn < rate)[test]
        X = {m: views[m].astype(np.float32).astype(float) for m in ("acid", "colour")}
        worse = {m: X[m][test] for m in X}
        worse["acid"][lost[rate]] = np.nan
        name = f"missing acid {rate:g}"
        cells = table[table["corruption"] == name]
        both = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000))
        both.fit(np.hstack([X[m][train] for m in X]), y[train])
        row = only(cells, fusion="concat", missing="mean")
        assert_equal(row, both, np.hstack(list(worse.values())))
        heads = {
            m: make_pipeline(
                SimpleImputer(), StandardScaler(), LogisticRegression(max_iter=1000)
            ).fit(X[m][train], y[train])
            for m in X
        }
        told = {m: heads[m].predict_proba(worse[m]) for m in heads}
        np.testing.assert_allclose(
            probabilities(only(cells, fusion="mean-probability", missing="mean")),
            np.mean(list(told.values()), axis=0),
            atol=1e-6,
        )
        left = np.where(lost[rate][:, None], told["colour"], np.mean(list(told.values()), axis=0))
        row = only(cells, fusion="mean-probability", missing="drop-modality")
        np.testing.assert_allclose(probabilities(row), left, atol=1e-6)
        assert row["n_test"] == len(test)
    assert (lost[0.3] <= lost[0.6]).all()
    assert lost[0.3].sum() < lost[0.6].sum()


def json_split(plan: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the training and test rows of a plan's only part."""
    part = plan.cells[0].part
    return part.train, part.test


def test_every_pattern_of_what_is_missing(manifest: Callable, here: Callable) -> None:
    content = {
        "datasets": [manifest(wine())],
        "encoders": {"vector": "identity"},
        "fusions": ["mean-probability"],
        "heads": ["naive-bayes"],
        "missing": ["drop-modality", "mean"],
        "split": {"scheme": "holdout"},
        "corruption": {"missing": "all"},
    }
    table = here(content)
    patterns = {"acid", "phenol", "colour", "acid+phenol", "acid+colour", "phenol+colour"}
    assert set(table["corruption"]) == {""} | {f"missing {p}" for p in patterns}
    dropped = table[table["missing"] == "drop-modality"].set_index("corruption")
    alone = table[(table["level"] == "none") & (table["corruption"] == "")].set_index("modalities")
    for modality, pattern in (("acid", "phenol+colour"), ("colour", "acid+phenol")):
        ours = probabilities(dropped.loc[f"missing {pattern}"])
        np.testing.assert_allclose(ours, probabilities(alone.loc[modality]), atol=1e-12)
    reasons = mmbench.plan({"name": "worse", **content}).left_out
    assert reasons["the corruption leaves none of its modalities"] == 9


def test_a_trained_encoder_stays_as_it_was_fitted(
    tmp_path: Path, manifest: Callable, here: Callable
) -> None:
    words = [f"{a} {b} word" for a in ("cold", "hot", "warm") for b in ("ice", "fire", "rain")]
    frame = pd.DataFrame({"note": words * 8, "label": ["a", "b", "c"] * 24})
    block = manifest(frame)
    block["modalities"] = {"note": {"column": "note", "kind": "text"}}
    content = {
        "datasets": [block],
        "encoders": {"text": {"use": "tf-idf", "words": 1, "characters": 0}},
        "heads": ["logistic-regression"],
        "split": {"scheme": "holdout"},
        "corruption": {"noise": {"text": ["typing"]}, "strengths": [5], "training": [False, True]},
    }
    table = here(content)
    train, test = json_split(mmbench.plan({"name": "worse", **content}))
    typing = NOISES["text"]["typing"]
    texts = np.array(words * 8, dtype=object)
    worse = np.array(
        [typing(t, 5, rng(0, str(i), "note", "typing")) for i, t in enumerate(texts)], dtype=object
    )
    y = frame["label"].to_numpy()
    for training, fitted_to in ((False, texts), (True, worse)):
        vectors = TfidfVectorizer(sublinear_tf=True).fit(fitted_to[train])
        model = make_pipeline(vectors, LogisticRegression(max_iter=1000))
        model.fit(fitted_to[train], y[train])
        name = "note typing 5" + " (training too)" * training
        row = only(table, corruption=name)
        np.testing.assert_allclose(
            probabilities(row), model.predict_proba(worse[test]), atol=1e-5, err_msg=name
        )


def test_what_loses_nothing_is_predicted_as_if_clean(manifest: Callable, here: Callable) -> None:
    table = here(
        {
            "datasets": [manifest(wine().drop(columns=["acid.0"]))],
            "encoders": {"acid": "identity", "colour": "pca"},
            "alignments": ["none", "cca"],
            "fusions": ["concat", "outer-product", "learned-weighted-sum", "kernel-sum", "mlp"],
            "heads": ["svm"],
            "subsets": [["acid", "colour"]],
            "split": {"scheme": "holdout"},
            "corruption": {"missing": [{"modality": "acid", "rate": 1e-9}]},
        }
    )
    by = ["modalities", "params", "alignment", "fusion", "head"]
    told = {c: rows.set_index(by) for c, rows in table.groupby("corruption")}
    clean, same = told[""], told[table_name(table)]
    assert clean.index.is_unique
    assert len(clean) == len(same) == 12
    for index, row in clean.iterrows():
        np.testing.assert_allclose(
            probabilities(row), probabilities(same.loc[index]), atol=1e-9, err_msg=str(index)
        )


def table_name(table: pd.DataFrame) -> str:
    (name,) = set(table["corruption"]) - {""}
    return name


def test_only_what_is_corrupted_is_embedded_again(manifest: Callable) -> None:
    content = {
        "name": "worse",
        "datasets": [manifest(wine())],
        "encoders": {"vector": "identity"},
        "fusions": ["concat"],
        "heads": ["naive-bayes", "logistic-regression"],
        "split": {"folds": 3},
    }

    def jobs(**corruption: Any) -> dict[str, set[str]]:
        asked = {"corruption": corruption} if corruption else {}
        kinds: dict[str, set[str]] = {}
        for key, job in mmbench.plan({**content, **asked}).graph.jobs.items():
            kinds.setdefault(job.kind, set()).add(key)
        return kinds

    clean = jobs()
    worse = jobs(noise={"acid": ["gaussian-noise"]}, strengths=[1, 2])
    assert {k: worse[k] for k in ("embed", "fit")} == {k: clean[k] for k in ("embed", "fit")}
    assert len(worse["corrupt"]) == 2 * 3
    assert len(worse["predict"]) == 2 * 3 * 2 * 2, "two strengths, folds, heads; alone and fused"
    assert "corrupt" not in jobs(missing="all")


def test_a_mistake_on_corrupted_items_costs_their_cells(manifest: Callable, here: Any) -> None:
    Path("frail.py").write_text(
        "import numpy as np\n"
        "from mmbench import hookimpl\n"
        "class Frail:\n"
        "    def encode(self, items):\n"
        "        if max(np.abs(item).max() for item in items) > 30.1:\n"
        "            raise RuntimeError('too large for me')\n"
        "        return np.stack(items).astype(np.float32)\n"
        "@hookimpl\n"
        "def mmbench_register_encoders(register):\n"
        "    register('frail', Frail, kind='vector')\n"
    )
    table = mmbench.run(
        {
            "name": "worse",
            "plugins": ["frail.py"],
            "datasets": [manifest(wine().drop(columns=[f"colour.{i}" for i in range(4)]))],
            "encoders": {"acid": "frail", "phenol": "identity"},
            "fusions": ["concat", "mean-probability"],
            "heads": ["naive-bayes"],
            "split": {"scheme": "holdout"},
            "corruption": {
                "noise": {"acid": ["gaussian-noise", "missing-entries"]}, "strengths": [5],
            },
        },
        runner="here",
    )  # fmt: skip
    failed = table[table["status"] == "failed"]
    assert set(failed["corruption"]) == {"acid gaussian-noise 5"}
    assert set(failed["modalities"]) == {"acid", "acid+phenol"}
    assert failed["reason"].str.contains("too large for me").all()
    assert len(failed) == 3
    assert len(table) == 12


def test_seeds_draw_other_noise_and_the_same_for_all(manifest: Callable, here: Callable) -> None:
    frame = wine()
    frame["split"] = np.where(np.arange(len(frame)) % 3, "train", "test")
    table = here(
        {
            "datasets": [manifest(frame, split="split")],
            "encoders": {"vector": "identity"},
            "fusions": ["concat"],
            "heads": ["naive-bayes"],
            "seeds": [0, 1],
            "corruption": {
                "noise": {"acid": ["gaussian-noise"]}, "strengths": [5], "missing": "all",
            },
        }
    )  # fmt: skip
    fused = table[table["fusion"] == "concat"]
    told = fused.groupby("corruption", sort=False)["seed"].agg(list).map(list)
    assert told[""] == [0], "nothing clean depends on the seed"
    assert told["acid gaussian-noise 5"] == [0, 1]
    assert told["missing acid"] == [0]
    first, second = (
        probabilities(only(fused, corruption="acid gaussian-noise 5", seed=seed)) for seed in (0, 1)
    )
    assert np.abs(first - second).max() > 0.01


def interacting(problem: str, n: int = 120) -> pd.DataFrame:
    """Return two views of a number each, and the label: of their sum, or of their product."""
    values = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    score = values.sum(axis=1) if problem == "additive" else values.prod(axis=1)
    return pd.DataFrame(
        {"left.0": values[:, 0], "right.0": values[:, 1], "label": np.where(score > 0, "b", "a")}
    )


@pytest.mark.parametrize("problem", ["additive", "xor"])
def test_the_additive_projection(problem: str, manifest: Callable, here: Callable) -> None:
    frame = interacting(problem)
    content = {
        "datasets": [manifest(frame)],
        "encoders": {"vector": "identity"},
        "fusions": ["concat", "mean-probability"],
        "heads": ["logistic-regression", "svm"],
        "split": {"scheme": "holdout"},
        "corruption": {"additive": True, "permuted": ["left"]},
    }
    table = here(content)
    told = {c: rows.set_index(["fusion", "head"]) for c, rows in table.groupby("corruption")}
    clean, projected = told[""], told["additive projection"]
    linear = ("concat", "logistic-regression")  # additive as it is
    np.testing.assert_allclose(
        probabilities(projected.loc[linear]), probabilities(clean.loc[linear]), atol=1e-9
    )
    gap = (clean["accuracy"] - projected["accuracy"]).loc["concat", "svm"]
    assert gap > 0.25 if problem == "xor" else abs(gap) < 0.05

    train, test = json_split(mmbench.plan({"name": "worse", **content}))
    X, y = frame[["left.0", "right.0"]].to_numpy(np.float32).astype(float), frame["label"]
    head = make_pipeline(StandardScaler(), _head("svm")).fit(X[train], y[train])
    halves = {
        i: make_pipeline(StandardScaler(), _head("svm")).fit(X[train][:, [i]], y[train])
        for i in (0, 1)
    }

    def both(pairs: np.ndarray) -> np.ndarray:
        return sum(halves[i].predict_proba(pairs[:, [i]]) for i in (0, 1)) / 2

    for fusion, ask in (("concat", head.predict_proba), ("mean-probability", both)):
        n = len(test)
        scores = np.empty((n, n, 2))
        for i, j in np.ndindex(n, n):
            scores[i, j] = np.log(ask(np.array([[X[test[i], 0], X[test[j], 1]]]))[0])
        exact = np.exp(scores.mean(axis=1) + scores.mean(axis=0) - scores.mean(axis=(0, 1)))
        ours = probabilities(projected.loc[fusion, "svm"])
        np.testing.assert_allclose(ours, exact / exact.sum(axis=1, keepdims=True), atol=1e-6)

    order = sorted(test, key=lambda i: rng(0, str(i), "left", "permuted").random())
    partner = dict(zip(order, [*order[1:], order[0]], strict=True))
    mixed = np.column_stack([X[[partner[i] for i in test], 0], X[test, 1]])
    np.testing.assert_allclose(
        probabilities(told["left permuted"].loc["concat", "svm"]), head.predict_proba(mixed),
        atol=1e-6,
    )  # fmt: skip


def test_robustness_sums_up(manifest: Callable, here: Callable) -> None:
    table = here(
        {
            "datasets": [manifest(wine().drop(columns=[f"phenol.{i}" for i in range(5)]))],
            "encoders": {"vector": "identity"},
            "fusions": ["concat"],
            "heads": ["naive-bayes"],
            "split": {"folds": 2},
            "corruption": {
                "noise": {"acid": ["gaussian-noise"]}, "strengths": [2, 4, 5],
                "missing": [{"modality": "colour", "rate": [0.5, 1.0]}],
            },
        }
    )  # fmt: skip
    fused = table[table["fusion"] == "concat"].groupby("corruption")["accuracy"].mean()
    found = mmbench.robustness(table)
    rows = found[found["fusion"] == "concat"].set_index("family")
    assert list(rows.index) == ["acid gaussian-noise", "missing colour", "all"]
    c, n2, n4, n5 = (fused[f] for f in ["", *(f"acid gaussian-noise {s}" for s in (2, 4, 5))])
    noise = rows.loc["acid gaussian-noise"]
    expected = [c, (n2 + n4 + n5) / 3, min(n2, n4, n5)]
    np.testing.assert_allclose(noise[["clean", "mean", "worst"]].astype(float), expected)
    assert noise["area"] == pytest.approx((c + n2 + n2 + n4 + (n4 + n5) / 2) / 5)
    half, gone = fused["missing colour 0.5"], fused["missing colour"]
    lost = rows.loc["missing colour"]
    assert lost["area"] == pytest.approx((c + 2 * half + gone) / 4)
    assert lost["relative"] == pytest.approx((half + gone) / 2 / c)
    both = rows.loc["all"]
    assert both["mean"] == pytest.approx((noise["mean"] + lost["mean"]) / 2)
    assert both["modality"] == ("acid" if noise["mean"] < lost["mean"] else "colour")
    with pytest.raises(UserError, match="no cell is corrupted"):
        mmbench.robustness(table[table["corruption"] == ""])


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({}, "corruption.* nothing to corrupt; give missing, .* or \\[corruption.noise\\]"),
        ({"noise": {"acd": "all"}}, "corruption.noise.acd: .*'acd'.*'acid'"),
        ({"noise": {"acid": ["gausian-noise"]}}, "unknown 'gausian-noise'.*'gaussian-noise'"),
        ({"noise": {"vector": ["blur"]}}, "corruption.noise.vector: unknown 'blur' for vector"),
        ({"missing": [{"modality": "colr"}]}, "corruption.missing\\[0\\]: .*'colr'.*'colour'"),
        ({"missing": [{"modality": "acid", "rate": 0}]}, "corruption.*rate.* 0"),
        ({"permuted": ["acdi"]}, "corruption.permuted: .*'acdi'.*'acid'"),
        ({"missing": "al"}, "corruption.*missing"),
        ({"missing": "all", "strengths": [6]}, "corruption.*strengths.* 6"),
        ({"missing": "all", "strenghts": [1]}, "unknown key .*strenghts.*strengths"),
    ],
)
def test_mistakes_in_the_table(manifest: Callable, block: dict[str, Any], told: str) -> None:
    content = {
        "name": "worse",
        "datasets": [manifest(wine())],
        "encoders": {"vector": "identity"},
        "heads": ["naive-bayes"],
        "corruption": block,
    }
    with pytest.raises(UserError, match=told) as raised:
        mmbench.plan(content)
    assert "\n" not in str(raised.value)
