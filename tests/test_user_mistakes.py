"""A user's mistakes: one line that names file, key or row and the nearest name, before any work."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mmbench.cli import main

MATRIX = """\
name = "iris"
fusions = ["concat"]
heads = ["logistic-regression"]

[[datasets]]
use = "manifest"
path = "data/manifest.csv"
label = "species"
id = "id"
[datasets.modalities]
petal = { columns = "petal*", kind = "vector" }
note = { column = "note", kind = "text" }

[encoders]
vector = "identity"
text = "tf-idf"

[split]
folds = 2
"""

MANIFEST = "id,petal1,petal2,note,part,species\n" + "".join(
    f"s{i},{i % 7},{i % 5},a note of {i % 3},{'test' if i % 4 == 0 else 'train'},{'xyz'[i % 3]}\n"
    for i in range(24)
)

FLOWERS = '"""A head."""\nfrom mmbench import hookimpl\n'
HEAD = "@hookimpl\ndef mmbench_register_heads(register):\n    register({name!r}, object)\n"


@pytest.fixture
def matrix(tmp_path: Path) -> Callable[..., Path]:
    """Write a working matrix and its manifest, both changed as asked."""

    def write(*changes: tuple[str, str], manifest: str | bytes = MANIFEST) -> Path:
        (tmp_path / "data").mkdir(exist_ok=True)
        content = manifest if isinstance(manifest, bytes) else manifest.encode()
        (tmp_path / "data" / "manifest.csv").write_bytes(content)
        text = MATRIX
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "iris.toml"
        path.write_text(text)
        return path

    return write


def lie_there(folder: Path) -> set[Path]:
    """What lies in a folder, bytecode and the empty folders of a store aside."""
    return {
        path
        for path in folder.rglob("*")
        if path.name != "__pycache__"
        and path.suffix != ".pyc"
        and not (path.is_dir() and "store" in path.parts)
    }


@pytest.fixture
def refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command line and return its one line of complaint."""

    def call(*arguments: object, status: int = 2) -> str:
        before = lie_there(tmp_path)
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        told = capfd.readouterr()
        assert told.out == ""
        assert re.fullmatch(r"mmbench: [^\n]+\n", told.err), told.err
        assert ended.value.code == status
        assert lie_there(tmp_path) == before
        return told.err.removeprefix("mmbench: ").removesuffix("\n")

    return call


def test_without_a_mistake_it_runs(matrix, tmp_path, capfd):
    """What the other tests change works unchanged, and makes the folder that they do not find."""
    before = lie_there(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(matrix()), "--quiet", "--jobs", "1"])
    assert ended.value.code == 0, capfd.readouterr().err
    assert tmp_path / "results" / "iris" / "cells.csv" in lie_there(tmp_path) - before


# --- the matrix file -------------------------------------------------------------------------

NAMES = [
    ('["logistic-regression"]', '["logistic-regresion"]',
     "heads[0]: unknown head 'logistic-regresion'; did you mean 'logistic-regression'?"),
    ('["concat"]', '["concat", { use = "stackin" }]',
     "fusions[1]: unknown fusion 'stackin'; did you mean 'stacking'?"),
    ('"identity"', '"identty"',
     "encoders.vector[0]: unknown encoder 'identty'; did you mean 'identity'?"),
    ('use = "manifest"', 'use = "manifst"',
     "datasets[0].use: unknown dataset 'manifst'; did you mean 'manifest'?"),
    ('name = "iris"', 'name = "iris"\nmetrics = ["acuracy"]',
     "metrics[0]: unknown metric 'acuracy'; did you mean 'accuracy'?"),
    ('name = "iris"', 'name = "iris"\nmetric = "f1_marco"',
     "metric: unknown metric 'f1_marco'; did you mean 'f1_macro'?"),
    ('name = "iris"', 'name = "iris"\nalignments = ["ccaa"]',
     "alignments[0]: unknown alignment 'ccaa'; did you mean 'cca'?"),
]  # fmt: skip

