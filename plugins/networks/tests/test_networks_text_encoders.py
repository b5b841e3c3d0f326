import numpy as np
import pytest
import torch
from mmbench_features.words import BagOfWords
from mmbench_networks.recurrent import Gru, Lstm
from mmbench_networks.text_layers import RecurrentReader, sinusoids
from mmbench_networks.text_transformer import TextTransformer
from sklearn.linear_model import LogisticRegression

TINY = {"width": 16, "dropout": 0.0, "learning_rate": 0.01, "epochs": 10, "seed": 1}
ENCODERS = {
    "lstm": (Lstm, {"hidden": 12, "bidirectional": False}),
    "lstm-mean-backwards-two-layers": (Lstm, {"hidden": 8, "layers": 2, "pooling": "mean"}),
    "gru": (Gru, {"hidden": 12}),
    "gru-max": (Gru, {"hidden": 12, "pooling": "max"}),
    "transformer": (TextTransformer, {"layers": 1, "feedforward": 32}),
    "transformer-cls": (
        TextTransformer,
        {"layers": 1, "feedforward": 32, "pooling": "cls", "positions": "learnt"},
    ),
}


def planted(n, seed):
    """Return texts that hold the same words in both classes: their order alone tells."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    texts = []
    for label in labels:
        words = list(rng.choice(["one", "two", "three"], size=rng.integers(1, 5)))
        first, second = sorted(rng.choice(len(words) + 2, size=2, replace=False))
        words.insert(first, ("cat", "dog")[label])
        words.insert(second, ("dog", "cat")[label])
        texts.append(" ".join(words))
    return texts, labels.astype(np.int64)


@pytest.fixture(scope="module")
def fitted():
    """Return each encoder, fitted once."""
    texts, labels = planted(300, seed=0)
    return {
        name: kind(**TINY, **options).fit(texts, labels)
        for name, (kind, options) in ENCODERS.items()
    }


def accuracy(encoder):
    (texts, labels), (unseen, truth) = planted(300, seed=0), planted(200, seed=1)
    head = LogisticRegression(max_iter=1000).fit(encoder.encode(texts), labels)
    return head.score(encoder.encode(unseen), truth)


def test_the_order_of_words_is_learnt(fitted):
    assert accuracy(BagOfWords().fit(planted(300, seed=0)[0])) < 0.6
    assert {name: found for name in fitted if (found := accuracy(fitted[name])) < 0.95} == {}


@pytest.mark.parametrize("name", ENCODERS)
def test_neither_padding_nor_neighbours_change_an_embedding(fitted, name):
    texts = ["cat", "dog one " * 60, "", "one cat two dog three", "unheard words"]
    alone = np.concatenate([fitted[name].encode([text]) for text in texts])
    together = fitted[name].encode(texts)
    assert together.dtype == np.float32
    assert together.shape == (5, {"lstm": 12, "gru": 24, "gru-max": 24}.get(name, 16))
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.abs(together[0] - together[3]).max() > 1e-2
    np.testing.assert_array_equal(fitted[name].encode(texts), together)


def test_an_unknown_word_is_one_like_any_other_and_a_text_without_words_like_it(fitted):
    embedded = fitted["lstm"].encode(["unheard", "of", "", "?!", "cat"])
    np.testing.assert_array_equal(embedded[1:4], embedded[[0, 0, 0]])
    assert not np.allclose(embedded[4], embedded[0])


@pytest.mark.parametrize("kind", [Lstm, TextTransformer])
def test_only_so_many_words_are_read(kind):
    texts, labels = planted(20, seed=0)
    encoder = kind(width=8, epochs=1, max_length=3).fit(texts, labels)
    embedded = encoder.encode(["one two three", "one two three cat dog", "one two cat"])
    np.testing.assert_allclose(embedded[1], embedded[0], atol=1e-6)
    assert not np.allclose(embedded[2], embedded[0])


@pytest.mark.parametrize("name", ["lstm", "gru-max", "transformer-cls"])
def test_what_is_loaded_gives_the_same(fitted, name, tmp_path):
    fitted[name].save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}
    kind, options = ENCODERS[name]
    texts = [*planted(10, seed=2)[0], "", "unheard"]
    loaded = kind(**TINY, **options).load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(texts), fitted[name].encode(texts))


@pytest.mark.parametrize("kind", [Gru, TextTransformer])
def test_the_seed_decides_and_torchs_generator_is_left_alone(kind):
    texts, labels = planted(40, seed=0)
    before = torch.random.get_rng_state()
    first, again, other = (
        kind(width=8, epochs=2, seed=seed).fit(texts, labels) for seed in (5, 5, 6)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(first.encode(texts), again.encode(texts))
    assert not np.allclose(first.encode(texts), other.encode(texts))
    assert [row["epoch"] for row in first.history_] == [1, 2]


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_packed_text_is_read_as_it_would_be_alone(cell, pooling):
    torch.manual_seed(0)
    reader = RecurrentReader(
        cell, 9, 5, hidden=3, layers=2, bidirectional=True, pooling=pooling, dropout=0.0
    ).eval()
    numbers = torch.tensor([[2, 3, 4, 0], [5, 1, 6, 7], [8, 0, 0, 0]])
    with torch.no_grad():
        embedded = reader(numbers)
        for row, length in enumerate([3, 4, 1]):
            states, _ = reader.recurrent(reader.vectors(numbers[[row], :length]))
            ends = torch.cat([states[0, -1, :3], states[0, 0, 3:]])
            expected = {"last": ends, "mean": states[0].mean(0), "max": states[0].amax(0)}
            torch.testing.assert_close(embedded[row], expected[pooling])


def test_the_sinusoids_are_those_of_the_paper():
    found = sinusoids(7, 5).numpy()
    for place in range(7):
        for i in range(3):
            angle = place / 10_000 ** (2 * i / 5)
            assert found[place, 2 * i] == pytest.approx(np.sin(angle), abs=1e-6)
            if i < 2:
                assert found[place, 2 * i + 1] == pytest.approx(np.cos(angle), abs=1e-6)


@pytest.fixture
def vectors(tmp_path):
    """Return a file of vectors of three planted words and one other, and the vectors."""
    words = ["cat", "dog", "one", "zebra"]
    values = np.random.default_rng(0).normal(0, 0.4, size=(4, 8)).astype(np.float32)
    file = tmp_path / "vectors.txt"
    lines = [f"{w} {' '.join(map(repr, v.tolist()))}" for w, v in zip(words, values, strict=True)]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file, dict(zip(words, values, strict=True))


@pytest.mark.parametrize("kind", [Gru, TextTransformer])
def test_training_begins_with_the_vectors_of_the_file(vectors, kind):
    file, values = vectors
    texts, labels = planted(40, seed=0)
    still = kind(vectors=file, freeze=True, epochs=1).fit(texts, labels)
    moved = kind(vectors=file, freeze=False, epochs=1).fit(texts, labels)
    numbers = {word: n for n, word in enumerate(still.learnt_["words"], start=2)}
    assert set(numbers) == {"cat", "dog", "one", "two", "three"}
    for encoder, frozen in ((still, True), (moved, False)):
        weight = encoder.network_.body.vectors.weight.detach().numpy()
        assert weight.shape == (7, 8)
        for word in ("cat", "dog", "one"):
            assert np.array_equal(weight[numbers[word]], values[word]) is frozen
        assert np.abs(weight[numbers["two"]]).max() < 4 * 0.4
        assert (weight[:2] == 0).all()


def test_vectors_have_their_identity_and_their_errors(vectors, tmp_path):
    file, _ = vectors
    texts, labels = planted(20, seed=0)
    key = Lstm.cache_key(vectors=file, width=3)
    file.write_text(file.read_text().replace("cat", "dogs"))
    assert len({key, Lstm.cache_key(vectors=file), Lstm.cache_key(vectors=None)}) == 3
    with pytest.raises(FileNotFoundError, match=r"absent\.txt: no such file"):
        Lstm.cache_key(vectors=tmp_path / "absent.txt")
    with pytest.raises(ValueError, match=r"vectors\.txt: none of the 2 words is in it"):
        Lstm(vectors=file, min_count=1).fit(["mouse", "rat"], labels[:2])
    with pytest.raises(ValueError, match="heads = 3 does not divide the words' width, 8"):
        TextTransformer(vectors=file, heads=3).fit(texts, labels)
    with pytest.raises(ValueError, match="no word occurs 2 times in 2 training texts"):
        Lstm().fit(["mouse", "rat"], labels[:2])


def test_characters_tell_what_words_share():
    rng = np.random.default_rng(0)
    stems = ["".join(rng.choice(list("abcdefg"), size=5)) for _ in range(200)]
    labels = np.arange(200, dtype=np.int64) % 2
    texts = [f"{stem}{('ette', 'ling')[label]}" for stem, label in zip(stems, labels, strict=True)]
    encoder = Gru(units="characters", width=8, hidden=8, epochs=8, learning_rate=0.02)
    encoder.fit(texts[:150], labels[:150])
    assert "e" in encoder.learnt_["words"]
    head = LogisticRegression().fit(encoder.encode(texts[:150]), labels[:150])
    assert head.score(encoder.encode(texts[150:]), labels[150:]) >= 0.95


def test_the_validation_part_is_watched_and_its_words_are_not_learnt():
    texts, labels = planted(40, seed=0)
    unseen, truth = planted(10, seed=1)
    encoder = Gru(width=4, hidden=4, epochs=1).fit(
        texts, labels, validation=([f"{text} new new" for text in unseen], truth)
    )
    assert "validation_loss" in encoder.history_[0]
    assert "new" not in encoder.learnt_["words"]
