"""Sequences: ragged, streamed into the store, and given to fusions that take them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import sparse
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

import mmbench
from mmbench import Sequences
from mmbench.data import pick
from mmbench.errors import PluginError
from mmbench.frames import FrameWise
from mmbench.measurement.work import Timed
from mmbench.pipeline import Preparation
from mmbench.sequences import checked_sequences
from mmbench.serving import Service
from mmbench.store import Store
from mmbench.workshop import Context
from tests.byhand import only, probabilities

pytestmark = pytest.mark.usefixtures("one_thread")

# --- the class -----------------------------------------------------------------------------------

ragged = st.lists(st.integers(0, 5), min_size=1, max_size=8).flatmap(
    lambda lengths: st.tuples(
        *(arrays.arrays(np.float32, (t, 3), elements=st.floats(-9, 9, width=32)) for t in lengths)
    )
)


def assert_are(ours: Sequences, theirs: Any) -> None:
    """Assert that these are the arrays of the samples, one by one."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


@settings(max_examples=40)
@given(parts=ragged, data=st.data())
def test_samples_are_picked_as_from_a_list(parts: tuple[np.ndarray, ...], data: Any) -> None:
    made, n = Sequences.of(parts), len(parts)
    assert_are(made, parts)
    assert made.lengths.tolist() == [len(part) for part in parts]
    rows = data.draw(st.lists(st.integers(-n, n - 1)))
    assert_are(made[rows], [parts[i] for i in rows])
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assert_are(made[mask], [part for part, there in zip(parts, mask, strict=True) if there])
    chosen = data.draw(st.slices(n))
    assert_are(made[chosen], parts[chosen])
    assert_are(Sequences.concatenate([made, made[rows]]), [*parts, *(parts[i] for i in rows)])
    filled = made.filled(np.ones(3))
    assert_are(filled, [part if len(part) else np.ones((1, 3)) for part in parts])


def test_views_share_their_memory() -> None:
    made = Sequences.of([np.ones((2, 3)), np.ones((4, 3)), np.ones((1, 3))])
    assert all(np.shares_memory(part, made.values) for part in (made[1], made[1:].values))


@pytest.mark.parametrize(
    ("values", "offsets", "told"),
    [
        (np.ones((3, 2)), np.array([0, 3]), "values: float64 of shape .*; float32 of 2 dim"),
        (np.ones(3, np.float32), np.array([0, 3]), "values: float32 of shape"),
        (np.ones((3, 2), np.float32), [0, 3], "offsets: list; an array was expected"),
        (np.ones((3, 2), np.float32), np.array([0.0, 3]), "offsets: float64 of shape"),
        (np.ones((3, 2), np.float32), np.array([1, 3]), "they start with 0"),
        (np.ones((3, 2), np.float32), np.array([0, 2, 1, 3]), "never fall"),
        (np.ones((3, 2), np.float32), np.array([0, 2]), "2 rows of 3 are divided"),
    ],
)
def test_what_does_not_fit_together_is_refused(values: Any, offsets: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Sequences(values, offsets)


def test_samples_of_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not \(1, 2\), \(1, 3\)"):
        Sequences.of([np.ones((1, 2)), np.ones((1, 3))])
    with pytest.raises(ValueError, match="not none"):
        Sequences.of([])


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (np.ones((2, 3), np.float32), "returned ndarray; mmbench.Sequences was expected"),
        (Sequences.of([np.ones((2, 3))]), "returned 1 sequences of 2 items"),
        (Sequences.of([np.ones((2, 3)), np.ones((0, 3))]), "a sequence without any vector"),
        (Sequences.of([np.ones((2, 0)), np.ones((1, 0))]), "vectors of no columns"),
        (Sequences.of([np.ones((2, 3)), np.full((1, 3), np.inf)]), "NaN or infinite values"),
    ],
)
def test_what_an_encoder_may_not_return(made: Any, told: str) -> None:
    with pytest.raises(PluginError, match=told):
        checked_sequences(made, 2)


@settings(max_examples=25)
@given(pieces=st.lists(ragged, min_size=1, max_size=4))
def test_they_are_streamed_and_mapped(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[np.ndarray, ...]]
) -> None:
    every = [np.vstack([piece, np.ones((1, 3), np.float32)]) for part in pieces for piece in part]
    store = Store(tmp_path_factory.mktemp("store"))
    with store.create("k" * 40) as writer:
        with writer.growing("values") as append:
            for part in every:
                append(np.asfortranarray(part))
        writer.save("values.offsets", Sequences.of(every).offsets)
    read = store.open("k" * 40).matrix("values")
    assert isinstance(read, Sequences)
    assert isinstance(read.values, np.memmap)
    assert_are(read, every)


