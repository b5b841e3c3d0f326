"""`mmbench new`: packages that install, are listed, pass the kit and their tests, and are used."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mmbench.errors import UserError
from mmbench.scaffold import VARIANTS, Package, new_package

REPOSITORY = Path(__file__).parents[1]
PLUGINS = ("digits", "features", "fusions", "heads", "manifest", "metrics")
LONG_FOR_A_REASON = {"dataset", "fusion-joint", "runner"}
"""Their many members are set apart by more blank lines than twenty lines leave room for."""


def options(variant: str) -> dict[str, str]:
    """Return the options that ask for a variant: ``kind``, and ``level`` or ``modality``."""
    kind, _, detail = variant.partition("-")
    further = {"fusion": {"level": detail}, "encoder": {"modality": detail}}
    return {"kind": kind, **further.get(kind, {})}


def blocks(package: Package, language: str) -> list[str]:
    """Return the README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", package.files["README.md"], re.DOTALL)


# --- what is written -------------------------------------------------------------------------


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_a_module_has_under_twenty_lines_and_ruff_finds_nothing(variant, tmp_path):
    package = new_package("my-first", **options(variant))
    modules = [path for path in package.files if path.startswith("mmbench_my_first/")]
    for path in modules:
        lines = package.files[path].splitlines()
        assert len([line for line in lines if line.strip()]) < 20, path
        assert len(lines) < 20 or variant in LONG_FOR_A_REASON, path
    for command in (["check", "--ignore=D1"], ["format", "--diff"]):
        config = f"--config={REPOSITORY / 'pyproject.toml'}"
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", config, "."],
            capture_output=True,
            text=True,
            cwd=tmp_path / "my-first",
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_new_says_what_it_wrote_and_what_to_do_next(mmbench, tmp_path):
    done = mmbench("new", "mmbench-tiny-idea", "--kind", "head", "--out", "deep/in here")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    made = rest[: rest.index("next:")]
    assert first == "deep/in here holds mmbench-tiny-idea, which registers head:tiny-idea"
    folder = tmp_path / "deep" / "in here"
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert {f"  {path.relative_to(folder).as_posix()}" for path in written} == set(made)
    assert {path.name for path in written} == {
        "pyproject.toml", "README.md", "__init__.py", "py.typed", "test_tiny_idea.py",
    }  # fmt: skip
    assert rest[rest.index("next:") + 1 :] == [
        "  python -m pip install -e './deep/in here[test]'",
        "  mmbench list head:tiny-idea",
        "  mmbench check head:tiny-idea",
        "  python -m pytest './deep/in here'",
    ]
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"] == {"mmbench": {"tiny-idea": "mmbench_tiny_idea"}}
    assert project["license"] == "LicenseRef-fill-in"


# --- names -----------------------------------------------------------------------------------

PARTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=9)
FREE = st.lists(PARTS, max_size=3).map(lambda parts: "-".join(["a" + "-".join(parts), "q9"]))
"""Valid names that nothing is called by."""


@settings(max_examples=60, deadline=None)
@given(name=FREE, variant=st.sampled_from(sorted(VARIANTS)))
@example(name="none", variant="encoder-text")
@example(name="any", variant="metric")
@example(name="image", variant="encoder-image")
@example(name="import", variant="head")
@example(name="hookimpl", variant="fusion-decision")
@example(name="mmbench-class", variant="dataset")
@example(name="m", variant="runner")
@example(name="x" * 40, variant="fusion-feature")
def test_a_valid_name_makes_a_package_whose_files_parse(name, variant):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "package"
        package = new_package(name, **options(variant), out=out)
        entry = name.removeprefix("mmbench-")
        files = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
        assert set(files) == set(package.files)
        for path, file in files.items():
            if path.endswith(".py"):
                ast.parse(file.read_text(encoding="utf-8"))
        project = tomllib.loads(files["pyproject.toml"].read_text(encoding="utf-8"))["project"]
        (module,) = project["entry-points"]["mmbench"].values()
        assert project["entry-points"]["mmbench"] == {entry: module}
        assert project["name"].replace("-", "_") == module
        assert [tomllib.loads(text)["name"] for text in blocks(package, "toml")] == [f"try-{entry}"]
        if variant != "runner":  # its two modules find each other only when it is installed
            assert registered(files[f"{module}/__init__.py"]) == [entry]


def registered(file: Path) -> list[str]:
    """Execute a module and return the names that it registers, each for what can be built."""
    namespace: dict[str, Any] = {"__name__": "made"}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), namespace)
    names = []

    def register(name: str, target: Any, **flags: Any) -> None:
        assert target() is not None
        names.append(name)

    for hook in [value for name, value in namespace.items() if name.startswith("mmbench_")]:
        hook(register)
    return names


