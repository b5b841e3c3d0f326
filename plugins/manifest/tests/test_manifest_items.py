"""Items by kind, what is missing, and fingerprints."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from mmbench_manifest.dataset import Manifest
from PIL import Image

IMAGE = {"photo": {"column": "photo", "kind": "image"}}
SOUND = {"sound": {"column": "sound", "kind": "audio"}}
VECTOR = {"v": {"columns": "v*", "kind": "vector"}}
LISTED = {"v": {"column": "v", "kind": "vector"}}
ALIGNED = {"v": {"file": "v.npy", "kind": "vector"}}
TWO_ROWS = "label\na\nb\n"


def as_lines(values, key="v"):
    return "\n".join(json.dumps({key: value, "label": i % 2}) for i, value in enumerate(values))


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (3, 2), 7).save(tmp_path / "in" / "grey.png")
    Image.new("RGBA", (2, 2), (1, 2, 3, 4)).save(tmp_path / "in" / "colour é.png")
    return "photo,label\nin/grey.png,a\n,b\nin/colour é.png,b\n"


def test_images_are_decoded_as_they_are(make, photos):
    manifest = make(photos, modalities=IMAGE)
    assert manifest.modalities == {"photo": "image"}
    items = manifest.items("photo")
    assert items.missing.tolist() == [False, True, False]
    assert items.missing.dtype == bool
    assert items[0].mode == "L"
    assert items[0].size == (3, 2)
    assert items[0].getpixel((0, 0)) == 7
    assert items[1] is None
    assert items[-1].getpixel((1, 1)) == (1, 2, 3, 4)


def test_items_are_a_sequence(make, photos):
    items = make(photos, modalities=IMAGE).items("photo")
    assert len(items) == 3
    assert [item is None for item in items] == [False, True, False]
    assert [item is None for item in items[:2]] == [False, True]
    assert items[np.int64(2)].mode == "RGBA"
    for index in (3, -4):
        with pytest.raises(IndexError):
            items[index]
    assert pickle.loads(pickle.dumps(items))[0].size == (3, 2)


def test_an_image_is_opened_on_access_only(make, write):
    write("a.png", b"no image")
    items = make("photo,label\na.png,a\n,b\n", modalities=IMAGE).items("photo")
    assert items.missing.tolist() == [False, True]
    with pytest.raises(OSError, match=r"a\.png cannot be read as image: .+"):
        items[0]


def test_a_cut_image_and_a_deleted_one_name_their_file(make, photos, tmp_path):
    items = make(photos, modalities=IMAGE).items("photo")
    path = tmp_path / "in" / "grey.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(OSError, match=r"in/grey\.png cannot be read as image"):
        items[0]
    path.unlink()
    with pytest.raises(OSError, match=r"in/grey\.png cannot be read as image"):
        items[0]


def test_sounds_keep_their_channels_and_rate(make, tmp_path):
    samples = np.array([[0.5, -0.5], [0.25, 0.0], [-1.0, 0.125]])
    soundfile.write(tmp_path / "stereo.wav", samples, 8000, subtype="PCM_16")
    soundfile.write(tmp_path / "mono.flac", samples[:, 0], 44100)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    items = make("sound,label\nstereo.wav,a\nmono.flac,b\n,b\nbad.wav,b\n", modalities=SOUND).items(
        "sound"
    )
    assert items[0].sample_rate == 8000
    assert items[0].samples.dtype == np.float32
    np.testing.assert_allclose(items[0].samples, samples, atol=1e-4)
    assert items[1].sample_rate == 44100
    assert items[1].samples.shape == (3, 1)
    assert items[2] is None
    with pytest.raises(OSError, match=r"bad\.wav cannot be read as audio"):
        items[3]


def test_vector_columns_by_glob_in_file_order_without_the_roles(make):
    content = "v2,vid,v10,vlabel,other,v1,vfold\n 2,i,1e1,a,9,.1,0\n-2,j,inf,b,9,1,1\n"
    options = {"label": "vlabel", "id": "vid", "fold": "vfold", "modalities": VECTOR}
    items = make(content.replace("inf", "4"), **options).items("v")
    np.testing.assert_array_equal(items[0], [2, 10, 0.1])
    np.testing.assert_array_equal(items[1], [-2, 4, 1])
    assert items[0].dtype == np.float64


def test_vector_columns_by_list_keep_its_order(make):
    content = "x,y*,label\n1,2,a\n,,b\n3,4,b\n"
    items = make(content, modalities={"v": {"columns": ["y*", "x"], "kind": "vector"}}).items("v")
    np.testing.assert_array_equal(items[0], [2, 1])
    assert items[1] is None
    assert items.missing.tolist() == [False, True, False]


def test_vector_columns_of_parquet_and_jsonl(make, tmp_path):
    pq.write_table(
        pa.table({"v1": [1, None, 3], "v2": ["0.5", None, "2"], "label": ["a", "b", "b"]}),
        tmp_path / "m.parquet",
    )
    items = Manifest(tmp_path / "m.parquet", "label", VECTOR).items("v")
    np.testing.assert_array_equal(items[0], [1, 0.5])
    assert items[1] is None
    lines = '{"v1": 1, "v2": "0.5", "label": 0}\n{"label": 1}\n{"v1": true, "v2": 2.5, "label": 1}'
    items = make(lines, name="m.jsonl", modalities=VECTOR).items("v")
    np.testing.assert_array_equal(items[2], [1, 2.5])
    assert items[1] is None


def test_lists_of_numbers(make, tmp_path):
    items = make(as_lines([[1, 2.5], None, [3, 4]]), name="m.jsonl", modalities=LISTED).items("v")
    np.testing.assert_array_equal(items[0], [1, 2.5])
    assert items[0].dtype == np.float64
    assert items.missing.tolist() == [False, True, False]
    assert items[1] is None
    values = [[1.0, 2.5], None, [3.0, 4.0]]
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float64(), 2)):
        table = pa.table({"v": pa.array(values, kind), "label": [0, 1, 1]})
        pq.write_table(table, tmp_path / "m.parquet")
        items = Manifest(tmp_path / "m.parquet", "label", LISTED).items("v")
        np.testing.assert_array_equal(items[2], [3, 4])
        assert items[0].dtype == (np.float32 if kind.value_type == pa.float32() else np.float64)
        assert items.missing.tolist() == [False, True, False]


def test_a_file_of_numbers_per_row(make, tmp_path):
    np.save(tmp_path / "a.npy", np.array([1, 2], np.int16))
    np.save(tmp_path / "b.npy", np.array([1.0, 2.0, 3.0]))
    np.save(tmp_path / "c.npy", np.array([1.0, np.nan]))
    np.save(tmp_path / "d.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "e.npy", np.ones((1, 2)))
    rows = "".join(
        f"{name}.npy,{i % 2}\n" if name else ",1\n" for i, name in enumerate(["", *"abcde"])
    )
    items = make("v,label\n" + rows, modalities=LISTED).items("v")
    assert items[0] is None
    np.testing.assert_array_equal(items[1], [1, 2])
    assert items[1].dtype == np.float32
    with pytest.raises(ValueError, match=r"b\.npy holds 3 numbers; the first .* holds 2"):
        items[2]
    for index, name in enumerate("cde", start=3):
        with pytest.raises(OSError, match=rf"{name}\.npy cannot be read as vector"):
            items[index]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, ">f4"])
def test_a_row_aligned_file_is_mapped(make, tmp_path, dtype):
    matrix = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    np.save(tmp_path / "v.npy", matrix)
    items = make(TWO_ROWS, modalities=ALIGNED).items("v")
    np.testing.assert_array_equal(items[1], [3, 4, 5])
    narrow = {np.float32, np.float16, ">f4"}
    assert items[1].dtype == (np.float32 if dtype in narrow else np.float64)
    assert type(items[1]) is np.ndarray
    assert not items.missing.any()
    items[1][0] = 9
    assert items[1][0] == 3


def test_a_row_aligned_file_with_nan_names_file_and_row(make, tmp_path):
    np.save(tmp_path / "v.npy", np.array([[1.0], [np.inf]]))
    items = make(TWO_ROWS, modalities=ALIGNED).items("v")
    assert items[0].tolist() == [1]
    with pytest.raises(ValueError, match=r"v\.npy, row 2"):
        items[1]


def test_a_fingerprint_is_of_the_content_only(make):
    options = {"modalities": {"t": {"column": "t", "kind": "text"}}}
    one = make("t,label\nx,a\n,b\ny,b\n", **options).fingerprint("t")
    other = {"t": {"column": "words", "kind": "text"}}
    same = make(
        "i,words,y\n7,x,q\n8,,r\n9,y,q\n", name="n.csv", label="y", id="i", modalities=other
    )
    assert same.fingerprint("t") == one
    for rows in ("x,a\ny,b\n,b\n", "x,a\n,b\nz,b\n", "x,a\n,b\ny,b\ny,b\n", "xy,a\n,b\n,b\n"):
        assert make("t,label\n" + rows, **options).fingerprint("t") != one
    lines = as_lines(["x", "", "y"], "t")
    assert make(lines, name="m.jsonl", **options).fingerprint("t") != one
    lines = as_lines(["x", None, "y"], "t")
    assert make(lines, name="m.jsonl", **options).fingerprint("t") == one


def test_a_fingerprint_of_files_is_of_their_bytes(make, photos, tmp_path):
    manifest = make(photos, modalities=IMAGE)
    before = manifest.fingerprint("photo")
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    moved = photos.replace("in/", "elsewhere/")
    assert make(moved, modalities=IMAGE).fingerprint("photo") == before
    audio = {"photo": {"column": "photo", "kind": "audio"}}
    assert make(moved, modalities=audio).fingerprint("photo") != before
    Image.new("L", (3, 2), 8).save(tmp_path / "elsewhere" / "grey.png")
    assert make(moved, modalities=IMAGE).fingerprint("photo") != before
    assert manifest.fingerprint("photo") == before  # hashed once per instance


def test_fingerprints_of_vectors(make, tmp_path):
    def printed(content, **options):
        return make(content, modalities=VECTOR, **options).fingerprint("v")

    one = printed("v1,v2,label\n1,2,a\n,,b\n")
    assert printed("label,v_a,v_b\nb,1.0,2e0\na,,\n") == one
    for rows in ("1,2,a\n2,1,b\n", "1,3,a\n,,b\n", ",,a\n1,2,b\n"):
        assert printed("v1,v2,label\n" + rows) != one
    assert (
        make(as_lines([[1, 2.0], None]), name="m.jsonl", modalities=LISTED).fingerprint("v") == one
    )
    prints = set()
    for matrix in (np.eye(2), np.eye(2, dtype=np.float32), np.ones((2, 2)), np.eye(2, 3)):
        np.save(tmp_path / "v.npy", matrix)
        prints.add(make(TWO_ROWS, modalities=ALIGNED).fingerprint("v"))
    assert len(prints) == 4


def test_an_unknown_modality_is_named(make):
    manifest = make("text,label\nx,a\ny,b\n")
    for access in (manifest.items, manifest.fingerprint):
        with pytest.raises(ValueError, match="no modality 'txt'; did you mean 'text'"):
            access("txt")
