import re
import sys
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features import text
from mmbench_features.hashing import Hashing
from mmbench_features.latent import LatentSemantic
from mmbench_features.text import Words
from mmbench_features.tfidf import TfIdf
from mmbench_features.words import BagOfWords
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.utils import murmurhash3_32

TEXTS = ["The boats were sailing", "a boat, and its Sails", "Running boats run", "the sun sets"]


@pytest.fixture
def fresh_jieba():
    """Forget that jieba was loaded."""
    text._jieba.cache_clear()
    yield
    text._jieba.cache_clear()


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_words_are_runs_and_single_chinese_characters(string):
    expected = re.findall(r"\w+", re.sub(rf"([{text.UNPARTED}])", r" \1 ", string.lower()))
    found = [word for word in Words()(string) if re.search(r"\w", word)]
    assert found == expected
    assert Words(segment="none")(string) == re.findall(r"\w+", string.lower())


def test_case_can_be_kept():
    assert Words(lowercase=False)("The CAT, the cat") == ["The", "CAT", "the", "cat"]


def test_stop_words_leave_in_any_case_and_before_stems():
    assert Words(stop_words="english")("The boats of HERSELF") == ["boats"]
    assert Words(stop_words="english", lowercase=False)("The Boats of HERSELF") == ["Boats"]
    assert Words(stop_words="english", stem="english")("anys thing") == ["ani", "thing"]


@pytest.mark.parametrize(
    ("stem", "word", "stemmed"),
    [
        ("english", "consigning", "consign"),
        ("english", "generously", "generous"),
        ("porter", "generously", "gener"),
        ("german", "häuser", "haus"),
        ("french", "continuellement", "continuel"),
        ("russian", "вагонами", "вагон"),
    ],
)
def test_stems_are_those_that_snowball_publishes(stem, word, stemmed):
    assert Words(stem=stem)(f"{word} {word.upper()}") == [stemmed, stemmed]


def test_jieba_finds_chinese_words_quietly_and_leaves_no_file(
    fresh_jieba, monkeypatch, tmp_path, capfd
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = Words(segment="jieba")("我来到北京清华大学, MMBench 第5章 せか")
    assert words == ["我", "来到", "北京", "清华大学", "mmbench", "第", "5", "章", "せ", "か"]
    assert not list(tmp_path.iterdir())
    assert capfd.readouterr() == ("", "")
    embedded = BagOfWords(segment="jieba").fit(["清华大学"]).encode(["我来到北京清华大学", "清华"])
    assert embedded.toarray().tolist() == [[1], [0]]


def test_without_jieba_one_line_says_what_to_install(fresh_jieba, monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(ModuleNotFoundError, match=r"^segment = 'jieba' needs .*\[chinese\]"):
        TfIdf(segment="jieba").fit(["清华大学"])


def test_options_reach_the_counts_of_words():
    encoder = BagOfWords(stop_words="english", words=2).fit(TEXTS)
    by_hand = CountVectorizer(token_pattern=r"\w+", stop_words="english", ngram_range=(1, 2))
    np.testing.assert_array_equal(
        encoder.encode(TEXTS).toarray(), by_hand.fit_transform(TEXTS).toarray()
    )
    assert BagOfWords(stem="english").fit(TEXTS).encode(["BOAT boats sails"]).sum() == 3
    assert BagOfWords(lowercase=False).fit(TEXTS).encode(["the The THE"]).sum() == 2


def test_options_reach_both_parts_of_tf_idf():
    encoder = TfIdf(stop_words="english", lowercase=False, characters=2).fit(TEXTS)
    words, characters = encoder.parts_
    assert set(words.vocabulary_) >= {"boats", "Sails", "Running"}
    assert not {"The", "the", "were", "and"} & set(words.vocabulary_)
    by_hand = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, 2), lowercase=False, sublinear_tf=True
    ).fit(TEXTS)
    assert characters.vocabulary_ == by_hand.vocabulary_
    stems = TfIdf(stem="english", segment="characters", characters=0, words=1).fit([*TEXTS, "天气"])
    assert {"sail", "run", "天", "气"} <= set(stems.parts_[0].vocabulary_)


@pytest.mark.parametrize("signed", [True, False])
def test_hashing_counts_words_by_their_murmur_hash(signed):
    string = "The boats were sailing, SAIL 天"
    row = Hashing(buckets=64, signed=signed, norm="none", stem="english").encode([string, ""])
    expected = np.zeros(64)
    for word in ["the", "boat", "were", "sail", "sail", "天"]:
        hashed = murmurhash3_32(word, seed=0)
        expected[abs(hashed) % 64] += -1 if signed and hashed < 0 else 1
    np.testing.assert_array_equal(row.toarray(), [expected, np.zeros(64)])
    assert row.dtype == np.float32
    unit = Hashing(buckets=64, signed=signed).encode(TEXTS)
    np.testing.assert_allclose(np.sqrt(unit.multiply(unit).sum(axis=1)), 1, rtol=1e-6)


@pytest.mark.parametrize(("option", "value"), [("buckets", 0), ("words", 0)])
def test_impossible_hashing_is_one_clear_line(option, value):
    with pytest.raises(ValueError, match=f"^{option} = {value}: at least 1 is needed$"):
        Hashing(**{option: value}).encode(["a"])


def test_latent_semantics_are_the_first_singular_vectors_of_tf_idf():
    unseen = ["boats and the sun", "天", ""]
    encoder = LatentSemantic(components=2, stem="english", seed=3).fit(TEXTS)
    tf_idf = TfIdf(stem="english").fit(TEXTS)
    _, _, axes = np.linalg.svd(tf_idf.encode(TEXTS).toarray(), full_matrices=False)
    expected = tf_idf.encode(unseen).toarray() @ axes[:2].T
    embedded = encoder.encode(unseen)
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(np.abs(embedded), np.abs(expected), atol=1e-5)
    assert not embedded[2].any()
    np.testing.assert_allclose(embedded @ embedded.T, expected @ expected.T, atol=1e-5)


def test_there_are_no_more_components_than_texts_or_ngrams():
    assert LatentSemantic().fit(TEXTS).encode(["a"]).shape == (1, 4)
    assert LatentSemantic(words=1, characters=0).fit(["a b"] * 5).encode(["a"]).shape == (1, 2)
    with pytest.raises(ValueError, match=r"^components = 0: at least 1 is needed$"):
        LatentSemantic(components=0).fit(TEXTS)
