"""What goes wrong, told in one line; weights drawn, cached, or brought along with code."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers as hf
from mmbench_transformers.kinds import AudioTransformer, ImageTransformer, TextTransformer
from mmbench_transformers.towers import ImageTower, TextTower

ALL = (TextTransformer, ImageTransformer, AudioTransformer, TextTower, ImageTower)


@pytest.fixture
def copy_of(folder_of, tmp_path):
    def copy(name):
        return shutil.copytree(folder_of(name), tmp_path / f"copy-{name}")

    return copy


def complaint(encoder, error=ValueError, **options):
    with pytest.raises(error) as caught:
        encoder(**options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 450
    return message


@pytest.mark.parametrize("encoder", ALL)
def test_no_such_folder_and_no_model_in_it(encoder, tmp_path):
    told = complaint(encoder, OSError, folder=tmp_path / "gone")
    assert told.endswith("gone: no such file or folder")
    (tmp_path / "empty").mkdir()
    assert "empty: no config.json in it" in complaint(encoder, OSError, folder=tmp_path / "empty")


@pytest.mark.parametrize("encoder", ALL)
def test_exactly_one_of_model_and_folder(encoder, tmp_path, monkeypatch):
    wanted = "give either model = 'NAME' or folder = 'FOLDER'"
    assert complaint(encoder) == wanted
    assert complaint(encoder, model="a/b", folder=tmp_path) == wanted
    assert "revision" in complaint(encoder, folder=tmp_path, revision="main")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    assert "give it as folder" in complaint(encoder, model="here")


@pytest.mark.parametrize(
    ("encoder", "name", "said"),
    [
        (ImageTransformer, "bert", "is a model of text, not of image (BertModel)"),
        (TextTransformer, "vit", "is a model of image, not of text (ViTModel)"),
        (TextTransformer, "whisper", "is a model of audio, not of text (WhisperModel)"),
        (AudioTransformer, "gpt2", "is a model of text, not of audio (GPT2Model)"),
        (ImageTransformer, "clip", "(CLIPModel): use two-tower-text or two-tower-image"),
        (AudioTransformer, "clap", "(ClapModel): use two-tower-text or two-tower-audio"),
    ],
)
def test_a_model_of_another_kind(encoder, name, said, folder_of):
    message = complaint(encoder, folder=folder_of(name))
    assert said in message
    assert str(folder_of(name)) in message


@pytest.mark.parametrize(
    ("encoder", "name", "what"),
    [
        (
            TextTransformer,
            "bert",
            "tokeniser that transformers can read (ValueError: there is no voc",
        ),
        (TextTransformer, "gpt2", "tokeniser"),
        (TextTower, "clip", "tokeniser"),
        (TextTower, "siglip", "tokeniser"),
        (ImageTransformer, "vit", "image processor that"),
        (AudioTransformer, "wav2vec2", "feature extractor that"),
    ],
)
def test_what_prepares_the_items_is_missing(encoder, name, what, copy_of):
    folder = copy_of(name)
    for file in (*folder.glob("*token*"), *folder.glob("*processor*")):
        file.unlink()
    assert f"no {what}" in complaint(encoder, folder=folder)


@pytest.mark.parametrize(
    ("encoder", "name", "options", "said"),
    [
        (ImageTransformer, "resnet", {}, "has no class token: use pooling = 'mean'"),
        (AudioTransformer, "hubert", {"pooling": "cls"}, "has no class token"),
        (TextTransformer, "bert", {"max_length": 0}, "max_length = 0: 1 or more is possible"),
        (TextTransformer, "bert", {"batch_size": 0}, "batch_size = 0: 1 or more is possible"),
        (TextTower, "clip", {"batch_size": -1}, "batch_size = -1: 1 or more is possible"),
        (AudioTransformer, "hubert", {"max_seconds": 0}, "max_seconds = 0: more than 0"),
        (TextTransformer, "bert", {"layer": 1, "pooling": "pooler"}, "leave out layer"),
    ],
)
def test_what_a_model_cannot_give(encoder, name, options, said, folder_of):
    assert said in complaint(encoder, folder=folder_of(name), **options)


def test_a_model_without_a_pooler(folder_of):
    encoder = TextTransformer(folder=folder_of("gpt2"), pooling="pooler")
    with pytest.raises(ValueError, match="has no pooler: use pooling = 'cls', 'mean' or 'last'"):
        encoder.encode(["abc"])


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_a_model_has_not(layer, folder_of):
    encoder = TextTransformer(folder=folder_of("bert"), layer=layer)
    with pytest.raises(ValueError, match=rf"^layer = {layer}: .* 0 .* to 2, or -3 to -1$"):
        encoder.encode(["abc"])


def test_weights_that_the_checkpoint_lacks(copy_of, folder_of, texts):
    folder = copy_of("bert")
    file = folder / "model.safetensors"
    weights = safetensors.torch.load_file(file)

    def keep(unwanted):
        kept = {name: w for name, w in weights.items() if unwanted not in name}
        assert len(kept) < len(weights)
        safetensors.torch.save_file(kept, file, metadata={"format": "pt"})

    keep("pooler")
    whole, without = (TextTransformer(folder=f).encode(texts) for f in (folder_of("bert"), folder))
    np.testing.assert_array_equal(whole, without)
    assert "'pooler.dense.bias' the first" in complaint(
        TextTransformer, folder=folder, pooling="pooler"
    )
    keep("layer.1.attention")
    assert "of the model's weights are not in the checkpoint" in complaint(
        TextTransformer, folder=folder
    )


def test_a_checkpoint_with_code_is_not_run(copy_of, tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    folder = copy_of("bert")
    (folder / "model.safetensors").unlink()
    torch.save({"embeddings": Trap()}, folder / "pytorch_model.bin")
    assert "no model that transformers can read" in complaint(TextTransformer, folder=folder)
    assert not (tmp_path / "sprung").exists()


def test_code_in_a_folder_is_run_only_if_asked_for(copy_of, tmp_path, texts, monkeypatch):
    monkeypatch.setattr(hf.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = copy_of("bert")
    expected = TextTransformer(folder=folder).encode(texts)
    (folder / "own.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        f"open({str(tmp_path / 'run')!r}, 'w').close()\n"
        "class OwnConfig(BertConfig):\n    model_type = 'own'\n"
        "class Own(BertModel):\n    config_class = OwnConfig\n"
    )
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.Own"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    complaint(TextTransformer, folder=folder)
    assert not (tmp_path / "run").exists()
    embedded = TextTransformer(folder=folder, trust_remote_code=True).encode(texts)
    assert (tmp_path / "run").exists()
    np.testing.assert_allclose(embedded, expected, atol=1e-6)


@pytest.mark.parametrize(("encoder", "name"), [(TextTransformer, "bert"), (ImageTower, "clip")])
def test_random_weights(encoder, name, folder_of, texts, images):
    items = texts[:3] if encoder is TextTransformer else images[:3]
    torch.manual_seed(11)
    before = torch.get_rng_state()
    seven, again, eight = (
        encoder(folder=folder_of(name), pretrained=False, initialisation=i).encode(items)
        for i in (7, 7, 8)
    )
    np.testing.assert_array_equal(seven, again)
    for other in (eight, encoder(folder=folder_of(name)).encode(items)):
        assert np.abs(seven - other).max() > 1e-3
    assert torch.equal(torch.get_rng_state(), before)


def test_random_weights_are_the_librarys(folder_of, texts):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = hf.BertModel(hf.BertConfig.from_pretrained(folder_of("bert"))).eval()
    model.save_pretrained(copy := folder_of("bert").parent / "drawn")
    hf.AutoTokenizer.from_pretrained(folder_of("bert")).save_pretrained(copy)
    drawn = TextTransformer(folder=folder_of("bert"), pretrained=False, initialisation=5)
    np.testing.assert_allclose(
        drawn.encode(texts), TextTransformer(folder=copy).encode(texts), atol=1e-6
    )


@pytest.mark.parametrize(("encoder", "name"), [(TextTransformer, "bert"), (TextTower, "clip")])
def test_hub_models_come_from_the_cache(encoder, name, cache_model, folder_of, texts):
    cache_model("someone/tiny", folder_of(name), "a" * 40)
    cache_model("someone/tiny", folder_of(name, seed=1), "b" * 40)
    for revision, seed in (("a" * 40, 0), (None, 1)):
        cached = encoder(model="someone/tiny", revision=revision).encode(texts)
        folder = encoder(folder=folder_of(name, seed=seed)).encode(texts)
        np.testing.assert_array_equal(cached, folder)


def test_a_tokeniser_that_is_not_in_the_cache(cache_model, copy_of):
    folder = copy_of("bert")
    for file in folder.glob("*token*"):
        file.unlink()
    cache_model("someone/tiny", folder)
    message = complaint(TextTransformer, FileNotFoundError, model="someone/tiny")
    assert message.startswith("no tokeniser for 'someone/tiny', neither in the hub cache nor")


@pytest.mark.parametrize("encoder", ALL)
def test_no_weights_is_one_line_that_says_how_to_supply_them(encoder):
    message = complaint(encoder, FileNotFoundError, model="someone/nothing")
    start = "no model for 'someone/nothing', neither in the hub cache nor from the hub"
    assert message.startswith(start)
    assert "HF_HOME" in message
    assert "folder = 'FOLDER'" in message


def test_threads_are_those_given(folder_of):
    try:
        ImageTower(folder=folder_of("clip"), threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("encoder", ALL)
def test_cuda_without_a_device_is_an_error(encoder, tmp_path):
    assert "no CUDA device" in complaint(encoder, RuntimeError, folder=tmp_path, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_embeddings_equal_those_of_the_cpu(folder_of, texts):
    for encoder, name in ((TextTransformer, "bert"), (TextTower, "clip")):
        cpu, cuda = (
            encoder(folder=folder_of(name), device=device).encode(texts)
            for device in ("cpu", "cuda")
        )
        np.testing.assert_allclose(cuda, cpu, rtol=1e-3, atol=1e-4)