KEYS = [
    ("heads =", "haeds =", "unknown key 'haeds'; did you mean 'heads'?"),
    ("folds = 2", "fold = 2", "unknown key 'split.fold'; did you mean 'folds'?"),
    ("[split]", "[splits]", "unknown key 'splits'; did you mean 'split'?"),
    ('path = "data', 'pth = "data',
     "datasets[0]: unknown option 'pth'; did you mean 'path'?"),
    ('label = "species"\n', "", "datasets[0]: option 'label' is required"),
    ('"logistic-regression"', '{ use = "logistic-regression", c = 1 }',
     "heads[0] (logistic-regression): unknown option 'c'; did you mean 'C'?"),
    ('"logistic-regression"', '{ use = "random-forest", seed = 1 }',
     "heads[0] (random-forest): 'seed' is given by mmbench; it is no option"),
    ('"logistic-regression"', "{ C = 1 }", "key 'heads[0].use' is required"),
    ('text = "tf-idf"', 'text = ["tf-idf", { words = 1 }]',
     "key 'encoders.text[1].use' is required"),
    ('use = "manifest"\n', "", "key 'datasets[0].use' is required"),
    ('name = "iris"\n', "", "key 'name' is required"),
    ("column = ", "colum = ",
     "modalities.note: unknown key 'colum'; did you mean 'column'?"),
]  # fmt: skip

MISPLACED = [
    ("[encoders]", "[encoders]\nsubsets = 'all'", "subsets stands under [encoders]"),
    ('text = "tf-idf"', 'text = "tf-idf"\nheads = ["svm"]', "heads stands under [encoders]"),
    ("[datasets.modalities]", "[datasets.modalities]\nseeds = [1]",
     "seeds stands under [datasets.modalities]"),
    ('id = "id"', 'id = "id"\nfusions = ["vote"]', "fusions stands under [[datasets]]"),
    ("[split]", "[split]\nthreads = 2", "threads stands under [split]"),
    ("[split]", "[[exclude]]\nheads = 'svm'\n[split]", "heads stands under [[exclude]]"),
]  # fmt: skip

VALUES = [
    ('name = "iris"', 'name = "iris"\nseeds = "x"', "seeds = 'x': "),
    ('name = "iris"', 'name = "iris"\nseeds = []', "seeds = []: "),
    ('name = "iris"', 'name = "iris"\nseeds = [0, -1]', "seeds[1] = -1: "),
    ('name = "iris"', 'name = "iris"\nthreads = 0', "threads = 0: "),
    ('name = "iris"', 'name = "iris"\npair = "zipped"', "pair = 'zipped': "),
    ('name = "iris"', 'name = "iris"\nmissing = "median"', "missing[0] = 'median': "),
    ('name = "iris"', 'name = "iris"\nsubsets = ["petal"]',
     "subsets[0] = 'petal': Input should be a valid list"),
    ('name = "iris"', 'name = "iris"\nsubsets = [["petal", "nota"]]',
     "subsets[0]: no dataset has the modalities ['petal', 'nota']; did you mean 'note'?"),
    ('name = "iris"', 'name = "../iris"', "name = '../iris': "),
    ('heads = ["logistic-regression"]', "heads = []", "heads = []: "),
    ('text = "tf-idf"', "text = []", "encoders.text = []: "),
    ("folds = 2", "folds = 1", "split.folds = 1: "),
    ("folds = 2", 'scheme = "kfolds"', "split.scheme = 'kfolds': "),
    ("folds = 2", 'scheme = "holdout"\ntest = 1.5', "split.test = 1.5: "),
    ("folds = 2", 'scheme = "holdout"\ntest = 0.5\nvalidation = 0.5',
     "test and validation leave nothing to train on"),
    ("folds = 2", 'scheme = "given"',
     "dataset 'data' brings neither split nor folds; name its column"),
    ("folds = 2", "folds = 9", "9 folds, but the largest class has 8 samples"),
    ('"logistic-regression"', '{ use = "logistic-regression", C = "big" }',
     "heads[0] (logistic-regression): C = 'big': Input should be a valid number"),
    ('"logistic-regression"', '{ use = "svm", kernel = ["rbf", "rfb"] }',
     "heads[0] (svm): kernel = 'rfb': Input should be 'linear', 'rbf' or 'poly'"),
    ('"logistic-regression"', '{ use = "svm", C = [] }',
     "heads[0]: C = []: a list is an axis and needs a value"),
    ("[split]", '[[exclude]]\nhaed = "svm"\n[split]',
     "exclude[0]: unknown axis 'haed'; did you mean 'head'?"),
]  # fmt: skip

