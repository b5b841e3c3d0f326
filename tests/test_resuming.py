"""A run that was killed, interrupted or changed is continued: nothing is done twice, or lost."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from click.testing import CliRunner

import mmbench
from mmbench.cli import cli
from tests.conftest import MMBENCH, ZOO, read_log, read_texts, unranked, write_matrix

WAIT = 120.0
SLOW: dict[str, Any] = {
    "name": "slow",
    "fusions": ["concat"],
    "heads": [{"use": "logged-head", "nap": 0.03}],
    "datasets": [{"use": "blobs"}],
    "encoders": {
        "a": [{"use": "logged", "tag": [1, 2, 3, 4], "nap": 0.03}],
        "b": [{"use": "logged", "tag": 9, "nap": 0.03}],
    },
    "split": {"folds": 3},
}
QUICK: dict[str, Any] = {
    "name": "quick",
    "fusions": ["concat"],
    "heads": ["logged-head"],
    "datasets": [{"use": "blobs"}],
    "encoders": {"a": [{"use": "logged", "tag": 1}], "b": [{"use": "logged", "tag": 2}]},
    "split": {"folds": 2},
}
EMBEDS = {"embed 1": 1, "embed 2": 1}
FITS = {"fit 0": 6}


def until(condition: Callable[[], object]) -> None:
    """Wait for something that is bound to come."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


