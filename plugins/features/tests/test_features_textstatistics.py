import textwrap
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmbench_features.sentiment import Sentiment
from mmbench_features.textstatistics import COLUMNS, TextStatistics
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer


def statistics(text):
    embedded = TextStatistics().encode([text])
    assert embedded.shape == (1, len(COLUMNS))
    assert embedded.dtype == np.float32
    return dict(zip(COLUMNS, embedded[0].tolist(), strict=True))


def test_columns_say_what_they_count():
    text = 'Is THIS it? "Yes!"...\n\n\U0001f600 5 @me #x see https://a.b/c?d 天气。'
    assert statistics(text) == pytest.approx(
        {
            "characters": 57,
            "words": 15,  # is this it yes 5 me x see https a b c d, 天, 气
            "distinct words": 1,
            "word length": 29 / 15,
            "letters": 28 / 57,
            "capitals": 6 / 57,
            "digits": 1 / 57,
            "punctuation": 16 / 57,
            "blanks": 11 / 57,
            "sentences": 5,
            "lines": 2,
            "question marks": 2,
            "exclamation marks": 1,
            "ellipses": 1,
            "quotation marks": 2,
            "links": 1,
            "mentions and hashtags": 2,
            "emoji": 1,
            "shouted words": 1,
        },
        rel=1e-6,
    )


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("\U0001f600\U0001f600", 2),
        ("\u2764\ufe0f", 1),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 1),
        ("\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea", 2),
        ("\U0001f44d\U0001f3fd!", 1),
        ("1\ufe0f\u20e3", 1),
        ("© 5 # ™ \u2764 :-)", 0),
    ],
)
def test_an_emoji_of_several_characters_is_one(text, count):
    assert statistics(text)["emoji"] == count


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(max_codepoint=0x24F)))
def test_shares_are_those_of_unicode_categories(text):
    found = statistics(text)
    categories = [unicodedata.category(character) for character in text]
    for name, prefix in {
        "letters": "L",
        "capitals": "Lu",
        "digits": "Nd",
        "punctuation": "P",
    }.items():
        share = np.mean([c.startswith(prefix) for c in categories]) if text else 0
        assert found[name] == pytest.approx(share, rel=1e-6)
    assert found["characters"] == len(text)
    assert np.isfinite(list(found.values())).all()


def test_texts_do_not_share_their_statistics():
    texts = ["one two", "", "THREE?"]
    together = TextStatistics().encode(texts)
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_array_equal(row, list(statistics(text).values()))
    assert not together[1].any()


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("VADER is smart, handsome, and funny.", [0, 0.254, 0.746, 0.8316]),
        ("VADER is not smart, handsome, nor funny.", [0.646, 0.354, 0, -0.7424]),
        ("Today SUX!", [0.779, 0.221, 0, -0.5461]),
        ("", [0, 0, 0, 0]),
        (" \n" * 600, [0, 0, 0, 0]),
    ],
)
def test_sentiment_is_what_vader_publishes(text, scores):
    np.testing.assert_allclose(Sentiment().encode([text, "bad"])[0], scores, rtol=1e-6)


def test_long_texts_are_scored_in_pieces():
    text = "good " * 200 + "not terrible " * 100
    pieces = textwrap.wrap(text, 1000)
    assert len(pieces) == 3
    scores = [SentimentIntensityAnalyzer().polarity_scores(piece) for piece in pieces]
    expected = np.average(
        [list(score.values()) for score in scores],
        axis=0,
        weights=[len(piece.split()) for piece in pieces],
    )
    np.testing.assert_allclose(Sentiment().encode([text])[0], expected, rtol=1e-6)
    assert np.isfinite(Sentiment().encode(["x" * 5000])).all()
