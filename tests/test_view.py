"""`mmbench view`: runs served as they are and as they go, to this machine alone, and only read."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmbench
from mmbench import catalogue
from mmbench.execution import InterruptedRunError
from mmbench.folder import RunFolder
from mmbench.jobs import Job
from mmbench.report import content, html
from mmbench.report.gather import gather
from mmbench.view.library import Library
from mmbench.view.pages import address, place_of
from mmbench.view.server import ViewServer
from tests.conftest import MMBENCH
from tests.here import Here

WAIT = 60.0
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
WAITING, GO = threading.Semaphore(0), threading.Semaphore(0)
"""A job waits to begin; it may."""


class Broken:
    """A head that does not fit."""

    def fit(self, vectors: np.ndarray, labels: np.ndarray) -> Self:
        """Fail."""
        raise ValueError(f"it broke {SCRIPT}")

    def predict_proba(self, vectors: np.ndarray) -> np.ndarray:
        """Do what is never asked for."""
        raise NotImplementedError


class Gated(Here):
    """A runner that does a job when the test says so."""

    def submit(self, job: Job) -> None:
        """Perform a job when it may."""
        WAITING.release()
        assert GO.acquire(timeout=WAIT)
        super().submit(job)


class Ending(Here):
    """A runner that ends a run by an error, when its journal has so many lines."""

    lines = 0
    error: type[BaseException] = RuntimeError

    def wait(self, timeout: float | None = None) -> Any:
        """Return what has ended, or end."""
        if len(journal()) >= Ending.lines:
            raise Ending.error("it ends here")
        return super().wait(timeout)


def journal() -> list[dict[str, Any]]:
    """Return the rows of the run that `Ending` ends."""
    file = Path("results/run/journal.jsonl")
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["row"] for line in lines]


Run = Callable[..., pd.DataFrame]


@pytest.fixture
def run(manifest: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a small matrix in this process: two modalities, alone and fused, on two folds."""
    monkeypatch.setattr(catalogue, "_notebook", [])
    for name in ("WAITING", "GO"):
        monkeypatch.setattr(sys.modules[__name__], name, threading.Semaphore(0))
    mmbench.register("runner", "here", Here)
    mmbench.register("runner", "ending", Ending)
    mmbench.register("runner", "gated", Gated)
    mmbench.register("head", "broken", Broken)
    rng = np.random.default_rng(0)
    labels = np.tile(["猫", SCRIPT], 20)
    frame = pd.DataFrame({"label": labels, "花.0": rng.normal(size=40)})
    frame["b.0"] = frame["花.0"] + (labels == "猫")

    def call(out: str, runner: str = "here", **keys: Any) -> pd.DataFrame:
        matrix = {
            "name": "动物 🐈",
            "datasets": [manifest(frame)],
            "encoders": {"vector": "identity"},
            "fusions": ["concat"],
            "heads": ["naive-bayes"],
            "split": {"folds": 2},
            **keys,
        }
        return mmbench.run(matrix, out=out, runner=runner)

    return call


@pytest.fixture
def serve() -> Iterator[Callable[[Path], ViewServer]]:
    """Serve folders while the test lasts."""
    servers = []

    def start(root: Path) -> ViewServer:
        server = ViewServer(root)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Answer(HTMLParser):
    """What a server has answered."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, content: bytes) -> None:
        super().__init__()
        self.status, self.headers, self.content = status, headers, content.decode()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self._hidden = 0
        self.feed(self.content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._texts += [" "] * (tag in ("th", "td"))
        self._hidden += tag in ("title", "style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("title", "style", "script")

    def handle_data(self, data: str) -> None:
        self._texts += [] if self._hidden else [data]

    @property
    def text(self) -> str:
        return " ".join("".join(self._texts).split())

    @property
    def links(self) -> list[str]:
        return [str(of["href"]) for tag, of in self.tags if tag == "a"]


def ask(
    server: ViewServer, path: str = "/", method: str = "GET", host: str | None = None
) -> Answer:
    """Ask a server, by what name is given for it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=WAIT)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    if host != "":
        connection.putheader("Host", host or f"localhost:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    told = Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return told


def until(holds: Callable[[], bool]) -> None:
    """Wait for what is to come."""
    end = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.02)


def content_of(root: Path) -> dict[str, Any]:
    """Return all that lies in a folder, with when it was written."""
    return {
        str(path): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in root.rglob("*")
    }


# --- what is shown -----------------------------------------------------------------------------