class Running:
    """``mmbench run`` in a session of its own, with all the processes that it has."""

    def __init__(self, folder: Path, matrix: dict[str, Any], *options: object) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.log = folder / "log"
        file = write_matrix(folder, matrix)
        self.options = ["--store", folder / "store", "--plugin", ZOO]
        self.file = file
        self.command = [
            *MMBENCH,
            "run",
            *map(str, (file, "--out", self.out, *self.options, *options)),
        ]

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, "ZOO_LOG": str(self.log)},
            start_new_session=True,
        )

    def finish(self) -> None:
        """Give the same command, and wait for its end."""
        self._invoke(self.command[len(MMBENCH) :])

    def jobs(self) -> dict[str, int]:
        told = self._invoke(["plan", str(self.file), "--json", *map(str, self.options)])
        counted: dict[str, int] = json.loads(told)["jobs"]
        return counted

    def _invoke(self, words: list[str]) -> str:
        """Run the command line in this process, which saves starting one."""
        env = {"ZOO_LOG": str(self.log)}
        result = CliRunner().invoke(cli, words, env=env, catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def kill_all(process: subprocess.Popen[str]) -> None:
    children = family(process)
    process.kill()
    for child in children:
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    process.communicate(timeout=WAIT)
    until(lambda: not alive(children))


def predictions(out: Path) -> dict[str, pd.DataFrame]:
    return {f.stem: pd.read_parquet(f) for f in sorted((out / "predictions").glob("*.parquet"))}


def assert_same_run(out: Path, expected: Path) -> None:
    pd.testing.assert_frame_equal(read_texts(out), read_texts(expected))
    ours, theirs = predictions(out), predictions(expected)
    assert list(ours) == list(theirs)
    for cell, frame in theirs.items():
        pd.testing.assert_frame_equal(ours[cell], frame, check_exact=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Running:
    running = Running(tmp_path_factory.mktemp("undisturbed"), SLOW, "--jobs", 2)
    running.finish()
    return running


class TestKilled:
    def test_it_ends_where_an_undisturbed_run_does(
        self, undisturbed: Running, tmp_path: Path
    ) -> None:
        running = Running(tmp_path, SLOW, "--jobs", 2)
        rng = random.Random(3)
        work = len(read_log(undisturbed.log))
        logged = lambda: len(read_log(running.log))  # noqa: E731
        stored = 0
        moments: list[Callable[[], object]] = [
            lambda: (running.out / ".lock").exists(),
            *(lambda n=n: logged() >= n for n in sorted(rng.sample(range(2, work - 2), 2))),
        ]
        for moment in moments:
            process = running.start()
            until(lambda m=moment, p=process: m() or p.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            time.sleep(rng.uniform(0, 0.05))
            kill_all(process)
            before, stored = stored, running.jobs()["stored"]
            assert stored >= before
        total = running.jobs()["total"]
        assert 0 < stored < total
        before_last = logged()
        running.finish()
        assert_same_run(running.out, undisturbed.out)
        assert running.jobs() == undisturbed.jobs()
        assert running.jobs()["stored"] == total
        # every job logs one line when it begins: those that a kill had cut short log it again
        assert set(read_log(running.log)) == set(read_log(undisturbed.log))
        assert logged() - before_last <= total - stored
        assert logged() - work <= 2 * len(moments)

    def test_its_processes_end_with_it(self, tmp_path: Path) -> None:
        encoders = {"a": [{"use": "logged", "tag": [1, 2], "nap": 300.0}]}
        running = Running(tmp_path, {**SLOW, "encoders": encoders, "subsets": [["a"]]}, "--jobs", 2)
        first = running.start()
        until(lambda: len(read_log(running.log)) == 2)
        second = running.start()
        told = second.communicate(timeout=WAIT)[1]
        assert second.returncode == 2
        assert told == f"mmbench: --out {running.out}: another process is running it\n"
        children = family(first)
        assert len(alive(children)) >= 2
        first.kill()
        first.communicate(timeout=WAIT)
        until(lambda: not alive(children))


def test_ctrl_c_keeps_what_is_finished(undisturbed: Running, tmp_path: Path) -> None:
    running = Running(tmp_path, SLOW, "--jobs", 2)
    process = running.start()
    until(lambda: (running.out / "journal.jsonl").exists())
    children = family(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
    told = process.communicate(timeout=WAIT)[1]
    assert process.returncode == 130
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    match = re.fullmatch(
        r"mmbench: interrupted: (\d+) of 27 cells are done; run it again to continue", last
    )
    assert match, last
    until(lambda: not alive(children))
    whole = read_texts(undisturbed.out)
    table = read_texts(running.out)
    assert 0 < len(table) == int(match[1]) < len(whole)
    pd.testing.assert_frame_equal(unranked(table), unranked(whole.loc[table.index]))
    before, stored = len(read_log(running.log)), running.jobs()["stored"]
    running.finish()
    assert_same_run(running.out, undisturbed.out)
    assert len(read_log(running.log)) - before <= running.jobs()["total"] - stored


# --- within one process -------------------------------------------------------------------------


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.fixture
def run(log: Path, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """Run a matrix in the folder ``out``; return what was worked, and how often."""

    def run(matrix: dict[str, Any] = QUICK, **options: Any) -> dict[str, int]:
        before = len(read_log(log))
        mmbench.run(matrix, **{"plugins": [str(ZOO)], "out": "out", "jobs": 1, **options})
        work = read_log(log)[before:]
        return {line: work.count(line) for line in sorted(set(work))}

    return run


Run = Callable[..., dict[str, int]]


class TestNothingTwice:
    def test_a_run_again_does_nothing(self, run: Run) -> None:
        assert run() == EMBEDS | FITS
        table = pd.read_csv("out/cells.csv")
        assert run() == {}
        pd.testing.assert_frame_equal(pd.read_csv("out/cells.csv"), table)  # timings included

    def test_a_wiped_store_costs_nothing(self, run: Run, own_store: Path) -> None:
        run()
        table = pd.read_csv("out/cells.csv")
        shutil.rmtree(own_store)
        assert run() == {}
        pd.testing.assert_frame_equal(pd.read_csv("out/cells.csv"), table)

    def test_a_deleted_folder_costs_nothing(self, run: Run) -> None:
        run()
        table = read_texts(Path("out"))
        shutil.rmtree("out")
        assert run() == {}
        pd.testing.assert_frame_equal(read_texts(Path("out")), table)

    def test_deleted_predictions_are_written_again(self, run: Run) -> None:
        run()
        before = predictions(Path("out"))
        gone = [Path("out", "predictions", f"{cell}.parquet") for cell in list(before)[::2]]
        for file in gone:
            file.unlink()
        assert run() == {}
        after = predictions(Path("out"))
        assert list(after) == list(before)
        for cell, frame in before.items():
            pd.testing.assert_frame_equal(after[cell], frame, check_exact=True)

    def test_a_damaged_journal_is_survived(self, run: Run) -> None:
        run()
        table = read_texts(Path("out"))
        journal = Path("out", "journal.jsonl")
        lines = journal.read_bytes().splitlines(keepends=True)
        garbage = [
            b"\xff\xfe\x00 no text\n", b"[]\n", b"null\n", b"7\n", b'{"row": 3}\n',
            b'{"row": {"cell": ["a list"]}}\n', b'{"row": {"cell": "unknown"}}\n', b"\n",
            b'{"row": {"cell": "%s"}}\n' % table.index[0].encode(),
        ]  # fmt: skip
        journal.write_bytes(b"".join([*garbage, *lines[1:-1], *garbage, lines[-1][:-40]]))
        assert run() == {}
        pd.testing.assert_frame_equal(read_texts(Path("out")), table)
        records = [json.loads(line) for line in journal.read_text().splitlines()]
        assert sorted(r["row"]["cell"] for r in records) == sorted(table.index)
        shutil.rmtree("store")
        assert run() == {}  # all rows are in the journal again

    def test_a_row_after_a_cut_line_is_kept(self, run: Run) -> None:
        run({**QUICK, "heads": [{"use": "logged-head", "tag": 5}]})
        with open("out/journal.jsonl", "ab") as file:
            file.write(b'{"fingerprint": "cut in the mid')
        run()
        table = read_texts(Path("out"))
        assert set(table["status"]) == {"ok"}
        shutil.rmtree("store")
        assert run() == {}


class TestChoosing:
    def test_cells_no_longer_in_the_file_leave(self, run: Run) -> None:
        both = {**QUICK, "heads": ["logged-head", {"use": "logged-head", "tag": 3}]}
        assert run(both) == EMBEDS | FITS | {"fit 3": 6}
        assert run(QUICK) == {}
        table = read_texts(Path("out"))
        assert len(table) == 6
        assert set(predictions(Path("out"))) == set(table.index)
        assert run(both) == {}
        assert len(read_texts(Path("out"))) == 12

    def test_rows_of_cells_not_chosen_stay(self, run: Run) -> None:
        assert run(only=["modalities=a"]) == {"embed 1": 1, "fit 0": 2}
        first = read_texts(Path("out"))
        assert set(first["modalities"]) == {"a"}
        assert run(only=["modalities=b"]) == {"embed 2": 1, "fit 0": 2}
        second = read_texts(Path("out"))
        assert set(second["modalities"]) == {"a", "b"}
        pd.testing.assert_frame_equal(unranked(second.loc[first.index]), unranked(first))
        assert run() == {"fit 0": 2}
        assert len(read_texts(Path("out"))) == 6

    def test_failed_cells_are_tried_again(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cure = tmp_path / "cure"
        monkeypatch.setenv("ZOO_CURE", str(cure))
        matrix = {**QUICK, "encoders": {**QUICK["encoders"], "b": ["flaky"]}}
        assert run(matrix) == {"embed 1": 1, "fit 0": 2}
        table = read_texts(Path("out")).set_index("modalities")
        assert set(table.loc["a", "status"]) == {"ok"}
        for needs in ("b", "a+b"):
            assert set(table.loc[needs, "status"]) == {"failed"}
            assert set(table.loc[needs, "reason"]) == {
                "embed blobs.b with flaky: ConnectionError: the server is not there"
            }
        assert run(matrix) == {}
        assert set(read_texts(Path("out"))["status"]) == {"ok", "failed"}
        cure.touch()
        assert run(matrix) == {"fit 0": 4}
        table = read_texts(Path("out"))
        assert set(table["status"]) == {"ok"}
        assert set(table["reason"]) == {""}
        assert not list(Path("out", "logs").glob("embed-*"))


class TestChanges:
    """What changed is done again, and only that."""

    def test_a_plugin_file(self, run: Run, tmp_path: Path) -> None:
        own = tmp_path / "own.py"
        own.write_text(OWN.format(scale=1))
        matrix = {**QUICK, "encoders": {"a": ["own"], "b": [{"use": "logged", "tag": 2}]}}
        plugins = [str(ZOO), str(own)]
        assert run(matrix, plugins=plugins) == {"embed own": 1, "embed 2": 1, **FITS}
        table = read_texts(Path("out"))
        assert run(matrix, plugins=plugins) == {}
        own.write_text(OWN.format(scale=-1))
        assert run(matrix, plugins=plugins) == {"embed own": 1, "fit 0": 4}
        assert list(read_texts(Path("out")).index) == list(table.index)
        own.write_text(OWN.format(scale=1))
        assert run(matrix, plugins=plugins) == {}
        pd.testing.assert_frame_equal(read_texts(Path("out")), table)

    @pytest.mark.parametrize(
        ("change", "work"),
        [
            ({"touch": "a"}, {"embed 1": 1, "fit 0": 4}),
            ({"touch": "b"}, {"embed 2": 1, "fit 0": 4}),
            ({"touch": "note"}, {}),
            ({"relabel": 0}, {"fit 0": 6}),
            ({"n": 51}, {"embed 1": 1, "embed 2": 1, "fit 0": 6}),
        ],
        ids=["a", "b", "a modality not used", "a label", "more samples"],
    )
    def test_data(self, run: Run, change: dict[str, Any], work: dict[str, int]) -> None:
        given = {"use": "blobs", "draw": 2}
        run({**QUICK, "datasets": [given]})
        assert run({**QUICK, "datasets": [{**given, **change}]}) == work
        assert set(read_texts(Path("out"))["status"]) == {"ok"}

    def test_options_and_seeds(self, run: Run) -> None:
        run()
        heads = [{"use": "logged-head", "tag": 7}]
        assert run({**QUICK, "heads": heads}) == {"fit 7": 6}
        assert run({**QUICK, "seeds": [0, 1]}) == {"fit 0": 6}  # the folds of another seed

    def test_other_names_share_the_work(self, run: Run) -> None:
        run()
        renamed = {**QUICK, "datasets": [{"use": "blobs", "name": "other"}]}
        assert run(renamed) == {}
        assert set(read_texts(Path("out"))["dataset"]) == {"other"}


OWN = """
import os
import numpy as np
from mmbench import hookimpl

@hookimpl
def mmbench_register_encoders(register):
    register("own", Own, kind="vector")

class Own:
    def encode(self, items):
        with open(os.environ["ZOO_LOG"], "a") as file:
            file.write("embed own\\n")
        return {scale} * np.stack(list(items)).astype(np.float32)
"""