@pytest.mark.parametrize("policy", ["mean", "zero"])
@pytest.mark.parametrize("impute", [True, False])
def test_sparse_vectors_as_sequences_of_one(policy: str, impute: bool) -> None:
    values = np.arange(12.0).reshape(4, 3)
    values[2] = 0
    missing, counts = np.array([False, False, True, False]), sparse.csr_matrix(values)
    prepared = Preparation.fit(
        counts, missing, standardise=False, policy=policy, impute=impute, sequences=True
    )
    made = prepared.apply(counts, missing)
    fill = values[~missing].mean(axis=0) if policy == "mean" else np.zeros(3)
    expected = [row[None].astype(np.float32) for row in values]
    expected[2] = fill[None].astype(np.float32) if impute else np.empty((0, 3), np.float32)
    assert made.values.dtype == np.float32
    assert_are(made, expected)


def test_a_vector_for_each_frame() -> None:
    class Pixels:
        def encode(self, items: list[Any]) -> np.ndarray:
            return np.stack([np.asarray(item, np.float32).ravel() for item in items])

    rng = np.random.default_rng(0)
    videos = [list(rng.normal(size=(n, 2, 2)).astype(np.float32)) for n in (1, 70, 3)]
    encoder = FrameWise(Pixels(), "max")
    assert_are(encoder.encode_sequence(videos), [np.reshape(v, (-1, 4)) for v in videos])
    with pytest.raises(PluginError, match="a video has no frame"):
        encoder.encode_sequence([videos[0], []])


# --- in runs -------------------------------------------------------------------------------------

PLUGIN = '''
import numpy as np
from mmbench import Sequences, hookimpl
from scipy import sparse
from sklearn.naive_bayes import GaussianNB


class Letters:
    """The share of vowels of a text; as a sequence, three numbers for each letter."""

    chunk = 8

    def encode(self, items):
        return np.array([[np.mean([c in "aeiou" for c in text])] for text in items], np.float32)

    def encode_sequence(self, items):
        return Sequences.of([[[ord(c), ord(c) % 7, c in "aeiou"] for c in t] for t in items])


class Pixels:
    def encode(self, items):
        return np.stack([np.asarray(item, np.float32).ravel() / 255 for item in items])


class MaxToken:
    """The largest value of each column, of all modalities side by side."""

    def transform(self, features):
        assert all(s.values.dtype == np.float32 and s.lengths.all() for s in features.values())
        return np.hstack([[t.max(axis=0) for t in s] for s in features.values()])


class FurthestToken(MaxToken):
    """The largest distance of each column from what it is on average."""

    def fit(self, features, labels):
        self.mean_ = {m: np.mean([t.mean(axis=0) for t in s], axis=0) for m, s in features.items()}
        return self

    def transform(self, features):
        return np.hstack([
            [abs(t - self.mean_[m]).max(axis=0) for t in s] for m, s in features.items()
        ])


class Longest:
    """The means of sequences, 9 where there is none, and how long they are."""

    def transform(self, features):
        return np.hstack([
            [[*(t.mean(axis=0) if len(t) else [9.0] * t.shape[1]), len(t)] for t in s]
            for s in features.values()
        ])


class JointMean:
    """Naive Bayes on the means of sequences."""

    def fit(self, features, labels, *, validation=None):
        self.head_ = GaussianNB().fit(self._means(features), labels)
        return self

    def predict_proba(self, features):
        return self.head_.predict_proba(self._means(features))

    def _means(self, features):
        return np.hstack([[t.mean(axis=0) for t in s] for s in features.values()])


@hookimpl
def mmbench_register_encoders(register):
    register("letters", Letters, kind="text", sequences=True)
    register("pixels", Pixels, kind="image", standardise=False)


@hookimpl
def mmbench_register_fusions(register):
    register("max-token", MaxToken, level="feature", sequences=True)
    register("furthest-token", FurthestToken, level="feature", trained=True, sequences=True)
    register("longest", Longest, level="feature", sequences=True, handles_missing=True)
    register("joint-mean", JointMean, level="joint", sequences=True)
'''


