"""Reports of a run are written anew where something has changed, and left alone where not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mmbench

REPORTS = ("report.md", "report.html")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    vectors = rng.standard_normal((60, 4)) + labels[:, None]
    np.savez(tmp_path / "made.npz", y=labels, v=vectors)
    monkeypatch.setenv("MMBENCH_STORE", str(tmp_path / "store"))
    matrix = {
        "name": "made",
        "datasets": [
            {
                "use": "arrays",
                "path": str(tmp_path / "made.npz"),
                "label": "y",
                "modalities": {"v": {"key": "v", "kind": "vector"}},
            }
        ],
        "encoders": {"v": "identity"},
        "heads": ["naive-bayes"],
        "split": {"scheme": "holdout"},
    }

    def again(**changed: object) -> Path:
        mmbench.run({**matrix, **changed}, out=tmp_path / "run", jobs=1)
        return tmp_path / "run"

    return again


def written(folder: Path) -> list[int]:
    return [(folder / name).stat().st_mtime_ns for name in REPORTS]


def test_reports_are_left_where_nothing_has_changed(run: Callable[..., Path]) -> None:
    folder = run()
    first = written(folder)
    assert written(run()) == first


def test_reports_are_written_anew_where_a_cell_has_come(run: Callable[..., Path]) -> None:
    first = written(run())
    folder = run(heads=["naive-bayes", "k-nearest"])
    assert all(np.array(written(folder)) > first)
    assert all("k-nearest" in (folder / name).read_text("utf-8") for name in REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_that_somebody_changed_or_removed_is_written_anew(
    name: str, run: Callable[..., Path]
) -> None:
    file = run() / name
    text = file.read_text("utf-8")
    file.write_text("mine")
    run()
    assert file.read_text("utf-8") == text
    file.unlink()
    run()
    assert file.read_text("utf-8") == text


def test_reports_are_written_anew_where_what_they_tell_has_changed(
    run: Callable[..., Path],
) -> None:
    folder = run()
    first = written(folder)
    note = folder / ".reported"
    noted = json.loads(note.read_text("utf-8"))
    noted[0] = "those of another mmbench"
    note.write_text(json.dumps(noted), "utf-8")
    assert all(np.array(written(run())) > first)


def test_reports_are_written_where_the_note_is_damaged(run: Callable[..., Path]) -> None:
    folder = run()
    first = written(folder)
    (folder / ".reported").write_bytes(os.urandom(20))
    assert all(np.array(written(run())) > first)
