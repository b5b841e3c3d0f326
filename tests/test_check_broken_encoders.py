"""Every encoder that breaks its contract is caught by the check made for it, and by no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmbench.testing import Verdict
from tests.verdicts import assert_caught, checked, of_file

BROKEN = {
    "broken_options": {
        "no-summary": "summary",
        "level-of-a-fusion": "flags",
        "supervised-not-trained": "flags",
        "not-importable": "importable",
        "mutable-default": "mutable-default",
        "untyped-option": "typed",
        "unfound-type": "typed",
        "default-of-another-type": "typed",
        "default-that-no-file-can-hold": "typed",
        "undocumented-option": "documented",
        "required-option": "builds",
        "constructor-raises": "builds",
        "one-object-for-all": "builds",
        "raises": "runs",
        "key-of-the-moment": "cache-key",
        "key-of-an-object": "cache-key",
    },
    "broken_encoders": {
        "drops-a-row": "rows",
        "list": "rows",
        "flat": "rows",
        "no-columns": "rows",
        "integers": "rows",
        "float64": "dtype",
        "nan": "finite",
        "nan-for-blank-text": "odd-items",
        "rgb-only": "odd-items",
        "nan-on-the-thousandth": "thousandth",
        "row-of-no-rows": "empty",
        "chunk-of-text": "chunk",
        "csr-not-registered": "sparse-flag",
        "dense-registered-sparse": "sparse-flag",
        "csc": "sparse-flag",
        "sorted-by-length": "row-order",
        "order-swapped-in-large-batches": "thousandth",
        "cached-by-position": "row-order",
        "batch-mean": "batch-size",
        "padded": "batch-size",
        "width-of-the-batch": "width",
        "padded-sequences": "sequences",
        "sorted-sequences": "sequences",
        "network-with-other-weights": "finetune",
        "network-detached": "finetune",
        "unseeded-noise": "determinism",
        "global-noise": "determinism",
        "seeds-numpy": "random-state",
        "hash": "fresh-process",
        "running-mean": "state",
        "cached-by-id": "state",
        "buffer": "own-memory",
        "shifts-vectors": "input-untouched",
        "scribbles-on-images": "input-untouched",
        "cuda": "cpu-fallback",
    },
    "broken_trained": {
        "not-registered-trained": "trained-flag",
        "trained-and-finetune": "flags",
        "trained-without-fit": "trained-flag",
        "needs-labels": "unsupervised",
        "supervised-in-name": "supervised-flag",
        "fit-returns-nothing": "fit-returns-self",
        "fit-takes-no-validation": "runs",
        "exits-in-fit": "runs",
        "validation-raises": "validation",
        "nan-of-one-sample": "tiny-fit",
        "shuffles-labels": "input-untouched",
        "peeks-at-all-items": "hidden-rows",
        "labels-in-a-global": "isolation",
        "vocabulary-on-the-class": "isolation",
        "vocabulary-of-a-set": "fresh-process",
        "goes-on-learning": "state",
        "history-of-numbers": "history",
        "save-without-load": "save-load",
        "saves-a-pickle": "save-load",
        "saves-a-pickle-in-disguise": "save-load",
        "loads-something-else": "save-load",
        "loads-what-is-not-saved": "save-load",
    },
}
OF_WEIGHTS = {
    "key-of-the-path": "cache-key",
    "key-of-the-size": "cache-key",
    "key-of-the-head": "cache-key",
    "key-by-instance": "cache-key",
    "no-key": "cache-key",
}


@pytest.mark.parametrize(
    ("file", "name", "check"),
    [(file, name, check) for file, table in BROKEN.items() for name, check in table.items()],
)
def test_a_broken_one_is_caught(file: str, name: str, check: str) -> None:
    assert_caught(of_file(file)[name], check)


@pytest.fixture(scope="module")
def of_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Verdict]]:
    weights = tmp_path_factory.mktemp("weights") / "weights.npy"
    np.save(weights, np.random.default_rng(0).normal(size=(12, 5)))
    file = Path(__file__).with_name("broken_weights.py")
    return checked(file, params={"weights": str(weights)})


@pytest.mark.parametrize(("name", "check"), OF_WEIGHTS.items())
def test_of_an_encoder_with_weights(
    name: str, check: str, of_weights: dict[str, list[Verdict]]
) -> None:
    assert_caught(of_weights[name], check)


def test_none_is_forgotten(of_weights: dict[str, list[Verdict]]) -> None:
    for file, table in BROKEN.items():
        assert of_file(file).keys() == table.keys()
    assert of_weights.keys() == OF_WEIGHTS.keys()


@pytest.mark.parametrize(
    ("file", "name", "told"),
    [
        ("broken_encoders", "nan-on-the-thousandth", "row 1000 is another than when"),
        ("broken_encoders", "sorted-by-length", "of sample 16, belongs to sample 1"),
        ("broken_encoders", "drops-a-row", "of 24 samples it returned shape (23, 12)"),
        ("broken_encoders", "seeds-numpy", "it seeds the generator of numpy.random"),
        ("broken_options", "mutable-default", "the default of 'columns' is a list"),
    ],
)
def test_what_was_seen_is_told(file: str, name: str, told: str) -> None:
    (verdict,) = of_file(file)[name]
    assert told in verdict.failures[0].what


# --- what takes its process with it --------------------------------------------------------------

REGISTER = """
from mmbench import hookimpl
import numpy as np