class Data:
    """Texts, vectors and videos on disk, the tokens that they are, and a matrix of them."""

    def __init__(self, folder: Path, n: int = 36) -> None:
        rng = np.random.default_rng(1)
        self.codes = np.arange(n) % 2
        self.test = np.arange(n) % 3 == 2
        texts = [
            "".join(rng.choice(list("abcdefghij"[code:]), rng.integers(1, 9)))
            for code in self.codes
        ]
        vectors = (self.codes[:, None] + rng.normal(size=(n, 2))).astype(np.float32)
        clips = []
        for number, code in enumerate(self.codes):
            frames = rng.integers(0, 200, (rng.integers(1, 4), 2, 2)) + 40 * code
            for place, frame in enumerate(frames):
                file = folder / f"clip{number}" / f"{place}.png"
                file.parent.mkdir(exist_ok=True)
                Image.fromarray(frame.astype(np.uint8)).save(file)
            clips.append(frames.reshape(-1, 4).astype(np.float32) / 255)
        self.tokens: dict[str, list[np.ndarray]] = {
            "text": [
                np.array([[ord(c), ord(c) % 7, c in "aeiou"] for c in t], np.float32) for t in texts
            ],
            "margin": [vector[None] for vector in vectors],
            "clip": clips,
        }
        self.table = pd.DataFrame(
            {
                "label": np.array(["no", "yes"])[self.codes],
                "part": np.where(self.test, "test", "train"),
                "text": texts,
                "m0": vectors[:, 0].astype(str),
                "m1": vectors[:, 1].astype(str),
                "clip": [f"clip{i}" for i in range(n)],
            }
        )
        self.plugin = folder / "tokens.py"
        self.plugin.write_text(PLUGIN, encoding="utf-8")

    def run(self, **matrix: Any) -> pd.DataFrame:
        """Run fusions of the three modalities."""
        plugins = [str(self.plugin)]
        return mmbench.run(self.matrix(**matrix), out="run", jobs=1, plugins=plugins)

    def matrix(self, **matrix: Any) -> dict[str, Any]:
        """Return the matrix file's content."""
        self.table.to_csv("data.csv", index=False)
        modalities = {
            "text": {"column": "text", "kind": "text"},
            "margin": {"columns": "m*", "kind": "vector"},
            "clip": {"column": "clip", "kind": "video", "frame_rate": 5},
        }
        return {
            "name": "tokens",
            "datasets": [
                {
                    "use": "manifest", "name": "data", "path": "data.csv", "label": "label",
                    "split": "part", "modalities": modalities,
                }
            ],
            "encoders": {"text": "letters", "vector": "identity", "video": "pixels"},
            "heads": "naive-bayes",
            **matrix,
        }  # fmt: skip

    def scaled(self, fill: str = "") -> Iterator[list[np.ndarray]]:
        """Give each modality's tokens, standardised over those of the training part."""
        for name, tokens in self.tokens.items():
            train = np.vstack([t for t, test in zip(tokens, self.test, strict=True) if not test])
            value = {"mean": train.mean(axis=0), "zero": np.zeros(train.shape[1])}.get(fill)
            full = [t if len(t) or value is None else value[None] for t in tokens]
            if name == "clip":
                yield full
                continue
            scaler = StandardScaler().fit(train.astype(float))
            yield [scaler.transform(t) if len(t) else t for t in full]

    def expected(self, pool: Callable[[np.ndarray], Any], fill: str = "") -> np.ndarray:
        """Return what naive Bayes makes of pooled tokens side by side."""
        X = np.hstack([[pool(t) for t in tokens] for tokens in self.scaled(fill)])
        train = ~self.test
        model = GaussianNB().fit(X[train], self.codes[train])
        made: np.ndarray = model.predict_proba(X[self.test])
        return made


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def assert_timed_as_stored(plan: Any, workshop: Any, tokens: list[np.ndarray]) -> None:
    """Assert that a timed encoder of sequences is compared with what the run has stored."""
    (job,) = (j for j in plan.graph.jobs.values() if "text as sequences" in j.label)
    jobs = {job.key: {"kind": job.kind, "spec": job.spec}}
    rows = np.arange(6)
    workshop.store.put_array("r" * 40, rows)
    spec = {"unit": "encoder", "of": job.key, "modality": "text", "rows": "r" * 40, "jobs": jobs}
    timed = Timed(spec, workshop)
    made = timed.process(timed.batch(rows))
    assert_are(made, tokens[:6])
    assert timed.agrees(rows, made).all()
    altered = Sequences(made.values.copy(), made.offsets)
    altered[3][0, 0] += 1
    assert timed.agrees(rows, altered).tolist() == [True, True, True, False, True, True]
    other = Sequences.of([*list(made)[:5], np.ones((40, 3))])
    assert timed.agrees(rows, other).tolist() == [True] * 5 + [False]