@settings(max_examples=100, deadline=None)
@given(name=st.text(max_size=45))
@example(name="")
@example(name="My-Idea")
@example(name="my_idea")
@example(name="my--idea")
@example(name="my-idea-")
@example(name="-idea")
@example(name="2nd")
@example(name="mmbench-2nd")
@example(name="mmbench-")
@example(name="my/idea")
@example(name="../idea")
@example(name="idea\n")
@example(name="idée")
@example(name="x" * 41)
def test_an_invalid_name_makes_nothing(name):
    assume(not re.fullmatch(r"[a-z]([a-z0-9]|-(?=[a-z0-9])){0,39}", name))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        with pytest.raises(UserError) as told:
            new_package(name, "head")
        assert "is no valid name" in str(told.value)
        assert "\n" not in str(told.value)
        assert not list(Path(folder).iterdir())


# --- mistakes --------------------------------------------------------------------------------

MISTAKES = {
    ("My_Idea", "--kind", "head"):
        "new: 'My_Idea' is no valid name: lower-case letters, digits and single dashes between "
        "them are allowed, a letter first, 40 in all; did you mean 'my-idea'?",
    ("hog", "--kind", "encoder"):
        "new: the name is taken: encoder 'hog' is registered by the plugin 'features'",
    ("mmbench-hog", "--kind", "encoder"):
        "new: the name is taken: encoder 'hog' is registered by the plugin 'features'",
    ("manifest", "--kind", "head"):
        "new: the name is taken: mmbench-manifest 0.1.0 is installed",
    ("mmbench", "--kind", "head"):
        "new: the name is taken: a plugin is called 'mmbench'",
    ("lying-about", "--kind", "head"):
        "new: the name is taken: a module mmbench_lying_about exists (a folder of that name)",
    ("there", "--kind", "head"): "new: the folder there exists already",
    ("idea", "--kind", "head", "--out", "there"): "new: the folder there exists already",
    ("idea", "--kind", "head", "--out", "file/idea"):
        "new: file/idea cannot be made: Not a directory",
    ("idea", "--kind", "head", "--level", "joint"):
        "new: --level is for --kind fusion, not for head",
    ("idea", "--kind", "fusion", "--modality", "text"):
        "new: --modality is for --kind encoder, not for fusion",
    ("idea", "--kind", "haed"):
        "Invalid value for '--kind': 'haed' is not one of 'dataset', 'encoder', 'alignment', "
        "'fusion', 'head', 'metric', 'runner'.",
}  # fmt: skip


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_nothing_is_written(mmbench_here, tmp_path, arguments):
    (tmp_path / "there").mkdir()
    (tmp_path / "mmbench_lying_about").mkdir()
    (tmp_path / "file").write_text("a file")
    before = sorted(tmp_path.rglob("*"))
    done = mmbench_here("new", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mmbench: {MISTAKES[arguments]}\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_where_a_file_cannot_be_written_nothing_stays(tmp_path, monkeypatch):
    write = Path.write_text

    def full(path: Path, *given: Any, **keywords: Any) -> int:
        if path.name == "pyproject.toml":
            raise OSError(28, "No space left on device")
        return write(path, *given, **keywords)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="idea cannot be written: No space left on device"):
        new_package("idea", "head")
    assert not (tmp_path / "idea").exists()