class Vectors:
    def encode(self, items):
        {do}
        return np.stack(items).astype(np.float32)

@hookimpl
def mmbench_register_encoders(register):
    register("vectors", Vectors, kind="vector", summary="Vectors.")
    register("others", Vectors, kind="vector", summary="More vectors.")
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "plugin.py"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("top", "told"),
    [
        ("import a_library_that_nobody_has", "No module named 'a_library_that_nobody_has'"),
        ("def broken(:", "SyntaxError"),
        ("import sys; sys.exit('no licence')", "no licence"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import threading; threading.Event().wait()", "it took longer than 3 s"),
    ],
)
def test_a_file_that_cannot_be_imported(tmp_path: Path, top: str, told: str) -> None:
    text = f"{top}\n{REGISTER.format(do='pass')}"
    verdicts = checked(written(tmp_path, text), timeout=3.0 if "wait" in top else 60.0)
    assert verdicts.keys() == {"plugin.py"}
    assert_caught(verdicts["plugin.py"], "loads")
    assert told in verdicts["plugin.py"][0].failures[0].what


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("import os; os._exit(0)", "its process ended with exit status 0"),
        ("import os; os.abort()", "SIGABRT"),
    ],
)
def test_an_encoder_that_ends_its_process(tmp_path: Path, do: str, told: str) -> None:
    verdicts = checked(written(tmp_path, REGISTER.format(do=do)))
    assert verdicts.keys() == {"vectors", "others"}  # the first does not keep the second from it
    for verdict in verdicts.values():
        assert_caught(verdict, "runs")
        assert told in verdict[0].failures[0].what
        assert {"summary", "typed", "chunk"} <= {f.check for f in verdict[0].findings}


def test_an_encoder_that_blocks(tmp_path: Path) -> None:
    text = REGISTER.format(do="import threading; threading.Event().wait()")
    verdicts = checked(written(tmp_path, text), words=["vectors"], timeout=5.0)
    assert_caught(verdicts["vectors"], "runs")
    assert verdicts["vectors"][0].failures[0].what == "it took longer than 5 s"


def test_a_slow_import(tmp_path: Path) -> None:
    text = f"import time\ntime.sleep(1.2)\n{REGISTER.format(do='pass')}"
    verdicts = checked(written(tmp_path, text), words=["vectors"])
    assert_caught(verdicts["vectors"], "light-import")
