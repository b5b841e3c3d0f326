import re

import numpy as np
import pytest
from gensim.models import KeyedVectors
from mmbench_networks import word_vectors

WORDS = ["the", "天气", "naïve", "new\x85line", "3.14", "."]
VECTORS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


@pytest.mark.parametrize("header", [True, False], ids=["word2vec", "glove"])
def test_what_gensim_writes_is_read_exactly(tmp_path, header):
    vectors = KeyedVectors(5)
    vectors.add_vectors(WORDS, VECTORS)
    file = tmp_path / "vectors.txt"
    vectors.save_word2vec_format(str(file), write_header=header)
    found = word_vectors.read(file, {*WORDS, "absent"} - {"3.14"})
    assert sorted(found) == sorted(set(WORDS) - {"3.14"})
    for word, vector in found.items():
        assert vector.dtype == np.float32
        np.testing.assert_array_equal(vector, VECTORS[WORDS.index(word)])


def test_a_word_of_several_parts_a_repeated_word_and_blanks_at_the_end(tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_bytes(b"one 1 2 \r\n. . . 3 4 \nat you@me.com 5 6\none 7 8\n")
    found = word_vectors.read(file, {"one", ". . .", "at you@me.com"})
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "one": [1, 2],
        ". . .": [3, 4],
        "at you@me.com": [5, 6],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1 2\nb 1\n", "line 2: a word and 2 numbers expected; the line is 'b 1'"),
        (b"2 3\na 1 2 3\nb 1 2\n", "line 3: a word and 3 numbers expected; the line is 'b 1 2'"),
        (b"a 1 2\n\nb 1 2\n", "line 2: a word and 2 numbers expected; the line is ''"),
        (b"a 1 2\nb 1 two\n", "line 2: 2 numbers expected; the line is 'b 1 two'"),
        (b"a 1 2\nb 1 nan\n", "line 2: a number is not finite; the line is 'b 1 nan'"),
        (b"a 1 2\n\xff\xfe 1 2\n", "line 2: the word is not UTF-8; the line is"),
        (b"3 2\na 1 2\nb 1 2\n", ": 3 words expected, 2 found"),
        (b"a\n", "line 1: a word and its numbers expected; the line is 'a'"),
        (b"a 1 2\nb " + b"9" * 99, "line 2: a word and 2 numbers expected; the line is 'b 999"),
        (b"", ": some words expected, 0 found"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, content, message):
    file = tmp_path / "vectors.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        word_vectors.read(file, {"a", "b"})
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(file)) + 120


def test_numbers_of_words_that_are_not_wanted_are_not_read(tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_bytes(b"a 1 2\nb 1 two\n")
    assert list(word_vectors.read(file, {"a"})) == ["a"]
