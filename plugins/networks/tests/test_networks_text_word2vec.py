import numpy as np
import pytest
from mmbench_features.text import Words
from mmbench_networks.word2vec import Word2VecEncoder
from sklearn.feature_extraction.text import TfidfVectorizer

WATER = ["boat", "sail", "harbour", "tide"]
BREAD = ["oven", "flour", "butter", "loaf"]


def planted(n=300):
    """Return texts of four words about one of two things, and one word that all have."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice((WATER, BREAD)[i % 2], size=4)) + " the" for i in range(n)]


@pytest.fixture(scope="module")
def fitted():
    return Word2VecEncoder(width=16, seed=3).fit(planted(), None)


@pytest.mark.parametrize("method", ["cbow", "skip-gram"])
def test_words_that_stand_together_are_neighbours(method):
    encoder = Word2VecEncoder(method=method, width=16, epochs=30, subsample=0)
    assert encoder.fit(planted(), None).words_[0] == "the"
    vectors = encoder.encode([*WATER, *BREAD]).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T - 2 * np.eye(8)
    nearest = np.argsort(-likeness, axis=1)[:, :3]
    assert [set(row < 4) for row in nearest] == [{True}] * 4 + [{False}] * 4


@pytest.mark.parametrize("weights", ["none", "idf"])
def test_a_text_is_the_weighted_mean_of_its_words(weights):
    texts = [*planted(40), "boat", "boat oven", "tide!"]
    encoder = Word2VecEncoder(width=8, epochs=2, weights=weights).fit(texts, None)
    oracle = TfidfVectorizer(
        analyzer=Words(), vocabulary=encoder.words_, norm="l1", use_idf=weights == "idf"
    ).fit(texts)
    unseen = ["Boat, boat: the oven", "never the tide", "", "unheard", "?!"]
    embedded = encoder.encode(unseen)
    expected = oracle.transform(unseen).toarray() @ encoder.vectors_
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(embedded, expected, atol=1e-6)
    assert np.abs(embedded[:2]).max(axis=1).min() > 1e-4
    np.testing.assert_array_equal(embedded[2:], np.zeros((3, 8)))


def test_the_seed_decides(fitted):
    same = Word2VecEncoder(width=16, seed=3).fit(planted(), None)
    other = Word2VecEncoder(width=16, seed=4).fit(planted(), None)
    np.testing.assert_array_equal(same.encode(WATER), fitted.encode(WATER))
    assert not np.allclose(other.encode(WATER), fitted.encode(WATER))


def test_what_is_loaded_gives_the_same(fitted, tmp_path):
    fitted.save(tmp_path)
    loaded = Word2VecEncoder(width=16).load(tmp_path)
    texts = [*planted(5), "", "unheard"]
    np.testing.assert_array_equal(loaded.encode(texts), fitted.encode(texts))
    assert loaded.words_ == fitted.words_


@pytest.mark.parametrize("texts", [["", "?!"], ["all words once"]])
def test_nothing_to_learn_is_one_clear_line(texts):
    with pytest.raises(ValueError, match=f"no word occurs 2 times in {len(texts)} training texts"):
        Word2VecEncoder().fit(texts, None)
