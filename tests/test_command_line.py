"""The command line's verbs: list, env, cache, report, and what a broken plugin does to them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import mmbench as face
from mmbench.cli import cli, main

VERBS = (
    "cache", "check", "compare", "env", "import-benchmark", "list", "new", "plan", "report", "run",
    "time", "view",
)  # fmt: skip
FIELDS = {"name", "kind", "level", "plugin", "version", "summary"}
HEAVY = {
    "torch", "pandas", "sklearn", "scipy", "numpy", "pyarrow", "PIL", "skimage", "soundfile",
    "plotly", "matplotlib", "ray",
}  # fmt: skip


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)


# --- help and list ---------------------------------------------------------------------------


def test_help_names_every_verb(mmbench):
    for flag in ("--help", "-h"):
        done = mmbench(flag)
        assert (done.returncode, done.stderr) == (0, "")
        listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
        assert set(VERBS) <= set(listed)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_help(verb):
    done = call(verb, "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: cli {verb}")


def test_version(mmbench):
    from importlib.metadata import version

    assert mmbench("--version").stdout == f"mmbench {version('mmbench')}\n"


def test_list_shows_every_sort_and_name():
    told = call("list").output
    for name in ("hog", "tf-idf", "concat", "stacking", "svm", "manifest", "accuracy", "local"):
        assert any(line.split()[0] == name for line in told.splitlines()), name


def test_list_as_json_has_the_fields_that_users_rely_on():
    listed = json.loads(call("list", "encoders", "--json").output)
    by_name = {each["name"]: each for each in listed}
    assert all(each.keys() >= FIELDS for each in listed)
    hog = {key: by_name["hog"][key] for key in ("kind", "level", "plugin", "version")}
    assert hog == {"kind": "image", "level": None, "plugin": "features", "version": "0.1.0"}
    assert by_name["tf-idf"]["kind"] == "text"
    assert all(each["summary"] for each in listed)
    fusions = {e["name"]: e["level"] for e in json.loads(call("list", "fusions", "--json").output)}
    assert fusions["concat"] == "feature"
    assert fusions["stacking"] == "decision"
    names = [e["name"] for e in json.loads(call("list", "--json").output)]
    assert {"hog", "concat", "svm", "digits", "accuracy", "local"} <= set(names)


def test_list_of_a_name_shows_its_options():
    for words in (["svm"], ["heads", "svm"], ["head:svm"]):
        told = call("list", *words).output
        assert "C: float (default 1.0)" in told
        assert "kernel" in told
    (svm,) = json.loads(call("list", "svm", "--json").output)
    assert svm.keys() >= FIELDS
    assert {o["name"]: o["default"] for o in svm["options"]} == {
        "C": 1.0, "kernel": "rbf", "gamma": "scale", "degree": 3, "coef0": 0.0,
        "class_weight": None, "oversample": False,
    }  # fmt: skip
    assert svm["given"] == []
    (forest,) = json.loads(call("list", "random-forest", "--json").output)
    assert forest["given"] == ["seed", "threads"]
    assert not {"seed", "threads"} & {o["name"] for o in forest["options"]}


def test_a_name_of_two_sorts_is_asked_for_by_its_sort(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from mmbench import hookimpl\n"
        "def build(*, mine: int = 7): ...\n"
        "@hookimpl\ndef mmbench_register_heads(register):\n    register('concat', build)\n"
    )
    with_it = ["--plugin", "mine.py"]
    assert "mine: int (default 7)" in call("list", "head:concat", *with_it).output
    assert "mine" not in call("list", "fusions", "concat", *with_it).output
    with pytest.raises(Exception, match="say fusion:concat or head:concat"):
        call("list", "concat", *with_it)


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["list", "--json"], ["list", "plugins"], ["--help"], ["lst"]],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_to_answer_at_once(tmp_path, arguments):
    code = (
        "import sys, mmbench\nfrom mmbench.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        "finally:\n    open('modules', 'w').write(' '.join(sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path)
    modules = {name.partition(".")[0] for name in (tmp_path / "modules").read_text().split()}
    assert "mmbench" in modules
    assert "mmbench_heads" in modules
    assert not HEAVY & modules


def test_importing_mmbench_imports_nothing_of_others(tmp_path):
    code = "import sys; before = set(sys.modules); import mmbench; print(*set(sys.modules)-before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert not imported & (HEAVY | {"click", "pydantic", "rich"})
    assert not {name for name in imported if name.startswith("mmbench_")}
    assert all(hasattr(face, name) for name in face.__all__)


# --- broken plugins --------------------------------------------------------------------------

BROKEN = {
    "raises": ("raise RuntimeError('spilt milk')", "RuntimeError: spilt milk"),
    "exits": ("import sys\nsys.exit(7)", "SystemExit: 7"),
    "misspelt": (
        "from mmbench import hookimpl\n@hookimpl\ndef mmbench_register_haeds(register): ...",
        "unknown hook 'mmbench_register_haeds'",
    ),
    "late": (
        "from mmbench import hookimpl\n"
        "@hookimpl\ndef mmbench_register_heads(register):\n"
        "    register('half', object)\n    raise KeyError('late')",
        "KeyError: 'late'",
    ),
}
GOOD = (
    "from mmbench import hookimpl\n"
    "@hookimpl\ndef mmbench_register_heads(register):\n"
    "    register('sound', 'sklearn.svm:SVC', summary='a head')\n"
    "@hookimpl\ndef mmbench_register_commands(cli):\n"
    "    import click\n    cli.add_command(click.Command('greet', help='Say hello.',"
    " callback=lambda: click.echo('hello')))\n"
)


def install(site: Path, name: str, version: str, point: str, module: str, source: str = "") -> None:
    """Lay out an installed distribution with one entry point; without a source, no module."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[mmbench]\n{point} = {module}\n")
    if source:
        (site / f"{module}.py").write_text(source + "\n")


