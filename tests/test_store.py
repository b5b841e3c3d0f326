"""What is stored is read only as it was written; what is damaged is made anew in the same run."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import mmbench
from mmbench.errors import DamagedArtefactError
from mmbench.store import Store
from tests.conftest import MMBENCH, ZOO, read_log, read_texts, write_matrix

MATRIX: dict[str, Any] = {
    "name": "stored",
    "fusions": ["concat", "stacking"],
    "heads": ["logged-head"],
    "datasets": [{"use": "blobs"}],
    "encoders": {"a": [{"use": "logged", "tag": 1}], "b": [{"use": "logged", "tag": 2}]},
    "split": {"folds": 2},
}


# --- in runs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the matrix once, into ``store`` and ``out``."""
    folder = tmp_path_factory.mktemp("made")
    mmbench.run(MATRIX, plugins=[str(ZOO)], out=folder / "out", store=folder / "store", jobs=2)
    return folder


@pytest.fixture
def log(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy that run here, and log what is worked from now on."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("ZOO_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def artefacts(kind: str, label: str = "") -> list[Path]:
    found = []
    for meta in sorted(Path("store").rglob("meta.json")):
        record = json.loads(meta.read_text())
        if record["kind"] == kind and label in record.get("label", ""):
            found.append(meta.parent)
    return found


def rerun(**options: Any) -> None:
    mmbench.run(MATRIX, plugins=[str(ZOO)], out="out", **{"jobs": 2, **options})


def assert_as_made(made: Path) -> None:
    pd.testing.assert_frame_equal(read_texts(Path("out")), read_texts(made / "out"))
    for file in sorted((made / "out" / "predictions").iterdir()):
        ours = pd.read_parquet(Path("out", "predictions", file.name))
        pd.testing.assert_frame_equal(ours, pd.read_parquet(file), check_exact=True)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 4  # in an array's last number, or in the record's checksum
    file.write_bytes(content)


def flip_first(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def other_json(file: Path) -> None:
    file.write_bytes(b'{"files": [], "checksum": ""}')


DAMAGES = [flip, flip_first, truncate, empty, Path.unlink, other_json]


class TestDamage:
    @pytest.mark.parametrize("damage", DAMAGES)
    def test_final_results(self, damage: Callable[[Path], None], log: Path, made: Path) -> None:
        fits = artefacts("fit")
        assert len(fits) == 6
        for folder in fits:
            damage(folder / "probabilities.npy")
        for folder in artefacts("score"):
            damage(folder / "meta.json")
        shutil.rmtree("out")
        rerun()
        assert_as_made(made)
        assert read_log(log).count("fit 0") == 6
        assert not [line for line in read_log(log) if line.startswith("embed")]

    @pytest.mark.parametrize("damage", DAMAGES)
    @pytest.mark.parametrize("name", ["values.npy", "meta.json"])
    def test_inputs(self, name: str, damage: Callable[[Path], None], log: Path, made: Path) -> None:
        (embed,) = artefacts("embed", "blobs.a")
        read_by_jobs = artefacts("array")[::2]
        for kind in ("fit", "cross_fit", "score"):
            for folder in artefacts(kind):
                shutil.rmtree(folder)
        for folder in [embed, *read_by_jobs]:
            damage(folder / name)
        rerun()
        assert read_log(log) == []  # the rows are there
        shutil.rmtree("out")
        rerun()
        assert_as_made(made)
        assert read_log(log).count("embed 1") == 1
        assert "embed 2" not in read_log(log)

    def test_everything(self, log: Path, made: Path) -> None:
        for file in Path("store").rglob("*.npy"):
            flip(file)
        shutil.rmtree("out")
        rerun()
        assert_as_made(made)

    def test_two_cells_of_one_damaged_result(self, log: Path, made: Path) -> None:
        """The same content under two names shares its jobs; both cells find them damaged."""
        for folder in [*artefacts("fit"), *artefacts("decide")]:
            flip(folder / "probabilities.npy")
        twice = [{"use": "blobs"}, {"use": "blobs", "name": "again"}]
        matrix = {**MATRIX, "datasets": twice}
        mmbench.run(matrix, plugins=[str(ZOO)], out="out", jobs=1)
        table = read_texts(Path("out"))
        whole = read_texts(made / "out")
        pd.testing.assert_frame_equal(table.loc[whole.index], whole)
        again = table[table["dataset"] == "again"]
        shown = [c for c in table.columns if c != "dataset"]
        assert again[shown].values.tolist() == whole[shown].values.tolist()

    def test_what_was_left_of_an_artefact_is_replaced(self, log: Path, made: Path) -> None:
        for folder in [*artefacts("fit"), *artefacts("score")]:
            for file in folder.iterdir():
                file.unlink()
            (folder / "rest").write_text("of what was there")
        shutil.rmtree("out")
        rerun()
        assert_as_made(made)
        assert read_log(log).count("fit 0") == 6


def test_leftovers_of_killed_writers_are_not_read(log: Path, made: Path) -> None:
    (fit, *_) = artefacts("fit")
    version = fit.parent.parent
    for name in (".new-abcdefgh", f".old-{fit.name}"):
        shutil.copytree(fit, version / name)
        flip(version / name / "probabilities.npy")
    shutil.rmtree(fit)
    shutil.rmtree("out")
    rerun()
    assert_as_made(made)
    assert read_log(log) == ["fit 0"]


def test_two_runs_at_once_share_a_store(made: Path, tmp_path: Path) -> None:
    file = write_matrix(tmp_path, MATRIX)
    command = [*MMBENCH, "run", str(file), "--plugin", str(ZOO), "--quiet", "--out"]
    both = [subprocess.Popen([*command, out], cwd=tmp_path) for out in ("out", "out2")]
    for process in both:
        assert process.wait(300) == 0
    assert_as_made(made)
    pd.testing.assert_frame_equal(read_texts(Path("out2")), read_texts(Path("out")))
    store = Store(tmp_path / "store")
    assert not list(store.objects.glob(".*"))
    for key in store:
        store.open(key)


# --- on its own -----------------------------------------------------------------------------------


@pytest.fixture
def store(own_store: Path) -> Iterator[Store]:
    store = Store(own_store)
    yield store
    assert not list(store.objects.glob(".*"))


def test_writers_of_one_key_leave_one_whole_artefact(store: Store) -> None:
    barrier = threading.Barrier(8)
    failures = []

    def write(number: int) -> None:
        own = Store(store.folder)
        for round_ in range(20):
            barrier.wait()
            try:
                with own.create(f"key{round_}") as writer:
                    writer.meta["number"] = number
                    writer.save("values", np.full(100, number))
                read = own.open(f"key{round_}")
                assert set(read.array("values")) == {read.meta["number"]}
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(store) == sorted(f"key{i}" for i in range(20))
    for key in store:
        artefact = Store(store.folder).open(key)
        assert set(artefact.array("values")) == {artefact.meta["number"]}


def test_a_writer_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.create("key") as writer:  # noqa: PT012
        writer.save("values", np.arange(3))
        raise RuntimeError
    assert "key" not in store
    assert list(store) == []


def test_a_damaged_artefact_is_removed_when_opened(store: Store) -> None:
    with store.create("key") as writer:
        writer.save("values", np.arange(3))
    other = Store(store.folder)
    flip(next(store.folder.rglob("values.npy")))
    with pytest.raises(DamagedArtefactError):
        other.open("key")
    assert "key" not in other


NUMBERS = st.sampled_from(["<f4", "<f8", "<i4", "<i8", "|b1", "<u2"])
DENSE = NUMBERS.flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0))
)


@settings(max_examples=60, deadline=None)
@given(DENSE, st.sampled_from(["C", "F"]))
def test_dense_round_trip(values: np.ndarray, order: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder)).create("key") as writer:
            writer.save("values", np.asarray(values, order=order))
        read = Store(Path(folder)).open("key").matrix("values")
        assert read.dtype == values.dtype
        assert read.shape == values.shape
        assert np.ascontiguousarray(read).tobytes() == np.ascontiguousarray(values).tobytes()
        assert not read.flags.writeable


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["<f4", "<f8"]),
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
        elements=st.sampled_from([0.0, 0.0, 0.0, 1.5, -2.25]),
    ),
    st.sampled_from(["csr", "csc", "coo"]),
)
def test_sparse_round_trip(values: np.ndarray, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Store(Path(folder)).create("key") as writer:
            writer.save("values", sparse.coo_matrix(values).asformat(form))
        read = Store(Path(folder)).open("key").matrix("values")
        assert sparse.issparse(read)
        assert read.format == "csr"
        assert read.dtype == values.dtype
        np.testing.assert_array_equal(read.toarray(), values)
