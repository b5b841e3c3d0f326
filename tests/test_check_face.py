"""`mmbench check` and `mmbench.testing` as their users see them: words, statuses and formats."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

import mmbench as package
from mmbench.errors import UserError
from mmbench.testing import (
    NothingToCheckError,
    check_encoder,
    check_fusion,
    check_head,
    check_metric,
    examinations,
)
from tests.conftest import Command

HERE = Path(__file__).parent
UNUSUAL, ENCODERS = HERE / "unusual.py", HERE / "broken_encoders.py"
LEARNERS = HERE / "unusual_learners.py"


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMBENCH_PLUGINS", "")


# --- exit statuses ------------------------------------------------------------------------------


def test_what_passes_is_0(mmbench: Command) -> None:
    done = mmbench("check", "encoder:one-column", "--plugin", UNUSUAL)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"encoder one-column \(vector\): \d+ checks passed, \d+ skipped\n",
                        done.stdout)  # fmt: skip
    assert done.stderr == ""


def test_what_fails_is_1_and_says_what_why_and_how_to_mend_it(mmbench: Command) -> None:
    done = mmbench("check", "drops-a-row", "one-column", "--plugin", ENCODERS, "--plugin", UNUSUAL)
    assert done.returncode == 1
    failed, what, why, mend, passed = done.stdout.splitlines()
    assert failed.startswith("encoder drops-a-row (vector): ")
    assert ", 1 failed, " in failed
    assert what == "  FAILED rows: of 24 samples it returned shape (23, 12)"
    assert why.startswith("    why:  Row i is taken to belong to sample i")
    assert mend.startswith("    mend: Return an array with one row per sample")
    assert passed.startswith("encoder one-column (vector): ")
    assert "failed" not in passed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say what to check: a NAME, or --plugin FILE.py"),
        (("one-colum", "--plugin", UNUSUAL), "no 'one-colum'; did you mean 'one-column'?"),
        (("head:one-column", "--plugin", UNUSUAL), "no 'head:one-column'"),
        (("--plugin", "nowhere.py"), "plugin nowhere.py: no such file"),
        (("key", "--plugin", UNUSUAL, "--set", "release"), "'release': OPTION=VALUE was expected"),
        (("key", "--plugin", UNUSUAL, "--set", "relase=1"), "did you mean 'release'?"),
        (("key", "--plugin", UNUSUAL, "--set", "release='1999'"), "release = '1999'"),
        (("rich-options", "--plugin", UNUSUAL, "--set", "share=7"), "less than or equal to 1"),
        (("key", "--plugin", UNUSUAL, "--timeout", "0"), "--timeout"),
    ],
)
def test_a_mistake_is_2_and_one_line(mmbench_here: Command, arguments: Any, told: str) -> None:
    done = mmbench_here("check", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mmbench: ")
    assert told in line


def test_a_plugin_that_registers_nothing_is_3(mmbench_here: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n", encoding="utf-8")
    done = mmbench_here("check", "--plugin", "empty.py")
    assert done.returncode == 3
    assert done.stderr == "mmbench: empty.py: it registers nothing\n"


def test_a_plugin_that_does_not_load_is_1(mmbench_here: Command, tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    done = mmbench_here("check", "--plugin", "torn.py")
    assert done.returncode == 1
    assert "FAILED loads: ModuleNotFoundError" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_options_reach_the_plugin(mmbench_here: Command) -> None:
    arguments = ("check", "key", "--plugin", UNUSUAL, "--set", "release='2025'")
    (verdict,) = json.loads(mmbench_here(*arguments, "--format", "json").stdout)
    told = {check["check"]: check["what"] for check in verdict["checks"]}
    assert told["cache-key"] == "weights 2025"


# --- formats ------------------------------------------------------------------------------------


NASTY = """
import numpy as np
from mmbench import hookimpl

class Nasty:
    def encode(self, items):
        raise ValueError("Nasty.__init__() of a|b <b>bold</b> *x* `y`\\n\\n# no heading [a](b)")

@hookimpl
def mmbench_register_encoders(register):
    register("nasty", Nasty, kind="vector")