POINTS = ("raises", "exits", "misspelt", "late", "absent", "sound")


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """Install six distributions, five of them broken, and return the environment to have them."""
    sources = {"sound": GOOD, "absent": "", **{name: text for name, (text, _) in BROKEN.items()}}
    folder = tmp_path / "site"
    for name in POINTS:
        install(folder, f"broken_{name}", "1.2", name, f"broken_{name}", sources[name])
    return {"PYTHONPATH": str(folder)}


def test_list_plugins_tells_what_is_broken_and_why(mmbench, installed):
    done = mmbench("list", "plugins", **installed)
    assert (done.returncode, done.stderr) == (0, "")
    sections = {}
    for line in done.stdout.splitlines():
        if not line.startswith(" "):
            name = line.split()[0].rstrip(":")
            sections[name] = ""
        sections[name] += line + "\n"
    for name, (_, reason) in BROKEN.items():
        assert sections[name].startswith(f"{name} 1.2: FAILED\n  Traceback (most recent call last)")
        assert reason in sections[name]
    assert "ModuleNotFoundError: No module named 'broken_absent'" in sections["absent"]
    assert sections["sound"] == "sound 1.2: head:sound\n"
    assert "head:svm" in sections["heads"]


def test_list_plugins_as_json(mmbench, installed):
    listed = {
        p["name"]: p for p in json.loads(mmbench("list", "plugins", "--json", **installed).stdout)
    }
    assert {name for name, plugin in listed.items() if plugin["error"]} == {*POINTS} - {"sound"}
    assert listed["sound"] == {
        "name": "sound", "version": "1.2", "registers": ["head:sound"], "error": None
    }  # fmt: skip
    assert "SystemExit: 7" in listed["exits"]["error"]


def test_all_other_names_work_beside_broken_plugins(mmbench, installed):
    done = mmbench("list", "heads", "--json", **installed)
    assert done.returncode == 0
    names = {head["name"] for head in json.loads(done.stdout)}
    assert {"svm", "random-forest", "sound"} <= names
    assert "half" not in names
    done = mmbench("list", "heads", **installed)
    assert done.stderr.startswith("failed to load: ")
    assert {*POINTS} - {"sound"} <= set(done.stderr.replace(",", " ").replace(";", " ").split())


