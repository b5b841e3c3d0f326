"""``arrays``: npz, npy and mat files, and a user's mistakes in one line."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmbench_datasets.arrays import Arrays

V = {"v": {"key": "v", "kind": "vector"}}
DATA = {"y": np.array([0, 1, 0, 1]), "v": np.arange(8.0).reshape(4, 2)}


@pytest.fixture
def make(tmp_path):
    """Write arrays and build the data set; by default with the vectors ``v`` and labels ``y``."""

    def make(sort="npz", options=None, **arrays):
        path = tmp_path / f"set.{sort}"
        if sort == "npz":
            np.savez(path, **arrays)
        elif sort == "mat":
            scipy.io.savemat(path, arrays)
        else:
            path.mkdir()
            for key, array in arrays.items():
                np.save(path / f"{key}.npy", array)
        return Arrays(path, **{"label": "y", "modalities": V, **(options or {})})

    return make


@pytest.fixture
def refused(make):
    def refused(sort="npz", options=None, error=ValueError, **arrays):
        with pytest.raises(error) as caught:
            make(sort, options, **arrays)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return refused


def one(kind, **options):
    return {"modalities": {"x": {"key": "x", "kind": kind, **options}}}


@pytest.mark.parametrize("sort", ["npz", "mat", "npy"])
@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        (np.array([10, 9, 9, 10]), ["9", "10"], [1, 0, 0, 1]),
        (np.array([[3], [1], [2], [1]], np.uint8), ["1", "2", "3"], [2, 0, 1, 0]),
        (np.array([[1.0, 2.0, 1.0, 2.0]]), ["1", "2"], [0, 1, 0, 1]),
        (np.array(["b", "cde", "a", "b"]), ["a", "b", "cde"], [1, 2, 0, 1]),
    ],
)
def test_labels_of_any_sort(make, sort, labels, classes, codes):
    found = make(sort, y=labels, v=DATA["v"])
    assert found.classes == classes
    assert found.labels.tolist() == codes
    assert found.labels.dtype == np.int64
    assert found.ids == ["0", "1", "2", "3"]
    assert np.array_equal(np.stack(found.items("v")[:]), DATA["v"])


def test_booleans_are_false_and_true(make):
    found = make(y=np.array([True, False, True, True]), v=DATA["v"])
    assert found.classes == ["false", "true"]
    assert found.labels.tolist() == [1, 0, 1, 1]


def test_labels_can_be_named(make):
    found = make(options={"classes": {"0": "zebra", "1": "ant"}}, **DATA)
    assert found.classes == ["zebra", "ant"]


def test_cells_of_texts_as_matlab_writes_them(make):
    cells = np.empty((4, 1), dtype=object)
    cells[:, 0] = ["one", "", "trois", "four"]
    found = make("mat", one("text"), y=DATA["y"], x=cells)
    assert list(found.items("x")) == ["one", None, "trois", "four"]


def test_npy_files_stay_on_disk(make):
    found = make("npy", **DATA)
    assert isinstance(found.items("v")._matrix.base, np.memmap)


def test_ids_split_folds_and_groups(make):
    options = {"id": "name", "split": "part", "fold": "fold", "group": "bed"}
    found = make(
        options=options,
        **DATA,
        name=np.array([7, 5, 6, 4]),
        part=np.array([b"train", b"DEV", b"test", b"train"]),
        fold=np.array([10, 9, 10, 9]),
        bed=np.array(["a", "a", "b", "c"]),
    )
    assert found.ids == ["7", "5", "6", "4"]
    assert found.split.tolist() == ["train", "validation", "test", "train"]
    assert found.folds.tolist() == [10, 9, 10, 9]
    assert found.groups.tolist() == ["a", "a", "b", "c"]


@pytest.mark.parametrize(
    ("shape", "mode"), [((), "L"), ((1,), "L"), ((2,), "LA"), ((3,), "RGB"), ((4,), "RGBA")]
)
def test_images(make, shape, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, *shape)).astype(np.uint8)
    items = make(options=one("image"), y=DATA["y"], x=pixels).items("x")
    assert {item.mode for item in items} == {mode}
    assert np.array_equal(np.stack([np.asarray(i) for i in items]).ravel(), pixels.ravel())
    assert items[0].size == (6, 5)


def test_images_of_the_last_axis(make):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3, 4)).astype(np.uint8)
    items = make("mat", one("image", axis=-1), y=DATA["y"], x=pixels).items("x")
    assert np.array_equal(np.asarray(items[2]), pixels[..., 2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.int32])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_sounds_are_scaled_to_one(make, dtype, channels):
    wave = np.random.default_rng(0).uniform(-1, 1, (4, 50, *channels))
    full = np.iinfo(dtype).max + 1 if np.issubdtype(dtype, np.integer) else 1
    found = make(
        options=one("audio", sample_rate=8_000), y=DATA["y"], x=(wave * full).astype(dtype)
    )
    for item, expected in zip(found.items("x"), wave, strict=True):
        assert item.sample_rate == 8_000
        assert item.samples.dtype == np.float32
        assert item.samples.shape == (50, *(channels or (1,)))
        assert np.allclose(item.samples.ravel(), expected.ravel(), atol=2 / full if full > 1 else 0)


def test_the_sample_rate_enters_the_fingerprint(make):
    x = np.zeros((4, 9), np.float32)
    slow = make(options=one("audio", sample_rate=1), y=DATA["y"], x=x).fingerprint("x")
    assert make(options=one("audio", sample_rate=2), y=DATA["y"], x=x).fingerprint("x") != slow


def test_rows_of_nan_are_missing(make):
    values = DATA["v"].copy()
    values[2] = np.nan
    items = make(y=DATA["y"], v=values).items("v")
    assert items.missing.tolist() == [False, False, True, False]
    assert items[2] is None
    assert items[3].tolist() == [6, 7]


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(4, 4), st.integers(1, 3)),
        elements=st.sampled_from([0.0, -1.5, np.nan, np.inf]),
    )
)
def test_rows_are_whole_missing_or_refused(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("rows") / "set.npz"
    np.savez(path, y=DATA["y"], v=values)
    gone = [bool(np.isnan(row).all()) for row in values]
    bad = [i for i, row in enumerate(values) if not gone[i] and not np.isfinite(row).all()]
    if bad or all(gone):
        expected = f"in row {bad[0] + 1};" if bad else "is NaN in all rows"
        with pytest.raises(ValueError, match=expected):
            Arrays(path, "y", V)
    else:
        items = Arrays(path, "y", V).items("v")
        assert items.missing.tolist() == gone
        assert [None if i is None else i.tolist() for i in items] == [
            None if g else row.tolist() for g, row in zip(gone, values, strict=True)
        ]


def test_modalities_in_other_files(make, tmp_path):
    other, single = np.random.default_rng(0).normal(size=(2, 4, 3))
    scipy.io.savemat(tmp_path / "other.mat", {"O": other})
    np.save(tmp_path / "single.npy", single)
    modalities = {
        "o": {"file": "other.mat", "key": "O", "kind": "vector"},
        "s": {"file": "single.npy", "kind": "vector"},
        **V,
    }
    found = make(options={"modalities": modalities}, **DATA)
    assert found.modalities == {"o": "vector", "s": "vector", "v": "vector"}
    assert np.array_equal(np.stack(found.items("o")[:]), other)
    assert np.array_equal(np.stack(found.items("s")[:]), single)


def test_parts_in_arrays_of_their_own(make):
    arrays = {f"{p}_x": np.full((n, 2), n) for p, n in (("train", 4), ("val", 2), ("test", 3))}
    arrays |= {f"{part}_y": np.arange(len(arrays[f"{part}_x"])) % 2 for part in ("train", "val")}
    arrays["test_y"] = np.array([1, 1, 0])
    options = {
        "label": "{part}_y",
        "modalities": {"x": {"key": "{part}_x", "kind": "vector"}},
        "parts": ["train", "val", "test"],
    }
    found = make(options=options, **arrays)
    assert found.split.tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert found.ids == [f"train-{i}" for i in range(4)] + ["val-0", "val-1"] + [
        f"test-{i}" for i in range(3)
    ]
    assert found.labels.tolist() == [0, 1, 0, 1, 0, 1, 1, 1, 0]
    assert [item[0] for item in found.items("x")] == [4] * 4 + [2] * 2 + [3] * 3


def test_parts_in_files_of_their_own(tmp_path):
    rng = np.random.default_rng(0)
    pixels = {}
    for part, n in (("train", 5), ("test", 3)):
        pixels[part] = rng.integers(0, 256, (8, 8, 3, n)).astype(np.uint8)
        labels = np.arange(n)[:, None] % 2 + 1.0
        scipy.io.savemat(tmp_path / f"{part}_8x8.mat", {"X": pixels[part], "y": labels})
    found = Arrays(
        tmp_path / "{part}_8x8.mat",
        "y",
        {"image": {"key": "X", "kind": "image", "axis": 3}},
        parts=["train", "test"],
    )
    assert found.split.tolist() == ["train"] * 5 + ["test"] * 3
    assert np.array_equal(np.asarray(found.items("image")[6]), pixels["test"][..., 1])


def test_python_objects_are_not_unpickled(refused):
    told = refused(y=DATA["y"], v=np.array([{}, [], 1, 2], dtype=object))
    assert told.startswith("set.npz: modalities.v: 'v' cannot be read: it holds Python objects")


def test_mat_files_of_version_7_3_are_told_apart(tmp_path):
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "new.mat").write_bytes(head + b"\0" * 384 + b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    with pytest.raises(ValueError, match=r"^new.mat: a MATLAB file of version 7.3 .*'-v7', or as"):
        Arrays(tmp_path / "new.mat", "y", V)


@pytest.mark.parametrize("name", ["broken.mat", "broken.npz"])
def test_broken_files_are_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no array at all, but long enough" * 8)
    with pytest.raises(ValueError, match=rf"^{name}: cannot be read as {name[-3:]}: [^\n]+$"):
        Arrays(tmp_path / name, "y", V)


def test_missing_files_name_the_nearest(make, tmp_path):
    make(**DATA)
    with pytest.raises(FileNotFoundError, match=r"path: no file 'seet.npz': .*'set.npz'\?"):
        Arrays(tmp_path / "seet.npz", "y", V)
    with pytest.raises(FileNotFoundError, match=r"modalities.v.file: no file 'sit.npz'"):
        Arrays(tmp_path / "set.npz", "y", {"v": {"file": "sit.npz", "kind": "vector"}})
    (tmp_path / "set.h5").touch()
    with pytest.raises(ValueError, match=r"unknown extension '.h5'; expected .npz, .npy, .mat or"):
        Arrays(tmp_path / "set.h5", "y", V)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"label": "z"}, "set.npz: label: no array 'z'; it holds 'y', 'v', 'other'"),
        ({"label": "v"}, "set.npz: label: 'v' is of shape (4, 2); expected one value per sample"),
        ({"id": "y"}, "set.npz: id: 'y' holds '0' in rows 1 and 3"),
        ({"split": "y"}, "set.npz: split: 'y' holds '0' in row 1; expected train, validation"),
        ({"fold": "othr"}, "set.npz: fold: no array 'othr'; did you mean 'other'?"),
        ({"group": "other"}, "set.npz: group: 'other' has 3 values; there are 4 labels"),
        ({"modalities": {}}, "set.npz: modalities: none is given; expected at least one"),
        ({"modalities": {"x": "v"}}, "set.npz: modalities.x: expected a table such as"),
        ({"modalities": {"x": {"kind": "vector"}}}, "set.npz: modalities.x: one of key and file"),
        ({"modalities": {"x": {"key": "v"}}}, "set.npz: modalities.x: kind is missing; expected"),
        (one("vectr"), "set.npz: modalities.x.kind: unknown kind 'vectr'; did you mean 'vector'?"),
        (one("audio"), "set.npz: modalities.x: kind 'audio' needs sample_rate"),
        (one("text", sample_rate=8), "set.npz: modalities.x: kind 'text' takes no sample_rate"),
        (one("audio", sample_rate=0), "set.npz: modalities.x.sample_rate = 0: Input should be"),
        (one("vector", axes=1), "set.npz: modalities.x: unknown key 'axes'; did you mean 'axis'?"),
        (
            {"modalities": {"v": {"key": "v", "kind": "image"}}},
            "set.npz: modalities.v: 'v' holds float64 of shape (4, 2); expected uint8 of shape",
        ),
        (
            {"modalities": {"v": {"key": "v", "kind": "vector", "axis": 2}}},
            "set.npz: modalities.v.axis: 'v' is of shape (4, 2), which has no axis 2",
        ),
        (
            {"modalities": {"v": {"key": "v", "kind": "vector", "axis": 1}}},
            "set.npz: modalities.v: 'v' has 2 rows; there are 4 labels (another axis has 4",
        ),
        ({"parts": ["train"]}, "set.npz: parts: given train; expected train and test, each once"),
        ({"parts": ["train", "tset"]}, "set.npz: parts: unknown part 'tset'; expected"),
        ({"parts": ["train", "test"]}, "set.npz: parts: {part} is missing in label and path"),
    ],
)
def test_mistakes(refused, options, expected):
    assert refused(options=options, **DATA, other=np.zeros(3)).startswith(expected)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.zeros(4), "label: column 'y' holds the one class '0'; expected two or more"),
        (np.array([0, np.nan, 1, 0]), "label: column 'y' is empty in row 2"),
        (np.array([0.1, 0.2, 0.3, 0.4]), "label: column 'y' holds 4 different floats, a target"),
        (np.eye(4), "label: 'y' is of shape (4, 4); expected one value per sample"),
        (np.array(1), "label: 'y' is a single value"),
        (np.array([b"a", b"\xe9", b"b", b"c"]), "label: 'y' holds bytes that are not UTF-8 text"),
        (np.array([1j, 2, 3, 4]), "label: 'y' is of complex128; expected an array of numbers"),
    ],
)
def test_labels_that_are_none(refused, labels, expected):
    assert refused(y=labels, v=DATA["v"]).startswith(f"set.npz: {expected}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (scipy.sparse.csc_matrix(DATA["v"]), "is a sparse matrix"),
        ({"a": 1.0}, "is a struct"),
        (np.array([[1], "a", [2], 3], dtype=object), "is a cell array of mixed content"),
    ],
)
def test_what_of_matlab_is_no_array(refused, value, expected):
    told = refused("mat", y=DATA["y"], v=value)
    assert told.startswith(f"set.mat: modalities.v: 'v' {expected}; expected an array of numbers")
