"""`--address` and ``[resources]``: given to the runners that ask for them, and to no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmbench
from mmbench.blocks import ResourcesBlock
from mmbench.jobs import VERSIONS
from tests.conftest import read_texts, write_matrix

MATRIX: dict[str, Any] = {
    "name": "needs",
    "datasets": [{"use": "planted-blobs"}],
    "encoders": {"a": "planted"},
    "heads": ["planted-centroids"],
    "plugins": ["mmbench.testing.planted"],
    "split": {"scheme": "holdout"},
}
NEEDS = {"embed": {"gpus": 0.25, "cpus": 2}, "fit": {"memory_gb": 4}}

ASKING = """
import json
from mmbench import hookimpl
from mmbench.runners.local import LocalRunner

class Asking(LocalRunner):
    def __init__(self, context, slots, timeout, *, address, resources, jobs=7):
        super().__init__(context, slots, timeout)
        self.given = {"address": address, "resources": resources, "jobs": jobs}

    def start(self):
        if self.given["address"] == "nowhere":
            raise OSError("nobody answers at nowhere")
        return json.dumps(self.given)

@hookimpl
def mmbench_register_runners(register):
    register("asking", Asking)
"""

Call = Callable[..., Any]


@pytest.fixture
def asking(tmp_path: Path) -> list[str]:
    file = tmp_path / "asking.py"
    file.write_text(ASKING, encoding="utf-8")
    return ["--plugin", str(file), "--runner", "asking", "--device", "cpu"]


def test_a_runner_is_given_what_it_asks_for(
    tmp_path: Path, mmbench_here: Call, asking: list[str]
) -> None:
    file = write_matrix(tmp_path, {**MATRIX, "resources": NEEDS})
    told = mmbench_here("run", file, *asking, "--address", "somewhere", "--jobs", 1)
    assert told.returncode == 0, told.stderr
    (line,) = [line for line in told.stderr.splitlines() if line.startswith("{")]
    assert json.loads(line) == {"address": "somewhere", "resources": NEEDS, "jobs": 1}
    assert mmbench_here("run", file, *asking, "--address", "nowhere").returncode == 0  # all is done

    asked = write_matrix(tmp_path, {**MATRIX, "seeds": [1]})
    told = mmbench_here("run", asked, *asking, "--address", "nowhere", "--out", "other")
    assert told.returncode == 2
    assert "mmbench: --runner asking: nobody answers at nowhere" in told.stderr.splitlines()


def test_an_address_for_a_runner_that_takes_none_is_told(
    tmp_path: Path, mmbench_here: Call
) -> None:
    told = mmbench_here("run", write_matrix(tmp_path, MATRIX), "--address", "somewhere")
    assert told.returncode == 2
    assert told.stderr.splitlines() == [
        "mmbench: --address somewhere: the runner 'local' takes no address"
    ]


def test_needs_are_part_of_no_result(tmp_path: Path) -> None:
    without = mmbench.plan(MATRIX)
    needing = mmbench.plan({**MATRIX, "resources": NEEDS})
    assert [cell.id for cell in needing.cells] == [cell.id for cell in without.cells]
    assert list(needing.graph.jobs) == list(without.graph.jobs)

    mmbench.run(MATRIX, out="without", store="first", jobs=1, device="cpu")
    mmbench.run(
        {**MATRIX, "resources": {"fit": {"gpus": 64, "cpus": 1000}}},
        out="needing", store="second", jobs=1, device="cpu",
    )  # fmt: skip
    assert read_texts(tmp_path / "needing").equals(read_texts(tmp_path / "without"))


def test_every_kind_of_job_that_a_runner_is_given_has_needs() -> None:
    assert set(ResourcesBlock.model_fields) == VERSIONS.keys() - {"time"}


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"embedd": {"gpus": 1}}, "unknown key 'resources.embedd'; did you mean 'embed'?"),
        ({"embed": {"gpu": 1}}, "unknown key 'resources.embed.gpu'; did you mean 'gpus'?"),
        (
            {"fit": {"cpus": 0}},
            "resources.fit.cpus = 0: Input should be greater than 0",
        ),
    ],
)
def test_a_mistake_in_needs_is_one_line(
    wrong: dict[str, Any], line: str, tmp_path: Path, mmbench_here: Call
) -> None:
    told = mmbench_here("plan", write_matrix(tmp_path, {**MATRIX, "resources": wrong}))
    assert told.returncode == 2
    assert told.stderr.splitlines() == [f"mmbench: matrix.toml: {line}"]