def test_the_command_line_works_beside_broken_plugins(mmbench, installed):
    assert json.loads(mmbench("env", **installed).stdout)["plugins"]["sound"] == "1.2"
    assert "Say hello." in mmbench("--help", **installed).stdout
    done = mmbench("greet", **installed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")


def test_a_matrix_runs_beside_broken_plugins(mmbench, installed, tmp_path):
    write_matrix(tmp_path)
    done = mmbench("run", "toy.toml", "--quiet", "--jobs", 1, **installed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = mmbench("plan", "toy.toml", "--set", "heads=half", **installed)
    assert done.returncode == 2
    assert "failed to load: see `mmbench list plugins`" in done.stderr


def test_mmbench_plugins_leaves_the_broken_ones_unloaded(mmbench, installed):
    done = mmbench("list", "heads", MMBENCH_PLUGINS="heads,sound", **installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} >= {"svm", "sound"}
    assert "hog" not in mmbench("list", MMBENCH_PLUGINS="heads", **installed).stdout


def test_two_installed_plugins_of_one_entry_point_name(mmbench, installed, tmp_path):
    """Both are there, whatever their entry points are called."""
    source = GOOD.replace("'sound'", "'noise'").replace("greet", "shout")
    install(tmp_path / "site", "another_sound", "3.4", "sound", "another_sound", source)
    names = {h["name"] for h in json.loads(mmbench("list", "heads", "--json", **installed).stdout)}
    assert {"sound", "noise"} <= names
    told = mmbench("--help", **installed).stdout
    assert "greet" in told
    assert "shout" in told


def test_a_plugin_whose_command_hook_fails_costs_a_line(mmbench, tmp_path):
    site = tmp_path / "site"
    source = (
        "import sys\nfrom mmbench import hookimpl\n"
        "@hookimpl\ndef mmbench_register_commands(cli):\n    sys.exit('gone')\n"
    )
    install(site, "bad", "1", "bad", "bad", source)
    done = mmbench("--help", PYTHONPATH=str(site))
    assert done.returncode == 0
    assert done.stderr == "plugin bad: SystemExit: gone\n"
    assert "Commands" in done.stdout


# --- a run, its report and its store ---------------------------------------------------------

MATRIX = """\
name = "toy"
heads = ["logistic-regression"]
fusions = ["concat"]
split.folds = 2

[[datasets]]
use = "manifest"
path = "toy.csv"
label = "class"
[datasets.modalities]
a = { columns = "a*", kind = "vector" }
b = { columns = "b*", kind = "vector" }

[encoders]
vector = "identity"
"""


def write_matrix(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(24, 4)), columns=["a1", "a2", "b1", "b2"])
    table["class"] = ["x", "y", "z"] * 8
    table.to_csv(folder / "toy.csv", index=False)
    (folder / "toy.toml").write_text(MATRIX)
    return folder / "toy.toml"


@pytest.fixture(scope="module")
def done_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run ``run`` and its store ``store``."""
    folder = tmp_path_factory.mktemp("toy")
    face.run(write_matrix(folder), out=folder / "run", store=folder / "store", jobs=1)
    return folder


def test_report_as_markdown_and_csv(done_run, tmp_path):
    run = done_run / "run"
    done = call("report", run, "--format", "md")
    assert done.output == f"{run / 'report.md'}\n"
    text = (run / "report.md").read_text()
    assert text.startswith("# toy\n")
    assert "logistic-regression" in text
    done = call("report", run, "--format", "csv", "--out", tmp_path / "deep" / "mine.csv")
    assert done.output == f"{tmp_path / 'deep' / 'mine.csv'}\n"
    rows = list(csv.DictReader(io.StringIO((tmp_path / "deep" / "mine.csv").read_text())))
    assert [row["fusion"] for row in rows] == ["none", "none", "concat"]
    cells = pd.read_csv(run / "cells.csv")
    means = cells.groupby(["modalities"], sort=False)["accuracy"].mean()
    assert [float(row["accuracy"]) for row in rows] == pytest.approx(means.to_list(), abs=1e-15)
    assert [int(row["n"]) for row in rows] == [2, 2, 2]
    done = call("report", run, "--format", "md", "--out", tmp_path)
    assert done.output == f"{tmp_path / 'report.md'}\n"
    assert (tmp_path / "report.md").read_text() == text


@pytest.fixture
def store(done_run, own_store) -> Path:
    """A copy of the finished run's store, at the place that MMBENCH_STORE names."""
    import shutil

    shutil.copytree(done_run / "store", own_store)
    return own_store


def artefacts(store: Path) -> list[Path]:
    return sorted(path.parent for path in store.rglob("meta.json"))


def test_cache_ls_counts_what_is_there(store):
    lines = [line.split() for line in call("cache", "ls").output.splitlines()]
    *kinds, total = [(float(line[0]), int(line[2])) for line in lines]
    assert total[1] == sum(n for _, n in kinds) == len(artefacts(store))
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    assert total[0] == pytest.approx(size / 1e6, abs=0.01)


def test_cache_verify_finds_a_flipped_bit(store):
    n = len(artefacts(store))
    done = call("cache", "verify")
    assert done.output == f"{n} results checked, 0 damaged\n"
    file = max(store.rglob("*.npy"), key=lambda path: (path.stat().st_size, path))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    status = cli.main(["cache", "verify"], standalone_mode=False)
    assert status == 1
    assert file.parent not in artefacts(store)
    done = call("cache", "verify")
    assert done.output == f"{n - 1} results checked, 0 damaged\n"


def test_cache_verify_exits_with_status_one(store, mmbench):
    record = artefacts(store)[0] / "meta.json"
    record.write_bytes(record.read_bytes().replace(b"{", b"[", 1))
    done = mmbench("cache", "verify")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"damaged, removed: {record.parent.name}\n")