ENCODERS = [
    ("vector =", "petals =",
     "encoders.petals: no dataset has a modality 'petals'; did you mean 'petal'?"),
    ("vector =", "image = 'hog'\nvector =",
     "encoders.image: no dataset has a modality of kind 'image'"),
    ('"identity"', '"tf-idf"',
     "encoders.vector: 'tf-idf' takes text, but 'petal' of dataset 'data' is vector; "
     "valid: autoencoder, identity, one-hot, pca, quantile"),
    ("vector =", "note = 'hog'\nvector =",
     "encoders.note: 'hog' takes image, but 'note' of dataset 'data' is text"),
    ('vector = "identity"\ntext = "tf-idf"\n', "", "dataset 'data': no modality has an encoder"),
    ('vector = "identity"', 'vector = { use = "identity", standardise = "perhaps" }',
     "encoders.vector[0].standardise = 'perhaps': "),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [*NAMES, *KEYS, *MISPLACED, *VALUES, *ENCODERS],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_mistake_in_the_matrix_file(matrix, refused, old, new, told):
    line = refused("run", matrix((old, new)))
    assert line.startswith("iris.toml: ")
    assert told in line
    if "stands under" in told:
        assert line.endswith("; move it above the first [table]")


def test_encoders_that_cannot_be_paired(matrix, refused):
    changes = [
        ('name = "iris"', 'name = "iris"\npair = "zip"'),
        ('"tf-idf"', '["tf-idf", { use = "tf-idf", words = 1 }]'),
    ]
    line = refused("run", matrix(*changes))
    assert line.startswith("iris.toml: pair = 'zip' needs as many encoders for each modality")
    assert line.endswith("(petal 1, note 2)")


def test_two_datasets_of_one_name(matrix, refused):
    block = MATRIX[MATRIX.index("[[datasets]]") : MATRIX.index("[encoders]")]
    line = refused("run", matrix(("[encoders]", block + "[encoders]")))
    assert line == "iris.toml: datasets: 'data' stands there twice; give each a name = ..."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name = ", "not valid TOML: "),
        (b"name = 'a'\nname = 'b'\n", "not valid TOML: "),
        (b"name = 'a'\n[encoders\n", "not valid TOML: "),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "not a text file in UTF-8; TOML was expected"),
        (b"name = 'a\x00b'", "not valid TOML: "),
        ("name = 'iris'".encode("utf-16"), "not a text file in UTF-8; TOML was expected"),
        (b"a = " + b"[" * 5000, "not valid TOML: "),
        (b"", "key 'name' is required (and 3 more)"),
    ],
    ids=["cut", "twice", "bracket", "png", "nul", "utf-16", "deep", "empty"],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_what_is_no_matrix_file(tmp_path, refused, verb, content, told):
    (tmp_path / "iris.toml").write_bytes(content)
    line = refused(verb, tmp_path / "iris.toml")
    assert "iris.toml: " in line
    assert told in line


def test_a_matrix_file_that_is_not_there_or_a_folder(matrix, refused, tmp_path):
    matrix()
    assert refused("run", "irsi.toml") == "irsi.toml: no such file; did you mean 'iris.toml'?"
    line = refused("run", "data")
    assert line == "data: is a folder; a matrix file (.toml) was expected"


# --- data ------------------------------------------------------------------------------------

