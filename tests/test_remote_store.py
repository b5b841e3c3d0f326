"""A store at a URL: an S3 server that stops and starts, and fsspec's file system in memory."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmbench
from mmbench import catalogue, remote
from mmbench.errors import DamagedArtefactError, UserError
from mmbench.jobs import Job
from mmbench.store import Store, store_at
from tests.byhand import wine
from tests.here import Here

pytest.importorskip("fsspec")
pytest.importorskip("tenacity")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MMBENCH_STORE_CACHE", str(folder))
    return folder


@pytest.fixture
def url() -> str:
    """A place of its own in this process's memory."""
    return f"memory://{uuid.uuid4().hex}/results"


class S3:
    """Moto's S3 server in a thread; what it holds outlives its stops."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", self.port, application, threaded=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def away(self, seconds: float) -> None:
        """Stop now, and be back after that time."""
        self.stop()
        threading.Timer(seconds, self.start).start()


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = S3()
    yield running
    running.stop()


@pytest.fixture
def files(server: S3, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server's files, for a user who is told of it as all of Amazon's tools are."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return s3fs.S3FileSystem(use_listings_cache=False)


@pytest.fixture
def bucket(files: Any) -> str:
    """A new bucket's URL."""
    name = f"b{uuid.uuid4().hex}"
    files.mkdir(name)
    return f"s3://{name}/results"


@pytest.fixture
def matrix(tmp_path: Path, manifest: Callable) -> dict[str, Any]:
    return {
        "name": "far",
        "datasets": [manifest(wine().filter(regex="acid|phenol|label"))],
        "encoders": {"vector": "identity"},
        "fusions": ["concat", "mean-probability"],
        "heads": ["naive-bayes"],
        "split": {"folds": 2},
    }


def untimed(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns=list(mmbench.TIMING_COLUMNS))


def write(store: Store, key: str, values: Any, **meta: Any) -> None:
    with store.create(key) as writer:
        writer.save("values", np.asarray(values))
        writer.meta |= {"kind": "array", **meta}


def stored(matrix: dict[str, Any], store: str) -> tuple[int, int]:
    """Return how many of the matrix's jobs are stored, and how many there are."""
    from mmbench.planning import make_plan

    jobs = make_plan(matrix).to_dict(store_at(store))["jobs"]
    return jobs["stored"], jobs["total"]


def test_two_workers_over_s3(
    matrix: dict[str, Any], bucket: str, files: Any, cache: Path, tmp_path: Path
) -> None:
    expected = mmbench.run(matrix, out="near", store=tmp_path / "near-store", jobs=1)
    assert stored(matrix, bucket)[0] == 0
    table = mmbench.run(matrix, out="far", store=bucket, jobs=2)
    assert list(table["status"].unique()) == ["ok"]
    pd.testing.assert_frame_equal(untimed(table), untimed(expected))
    near = set(Store(tmp_path / "near-store"))
    assert set(store_at(bucket)) == near
    n, total = stored(matrix, bucket)
    assert n == total > 0

    shutil.rmtree(cache)
    objects = files.find(bucket, detail=True)
    again = mmbench.run(matrix, out="again", store=bucket, jobs=2)
    work = ["started"]  # of a row; the times of the work itself are taken over
    pd.testing.assert_frame_equal(again.drop(columns=work), table.drop(columns=work))
    marker = {path for path in objects if path.endswith(".mmbench")}
    after = files.find(bucket, detail=True)
    assert {p: i["LastModified"] for p, i in objects.items() if p not in marker} == {
        p: i["LastModified"] for p, i in after.items() if p not in marker
    }


def test_a_flipped_byte_is_found_and_made_anew(
    matrix: dict[str, Any], bucket: str, files: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "_notebook", [])
    mmbench.register("runner", "here", Here)
    table = mmbench.run(matrix, out="run", store=bucket, runner="here")
    flipped = 0
    for path in files.find(bucket):
        content = bytearray(files.cat_file(path))
        if path.endswith("probabilities.npy"):
            content[-1] ^= 1
            files.pipe_file(path, bytes(content))
            flipped += 1
    assert flipped > 1
    shutil.rmtree(cache)
    again = mmbench.run(matrix, out="again", store=bucket, runner="here")
    pd.testing.assert_frame_equal(untimed(again), untimed(table))
    store = store_at(bucket)
    for key in store:
        store.verify(key)


