"""What stands beside the code: licence, citation, workflow, hooks, and references of columns."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from mmbench.measurement.table import COLUMNS
from mmbench.measurement.work import STAGES
from mmbench.metrics import bounds_of
from mmbench.results import METRICS, TIMED, TUNED, columns

ROOT = Path(__file__).parent.parent
PUBLISHED = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"
"""Hash of the words of the Apache License 2.0, one blank between two."""
PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]


def project(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text(encoding="utf-8"))["project"]


def test_the_licence_is_that_of_every_project() -> None:
    text = " ".join((ROOT / "LICENSE").read_text(encoding="utf-8").split())
    assert hashlib.sha256(text.encode()).hexdigest() == PUBLISHED
    for file in PROJECTS:
        assert project(file)["license"] == "Apache-2.0", file


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    told = project(PROJECTS[0])
    assert (cited["title"], cited["version"]) == (told["name"], told["version"])
    assert cited["license"] == told["license"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert str(told["version"]) in changes


def test_the_workflow_does_what_ci_does() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    assert commands == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    (setup,) = [step["with"] for step in steps if "setup-python" in step.get("uses", "")]
    lowest = re.fullmatch(r">=(\d+\.\d+)", str(project(PROJECTS[0])["requires-python"]))
    assert lowest is not None
    assert setup["python-version"] == lowest[1]


@pytest.mark.parametrize("page", ["docs/matrix.md", "docs/plugins/checks.md", "mmbench/blocks.py"])
def test_a_hook_looks_after_generated_pages(page: str) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    files = [hook["files"] for repo in hooks["repos"] for hook in repo["hooks"] if "files" in hook]
    assert (ROOT / page).is_file()
    assert any(re.search(pattern, page) for pattern in files)


def documented(page: str) -> set[str]:
    """Return what stands as code in the first column of a page's tables."""
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_column_of_the_table_is_documented() -> None:
    told = documented("docs/table.md")
    names = {*columns([]), *TUNED, *TIMED} - {b for name in METRICS for b in bounds_of(name)}
    assert names <= told
    assert told - names == {"encoder_<modality>"}


def test_every_column_of_the_timings_is_documented() -> None:
    bounds = {name for name in COLUMNS if name.endswith(("_low", "_high"))}
    stages = {f"stage_{name}_ms" for name in STAGES}  # told in one row
    assert set(COLUMNS) - bounds - stages <= documented("docs/timing.md")
    page = (ROOT / "docs" / "timing.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in STAGES)
