"""The phrases and the errors made in typing them."""

import unicodedata
from collections import Counter
from importlib import resources

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mmbench_digits.phrases import base, mistype, read_phrases


def _table():
    text = resources.files("mmbench_digits").joinpath("phrases.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def test_the_table_is_whole_and_clean():
    header, *rows = _table()
    assert header == ["language", "form", *"0123456789"]
    assert {len(row) for row in rows} == {12}
    for row in rows:
        assert row[0]
        assert row[1]
        for cell in row:
            assert cell == unicodedata.normalize("NFC", cell).strip()
            assert cell.isprintable()
    languages = {language for language, *_ in rows if not language.startswith("und")}
    assert len(languages) >= 50
    assert {"zh", "ar", "hi", "ja", "ko", "ru", "el"} <= languages


def test_numerals_have_the_value_that_unicode_gives_them():
    """Of one character: figures, dice, Chinese and its financial forms; and the Roman ones."""
    valued = Counter()
    for language, form, *texts in _table()[1:]:
        for digit, text in enumerate(texts):
            value = unicodedata.numeric(text, None) if len(text) == 1 else None
            if value is not None:
                assert value == digit, (language, form, text)
                valued[language] += 1
    assert valued["zh"] == 19
    assert valued["und"] == valued["und-Arab"] == valued["und-Deva"] == 10
    (roman,) = ([*texts] for language, _, *texts in _table() if language == "und-Latn")
    expected = [base(chr(0x2160 + i)) for i in range(9)]  # ROMAN NUMERAL ONE and on
    assert [base(text) for text in roman[1:]] == expected
    (dice,) = ([*texts] for language, _, *texts in _table() if language == "und-x-dice")
    for digit, text in enumerate(dice):
        assert not text or unicodedata.name(text).endswith(f"DIE FACE-{digit}")


def test_one_string_is_one_phrase_and_an_ambiguous_one_none():
    phrases = read_phrases()
    assert len({base(phrase.text) for phrase in phrases}) == len(phrases)
    texts = {phrase.text: phrase.digit for phrase in phrases}
    assert texts["six"] == 6  # English, French
    assert texts["七"] == 7
    assert "ni" not in texts  # Danish nine, Japanese two
    meanings = {}
    for _, _, *row in _table()[1:]:
        for digit, text in enumerate(row):
            meanings.setdefault(base(text), set()).add(digit)
    assert {base(phrase.text) for phrase in phrases} == {
        text for text, digits in meanings.items() if text and len(digits) == 1
    }


def test_every_block_can_have_several_phrases_of_each_class():
    counts = Counter(phrase.digit for phrase in read_phrases())
    assert sorted(counts) == list(range(10))
    assert min(counts.values()) >= 60


def test_numerals_are_told_from_words():
    numeral = {phrase.text: phrase.numeral for phrase in read_phrases()}
    assert numeral["VII"]
    assert numeral["⚅"]
    assert not numeral["seven"]
    assert not numeral["七"]


words = st.text(st.characters(categories=["L", "Mn", "Zs"]), max_size=12).filter(
    lambda text: not unicodedata.category(text[:1] or " ").startswith("M")  # a mark needs a letter
)
seeds = st.integers(0, 2**32 - 1)


@given(words, seeds)
def test_a_rate_of_nought_changes_nothing(text, seed):
    assert mistype(text, 0, np.random.default_rng(seed)) == text


@given(words, st.floats(0, 1), seeds)
def test_errors_leave_out_double_or_swap_whole_characters(text, rate, seed):
    typed = mistype(text, rate, np.random.default_rng(seed))
    assert bool(typed) == bool(text)
    before, after = Counter(_characters(text)), Counter(_characters(typed))
    assert set(after) <= set(before)
    assert all(after[c] <= 2 * before[c] for c in after)
    if len(_characters(text)) < 3:
        assert typed == text


def test_errors_come_at_their_rate_and_in_all_three_kinds():
    rng = np.random.default_rng(0)
    text = "abcdefghij"
    errors = [t for t in (mistype(text, 0.01, rng) for _ in range(5000)) if t != text]
    assert abs(len(errors) / 5000 - (1 - 0.99**10)) < 0.015
    lengths = Counter(len(t) for t in errors)
    assert min(lengths[9], lengths[10], lengths[11]) > 0.2 * len(errors)


def _characters(text):
    """Letters with their combining marks."""
    found = []
    for point in text:
        if found and unicodedata.category(point).startswith("M"):
            found[-1] += point
        else:
            found.append(point)
    return found
