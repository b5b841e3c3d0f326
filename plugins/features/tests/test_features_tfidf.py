import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features.tfidf import TfIdf
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

TEXTS = [
    "seven swans a-swimming",
    "six geese a-laying, six",
    "a partridge in a pear tree",
    "5 rings",
]
CHINESE = ["今天天气很好", "今天下雨", "明天天气不好", "我喜欢下雨"]


def by_hand(words=2, characters=4, **options):
    common = {"sublinear_tf": True, "dtype": np.float32} | options
    return FeatureUnion(
        [
            (
                "words",
                TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, words), **common),
            ),
            (
                "characters",
                TfidfVectorizer(analyzer="char_wb", ngram_range=(1, characters), **common),
            ),
        ]
    )


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({}, {}),
        ({"min_df": 2}, {"min_df": 2}),
        ({"sublinear": False}, {"sublinear_tf": False}),
        ({"max_features": 5}, {"max_features": 5}),
        ({"words": 1, "characters": 3}, {"words": 1, "characters": 3}),
    ],
)
def test_equals_a_union_of_scikit_learn_vectorizers(parameters, options):
    unseen = ["six swans", "a tree of rings"]
    expected = by_hand(**options).fit(TEXTS).transform(unseen)
    embedded = TfIdf(**parameters).fit(TEXTS, None, validation=(unseen, None)).encode(unseen)
    assert sparse.issparse(embedded)
    assert embedded.format == "csr"
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(embedded.toarray(), expected.toarray(), rtol=1e-6)


def test_chinese_texts_share_character_ngrams():
    embedded = TfIdf().fit(CHINESE, None).encode(CHINESE).toarray()
    similar = embedded @ embedded.T
    assert similar[0, 2] > 0.1  # both speak of 天气
    assert similar[1, 3] > 0.1  # both speak of 下雨
    assert similar[0, 3] < 0.1  # nothing but the blank at either end
    unseen = TfIdf().fit(CHINESE, None).encode(["天气"]).toarray() @ embedded.T
    assert unseen[0].argmax() in (0, 2)


def test_words_of_one_character_count():
    encoder = TfIdf(words=1, characters=0).fit(["I x", "5 I", "好 x"], None)
    assert list(encoder.parts_[0].get_feature_names_out()) == ["5", "i", "x", "好"]


@pytest.mark.parametrize(("words", "characters"), [(0, 3), (2, 0)])
def test_a_length_of_zero_leaves_the_part_out(words, characters):
    encoder = TfIdf(words=words, characters=characters).fit(TEXTS, None)
    (part,) = encoder.parts_
    assert encoder.encode(TEXTS).shape[1] == len(part.vocabulary_)
    assert part.analyzer == ("word" if words else "char_wb")


@pytest.mark.parametrize(("words", "characters"), [(0, 0), (-1, 4), (2, -1)])
def test_no_ngrams_asked_for_is_refused(words, characters):
    with pytest.raises(ValueError, match="words and characters"):
        TfIdf(words=words, characters=characters).fit(TEXTS, None)


def test_a_text_without_known_ngrams_is_a_row_of_zeros():
    embedded = TfIdf(characters=0).fit(TEXTS, None).encode(["", "天气", "six"])
    assert (np.diff(embedded.indptr) > 0).tolist() == [False, False, True]
    assert np.diff(TfIdf().fit(TEXTS, None).encode(["", " \n"]).indptr).tolist() == [0, 0]


def test_a_part_without_ngrams_is_left_out():
    """Punctuation has no words; unparted scripts seldom share one."""
    assert TfIdf().fit(["!!", "?!"], None).encode(["!"]).nnz
    encoder = TfIdf(min_df=2).fit(CHINESE, None)
    assert [part.analyzer for part in encoder.parts_] == ["char_wb"]
    assert np.diff(encoder.encode(CHINESE).indptr).all()


@pytest.mark.parametrize(
    ("texts", "parameters"),
    [
        (["", "", " "], {}),
        (["ab", "cd"], {"min_df": 2, "characters": 0}),
        (["ab", "ab"], {"min_df": 3}),
        (["ab"], {"min_df": -1}),
    ],
)
def test_nothing_to_learn_is_one_clear_line(texts, parameters):
    with pytest.raises(ValueError, match=f"no n-gram in {len(texts)} training texts") as caught:
        TfIdf(**parameters).fit(texts, None)
    assert "\n" not in str(caught.value)


def test_fitting_again_forgets_the_first_texts():
    encoder = TfIdf().fit(CHINESE, None).fit(TEXTS, None)
    expected = TfIdf().fit(TEXTS, None).encode(TEXTS)
    assert (encoder.encode(TEXTS) != expected).nnz == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=8), st.lists(st.text(), min_size=1, max_size=8))
def test_any_text_gives_finite_rows_whatever_the_chunks(texts, unseen):
    encoder = TfIdf().fit([*texts, "a"], None)
    together = encoder.encode(unseen)
    assert np.isfinite(together.data).all()
    one_by_one = sparse.vstack([encoder.encode([text]) for text in unseen])
    assert (together != one_by_one).nnz == 0
