"""Prompts, truncation, precision and models of images, against sentence-transformers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mmbench_sentence_transformers.encoder import SentenceEncoder
from PIL import Image
from sentence_transformers import SentenceTransformer

TEXTS = ["abc de", "seven 七", "", "零 one two three four five six seven eight nine ten"]


def by_hand(folder, items, **options):
    return SentenceTransformer(str(folder), device="cpu").encode(items, **options)


@pytest.fixture(scope="module")
def prompted(folder, tmp_path_factory):
    """Return a model that has prompts of its own."""
    model = SentenceTransformer(str(folder), device="cpu", prompts={"asked": "q ", "told": "d "})
    made = tmp_path_factory.mktemp("prompted")
    model.save(str(made))
    return made


@pytest.mark.parametrize(
    "options", [{"prompt": "query "}, {"prompt_name": "asked"}, {"prompt_name": "told"}]
)
def test_prompts(options, prompted):
    embedded = SentenceEncoder(folder=prompted, **options).encode(TEXTS)
    np.testing.assert_allclose(embedded, by_hand(prompted, TEXTS, **options), atol=1e-5)
    assert not np.allclose(embedded, by_hand(prompted, TEXTS))


@pytest.mark.parametrize("normalise", [False, True])
def test_truncation_comes_before_normalising(normalise, folder):
    embedded = SentenceEncoder(folder=folder, truncate=7, normalise=normalise).encode(TEXTS)
    expected = by_hand(folder, TEXTS)[:, :7]
    if normalise:
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embedded, expected, atol=1e-5)


def test_long_texts_are_cut(folder):
    embedded = SentenceEncoder(folder=folder, max_length=4).encode(["a b c d e f", "a b"])
    assert np.allclose(embedded[0], embedded[1], atol=1e-5)  # both begin and end with a mark
    assert not np.allclose(*SentenceEncoder(folder=folder).encode(["a b c d e f", "a b"]))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_lower_precision_is_near(precision, folder):
    full = SentenceEncoder(folder=folder).encode(TEXTS)
    low = SentenceEncoder(folder=folder, precision=precision).encode(TEXTS)
    assert low.dtype == np.float32
    assert np.abs(low - full).max() > 0
    cosine = (low * full).sum(1) / np.linalg.norm(low, axis=1) / np.linalg.norm(full, axis=1)
    assert cosine.min() > 0.999


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "a", "prompt_name": "asked"}, "give either prompt or prompt_name"),
        ({"prompt_name": "ask"}, "prompt_name = 'ask': the model's prompts are"),
        ({"truncate": 33}, "truncate = 33: the model has 32 columns"),
        ({"max_length": 65}, "max_length = 65: the model takes 64 tokens"),
    ],
)
def test_what_the_model_has_not(options, message, prompted):
    with pytest.raises(ValueError, match=message):
        SentenceEncoder(folder=prompted, **options)


# --- images and texts in one space -------------------------------------------------------------


def test_images_and_texts_share_a_space(clip):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
    images = [Image.fromarray(each) for each in pixels]
    encoder = SentenceEncoder(folder=clip, batch_size=2, prompt="a ")
    np.testing.assert_allclose(encoder.encode(images), by_hand(clip, images), atol=1e-5)
    texts = ["a b c", "d"]
    np.testing.assert_allclose(encoder.encode(texts), by_hand(clip, texts, prompt="a "), atol=1e-5)
    assert encoder.encode(images).shape[1] == encoder.encode(texts).shape[1] == 8
    grey = encoder.encode([images[0].convert("L")])
    np.testing.assert_allclose(
        grey, by_hand(clip, [images[0].convert("L").convert("RGB")]), atol=1e-5
    )


def test_a_model_of_texts_takes_no_images(folder):
    with pytest.raises(ValueError, match="the model takes no images"):
        SentenceEncoder(folder=folder).encode([Image.new("RGB", (4, 4))])
