"""The runner without a cluster: Ray is started on this machine, and ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from mmbench_ray import node

import mmbench
from mmbench.observer import Observer

pytestmark = pytest.mark.ray

MATRIX: dict[str, Any] = {
    "name": "here",
    "datasets": [{"use": "planted-blobs"}],
    "encoders": {"a": "planted", "b": "planted"},
    "fusions": ["planted-concat"],
    "heads": ["planted-centroids"],
    "split": {"scheme": "holdout", "test": 0.25},
    "plugins": ["mmbench.testing.planted"],
}


class Listener(Observer):
    def runner(self, run: Any, about: str) -> None:
        self.told = about


def test_ray_is_started_here_and_ended(variables: None, tmp_path: Path) -> None:
    content = MATRIX | {
        "encoders": {m: {"use": "planted", "folder": str(tmp_path)} for m in ("a", "b")}
    }
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    listener = Listener()
    table = mmbench.run(content, runner="ray", jobs=1, device="cpu", observer=listener)
    assert list(table["status"]) == ["ok"] * 3
    assert listener.told.startswith("Ray: 1 node, 1 CPU, ")
    assert "; dashboard http://127.0.0.1:" in listener.told
    left = psutil.Process().children(recursive=True)
    assert [process for process in left if process.pid not in before] == []


def test_what_differs_is_said(tmp_path: Path) -> None:
    from mmbench.workshop import Context

    context = Context(tmp_path / "store", (), b"", 1, "cpu", tmp_path)
    here = node.identities(context)
    assert node.differences(node.Setup("", context, None, here, {})) == []

    there = {**here, "absent": "absent 1.0", "Python": "Python 2.7"}
    there["mmbench"] = here["mmbench"].replace("click ", "click 0.")
    told = node.differences(node.Setup("", context, None, there, {}), "seen-absent")
    found = {line.partition(":")[0]: line for line in told}
    assert "there is no plugin 'absent'" in found
    assert "Python 2.7 where the run was planned" in found["Python"]
    assert found["mmbench"].count("click") == 2
    assert f"{tmp_path / 'store'} is not the run's store" in told[-1]

    broken = Context(tmp_path / "store", ("no_such_module",), b"", 1, "cpu", tmp_path)
    (line,) = node.differences(node.Setup("", broken, None, here, {}))
    assert "no_such_module" in line