def test_runs_are_listed_and_reported_and_nothing_is_written(run: Run, serve: Any) -> None:
    first = run("results/小 数据/🐈 100%")
    run("results/other", name="other", heads=["naive-bayes", "broken"])
    Path("results/notes").mkdir()
    summary = mmbench.summarise(first)
    for file in Path("results").rglob("pooled.json"):
        file.unlink()  # what would be computed anew is not kept
    before = content_of(Path("results"))
    server = serve(Path("results"))
    listed = ask(server)
    place = "小 数据/🐈 100%"
    assert sorted(listed.links) == sorted(["/run/other", "/run/" + quote(place)])
    assert listed.text.count("finished") == 2
    assert "6 of 6 cells done" in listed.text
    assert "6 of 12 cells done, 6 failed" in listed.text

    best = summary.loc[summary["accuracy"].idxmax()]
    figure = f"accuracy {best['accuracy']:.3f} ± {best['accuracy_std']:.3f}"
    (chosen,) = json.loads(Path(f"results/{place}/standings.json").read_text()).values()
    (corrected,) = chosen["selections"]
    told = "corrected for the choice {:.3f} ({:.3f} to {:.3f})"
    bounds = (corrected[name] for name in ("estimate", "low", "high"))
    assert f"{figure}, {told.format(*bounds)}: {content.combination(best)}" in listed.text

    report = ask(server, address(place))
    table = mmbench.read_results(f"results/{place}")
    own = ask(server, "/run/other")
    assert content_of(Path("results")) == before
    assert report.content == html.render(gather([table], [summary]))
    assert "it broke" in own.text
    assert ask(server, address(place), "HEAD").content == ""


def test_a_stored_report_is_not_trusted_and_a_new_table_is_read(run: Run, serve: Any) -> None:
    run("run")
    Path("run/report.html").write_text("<script>stored()</script>")
    server = serve(Path("run"))
    assert server.url == f"http://127.0.0.1:{server.server_port}/run/"
    shown = ask(server, "/run/")
    assert ask(server).links == ["/run/"]
    assert "6 cells: 6 ok" in shown.text
    assert "stored()" not in shown.content
    run("run", heads=["naive-bayes", "logistic-regression"])
    assert "12 cells: 12 ok" in ask(server, "/run/").text
    assert "12 of 12 cells done" in ask(server).text
    shutil.rmtree("run/logs")
    Path("run/cells.parquet").unlink()
    assert ask(server, "/run/").text.startswith("All runs 动物 🐈 stopped 12 cells done")


def test_an_empty_folder_and_a_run_that_comes(run: Run, serve: Any, tmp_path: Path) -> None:
    server = serve(tmp_path)
    assert "No run lies here yet" in ask(server).text
    run("later")
    assert ask(server).links == ["/run/later"]


# --- while a run goes on -----------------------------------------------------------------------


@pytest.fixture
def going(run: Run) -> Iterator[threading.Thread]:
    """Begin a run in the folder ``results/动``: of its cells, six can be evaluated and six fail."""
    thread = threading.Thread(
        target=run, args=["results/动", "gated"], kwargs={"heads": ["naive-bayes", "broken"]}
    )
    thread.start()
    assert WAITING.acquire(timeout=WAIT)
    yield thread
    GO.release(1000)
    thread.join(WAIT)


def one_job() -> None:
    """Let one job be done, and all that comes of it."""
    GO.release()
    assert WAITING.acquire(timeout=WAIT)


def test_a_run_is_followed_until_its_report(going: threading.Thread, serve: Any) -> None:
    server = serve(Path("results"))
    page = address("动")
    told = [(0, 0)]
    while sum(told[-1]) < 8:
        shown = ask(server, page)
        match = re.search(r"running (\d+) of 12 cells done(?:, (\d+) failed)?", shown.text)
        assert match, shown.text
        told.append((int(match[1]), int(match[2] or 0)))
        one_job()
    assert told == sorted(told)
    assert len(set(told)) > 4
    before = content_of(Path("results"))
    shown, listed = ask(server, page), ask(server)
    assert content_of(Path("results")) == before
    begins = f"Runs below {Path('results').resolve()} 动物 🐈 running 动 · "
    assert listed.text.startswith(begins)
    assert ("main", {"data-every": "1000"}) in shown.tags
    lines = Path("results/动/journal.jsonl").read_text().splitlines()
    rows = [json.loads(line)["row"] for line in lines]
    for row in rows:
        if row["status"] == "ok":
            figure = f"{row['accuracy']:.3f}"
            told_of = f"data {content.combination(row)} {figure} ok 0 {row['fold']}"
            assert told_of in shown.text
    statuses = [row["status"] for row in rows]
    done, failed = statuses.count("ok"), statuses.count("failed")
    assert done > 0
    assert failed > 0
    assert done + failed < 12
    for answer in (shown, listed):
        assert f"{done} of 12 cells done, {failed} failed" in answer.text
        bars = [of for tag, of in answer.tags if tag == "progress"]
        assert [(of["value"], of["max"]) for of in bars] == [(str(done + failed), "12")]
    reasons = [row["reason"] for row in rows if row["status"] == "failed"]
    assert SCRIPT in reasons[0]
    assert all(f"{reasons.count(why)} failed {why}" in shown.text for why in reasons)
    GO.release(1000)
    going.join(WAIT)
    assert "12 cells: 6 ok, 6 failed" in ask(server, page).text
    assert "finished" in ask(server).text
    assert not Path("results/动/progress.json").exists()


