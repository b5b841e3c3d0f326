"""`mmbench check` of datasets: each defect is caught by the check made for it, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmbench.testing import Verdict, check_dataset, examinations
from tests import broken_datasets
from tests.conftest import Command

PLUGIN = broken_datasets.__file__

CAUGHT_BY = {
    "no-fingerprint": "members",
    "asks-for-a-seed": "builds",
    "unknown-kind": "modalities",
    "misleading-name": "modalities",
    "no-modality": "modalities",
    "duplicate-ids": "ids",
    "numbered-ids": "ids",
    "float-labels": "labels",
    "labels-from-one": "labels",
    "too-few-labels": "labels",
    "class-twice": "classes",
    "order-of-appearance": "class-order",
    "numbers-by-string": "class-order",
    "true-first": "class-order",
    "dev-split": "split",
    "one-fold": "folds",
    "unknown-groups": "groups",
    "attributes-of-some": "attributes",
    "one-item-short": "items-length",
    "ragged": "items",
    "whole-numbers": "items",
    "paths-for-photos": "items",
    "closed-photos": "items",
    "mono": "items",
    "bytes-for-notes": "items",
    "nan": "finite",
    "lying-missing": "missing",
    "hidden-missing": "missing",
    "augmented": "item-repeatable",
    "running-generator": "item-repeatable",
    "eager": "lazy",
    "unseeded": "determinism",
    "global-generator": "determinism",
    "order-of-a-set": "fresh-process",
    "folds-by-hash": "fresh-process",
    "of-this-process": "fresh-process",
    "fingerprint-by-id": "fingerprint",
    "fingerprint-by-hash": "fingerprint",
    "fingerprint-by-call": "fingerprint",
    "fingerprint-constant": "fingerprint",
    "fingerprint-none": "fingerprint",
    "fingerprint-without-option": "fingerprint-content",
    "fingerprint-of-path": "fingerprint-content",
    "late-complaint": "mistakes",
    "odd-complaint": "mistakes",
    "vague-complaint": "mistakes",
}
DATASETS = dict(broken_datasets.DATASETS)
OF_A_FILE = [name for name in DATASETS if issubclass(DATASETS[name], broken_datasets.Listed)]
GOOD = [name for name in DATASETS if name.startswith("good-")]

Verdicts = dict[str, Verdict]


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that some of the datasets read, in a folder of its own."""
    path = tmp_path_factory.mktemp("notes") / "notes.txt"
    path.write_text("".join(f"note {i} of the garden\n" for i in range(30)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def verdicts(notes: Path) -> Verdicts:
    """Check the whole zoo."""
    others = [f"dataset:{name}" for name in DATASETS if name not in OF_A_FILE]
    listed = [f"dataset:{name}" for name in OF_A_FILE]
    found = [
        *examinations(others, plugins=[PLUGIN]),
        *examinations(listed, plugins=[PLUGIN], params={"path": notes}),
    ]
    return {verdict.name: verdict for verdict in found}


def test_the_zoo_is_complete() -> None:
    assert sorted([*CAUGHT_BY, *GOOD]) == sorted(DATASETS)


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_defect_is_caught_by_its_check(name: str, verdicts: Verdicts) -> None:
    failures = verdicts[name].failures
    assert [finding.check for finding in failures] == [CAUGHT_BY[name]]
    assert all(finding.what and finding.why and finding.mend for finding in failures)


@pytest.mark.parametrize("name", GOOD)
def test_the_unusual_passes(name: str, verdicts: Verdicts) -> None:
    assert verdicts[name].failures == []
    reached = {finding.check for finding in verdicts[name].findings if finding.status == "passed"}
    assert {"items", "fresh-process", "fingerprint"} <= reached


@pytest.mark.parametrize("name", ["good-draws", "good-listed"])
def test_alterations_are_tried(name: str, verdicts: Verdicts) -> None:
    told = {finding.check: finding.what for finding in verdicts[name].findings}
    changes, _, tries = told["fingerprint-content"].partition(" changes of items by ")
    assert 1 <= int(changes) <= int(tries.partition(" ")[0])


def test_files_stay_as_they_were(notes: Path, verdicts: Verdicts) -> None:
    assert notes.read_text().splitlines() == [f"note {i} of the garden" for i in range(30)]
    assert list(notes.parent.iterdir()) == [notes]


def test_what_was_seen_is_said() -> None:
    with pytest.raises(AssertionError) as caught:
        check_dataset("labels-from-one", plugins=[PLUGIN])
    told = str(caught.value)
    assert "FAILED labels: the label 3 is no position in 3 classes" in told
    assert "why:" in told
    assert "mend:" in told


def test_options_on_the_command_line(mmbench_here: Command, notes: Path) -> None:
    asked = ("check", "--plugin", PLUGIN, "dataset:good-listed")
    process = mmbench_here(*asked, "--set", f"path={notes}")
    assert (process.returncode, process.stderr) == (0, "")
    process = mmbench_here(*asked)
    assert process.returncode == 1
    assert "the option 'path' is required and was not given" in process.stdout