HEADER = "id,petal1,petal2,note,part,species\n"
DATA = {
    "no rows": (HEADER, "manifest.csv: path: the manifest has no rows"),
    "empty": ("", "manifest.csv: path: the manifest has no rows"),
    "no column": (
        MANIFEST.replace("species", "specie"),
        "manifest.csv: label: no column 'species'; did you mean 'specie'?",
    ),
    "no such glob": (
        MANIFEST.replace("petal", "leaf"),
        "manifest.csv: modalities.petal.columns: ",
    ),
    "twice": (
        MANIFEST + "s7,1,1,again,train,x\n",
        "manifest.csv: id: column 'id' holds 's7' twice, in rows 8 and 25",
    ),
    "unlabelled": (
        MANIFEST + "s24,1,1,none,train,\n",
        "manifest.csv: label: column 'species' is empty in row 25 (id 's24')",
    ),
    "alone": (
        MANIFEST + "s24,1,1,one,train,w\n",
        "dataset 'data': class 'w' has one sample, so it cannot stand in both training and test",
    ),
    "one class": (re.sub(r",[yz]\n", ",x\n", MANIFEST), "manifest.csv: label: "),
    "no number": (MANIFEST.replace("s3,3,", "s3,three,"), "row 4 (id 's3')"),
    "short row": (MANIFEST + "s24,1\n", "manifest.csv: line 26 has 2 fields; the header has 6"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00", "manifest.csv: not UTF-8 text"),
}


@pytest.mark.parametrize("case", DATA)
def test_a_mistake_in_the_manifest(matrix, refused, case):
    manifest, told = DATA[case]
    line = refused("run", matrix(manifest=manifest))
    assert line.startswith("iris.toml: dataset 'data'" if case != "alone" else "iris.toml: ")
    assert told in line


def test_a_column_of_many_floats_is_no_classification(matrix, refused):
    rows = [f"s{i},1,1,x,train,{i / 7}\n" for i in range(40)]
    line = refused("run", matrix(manifest=HEADER + "".join(rows)))
    assert "iris.toml: dataset 'data': manifest.csv: label: column 'species'" in line
    assert "regression" in line


def test_a_manifest_that_is_not_there(matrix, refused):
    line = refused("run", matrix(('"data/manifest.csv"', '"data/manifst.csv"')))
    assert line.startswith("iris.toml: dataset 'data': path: no manifest 'manifst.csv'")
    assert line.endswith("did you mean 'manifest.csv'?")
    assert "it is a folder" in refused("run", matrix(('"data/manifest.csv"', '"data"')))


def test_a_file_that_the_manifest_names_is_not_there(matrix, refused):
    changes = [
        ('{ column = "note", kind = "text" }', '{ column = "note", kind = "image" }'),
        ('text = "tf-idf"', 'image = "hog"'),
    ]
    line = refused("run", matrix(*changes))
    assert line.startswith("iris.toml: dataset 'data': manifest.csv: modalities.note.column")
    assert "a note of 0" in line
    assert "row 1 (id 's0')" in line


def test_an_unset_variable_is_named_with_its_key(matrix, refused, monkeypatch):
    monkeypatch.delenv("FLOWERS", raising=False)
    path = matrix(('"data/manifest.csv"', '"${FLOWERS}/manifest.csv"'))
    assert refused("plan", path) == (
        "iris.toml: datasets[0].path: environment variable FLOWERS is not set"
    )
    monkeypatch.setenv("FLOWERS", "nowhere")
    assert "'nowhere' is not in " in refused("plan", path)


def test_a_split_column_of_unknown_values(matrix, refused):
    path = matrix(('id = "id"', 'id = "id"\nsplit = "note"'))
    assert "manifest.csv: split: column 'note' holds 'a note of 0' in row 1" in refused("run", path)


# --- the command line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "folds"], "--set folds: expected key=value"),
        (["--set", "=1"], "--set =1: expected key=value"),
        (["--set", "name.x=1"], "--set name.x=1: there is no"),
        (["--set", "datasets.5.path=x"], "--set datasets.5.path=x: there is no '5'"),
        (["--set", "heads.x=1"], "--set heads.x=1: there is no 'x'"),
        (["--set", "split.fold=3"], "unknown key 'split.fold'; did you mean 'folds'?"),
        (["--only", "haed=svm"], "--only haed=svm: unknown column 'haed'; did you mean 'head'?"),
        (["--only", "svm"], "--only svm: expected column=value"),
        (["--exclude", "encoder_petals=x"],
         "unknown column 'encoder_petals'; did you mean 'encoder_petal'?"),
        (["--limit", "4"], "(after --limit 4): class 'y' has one sample"),
        (["--limit", "1"], "--limit"),
        (["--limit", "many"], "--limit"),
        (["--jobs", "0"], "--jobs"),
        (["--timeout", "0"], "--timeout"),
        (["--device", "tpu"], "--device"),
        (["--runner", "locl"], "--runner: unknown runner 'locl'; did you mean 'local'?"),
        (["--plugin", "none.py"], "none.py: no such file"),
        (["--plugin", "no_such_package.module"],
         "plugin no_such_package.module failed to load: ModuleNotFoundError"),
        (["--nonsense"], "--nonsense"),
        (["another.toml"], "unexpected extra argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_a_mistake_in_the_arguments_of_run(matrix, refused, arguments, told):
    assert told in refused("run", matrix(), *arguments)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rnu", "iris.toml"], "unknown command 'rnu'; did you mean 'run'?"),
        (["run"], "Missing argument 'FILE'"),
        (["list", "encodrs", "hog"], "unknown sort 'encodrs'; did you mean 'encoders'?"),
        (["list", "encoder"], "list: there is no 'encoder'; did you mean 'encoders'?"),
        (["list", "heads", "svn"], "list: there is no 'svn'; did you mean 'svm'?"),
        (["list", "head:svn"], "list: there is no 'svn'; did you mean 'svm'?"),
        (["list", "a", "b", "c"], "expected at most a sort and a name"),
        (["report", "nowhere"], "nowhere: no run lies there (cells.parquet is missing)"),
        (["report", "."], "no run lies there"),
        (["report"], "Missing argument 'RUN...'"),
        (["cache", "lst"], "lst"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_in_a_verb(refused, arguments, told):
    assert told in refused(*arguments)


def test_a_table_that_cannot_be_read(refused, tmp_path):
    (tmp_path / "cells.parquet").write_bytes(b"no parquet at all")
    line = refused("report", ".")
    assert line.startswith("cells.parquet: cannot be read: ")


def test_out_must_be_free(matrix, refused, tmp_path):
    path = matrix()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("my work")
    assert refused("run", path, "--out", "other") == (
        "--out other: holds other files and no run; choose another"
    )
    assert refused("run", path, "--out", "other/thesis.tex") == (
        "--out other/thesis.tex: is a file; a folder was expected"
    )
    assert (other / "thesis.tex").read_text() == "my work"
    assert refused("run", path, "--out", "other/thesis.tex/run").startswith(
        "--out other/thesis.tex/run: "
    )


def test_out_must_not_hold_the_run_of_another_name(matrix, refused, capfd):
    path = matrix()
    with pytest.raises(SystemExit, match="0"):
        main(["run", str(path), "--out", "mine", "--quiet", "--jobs", "1"])
    capfd.readouterr()
    assert refused("run", path, "--out", "mine", "--set", "name=tulips") == (
        "--out mine: holds the run 'iris', not 'tulips'"
    )
    assert refused("run", path, "--out", "mine", "--limit", "12") == (
        "--out mine: holds the run 'iris', not 'iris-limit12'"
    )


@pytest.mark.parametrize("verb", ["run", "plan", "cache ls", "cache verify", "cache prune"])
def test_a_store_that_cannot_be_made(matrix, refused, tmp_path, verb):
    (tmp_path / "taken").write_text("a file")
    file = [matrix()] if " " not in verb else []
    line = refused(*verb.split(), *file, "--store", "taken")
    assert line.startswith("store taken: cannot be used: ")


# --- plugins ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("def broken(:", "SyntaxError: "),
        (FLOWERS + "@hookimpl\ndef mmbench_register_haeds(register): pass\n",
         "unknown hook 'mmbench_register_haeds'"),
        (FLOWERS + "@hookimpl\ndef mmbench_register_heads(registr): pass\n", "registr"),
        (FLOWERS + HEAD.format(name="a name"), "ValueError: 'a name' is no name"),
        (FLOWERS + "@hookimpl\ndef mmbench_register_encoders(register):\n"
         "    register('tulip', object, kind='imag')\n",
         "ValueError: tulip: unknown kind 'imag'; did you mean 'image'?"),
    ],
    ids=["raises", "exits", "imports", "syntax", "hook", "argument", "name", "kind"],
)  # fmt: skip
@pytest.mark.parametrize("how", ["--plugin", "plugins ="])
def test_a_plugin_file_that_cannot_be_loaded(matrix, refused, tmp_path, source, told, how):
    (tmp_path / "flowers.py").write_text(source)
    if how == "--plugin":
        line = refused("plan", matrix(), "--plugin", "flowers.py")
    else:
        line = refused("plan", matrix(('name = "iris"', 'name = "iris"\nplugins = ["flowers.py"]')))
    assert "flowers.py failed to load: " in line
    assert told in line


def test_a_plugin_of_the_matrix_file_that_is_not_there(matrix, refused):
    path = matrix(('name = "iris"', 'name = "iris"\nplugins = ["flowers.py"]'))
    assert refused("run", path) == "iris.toml: plugins: flowers.py: no such file"


def test_two_plugins_that_claim_one_name(matrix, refused, tmp_path):
    for name in ("tulips", "roses"):
        (tmp_path / f"{name}.py").write_text(FLOWERS + HEAD.format(name="bulb"))
    line = refused("run", matrix(), "--plugin", "tulips.py", "--plugin", "roses.py")
    assert "head 'bulb' is registered by both 'tulips.py' and 'roses.py'" in line
    (tmp_path / "tulips.py").write_text(FLOWERS + HEAD.format(name="svm"))
    line = refused("list", "heads", "--plugin", "tulips.py")
    assert "head 'svm' is registered by both 'heads' and 'tulips.py'" in line


def test_plugins_of_one_file_name_or_named_twice_work(matrix, tmp_path, capfd):
    for folder in ("tulips", "roses"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(FLOWERS + HEAD.format(name=folder))
    files = ("tulips/mine.py", str(tmp_path / "tulips" / "mine.py"), "roses/mine.py")
    plugins = [part for file in (*files, "mmbench_heads") for part in ("--plugin", file)]
    with pytest.raises(SystemExit) as ended:
        main(["list", "heads", *plugins])
    told = capfd.readouterr()
    assert (ended.value.code, told.err) == (0, "")
    assert {"tulips", "roses", "svm"} <= set(told.out.split())


def test_mmbench_plugins_restricts_and_is_checked(matrix, refused, monkeypatch):
    path = matrix()
    monkeypatch.setenv("MMBENCH_PLUGINS", "manifest,featurs")
    line = refused("run", path)
    assert line == "MMBENCH_PLUGINS: unknown plugin 'featurs'; did you mean 'features'?"
    monkeypatch.setenv("MMBENCH_PLUGINS", "manifest, features,metrics,fusions")
    assert "heads[0]: unknown head 'logistic-regression'" in refused("run", path)


# --- a process of its own --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "iris.toml", "--set", "heads=svn"], "did you mean 'svm'?"),
        (["plan", "iris.toml", "--set", "datasets.0.label=kind"], "label: no column 'kind'"),
        (["lst"], "unknown command 'lst'; did you mean 'list'?"),
    ],
)
def test_as_a_process(matrix, mmbench, tmp_path, arguments, told):
    matrix()
    done = mmbench(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmbench: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert not (tmp_path / "results").exists()


def test_debug_shows_the_traceback(matrix, mmbench):
    matrix()
    done = mmbench("--debug", "plan", "iris.toml", "--set", "datasets.0.path=none.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback (most recent call last)" in done.stderr
    assert "FileNotFoundError" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mmbench: iris.toml: dataset ")


def test_debug_may_stand_at_the_end(capfd):
    with pytest.raises(SystemExit, match="2"):
        main(["list", "nothing-of-that-name", "--debug"])
    assert "Traceback (most recent call last)" in capfd.readouterr().err
