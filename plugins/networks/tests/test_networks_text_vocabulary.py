from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_networks.vocabulary import PADDING, UNKNOWN, Preparation, Vocabulary

WORDS = st.lists(st.sampled_from(["a", "b", "B", "天", "é", "\U00020000", "z9"]), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WORDS, max_size=6),
    st.integers(1, 4),
    st.none() | st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_the_most_frequent_words_have_the_first_numbers(texts, min_count, largest, random):
    counts = Counter(word for text in texts for word in text)
    learnt = Vocabulary.learnt(texts, min_count=min_count, largest=largest)
    frequent = {word for word in counts if counts[word] >= min_count}
    kept = learnt.words
    assert len(kept) == len(set(kept)) == min(len(frequent), largest or len(frequent))
    assert set(kept) <= frequent
    ranks = [(-counts[word], word) for word in kept]
    assert ranks == sorted(ranks)
    assert all((-counts[word], word) > ranks[-1] for word in frequent - set(kept))
    assert len(learnt) == len(kept) + 2
    for text in texts:
        numbers = learnt.numbers(text)
        assert PADDING not in numbers
        assert [kept[n - 2] if n != UNKNOWN else None for n in numbers] == [
            word if word in kept else None for word in text
        ]
    random.shuffle(texts)
    assert Vocabulary.learnt(texts, min_count=min_count, largest=largest).words == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["the", "cats", "were", "running", "天", "气"]),
        ({"lowercase": False}, ["The", "cats", "were", "running", "天", "气"]),
        ({"stop_words": "english", "stem": "porter"}, ["cat", "run", "天", "气"]),
        ({"segment": "none"}, ["the", "cats", "were", "running", "天气"]),
    ],
)
def test_a_text_becomes_the_words_that_are_asked_for(options, words):
    assert Preparation(**options).words(["The cats were running: 天气!", ""]) == [words, []]
