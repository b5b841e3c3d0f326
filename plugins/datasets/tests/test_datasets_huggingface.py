"""``huggingface``: local folders, as `save_to_disk` and parquet writers leave them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from mmbench_datasets.huggingface import HuggingFace
from PIL import Image as PillowImage

from mmbench.testing import check_dataset

datasets = pytest.importorskip("datasets")

N = 12
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (N, 6, 7, 3)).astype(np.uint8)
WAVES = RNG.uniform(-0.9, 0.9, (N, 300)).astype(np.float32)
VECTORS = RNG.normal(size=(N, 4)).astype(np.float32)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def encoded(writer, *arguments, **options):
    stream = io.BytesIO()
    writer(stream, *arguments, **options)
    return {"bytes": stream.getvalue(), "path": None}


def photo(pixels):
    return encoded(PillowImage.fromarray(pixels).save, format="PNG")


def sound(wave):
    return encoded(soundfile.write, wave, 8_000, format="WAV", subtype="FLOAT")


def columns():
    return {
        "photo": [None if i == 2 else photo(PIXELS[i]) for i in range(N)],
        "sound": [sound(wave) for wave in WAVES],
        "note": [None if i == 3 else f"leaf {i}" for i in range(N)],
        "shape": [None if i == 4 else row.tolist() for i, row in enumerate(VECTORS)],
        "width": [i / 7 for i in range(N)],
        "count": list(range(N)),
        "kind": [i % 2 for i in range(N)],
        "plain": ["10" if i % 2 else "9" for i in range(N)],
        "name": [f"plant {i}" for i in range(N)],
        "bed": [i // 2 for i in range(N)],
    }


FEATURES = datasets.Features(
    {
        "photo": datasets.Image(),
        "sound": datasets.Audio(),
        "note": datasets.Value("string"),
        "shape": datasets.List(datasets.Value("float32")),
        "width": datasets.Value("float64"),
        "count": datasets.Value("int32"),
        "kind": datasets.ClassLabel(names=["zebra", "ant", "unused"]),
        "plain": datasets.Value("string"),
        "name": datasets.Value("string"),
        "bed": datasets.Value("int64"),
    }
)
FILE = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
MODALITIES = {
    "photo": "photo",
    "sound": "sound",
    "note": "note",
    "shape": "shape",
    "size": ["width", "count"],
}


def built(**others):
    """Build the set; sounds are cast, as the library encodes them by torchcodec alone."""
    raw = datasets.Features({**FEATURES, "sound": FILE})
    return datasets.Dataset.from_dict(columns() | others, features=raw).cast(FEATURES)


@pytest.fixture
def whole():
    return built()


def parted(whole, names):
    borders = np.linspace(0, N, len(names) + 1).astype(int)
    return datasets.DatasetDict(
        {
            name: whole.select(range(a, b))
            for name, a, b in zip(names, borders[:-1], borders[1:], strict=True)
        }
    )


@pytest.fixture
def saved(whole, tmp_path):
    """Save the set, in the splits named, as a folder."""

    def saved(*names):
        (parted(whole, names) if names else whole).save_to_disk(tmp_path / "garden")
        return tmp_path / "garden"

    return saved


def test_it_keeps_the_contract(saved):
    params = {"path": saved("train", "validation", "test"), "label": "kind", "id": "name"}
    params |= {"modalities": MODALITIES, "group": "bed"}
    (verdict,) = check_dataset("huggingface", params=params)
    told = {finding.check: finding.what for finding in verdict.findings}
    assert told["split"] == "4 train, 4 validation, 4 test"
    assert told["groups"] == "6 groups"
    assert told["missing"].startswith("photo: 1 missing, sound: 0 missing, note: 1 missing, shape")
    assert told["mistakes"] == "path"


def check_content(found):
    assert found.classes == ["ant", "zebra"]
    assert found.labels.tolist() == [1, 0] * (N // 2)
    photos, sounds, notes = (found.items(name) for name in ("photo", "sound", "note"))
    assert [i for i, item in enumerate(photos) if item is None] == [2]
    assert [i for i, item in enumerate(notes) if item is None] == [3]
    for i in (0, 7, N - 1):
        assert np.array_equal(np.asarray(photos[i]), PIXELS[i])
        assert sounds[i].sample_rate == 8_000
        assert np.array_equal(sounds[i].samples[:, 0], WAVES[i])
        assert notes[i] == f"leaf {i}"
        assert np.array_equal(found.items("shape")[i], VECTORS[i])
        assert found.items("size")[i].tolist() == [i / 7, i]
    assert found.items("shape").missing.tolist() == [i == 4 for i in range(N)]


def test_a_saved_set(saved):
    found = HuggingFace("kind", path=saved(), modalities=MODALITIES)
    check_content(found)
    assert found.split is None
    assert found.ids == [str(i) for i in range(N)]


def test_saved_splits_are_kept(saved):
    found = HuggingFace("kind", path=saved("train", "test"), modalities=MODALITIES)
    check_content(found)
    assert found.split.tolist() == ["train"] * 6 + ["test"] * 6
    assert found.ids[5:7] == ["train-5", "test-0"]


def test_a_folder_of_parquet(whole, tmp_path):
    folder = tmp_path / "garden" / "data"
    folder.mkdir(parents=True)
    for name, part in parted(whole, ["train", "validation", "test"]).items():
        part.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    found = HuggingFace("kind", path=tmp_path / "garden", modalities=MODALITIES)
    check_content(found)
    assert found.split.tolist() == ["train"] * 4 + ["validation"] * 4 + ["test"] * 4


def test_columns_of_known_kinds_are_modalities_by_default(saved):
    found = HuggingFace("plain", path=saved(), id="name", group="bed")
    assert found.modalities == {
        "photo": "image",
        "sound": "audio",
        "note": "text",
        "shape": "vector",
    }
    assert found.classes == ["9", "10"]
    assert found.groups.tolist() == [str(i // 2) for i in range(N)]


def test_splits_are_chosen(saved):
    path = saved("train", "validation", "unsupervised")
    chosen = {"train": "train", "test": "validation"}
    found = HuggingFace("kind", path=path, modalities={"t": "note"}, split=chosen)
    assert found.split.tolist() == ["train"] * 4 + ["test"] * 4
    alone = HuggingFace("kind", path=path, modalities={"t": "note"}, split="validation")
    assert alone.split is None
    assert len(alone.ids) == 4


def test_images_beside_the_set_are_read(tmp_path):
    for i in range(2):
        PillowImage.fromarray(PIXELS[i]).save(tmp_path / f"{i}.png")
    table = {"x": [str(tmp_path / f"{i}.png") for i in range(2)], "y": ["a", "b"]}
    features = datasets.Features({"x": datasets.Image(), "y": datasets.Value("string")})
    rows = datasets.Dataset.from_dict(table, features=features)
    rows.with_format("arrow").to_parquet(tmp_path / "only.parquet")
    folder = tmp_path / "set"
    folder.mkdir()
    (tmp_path / "only.parquet").rename(folder / "only.parquet")
    found = HuggingFace("y", path=folder)
    assert np.array_equal(np.asarray(found.items("x")[1]), PIXELS[1])


def test_the_fingerprint_is_of_content(whole, tmp_path):
    def prints(rows):
        rows.save_to_disk(tmp_path / str(len(list(tmp_path.iterdir()))))
        newest = max(tmp_path.glob("[0-9]*"), key=lambda path: path.stat().st_mtime_ns)
        found = HuggingFace("kind", path=newest, modalities=MODALITIES)
        return {name: found.fingerprint(name) for name in found.modalities}

    before = prints(whole)
    assert prints(whole.remove_columns(["plain"]).rename_column("bed", "box")) == before
    turned = prints(whole.select([1, 0, *range(2, N)]))
    assert all(turned[name] != before[name] for name in before)


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        ([], {"label": "knd"}, "garden: label: no column 'knd'; did you mean 'kind'?"),
        ([], {"label": "width"}, "garden: label: column 'width' holds 12 different floats"),
        ([], {"modalities": {}}, "modalities: none is given; leave it out to have all columns"),
        ([], {"modalities": {"x": "kind"}}, "garden: modalities.x: 'kind' is the label"),
        ([], {"modalities": {"x": "photos"}}, "garden: modalities.x: no column 'photos'; did you"),
        ([], {"modalities": {"x": "width"}}, "garden: modalities.x: column 'width' is Value("),
        ([], {"modalities": {"x": ["note"]}}, "garden: modalities.x: column 'note' is no column"),
        ([], {"modalities": {"x": []}}, "garden: modalities.x: the list names no column"),
        ([], {"id": "bed"}, "garden: id: 'bed' holds '0' in rows 1 and 2"),
        ([], {"split": "trian"}, "split: 'garden' has no split 'trian'"),
        ([], {"hub": "owner/name"}, "one of path and hub is needed, and not both"),
        (["train", "extra"], {}, "garden: split 'extra' is neither train, validation nor test;"),
        (["val", "validation"], {}, "garden: two splits are the same part: 'val', 'validation'"),
        (["train", "val"], {}, "garden: expected a train and a test part; given train, valid"),
        (["train", "test"], {"split": {"tset": "test"}}, "split: unknown part 'tset'; did you"),
    ],
)
def test_mistakes(saved, names, options, expected):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        HuggingFace(**{"path": saved(*names), "label": "kind", **options})
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("kind", [-1, 0] * (N // 2), "label: column 'kind' is empty in row 1 (id '0') (6 rows"),
        (
            "shape",
            [[1.0]] * 5 + [[1.0, 2.0]] * 7,
            "modalities.v: column 'shape' holds 2 numbers in",
        ),
        ("shape", [[1.0, None]] * N, "modalities.v: 'shape' holds null, NaN or infinity in row 1"),
        ("shape", [None] * N, "modalities.v: column 'shape' holds no numbers"),
    ],
)
def test_mistakes_in_rows(tmp_path, column, values, expected):
    built(**{column: values}).save_to_disk(tmp_path / "garden")
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        HuggingFace("kind", path=tmp_path / "garden", modalities={"v": "shape"})
    assert str(caught.value).startswith(f"garden: {expected}")


def test_what_cannot_be_loaded_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path: no folder 'none'"):
        HuggingFace("y", path=tmp_path / "none")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(ValueError, match=r"^path: 'broken' cannot be loaded: [^\n]+$"):
        HuggingFace("y", path=tmp_path / "broken")
