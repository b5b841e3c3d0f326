import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features.words import BagOfWords
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

TEXTS = ["seven swans a-swimming", "Six geese a-laying, six", "a partridge in a pear tree", "5"]


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({}, {}),
        ({"binary": True}, {"binary": True}),
        ({"min_df": 2}, {"min_df": 2}),
        ({"max_features": 3}, {"max_features": 3}),
        ({"words": 2}, {"ngram_range": (1, 2)}),
    ],
)
def test_equals_scikit_learn_with_words_of_one_character(parameters, options):
    unseen = ["six a six", "a tree, a tree"]
    expected = CountVectorizer(token_pattern=r"(?u)\b\w+\b", **options).fit(TEXTS)
    embedded = BagOfWords(**parameters).fit(TEXTS, None, validation=(unseen, None)).encode(unseen)
    assert sparse.issparse(embedded)
    assert embedded.format == "csr"
    assert embedded.dtype == np.float32
    np.testing.assert_array_equal(embedded.toarray(), expected.transform(unseen).toarray())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("今天天气好", ["今", "天", "天", "气", "好"]),
        ("第5章mmbench", ["第", "5", "章", "mmbench"]),
        ("数字 is 七!", ["数", "字", "is", "七"]),
        ("ななつ セブン", ["な", "な", "つ", "セ", "ブ", "ン"]),
        ("𠀀㐀豈", ["𠀀", "㐀", "豈"]),
        ("Семь, sept_7 일곱", ["семь", "sept_7", "일곱"]),
    ],
)
def test_a_chinese_character_is_a_word(text, words):
    encoder = BagOfWords().fit([text], None)
    counts = dict(
        zip(
            encoder.vectorizer_.get_feature_names_out(),
            encoder.encode([text]).toarray()[0],
            strict=True,
        )
    )
    assert counts == {word: words.count(word) for word in words}


def test_a_text_without_known_words_is_a_row_of_zeros():
    embedded = BagOfWords().fit(TEXTS, None).encode(["", "天气", "six", " ?\n"])
    assert np.diff(embedded.indptr).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("texts", "parameters"),
    [(["", "!?", " "], {}), (["ab", "cd"], {"min_df": 2}), (["ab"], {"min_df": 2})],
)
def test_nothing_to_learn_is_one_clear_line(texts, parameters):
    with pytest.raises(ValueError, match=f"no word in {len(texts)} training texts") as caught:
        BagOfWords(**parameters).fit(texts, None)
    assert "\n" not in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=8), st.lists(st.text(), min_size=1, max_size=8))
def test_counts_do_not_depend_on_the_chunks(texts, unseen):
    encoder = BagOfWords().fit([*texts, "a"], None)
    together = encoder.encode(unseen)
    one_by_one = sparse.vstack([encoder.encode([text]) for text in unseen])
    assert (together != one_by_one).nnz == 0
    binary = BagOfWords(binary=True).fit([*texts, "a"], None).encode(unseen)
    np.testing.assert_array_equal(binary.toarray(), together.toarray() > 0)