def test_fusions_are_given_what_they_would_be_by_hand(data: Data) -> None:
    fusions = ["max-token", "furthest-token", "joint-mean"]
    table = data.run(fusions=fusions, alignments=["none", "cca"])
    fine = table[table["status"] == "ok"]
    assert set(fine["fusion"]) == {"none", "max-token", "furthest-token", "joint-mean"}
    left_out = table[table["status"] == "skipped"]
    assert set(left_out["reason"]) == {
        f"fusion {name!r} takes sequences, which are not aligned"
        for name in ("max-token", "furthest-token", "joint-mean")
    }
    assert not (table["status"] == "failed").any()

    def ours(fusion: str) -> np.ndarray:
        return probabilities(only(fine, fusion=fusion, alignment="none"))

    np.testing.assert_allclose(ours("max-token"), data.expected(lambda t: t.max(axis=0)), atol=1e-5)
    np.testing.assert_allclose(
        ours("joint-mean"), data.expected(lambda t: t.mean(axis=0)), atol=1e-5
    )
    scaled = [list(tokens) for tokens in data.scaled()]
    furthest = []
    for tokens in scaled:
        means = [t.mean(axis=0) for t, test in zip(tokens, data.test, strict=True) if not test]
        furthest.append([abs(t - np.mean(means, axis=0)).max(axis=0) for t in tokens])
    X, train = np.hstack(furthest), ~data.test
    model = GaussianNB().fit(X[train], data.codes[train])
    np.testing.assert_allclose(ours("furthest-token"), model.predict_proba(X[data.test]), atol=1e-5)

    labels = [json.loads(file.read_text())["label"] for file in Path("store").rglob("meta.json")
              if json.loads(file.read_text())["kind"] == "embed"]  # fmt: skip
    assert sorted(labels) == [  # once for all fusions that take them, and once as vectors
        "embed data.clip as sequences with pixels",
        "embed data.clip with pixels",
        "embed data.margin with identity",
        "embed data.text as sequences with letters",
        "embed data.text with letters",
    ]

    plan = mmbench.plan(data.matrix(fusions=fusions), plugins=[str(data.plugin)])
    workshop = Context(Path("store"), plan.plugins, b"", 1, "cpu", Path()).open()
    jobs = {j.key: {"kind": j.kind, "spec": j.spec} for j in plan.graph.jobs.values()}
    rows = np.flatnonzero(data.test)
    for cell in plan.cells:  # what is served is what was scored
        service = Service(jobs, plan.wanted[cell.id].final, workshop)
        given = {
            m: pick(workshop.dataset(spec["dataset"]).items(m), rows)
            for m, spec in service.embeds.items()
        }
        scored = probabilities(only(fine, cell=cell.id))
        np.testing.assert_allclose(service.predict(given), scored, atol=1e-9)
    assert_timed_as_stored(plan, workshop, data.tokens["text"])


def test_frames_are_embedded_once_for_all_poolings(data: Data) -> None:
    encoders = {
        "text": "letters", "vector": "identity",
        "video": {"use": "pixels", "over_time": ["mean", "max"]},
    }  # fmt: skip
    content = data.matrix(fusions="max-token", encoders=encoders)
    jobs = mmbench.plan(content, plugins=[str(data.plugin)]).graph.jobs.values()
    labels = [job.label for job in jobs if job.kind == "embed" and ".clip" in job.label]
    frames = "embed data.clip as sequences with pixels"
    assert sorted(labels) == [frames, *["embed data.clip with pixels"] * 2]


def test_a_missing_item_is_one_vector_or_none(data: Data) -> None:
    for name, column in {"text": "text", "margin": "m", "clip": "clip"}.items():
        gone = np.random.default_rng(len(name)).random(len(data.codes)) < 0.2
        columns = [c for c in data.table if c.startswith(column)]
        data.table.loc[gone, columns] = ""
        for i in np.flatnonzero(gone):
            data.tokens[name][i] = data.tokens[name][i][:0]
    table = data.run(fusions=["max-token", "longest"], missing=["mean", "zero"])
    assert set(table["status"]) == {"ok"}, table["reason"].tolist()
    for policy in ("mean", "zero"):
        row = only(table, fusion="max-token", missing=policy)
        expected = data.expected(lambda t: t.max(axis=0), fill=policy)
        np.testing.assert_allclose(probabilities(row), expected, atol=1e-5)
    row = only(table, fusion="longest", missing="mean")
    pooled = data.expected(lambda t: [*(t.mean(axis=0) if len(t) else [9.0] * t.shape[1]), len(t)])
    np.testing.assert_allclose(probabilities(row), pooled, atol=1e-5)