"""


def test_json_is_an_array_of_all_that_was_found(mmbench_here: Command, tmp_path: Path) -> None:
    (tmp_path / "nasty.py").write_text(NASTY, encoding="utf-8")
    arguments = ("nasty.py", "--plugin", "nasty.py", "--plugin", UNUSUAL, "--format", "json")
    done = mmbench_here("check", *arguments)
    assert done.returncode == 1
    (verdict,) = json.loads(done.stdout)
    assert {k: verdict[k] for k in ("sort", "name", "kind", "plugin", "version", "passed")} == {
        "sort": "encoder",
        "name": "nasty",
        "kind": "vector",
        "plugin": "nasty.py",
        "version": None,
        "passed": False,
    }
    names = [check["check"] for check in verdict["checks"]]
    assert len(names) == len(set(names)) > 20
    assert {c["status"] for c in verdict["checks"]} == {"passed", "failed", "skipped"}
    failed = [c for c in verdict["checks"] if c["status"] == "failed"]
    assert [c["check"] for c in failed] == ["summary", "runs"]
    assert all(c["what"] and c["why"] and c["mend"] for c in failed)
    assert all(c["what"] for c in verdict["checks"] if c["status"] == "skipped")


def test_markdown_shows_every_failure_and_every_check(
    mmbench_here: Command, tmp_path: Path
) -> None:
    (tmp_path / "nasty.py").write_text(NASTY, encoding="utf-8")
    asked = ("check", "nasty", "one-column", "--plugin", "nasty.py", "--plugin", UNUSUAL)
    done = mmbench_here(*asked, "--format", "md")
    assert done.returncode == 1
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(done.stdout)
    kinds = [token.type for token in tokens]
    assert kinds.count("heading_open") == 1
    assert kinds.count("table_open") == 2
    assert kinds.count("list_item_open") == 2
    shown = ["".join(child.content for child in token.children or ()) for token in tokens
             if token.type == "inline"]  # fmt: skip
    assert "❌ encoder nasty (vector) (nasty.py)" in shown[1]
    error = "ValueError: Nasty.__init__() of a|b <b>bold</b> *x* `y` # no heading [a](b)"
    (runs,) = [text for text in shown if text.startswith("runs: ")]
    assert f"on ordinary rows it raises {error}" in runs
    assert "Why: " in runs
    assert "Mend: " in runs
    assert any(text.startswith("summary: ") for text in shown)
    assert any("✅ encoder one-column (vector)" in text for text in shown)
    rows = kinds.count("tr_open") - 2
    checks = mmbench_here(*asked, "--format", "json")
    assert rows == sum(len(verdict["checks"]) for verdict in json.loads(checks.stdout))


# --- from Python --------------------------------------------------------------------------------


def test_a_failure_is_an_assertion_that_says_everything() -> None:
    with pytest.raises(AssertionError) as caught:
        check_encoder("float64", plugins=[str(ENCODERS)])
    text = " ".join(str(caught.value).split())
    assert "FAILED dtype: encode returned float64; float32 was expected" in text
    assert "why: Embeddings are stored as float32" in text
    assert "mend: End with `.astype(np.float32)`" in text


@pytest.mark.parametrize(
    ("function", "name"),
    [(check_fusion, "first-only"), (check_head, "majority-class"), (check_metric, "regret")],
)
def test_what_passes_returns_its_verdict(function: Any, name: str) -> None:
    (verdict,) = function(name, plugins=[str(LEARNERS)])
    assert (verdict.name, verdict.failures) == (name, [])
    assert verdict.count("passed") > 5


def test_options_are_given_as_a_mapping() -> None:
    check_metric("regret", params={"power": 2.0}, plugins=[str(LEARNERS)])
    with pytest.raises(UserError, match="unknown option 'pwr'; did you mean 'power'"):
        check_metric("regret", params={"pwr": 2.0}, plugins=[str(LEARNERS)])


def test_a_name_of_another_sort_is_not_found() -> None:
    with pytest.raises(UserError, match="there is no 'head:regret'"):
        check_head("regret", plugins=[str(LEARNERS)])


def test_nothing_to_check_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    with pytest.raises(NothingToCheckError, match=r"empty\.py: it registers nothing"):
        list(examinations(plugins=[str(tmp_path / "empty.py")]))


def test_what_a_notebook_registers_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lengths:
        def encode(self, items: Any) -> Any:
            import numpy as np

            return np.array([[np.linalg.norm(item)] for item in items])

    monkeypatch.setattr("mmbench.catalogue._notebook", [])
    package.register("encoder", "lengths", Lengths, kind="vector", summary="Lengths of vectors.")
    (verdict,) = examinations(["lengths"])
    assert [f.check for f in verdict.failures] == ["dtype"]
    (slow,) = [f for f in verdict.findings if f.check == "light-import"]
    assert (slow.status, slow.what) == ("skipped", "it was registered from a notebook")