def test_what_verify_removed_is_made_again(store, done_run, tmp_path):
    file = max(store.rglob("*.npy"), key=lambda path: (path.stat().st_size, path))
    file.write_bytes(b"nothing")
    assert cli.main(["cache", "verify"], standalone_mode=False) == 1
    face.run(done_run / "toy.toml", out=tmp_path / "again", jobs=1)
    timing = list(face.TIMING_COLUMNS)
    table, earlier = (face.read_results(f) for f in (tmp_path / "again", done_run / "run"))
    pd.testing.assert_frame_equal(table.drop(columns=timing), earlier.drop(columns=timing))


def test_cache_prune(store):
    n = len(artefacts(store))
    left, written = store / "v1" / ".new-left-by-a-killed-process", store / "v1" / ".new-now"
    for folder in (left, written):
        folder.mkdir()
    os.utime(left, (0, 0))
    done = call("cache", "prune", "--days", 1)
    assert done.output == f"removed 0 results from {store}\n"
    assert len(artefacts(store)) == n
    assert not left.exists()
    assert written.exists()
    done = call("cache", "prune")
    assert done.output == f"removed {n} results from {store}\n"
    assert artefacts(store) == []
    assert call("cache", "ls").output.split()[2] == "0"


def test_store_option_beats_the_environment(done_run, own_store):
    done = call("cache", "ls", "--store", done_run / "store")
    assert str(done_run / "store") in done.output
    assert not own_store.exists()


def test_env_prints_json(own_store):
    from importlib.metadata import version

    told = json.loads(call("env").output)
    assert told["mmbench"] == version("mmbench")
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["store"] == str(own_store)
    assert told["machine"]["cores"] >= 1
    assert {"heads", "fusions", "features", "manifest"} <= told["plugins"].keys()
    assert told["versions"]["scikit-learn"] == version("scikit-learn")


def test_nothing_left_to_work_on_is_status_three(tmp_path, capfd):
    path = write_matrix(tmp_path)
    for choice in (["--only", "fusion=vote"], ["--exclude", "head=logistic-regression"]):
        with pytest.raises(SystemExit) as ended:
            main(["run", str(path), *choice])
        told = capfd.readouterr()
        assert (ended.value.code, told.out) == (3, "")
        assert told.err == "mmbench: there is no cell to evaluate\n"
    assert not (tmp_path / "results").exists()


def test_only_and_exclude_choose_the_work(done_run, tmp_path):
    for choice, expected in (
        (["--only", "fusion=concat", "--only", "fold=1"], {("a+b", 1)}),
        (["--only", "modalities=a", "--only", "modalities=b", "--exclude", "fold=0"],
         {("a", 1), ("b", 1)}),
    ):  # fmt: skip
        out = tmp_path / str(len(expected))
        arguments = ["--out", str(out), "--store", str(done_run / "store"), "--quiet"]
        with pytest.raises(SystemExit, match="0"):
            main(["run", str(done_run / "toy.toml"), *choice, *arguments])
        table = face.read_results(out)
        assert set(zip(table["modalities"], table["fold"], strict=True)) == expected
        assert set(table["status"]) == {"ok"}


def test_set_overrides_keys_and_limit_names_the_folder(tmp_path):
    path = write_matrix(tmp_path)
    changes = ["--set", "split.folds=3", "--set", "seeds=[4]", "--set", "datasets.0.name=other"]
    with pytest.raises(SystemExit, match="0"):
        main(["run", str(path), *changes, "--limit", "12", "--quiet", "--jobs", "1"])
    table = face.read_results(tmp_path / "results" / "toy-limit12")
    assert set(table["fold"]) == {0, 1, 2}
    assert set(table["seed"]) == {4}
    assert set(table["dataset"]) == {"other"}
    assert (table["n_train"] + table["n_test"] == 12).all()


def test_plan_runs_nothing_and_counts_what_is_stored(done_run, tmp_path, own_store):
    fresh = json.loads(call("plan", done_run / "toy.toml", "--json").output)
    assert {"cells", "jobs", "left_out", "datasets", "estimate"} <= fresh.keys()
    assert fresh["cells"] == 6
    assert fresh["jobs"]["stored"] == 0 < fresh["jobs"]["total"]
    assert artefacts(own_store) == []
    assert not (tmp_path / "results").exists()
    kept = ["--store", done_run / "store"]
    done = json.loads(call("plan", done_run / "toy.toml", "--json", *kept).output)
    assert done["jobs"]["stored"] == done["jobs"]["total"] == fresh["jobs"]["total"]
    (dataset,) = done["datasets"]
    assert dataset["classes"] == {"x": 8, "y": 8, "z": 8}
    assert dataset["modalities"]["a"] == {"kind": "vector", "missing": 0}
    text = call("plan", done_run / "toy.toml").output
    assert "1 a × 1 b encoders" in text
    assert "6 cells" in text
