"""The model that can be trained, against what the encoder returns; texts put together."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmbench_sentence_transformers.encoder import SentenceEncoder
from mmbench_sentence_transformers.module import trimmed
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models

TEXTS = ["abc de", "seven 七", "a", "零 one two three four five six seven eight nine ten"]


@pytest.fixture(scope="module")
def static():
    """Return a model of static embeddings of four words."""
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["?", "abc", "a", "七"])}, "?"))
    weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(words, weights)], device="cpu")


@pytest.fixture(scope="module")
def prompted(folder, tmp_path_factory):
    """Return a model whose mean leaves out the prompt that it has by default."""
    model = SentenceTransformer(str(folder), device="cpu", prompts={"asked": "q "})
    model.default_prompt_name = "asked"
    model.set_pooling_include_prompt(False)
    model.save(str(made := tmp_path_factory.mktemp("prompted")))
    return made


@pytest.mark.parametrize("options", [{}, {"truncate": 7, "normalise": True, "prompt": "ab "}])
@pytest.mark.parametrize("which", ["folder", "prompted", "static", "bf16"])
def test_the_module_embeds_as_the_encoder_does_and_is_trained(
    which, options, folder, prompted, static, tmp_path
):
    if which == "static":
        static.save(str(tmp_path / "static"))
        options = {**options, "folder": tmp_path / "static"} | ({"truncate": 2} if options else {})
    else:
        options = {**options, "folder": prompted if which == "prompted" else folder}
    near = {"rtol": 1e-4, "atol": 1e-5}
    if which == "bf16":
        options, near = {**options, "precision": "bf16"}, {"rtol": 3e-2, "atol": 3e-2}
    encoder = SentenceEncoder(**options)
    before = encoder.encode(TEXTS)
    batch = encoder.collate(TEXTS)
    assert all(isinstance(tensor, torch.Tensor) for tensor in batch.values())
    module = encoder.module()
    assert encoder.module() is module
    again = module.eval()(batch)
    assert again.dtype == torch.float32
    np.testing.assert_allclose(again.detach(), before, **near)

    twin = copy.deepcopy(module).train()
    twin(batch)[:, 0].sum().backward()
    first = next(p for name, p in twin.named_parameters() if "embedding" in name)
    assert first.grad.abs().max() > 0
    assert all(p.grad is None for p in module.parameters())

    module(batch)[:, 0].sum().backward()
    with torch.no_grad():
        for p in module.parameters():
            p -= 0 if p.grad is None else 0.1 * p.grad.sign()
    after = encoder.encode(TEXTS)
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_allclose(module(batch).detach(), after, **near)


def test_a_default_prompt_is_put_before_texts_and_left_out_of_the_mean(prompted):
    expected = SentenceTransformer(str(prompted), device="cpu").encode(TEXTS)
    encoder = SentenceEncoder(folder=prompted)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)
    np.testing.assert_allclose(
        encoder.module()(encoder.collate(TEXTS)).detach(), expected, atol=1e-5
    )


def test_a_model_that_chooses_its_way_is_not_fine_tuned(static, tmp_path):
    routes = {"query": [static[0]], "document": [static[0]]}
    router = Router.for_query_document(**{f"{name}_modules": way for name, way in routes.items()})
    router.default_route = "query"
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "router"))
    encoder = SentenceEncoder(folder=tmp_path / "router")
    np.testing.assert_allclose(encoder.encode(TEXTS), static.encode(TEXTS), atol=1e-6)
    with pytest.raises(ValueError, match=r"Router of .* cannot be fine-tuned"):
        encoder.module()


def test_batches_hold_texts_of_like_length_and_no_more_than_so_many_tokens(folder, monkeypatch):
    monkeypatch.setattr("mmbench_sentence_transformers.encoder.TOKENS", 90)
    rng = np.random.default_rng(0)
    texts = ["a " * n for n in rng.integers(1, 60, 50)]
    encoder = SentenceEncoder(folder=folder, batch_size=8)
    assert encoder.chunk > 500
    seen = []
    handle = (
        encoder.module()
        .model[0]
        .register_forward_pre_hook(lambda _, args: seen.append(args[0]["input_ids"].shape))
    )
    embedded = encoder.encode(texts)
    handle.remove()
    np.testing.assert_allclose(
        embedded, SentenceTransformer(str(folder), device="cpu").encode(texts), atol=1e-5
    )
    assert sum(n for n, _ in seen) == 50
    assert max(n for n, _ in seen) == 8
    assert [width for _, width in seen] == sorted(width for _, width in seen)
    assert all(n * width <= 90 for n, width in seen)


def test_padding_is_cut_off_on_either_side():
    mask = torch.tensor([[0, 0, 1, 1, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    features = {"attention_mask": mask, "ids": mask * 7, "per_text": torch.arange(3), "length": 4}
    made = trimmed(features, [1, 0])
    assert made["ids"].tolist() == [[7, 7, 7], [0, 7, 7]]
    assert made["per_text"].tolist() == [1, 0]
    assert made["length"] == 4