# --- used ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clean:
    """A virtual environment that has mmbench and some of its plugins, as a user has them."""

    folder: Path

    def __call__(self, command: str, cwd: Path) -> str:
        """Run a command line as the user would, and return what it printed; it must succeed."""
        done = self.attempt(command, cwd)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(self, command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command line, and return how it ended."""
        foreign = ("PYTHON", "PYTEST", "MMBENCH", "VIRTUAL_ENV")
        kept = {name: v for name, v in os.environ.items() if not name.startswith(foreign)}
        env = {
            **kept,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "MMBENCH_STORE": str(self.folder / "store"),
            "OMP_NUM_THREADS": "1",
            "PIP_CONSTRAINT": str(REPOSITORY / "constraints.txt"),
            "PIP_NO_BUILD_ISOLATION": "0",  # to pip 0 means "no": what builds is installed before
            "PIP_NO_COMPILE": "0",
            "PIP_QUIET": "1",
        }
        return subprocess.run(
            command, shell=True, capture_output=True, text=True, cwd=cwd, env=env, timeout=600
        )


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clean]:
    """Make the environment: mmbench as a wheel, so that it brings its templates along."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    environment = Clean(folder)
    reached = environment.attempt("python -m pip install hatchling editables pytest", folder)
    if reached.returncode != 0:
        reason = reached.stderr.strip().splitlines()[-1]
        pytest.skip(f"a clean environment needs a package index: {reason}")
    plugins = " ".join(f"-e '{REPOSITORY / 'plugins' / name}'" for name in PLUGINS)
    environment(f"python -m pip install '{REPOSITORY}' {plugins}", folder)
    yield environment
    shutil.rmtree(folder)


def prepare(variant: str, package: Package, folder: Path) -> str:
    """Put in place what the README has its reader bring; return what is added to its command."""
    if variant == "encoder-vector":
        rows = [f"{i % 2 + i % 5 / 9},{i % 3},{i % 7},{'ab'[i % 2]}\n" for i in range(60)]
        (folder / "data.csv").write_text("x1,x2,x3,label\n" + "".join(rows))
    if variant == "encoder-video":
        (folder / "clips.py").write_text(CLIPS)
        return "--plugin clips.py"
    return ""


CLIPS = '''
"""A dataset of videos in two colours."""
from mmbench import hookimpl
import numpy as np
from PIL import Image


class Clips:
    modalities = {"clip": "video"}
    classes = ["blue", "red"]
    labels = np.arange(40) % 2
    ids = [f"clip-{i}" for i in range(40)]

    def items(self, modality):
        return [[Image.new("RGB", (8, 6), self.classes[y])] * 3 for y in self.labels]

    def fingerprint(self, modality):
        return "the same"


@hookimpl
def mmbench_register_datasets(register):
    register("your-dataset", Clips)
'''


@dataclass(frozen=True)
class Made:
    """A package that ``mmbench new`` wrote, and what it says to do next."""

    package: Package
    install: str
    listing: str
    check: str
    tests: str


@pytest.fixture(scope="module")
def made(clean: Clean, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Made]]:
    """Make a package of every variant, and install them as they are told to be, all at once."""
    folder = tmp_path_factory.mktemp("made")
    packages = {}
    for variant in sorted(VARIANTS):
        name = f"brand-new-{variant}"
        flags = " ".join(f"--{option} {value}" for option, value in options(variant).items())
        told = clean(f"mmbench new {name} {flags} --out {folder / name}", folder).splitlines()
        package = Package(name, options(variant)["kind"], variant, folder / name)
        packages[variant] = Made(
            package, *(line.strip() for line in told[told.index("next:") + 1 :])
        )
    pip = "python -m pip install "
    assert all(one.install.startswith(pip) for one in packages.values())
    clean(pip + " ".join(one.install.removeprefix(pip) for one in packages.values()), folder)
    yield packages
    distributions = " ".join(one.package.distribution for one in packages.values())
    clean(f"python -m pip uninstall -y {distributions}", folder)
    left = {entry["name"] for entry in json.loads(clean("mmbench list --json", folder))}
    assert not left & {one.package.entry for one in packages.values()}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_from_nothing_to_a_cell_of_a_table_in_a_clean_environment(variant, clean, made):
    one = made[variant]
    assert VARIANTS[variant].summary in clean(one.listing, one.package.folder)
    if variant == "head":  # its own tests run the same checks
        assert "checks passed" in clean(one.check, one.package.folder)
    table = run_the_readme(variant, one.package, clean)
    used = table[uses(table, one.package)]
    assert len(used) >= 1
    assert set(used["status"]) == {"ok"}, used["reason"].unique()


def test_the_tests_that_it_brings_pass(clean, made, tmp_path):
    pytest_ = "python -m pytest "
    assert all(one.tests.startswith(pytest_) for one in made.values())
    folders = " ".join(one.tests.removeprefix(pytest_) for one in made.values())
    assert f"{2 * len(made)} passed" in clean(pytest_ + folders, tmp_path)


def run_the_readme(variant: str, package: Package, clean: Clean) -> pd.DataFrame:
    """Run the README's matrix by the README's command, in two folds only, and return the table."""
    folder = package.folder
    added = prepare(variant, package, folder)
    (matrix,) = blocks(package, "toml")
    (folder / "try.toml").write_text(matrix, encoding="utf-8")
    commands = [line for text in blocks(package, "console") for line in text.splitlines()]
    (command,) = [line.removeprefix("$ ") for line in commands if " run " in line]
    clean(f"{command} --set split.folds=2 {added} --jobs 1 --out out", folder)
    return pd.read_csv(folder / "out" / "cells.csv", keep_default_na=False)


def uses(table: pd.DataFrame, package: Package) -> pd.Series:
    """Whether a cell was made with the plugin."""
    if package.kind == "runner":
        return table["cell"] != ""
    if package.kind == "metric":
        return table[package.entry] != ""
    columns = [name for name in table if name.split("_")[0] == package.kind]
    return (table[columns] == package.entry).any(axis=1)