def test_asking_does_not_keep_a_run_from_beginning(run: Run) -> None:
    run("again")
    with open("again/.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # as who asks does, for an instant
        assert not RunFolder(Path("again")).is_claimed
        ending = threading.Timer(0.2, fcntl.flock, [lock, fcntl.LOCK_UN])
        ending.start()
        run("again")
        ending.join()


def test_a_run_that_ended_early_has_stopped(
    run: Run, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(error: type[BaseException], lines: int, *heads: str) -> None:
        monkeypatch.setattr(Ending, "error", error)
        monkeypatch.setattr(Ending, "lines", lines)
        with pytest.raises((RuntimeError, InterruptedRunError)):
            run("results/run", "ending", heads=list(heads))

    Path("results").mkdir()
    server = serve(Path("results"))
    stop(RuntimeError, 3, "naive-bayes")  # as one that is killed: there is no table
    assert re.search(r"stopped run · [-0-9]{10} [:0-9]{5} UTC 3 of 6 cells done", ask(server).text)
    page = ask(server, "/run/run").text
    assert "stopped 3 of 6 cells done It ended before its table was written" in page
    assert "naive-bayes" in page

    stop(KeyboardInterrupt, 4, "naive-bayes")
    assert "4 of 6 cells done" in ask(server).text
    assert "4 cells: 4 ok" in ask(server, "/run/run").text

    run("results/run", heads=["naive-bayes", "broken"])
    assert "finished run" in ask(server).text
    stop(RuntimeError, 14, "naive-bayes", "broken")  # what failed is tried again
    assert "6 of 12 cells done, 2 failed" in ask(server).text
    stop(KeyboardInterrupt, 15, "naive-bayes", "broken")
    assert sorted(row["status"] for row in journal()) == ["failed", *["ok"] * 6]
    assert "6 of 12 cells done, 1 failed" in ask(server).text


# --- nobody else, nothing else -----------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[ViewServer]:
    """Serve the folder ``in``; in a folder beside it lies a run, too."""
    for place, name in (("in/run", "one of ours"), ("out", "secret")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "environment.json").write_text(json.dumps({"run": name}))
        (folder / "journal.jsonl").write_text("")
    with ViewServer(tmp_path / "in") as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_other_names_and_other_methods_are_refused(guarded: ViewServer) -> None:
    port = guarded.server_port
    assert guarded.server_address[0] == "127.0.0.1"
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert ask(guarded, host=host).links == ["/run/run"]
    others = ["", "evil.example", f"evil.example:{port}", "localhost", f"127.0.0.1:{port + 1}"]
    for host in (*others, f"localhost:{port}.evil.example", f"evil.example@localhost:{port}"):
        answer = ask(guarded, host=host)
        assert answer.status == 403
        assert "one of ours" not in answer.content
    with socket.create_connection(("127.0.0.1", port)) as connection:
        named = f"Host: localhost:{port}\r\nHost: evil.example\r\n"
        connection.sendall(f"GET / HTTP/1.1\r\n{named}\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.0 403 ")
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        answer = ask(guarded, "/run/run", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


PARTS = ["..", ".", "", "run", "out", "in", "%2e%2e", "%2f", "..%2f", "%00", "%ff", "\\"]


@given(parts=st.lists(st.sampled_from(PARTS), max_size=6), slash=st.booleans())
def test_no_place_leads_out(tmp_path_factory: pytest.TempPathFactory, **asked: Any) -> None:
    if not hasattr(test_no_place_leads_out, "root"):
        root = tmp_path_factory.mktemp("root")
        for place in ("in/run", "out"):
            (root / place).mkdir(parents=True)
            (root / place / "journal.jsonl").write_text("")
        test_no_place_leads_out.root = root / "in"  # type: ignore[attr-defined]
    path = "/run" + "/" * asked["slash"] + "/".join(asked["parts"])
    library = Library(test_no_place_leads_out.root)  # type: ignore[attr-defined]
    place = place_of(path)
    found = None if place is None else library.read(place)
    assert (found is not None) == (path == "/run/run")


@pytest.mark.parametrize(
    "path", ["/run/../../out", "/run/%2e%2e/out", "/run/..%2fout", "/run", "/Run/run", "//["]
)
def test_no_path_leads_elsewhere(guarded: ViewServer, path: str) -> None:
    answer = ask(guarded, path)
    assert answer.status == 404
    assert "secret" not in answer.content
    elsewhere = ask(guarded, f"http://evil.example{path}", host="evil.example")
    assert elsewhere.status == 403


def test_every_answer_says_what_it_may_do(guarded: ViewServer, run: Run) -> None:
    run("in/whole")
    (Path("in/broken")).mkdir()
    Path("in/broken/cells.parquet").write_text("no table")
    asked = [(), ("/run/run",), ("/run/whole",), ("/none",), ("/", "PUT"), ("/run/broken",)]
    answers = [ask(guarded, *of) for of in asked] + [ask(guarded, host="evil.example")]
    assert [a.status for a in answers] == [200, 200, 200, 404, 405, 500, 403]
    for answer in answers:
        rules = [rule.split() for rule in answer.headers["Content-Security-Policy"].split("; ")]
        policy = {name: sources for name, *sources in rules}
        assert policy["default-src"] == policy["frame-ancestors"] == ["'none'"]
        assert policy["base-uri"] == policy["form-action"] == ["'none'"]
        assert all(source.startswith("'sha256-") for source in policy["script-src"])
        assert policy.get("connect-src", ["'self'"]) == ["'self'"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "Python" not in str(answer.headers)


@pytest.mark.parametrize("file", ["cells.parquet", "matrix.toml", "predictions/CELL.parquet"])
def test_links_are_not_followed_out(guarded: ViewServer, run: Run, file: str) -> None:
    table = run("in/whole")
    Path("in/elsewhere").symlink_to(Path("out").resolve())
    assert ask(guarded, "/run/elsewhere").status == 404
    inside = Path("in/whole") / file.replace("CELL", table["cell"][0])
    shutil.copy(inside, "out/kept")
    inside.unlink()
    inside.symlink_to(Path("out/kept").resolve())
    why = f"{inside.relative_to('in/whole')} is a link that leads out of the results folder"
    answer = ask(guarded, "/run/whole")
    assert (answer.status, why in answer.text) == (500, True)
    assert f"unreadable whole {why}" in ask(guarded).text
    inside.unlink()
    os.mkfifo(inside)  # whoever opens it waits for ever
    assert "is neither a file nor a folder" in ask(guarded).text
    assert ask(guarded, "/run/whole").status == 500


def test_names_do_nothing(guarded: ViewServer) -> None:
    folder = Path("in") / IMAGE.replace("/", "") / "\udcff 100%?#"
    folder.mkdir(parents=True)
    row = dict.fromkeys(("dataset", "modalities", "fusion", "head", "encoder_x"), IMAGE)
    row |= {"alignment": "none", "params": "{}", "finetune": "", "missing": "", "seed": SCRIPT}
    (folder / "journal.jsonl").write_text(
        "".join(
            json.dumps({"row": {"cell": status, **row, "status": status, "reason": SCRIPT}}) + "\n"
            for status in ("ok", "failed", IMAGE)
        )
    )
    (folder / "environment.json").write_text(json.dumps({"run": SCRIPT}))
    (folder / "matrix.toml").write_text(f"metric = '{IMAGE}'")
    listed = ask(guarded)
    (place,) = (link for link in listed.links if link != "/run/run")
    shown = ask(guarded, place)
    assert (shown.status, f"1 failed {SCRIPT}" in shown.text) == (200, True)
    for answer in (listed, shown):
        assert SCRIPT in answer.text
        tags = [tag for tag, _ in answer.tags]
        assert (tags.count("script"), tags.count("img")) == (1, 0)


def test_a_table_does_not_load_plugins(guarded: ViewServer, run: Run) -> None:
    run("in/whole")
    evil = Path("in/whole/evil.py")
    evil.write_text(f"open({str(Path('loaded').resolve())!r}, 'w')")
    table = pd.read_parquet("in/whole/cells.parquet")
    table.attrs = {"plugins": [str(evil.resolve())]}
    table.to_parquet("in/whole/cells.parquet")
    assert ask(guarded, "/run/whole").status == 200
    assert "6 of 6 cells done" in ask(guarded).text
    assert not Path("loaded").exists()


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("cells.parquet", b"PAR1", "cells.parquet: cannot be read"),
        ("progress.json", b"[1]", "progress.json: an object was expected"),
        ("progress.json", b'{"cells": "many"}', "ValueError: invalid literal"),
        ("progress.json", b"\xff", "UnicodeDecodeError"),
        (
            "journal.jsonl",
            b'{"row": {"cell": "a", "status": "ok", "modalities": "a"}}\n',
            "KeyError",
        ),
    ],
)
def test_what_cannot_be_read_is_told(
    guarded: ViewServer, file: str, content: bytes, told: str
) -> None:
    Path("in/broken").mkdir()
    (Path("in/broken") / file).write_bytes(content)
    assert "one of ours stopped run 0 cells done" in ask(guarded).text
    page = ask(guarded, "/run/broken")
    assert (page.status, told in page.text) == (500, True)
    if file != "journal.jsonl":  # the list counts its rows only
        assert "broken unreadable broken" in ask(guarded).text
        assert told in ask(guarded).text


# --- in a browser ------------------------------------------------------------------------------


@pytest.mark.browser
def test_pages_follow_a_run_by_themselves(
    going: threading.Thread, serve: Any, browser: Any
) -> None:
    def told(selector: str) -> str:
        return " ".join(browser.execute_script(f"return {selector}.textContent").split())

    server = serve(Path("results"))
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    browser.get(server.url)
    assert "running" in told("document.querySelector('.run')")
    browser.execute_script("window.stayed = true; document.querySelector('.run a').focus()")
    while "2 of 12 cells done" not in ask(server).text:
        one_job()
    until(lambda: "2 of 12 cells done" in told("document.querySelector('.run')"))
    assert told("document.activeElement") == "动物 🐈"
    assert browser.execute_script("return window.stayed")
    browser.find_element("css selector", ".run a").click()
    until(lambda: "2 of 12 cells done" in told("document.querySelector('main')"))
    browser.execute_script("window.stayed = true")
    while " failed" not in ask(server).text:
        one_job()
    until(lambda: "it broke <script>" in told("document.querySelector('main')"))
    assert browser.execute_script("return window.stayed")
    assert browser.execute_script("return document.querySelector('progress').value") > 2
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    GO.release(1000)
    until(lambda: browser.execute_script("return document.getElementById('answer') !== null"))
    assert "6 failed" in told("document.querySelector('header')")
    browser.back()
    until(lambda: "finished" in told("document.querySelector('main')"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    server.shutdown()
    server.server_close()
    until(lambda: browser.find_element("id", "lost").is_displayed())
    refused = f"{server.url} - Failed to load resource: net::ERR_CONNECTION_REFUSED"
    assert {entry["message"] for entry in browser.get_log("browser")} <= {refused}
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in urls if not url.startswith("data:")} == {
        server.url, server.origin + address("动"),
    }  # fmt: skip


# --- the command -------------------------------------------------------------------------------


def test_a_missing_folder_and_a_used_port(tmp_path: Path, mmbench_here: Any) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        for arguments, told in (
            (
                ["result"],
                "view: result does not exist; did you mean 'results'?; a folder of runs was",
            ),
            (["no/where"], "view: no/where does not exist; a folder of runs was expected"),
            (["file"], "view: file is no folder; a folder of runs was expected"),
            (["--port", port], f"--port {port}: cannot be had: Address already in use"),
            (
                ["--port", 70000],
                "Invalid value for '--port': 70000 is not in the range 0<=x<=65535",
            ),
        ):
            done = mmbench_here("view", "--no-browser", *arguments)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith(f"mmbench: {told}")
            assert done.stderr.count("\n") == 1


def test_it_opens_a_browser_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    opened = tmp_path / "opened"
    browser = tmp_path / "browser.py"
    browser.write_text(f"import sys; open({str(opened)!r}, 'w').write(sys.argv[1])")
    environment = {**os.environ, "BROWSER": f"{sys.executable} {browser} %s"}
    process = subprocess.Popen(
        [*MMBENCH, "view"], cwd=tmp_path, env=environment, text=True, encoding="utf-8",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"(http://127\.0\.0\.1:(\d+)/) shows results; Ctrl-C ends it\n", line)
        assert match, line
        until(opened.exists)
        connection = http.client.HTTPConnection("127.0.0.1", int(match[2]), timeout=WAIT)
        connection.request("GET", "/")
        assert b"No run lies here yet" in connection.getresponse().read()
        connection.close()
        until(lambda: opened.read_text() == match[1])
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=WAIT)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, *rest) == (130, "", "")
    assert list((tmp_path / "results").iterdir()) == []