def test_the_server_stops_for_a_while(
    matrix: dict[str, Any],
    bucket: str,
    server: S3,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    submitted: list[str] = []
    submit = Here.submit

    def outage(runner: Here, job: Job) -> None:
        submitted.append(job.key)
        if len(submitted) == 3:
            server.away(10)
        submit(runner, job)

    monkeypatch.setattr(Here, "submit", outage)
    monkeypatch.setattr(catalogue, "_notebook", [])
    mmbench.register("runner", "here", Here)
    table = mmbench.run(matrix, out="run", store=bucket, runner="here")
    assert len(submitted) == len(set(submitted)) > 3
    assert list(table["status"].unique()) == ["ok"]
    (told, *_) = [record.getMessage() for record in caplog.records if "trying" in record.msg]
    assert told.startswith(f"store {bucket}: trying again for up to 60 s: EndpointConnectionError")


def test_the_server_stops_for_too_long(
    bucket: str, server: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 0.2)
    store = store_at(bucket)
    server.stop()
    try:
        with pytest.raises(UserError) as told:
            store.present(["key"])
    finally:
        server.start()
    assert str(told.value).startswith(f"store {bucket}: EndpointConnectionError: ")
    assert "\n" not in str(told.value)
    assert store.present(["key"]) == set()


def test_the_cache_verbs(bucket: str, files: Any, mmbench_here: Callable) -> None:
    store = store_at(bucket)
    write(store, "aabb", range(1000), label="whole")
    write(store, "ccdd", range(10), label="spoilt")
    told = mmbench_here("cache", "ls", "--store", bucket).stdout.splitlines()
    assert [line.split(maxsplit=3)[2:] for line in told[:2]] == [["1", "whole"], ["1", "spoilt"]]
    assert told[2].endswith(f"2  in {bucket}")
    size = sum(files.du(f"{bucket}/v1/{key[:2]}/{key}") for key in store)
    assert told[2].split()[0] == f"{size / 1e6:.2f}"

    (array,) = files.glob(f"{bucket}/v1/cc/ccdd/*/values.npy")
    files.pipe_file(array, files.cat_file(array)[:-1])
    done = mmbench_here("cache", "verify", "--store", bucket)
    assert done.stdout == "damaged, removed: ccdd\n2 results checked, 1 damaged\n"
    assert done.returncode == 1
    assert mmbench_here("cache", "verify", MMBENCH_STORE=bucket).returncode == 0

    done = mmbench_here("cache", "prune", "--days", 1, "--store", bucket)
    assert done.stdout == f"removed 0 results from {bucket}\n"
    done = mmbench_here("cache", "prune", "--store", bucket)
    assert done.stdout == f"removed 1 results from {bucket}\n"
    assert [path.rpartition("/")[2] for path in files.find(bucket)] == [".mmbench"]


def test_no_such_bucket(files: Any, mmbench_here: Callable) -> None:
    done = mmbench_here("cache", "ls", "--store", "s3://none-such/results")
    assert done.returncode == 2
    assert done.stderr.startswith("mmbench: store s3://none-such/results: cannot be used: ")
    assert "bucket does not exist" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_credentials(
    files: Any, bucket: str, tmp_path: Path, mmbench_here: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    type(files).clear_instance_cache()
    done = mmbench_here("cache", "ls", "--store", bucket)
    type(files).clear_instance_cache()
    assert done.returncode == 2
    assert done.stderr == (
        f"mmbench: store {bucket}: NoCredentialsError: Unable to locate credentials\n"
    )


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("s4://bucket/x", "cannot be used: ValueError: Protocol not known: s4"),
        ("memory://", "a bucket was expected, such as s3://bucket/prefix"),
    ],
)
def test_a_wrong_url(place: str, why: str, mmbench_here: Callable) -> None:
    done = mmbench_here("cache", "ls", "--store", place)
    assert (done.returncode, done.stderr) == (2, f"mmbench: store {place}: {why}\n")


def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, mmbench_here: Callable) -> None:
    from fsspec.registry import known_implementations

    missing = {"class": "no_such_library.Files", "err": "Install no_such_library"}
    monkeypatch.setitem(known_implementations, "far", missing)
    done = mmbench_here("cache", "ls", "--store", "far://bucket/x")
    assert done.returncode == 2
    expected = "mmbench: store far://bucket/x: ImportError: Install no_such_library; pip install"
    assert done.stderr.startswith(expected)


def test_what_one_machine_writes_another_reads(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store_at(url), "aabb", [1, 2, 3])
    monkeypatch.setenv("MMBENCH_STORE_CACHE", str(tmp_path / "elsewhere"))
    other = store_at(url)
    assert "aabb" in other
    assert list(other) == ["aabb"]
    assert other.meta("aabb")["kind"] == "array"  # type: ignore[index]
    np.testing.assert_array_equal(other.open("aabb").array("values"), [1, 2, 3])
    assert isinstance(other.open("aabb").array("values"), np.memmap)
    other.remove("aabb")
    assert list(store_at(url)) == []
    with pytest.raises(DamagedArtefactError):
        other.open("aabb")


def test_two_writers_of_one_key(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has seen that the key is not there: what is read is the later one's, and whole."""

    def elsewhere(name: str) -> Store:
        monkeypatch.setenv("MMBENCH_STORE_CACHE", str(tmp_path / name))
        return store_at(url)

    first, second = elsewhere("first"), elsewhere("second")
    publish = type(first)._publish

    def overtaken(store: Store, folder: Path, key: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(type(first), "_publish", publish)
            patch.setattr(type(first), "__contains__", lambda store, key: False)
            write(second, "aabb", np.arange(30))
            publish(store, folder, key)

    with monkeypatch.context() as patch:
        patch.setattr(type(first), "_publish", overtaken)
        write(first, "aabb", np.arange(3))
    assert len(elsewhere("third").open("aabb").array("values")) == 3
    assert len(second.open("aabb").array("values")) == 30
    write(elsewhere("fourth"), "aabb", np.arange(300))  # one is there by now: this is dropped
    assert len(elsewhere("fifth").open("aabb").array("values")) == 3


def test_without_its_record_it_is_not_there(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_at(url)
    ask = type(store)._ask  # type: ignore[attr-defined]

    def killed(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        if method == "pipe_file":
            raise KeyboardInterrupt
        return ask(self, method, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "_ask", killed)
        with pytest.raises(KeyboardInterrupt):
            write(store, "aabb", [1])
    assert "aabb" not in store
    assert list(store) == []
    assert store.meta("aabb") is None
    found = f"{url}/v1/aa/aabb"
    store.sweep()  # its writer may be at it
    assert store.size("aabb") > 0
    monkeypatch.setattr(remote, "ABANDONED", -1.0)
    store.sweep()
    import fsspec

    assert not fsspec.filesystem("memory").exists(found)


def test_the_environment_names_it(
    url: str, mmbench_here: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMBENCH_STORE", url)
    assert store_at().location == url
    assert json.loads(mmbench_here("env").stdout)["store"] == url


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    store = store_at(f"file://{tmp_path / 'near'}")
    assert type(store) is Store
    assert store.location == (tmp_path / "near").resolve()
