"""What people have on their disks."""

from __future__ import annotations

import csv
import io
import json
import struct
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from mmbench_manifest.dataset import Manifest
from PIL import Image

TEXT = {"text": {"column": "text", "kind": "text"}}
IMAGE = {"photo": {"column": "photo", "kind": "image"}}
SOUND = {"sound": {"column": "sound", "kind": "audio"}}
CORNER = np.zeros((4, 6), np.uint8)
CORNER[0, 0] = 255

TEXTS = [
    "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{ROCKET} \U0001f1eb\U0001f1f7 \U0001f44d\U0001f3fd",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u202babc\u202c",
    "Greek \u03b1\u03b2, \u4f60\u597d, \u0928\u092e\u0938\u094d\u0924\u0947, e\u0301 and \xe9",
    'quotes "here", a comma\nand a line\r\nbreak',
    " \t ",
    "tab\there",
    "\\N not null",
    "1 MB of it: " + "\u8a9e" * 350_000,
]


@pytest.fixture
def photo(make):
    """Return the item of an image file."""

    def photo(name):
        return make(f"photo,label\n{name},a\n,b\n", modalities=IMAGE).items("photo")[0]

    return photo


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.jpg", "CMYK"),
        ("a.tif", "CMYK"),
        ("a.png", "P"),
        ("a.gif", "P"),
        ("a.png", "1"),
        ("a.png", "LA"),
        ("a.png", "I;16"),
        ("a.tif", "F"),
        ("a.webp", "RGBA"),
    ],
)
def test_images_keep_their_mode(photo, tmp_path, name, mode):
    wide = Image.fromarray(CORNER.astype(np.uint16) * 257)
    written = wide if mode == "I;16" else Image.fromarray(CORNER).convert("RGB").convert(mode)
    if mode in ("LA", "RGBA"):
        written.putalpha(100)
    written.save(tmp_path / name, **({"lossless": True} if mode == "RGBA" else {}))
    found = photo(name)
    assert found.mode == mode
    assert found.size == (6, 4)
    if mode == "P":  # colours are numbered anew
        found, written = found.convert("RGB"), written.convert("RGB")
    if name != "a.jpg":
        np.testing.assert_array_equal(np.asarray(found), np.asarray(written))


def test_one_pixel(photo, tmp_path):
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "a.png")
    assert photo("a.png").getpixel((0, 0)) == (1, 2, 3)


def test_a_huge_image_is_refused_before_it_is_decoded(photo, write):
    """20,000 x 20,000 pixels of white, 50 kB on disk, 400 MB decoded."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    side = 20_000
    pack = zlib.compressobj(1)
    row = b"\0" + b"\xff" * (side // 8)
    data = b"".join(pack.compress(row) for _ in range(side)) + pack.flush()
    header = chunk(b"IHDR", struct.pack(">2I5B", side, side, 1, 0, 0, 0, 0))
    write("a.png", b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    with pytest.raises(OSError, match=r"^a\.png cannot be read as image: .*400000000 pixels.*$"):
        photo("a.png")


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_of_an_animated_image_the_first_frame_is_given(photo, tmp_path, suffix):
    frames = [Image.new("RGB", (6, 4), (90 * i, 0, 0)) for i in range(3)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    found = photo(f"a.{suffix}")
    assert found.size == (6, 4)
    assert found.convert("RGB").getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "I;16"])
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (5, 0)), (3, (5, 3)), (4, (0, 3)), (5, (0, 0)), (6, (3, 0)), (7, (3, 5)),
     (8, (0, 5))],
)  # fmt: skip
def test_images_are_given_upright(photo, tmp_path, mode, orientation, corner):
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = Image.fromarray(CORNER.astype(np.uint16) * 257)
    image = wide if mode == "I;16" else Image.fromarray(CORNER).convert("RGB").convert(mode)
    image.save(tmp_path / "a.png", exif=exif)
    found = photo("a.png")
    assert found.mode == mode
    assert found.size == ((6, 4) if orientation < 5 else (4, 6))
    pixels = np.asarray(found if mode == "I;16" else found.convert("L"))
    assert tuple(np.argwhere(pixels)[0][::-1]) == corner
    assert len(np.argwhere(pixels)) == 1
    assert found.getexif().get(0x0112, 1) == 1


def test_stereo_at_96_khz(make, tmp_path):
    samples = np.random.default_rng(0).uniform(-1, 1, (960, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 96_000, subtype="FLOAT")
    sound = make("sound,label\na.wav,a\n,b\n", modalities=SOUND).items("sound")[0]
    assert sound.sample_rate == 96_000
    np.testing.assert_array_equal(sound.samples, samples)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_an_empty_sound_is_an_error_that_names_it(make, tmp_path, suffix):
    soundfile.write(tmp_path / f"a.{suffix}", np.zeros((0, 1)), 8000)
    items = make(f"sound,label\na.{suffix},a\n,b\n", modalities=SOUND).items("sound")
    with pytest.raises(OSError, match=rf"^a\.{suffix} cannot be read as audio: .+$"):
        items[0]


def _csv(path, delimiter):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerows([["text", "label"], *([text, i % 2] for i, text in enumerate(TEXTS))])
    path.write_bytes(b"\xef\xbb\xbf" + buffer.getvalue().encode())


def _jsonl(path):
    rows = ({"text": text, "label": i % 2} for i, text in enumerate(TEXTS))
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_texts_come_back_as_written(tmp_path, suffix):
    path = tmp_path / f"m.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"text": TEXTS, "label": [i % 2 for i in range(len(TEXTS))]}), path)
    elif suffix == "jsonl":
        _jsonl(path)
    else:
        _csv(path, "," if suffix == "csv" else "\t")
    read = Manifest(path, "label", TEXT)
    assert list(read.items("text")) == TEXTS
    assert read.classes == ["0", "1"]


def test_paths_of_windows_are_found(make, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    Image.new("L", (3, 2), 7).save(tmp_path / "in" / "deep" / "a.png")
    items = make("photo,label\nin\\deep\\a.png,a\nin/deep/a.png,b\n", modalities=IMAGE)
    assert [item.getpixel((0, 0)) for item in items.items("photo")] == [7, 7]


@pytest.mark.skipif("os.sep == '\\\\'", reason="a backslash separates folders here")
def test_a_backslash_in_a_name_is_a_backslash(make, tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (3, 2), 7).save(tmp_path / "in" / "a.png")
    Image.new("L", (3, 2), 8).save(tmp_path / "in\\a.png")
    items = make("photo,label\nin\\a.png,a\nin/a.png,b\n", modalities=IMAGE).items("photo")
    assert [item.getpixel((0, 0)) for item in items] == [8, 7]


def test_paths_of_windows_that_are_not_there(refused, tmp_path, write):
    write("in/a.png", b"")
    message = refused("photo,label\nin\\b.png,a\n,b\n", FileNotFoundError, modalities=IMAGE)
    assert message == (
        "m.csv: modalities.photo.column: column 'photo' names no file in row 1, 'in\\\\b.png': "
        f"'b.png' is not in {str(tmp_path / 'in')!r}; did you mean 'a.png'? "
        "(backslashes were read as slashes)"
    )
    content = "photo,label\nC:\\data\\a.png,a\n,b\n"
    message = refused(content, FileNotFoundError, modalities=IMAGE)
    assert message.endswith(
        "'C:\\\\data\\\\a.png': it is a path of another system; "
        "expected one relative to the manifest's folder"
    )
