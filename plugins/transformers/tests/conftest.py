"""Small random models of the field's architectures, saved as `save_pretrained` does."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub.constants
import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz"]
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
PIXELS = {**SMALL, "image_size": 16, "patch_size": 8}
WAVES = {
    **SMALL,
    "conv_dim": (16, 16),
    "conv_kernel": (10, 8),
    "conv_stride": (5, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
WORDY = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 24, "pad_token_id": 0}


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch) -> Path:
    """Keep the hub out of reach, its cache empty; and leave the other cores to other tests."""
    torch.set_num_threads(1)
    folder = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


def tokeniser(specials: bool = True, **options):
    """Return a tokeniser of single letters, with or without its begin and end tokens."""
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", "isolated")]
    )
    if specials:
        ends = [(name, WORDS.index(name)) for name in ("[CLS]", "[SEP]")]
        raw.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, ends)
    options = {"unk_token": "[UNK]", "pad_token": "[PAD]", "eos_token": "[SEP]", **options}
    return hf.PreTrainedTokenizerFast(tokenizer_object=raw, **options)


def image_processor(size=16):
    sides = {"height": size, "width": size}
    return hf.ViTImageProcessor(size=sides, image_mean=[0.4] * 3, image_std=[0.3] * 3)


def clip_config(text=hf.CLIPTextConfig, vision=hf.CLIPVisionConfig, both=hf.CLIPConfig, **options):
    eos = {"eos_token_id": WORDS.index("[SEP]"), "bos_token_id": WORDS.index("[CLS]")}
    one, two = text(**WORDY, **eos, projection_dim=20), vision(**PIXELS, projection_dim=20)
    return both(text_config=one.to_dict(), vision_config=two.to_dict(), **options)


def clap_config(fused):
    audio = hf.ClapAudioConfig(
        spec_size=64,
        num_mel_bins=64,
        patch_embeds_hidden_size=8,
        hidden_size=16,
        depths=[1, 1],
        num_attention_heads=[2, 2],
        window_size=4,
        patch_size=4,
        patch_stride=[4, 4],
        projection_dim=20,
        num_hidden_layers=2,
        enable_fusion=fused,
        aff_block_r=2,
    )
    text = hf.ClapTextConfig(**WORDY, projection_dim=20)
    return hf.ClapConfig(
        text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=20
    )


def waves(norm, mask):
    config = {**WAVES, "feat_extract_norm": norm, "do_stable_layer_norm": mask}
    return config, hf.Wav2Vec2FeatureExtractor(return_attention_mask=mask)


def made(name: str) -> list:
    """Return a model of random weights and what prepares its items."""
    if name == "bert":
        return [hf.BertModel(hf.BertConfig(**WORDY)), tokeniser()]
    if name == "roberta":
        roberta = {**WORDY, "pad_token_id": 0}
        return [hf.RobertaModel(hf.RobertaConfig(**roberta)), tokeniser()]
    if name == "gpt2":
        sizes = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 24}
        config = hf.GPT2Config(vocab_size=len(WORDS), bos_token_id=2, eos_token_id=3, **sizes)
        return [hf.GPT2Model(config), tokeniser(specials=False, pad_token=None)]
    if name == "t5":
        config = hf.T5Config(
            vocab_size=len(WORDS), d_model=32, d_kv=16, d_ff=48, num_layers=2, num_heads=2
        )
        return [hf.T5Model(config), tokeniser()]
    if name == "vit":
        return [hf.ViTModel(hf.ViTConfig(**PIXELS)), image_processor()]
    if name == "dinov2":
        return [hf.Dinov2Model(hf.Dinov2Config(**PIXELS)), image_processor()]
    if name == "resnet":
        sizes = {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [1, 1]}
        return [hf.ResNetModel(hf.ResNetConfig(**sizes, layer_type="basic")), image_processor(32)]
    if name == "wav2vec2":
        config, extractor = waves("group", False)
        return [hf.Wav2Vec2Model(hf.Wav2Vec2Config(**config)), extractor]
    if name == "wav2vec2-masked":
        config, extractor = waves("layer", True)
        return [hf.Wav2Vec2Model(hf.Wav2Vec2Config(**config)), extractor]
    if name == "hubert":
        config, extractor = waves("group", False)
        return [hf.HubertModel(hf.HubertConfig(**config)), extractor]
    if name == "whisper":
        config = hf.WhisperConfig(
            vocab_size=40,
            d_model=32,
            encoder_layers=2,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            num_mel_bins=16,
            max_source_positions=100,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
        return [hf.WhisperModel(config), hf.WhisperFeatureExtractor(16, chunk_length=2)]
    if name == "ast":
        config = hf.ASTConfig(**SMALL, patch_size=8, max_length=64, num_mel_bins=16)
        return [hf.ASTModel(config), hf.ASTFeatureExtractor(num_mel_bins=16, max_length=64)]
    if name == "clip":
        return [
            hf.CLIPModel(clip_config(projection_dim=20)),
            hf.CLIPProcessor(hf.CLIPImageProcessor(size=16, crop_size=16), tokeniser()),
        ]
    if name == "siglip":
        config = clip_config(hf.SiglipTextConfig, hf.SiglipVisionConfig, hf.SiglipConfig)
        return [hf.SiglipModel(config), tokeniser(), image_processor()]
    extractor = hf.ClapFeatureExtractor(
        sampling_rate=8000,
        max_length_s=1,
        hop_length=128,
        frequency_max=4000,
        truncation="fusion" if name == "clap-fused" else "rand_trunc",
    )
    return [hf.ClapModel(clap_config(name == "clap-fused")), tokeniser(), extractor]


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Return the folder of a model by the name of its architecture, saved once."""
    saved: dict[tuple[str, int], Path] = {}

    def find(name: str, seed: int = 0) -> Path:
        if (name, seed) not in saved:
            folder = tmp_path_factory.mktemp(name)
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                for part in made(name):
                    part.save_pretrained(folder)
            saved[name, seed] = folder
        return saved[name, seed]

    return find


@pytest.fixture
def cache_model(hub_cache):
    """Put a model's folder into the hub's cache, as a download does."""

    def put(repository, folder, commit=COMMIT):
        cached = hub_cache / f"models--{repository.replace('/', '--')}"
        (cached / "refs").mkdir(parents=True, exist_ok=True)
        (cached / "refs" / "main").write_text(commit)
        return Path(shutil.copytree(folder, cached / "snapshots" / commit))

    return put


@pytest.fixture(scope="session")
def texts():
    """Return 33 texts of 1 to 20 letters, in no order of length."""
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("abcdefgh jk"), rng.integers(1, 21))) for _ in range(33)]


@pytest.fixture(scope="session")
def images():
    """Return 17 textured images of several shapes."""
    rng = np.random.default_rng(0)
    shapes = [(60, 40), (17, 20), (90, 61), (16, 16)]
    coarse = rng.integers(0, 256, (17, 6, 6, 3), dtype=np.uint8)
    return [Image.fromarray(c).resize(shapes[i % len(shapes)]) for i, c in enumerate(coarse)]


@pytest.fixture(scope="session")
def sounds():
    """Return 17 sounds of 16 kHz, 0.15 to 0.5 s, some of one length; and of two channels."""
    rng = np.random.default_rng(0)
    lengths = [2400, 8000, 5000, 3333, 8000, 2400]
    return [
        SimpleNamespace(
            samples=rng.normal(0, 0.1, (lengths[i % 6], 1 + i % 2)).astype(np.float32),
            sample_rate=16000,
        )
        for i in range(17)
    ]
