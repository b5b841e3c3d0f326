"""A user's mistakes: one line that names the manifest, the key, the column and the row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mmbench_manifest.dataset import Manifest

TEXT = {"text": {"column": "text", "kind": "text"}}
GOOD = "id,text,v1,v2,label\np,x,1,2,a\nq,y,3,4,b\n"


def vector(**source):
    return {"modalities": {"v": {"kind": "vector", **source}}}


def test_a_missing_manifest_names_the_nearest(write, tmp_path):
    write("leaf/manifest.csv", GOOD)
    with pytest.raises(FileNotFoundError) as caught:
        Manifest(tmp_path / "leaf" / "manifst.csv", "label", TEXT)
    assert str(caught.value) == (
        f"path: no manifest 'manifst.csv': 'manifst.csv' is not in {str(tmp_path / 'leaf')!r}; "
        "did you mean 'manifest.csv'?"
    )
    with pytest.raises(FileNotFoundError, match=r"'laef' is not in .*; did you mean 'leaf'"):
        Manifest(tmp_path / "laef" / "deep" / "manifest.csv", "label", TEXT)
    with pytest.raises(FileNotFoundError, match="no manifest 'leaf': it is a folder"):
        Manifest(tmp_path / "leaf", "label", TEXT)


@pytest.mark.parametrize("name", ["m.xlsx", "m.csv.gz", "m"])
def test_an_unknown_extension_names_the_known(refused, name):
    message = refused(GOOD, name=name)
    assert f"unknown extension {Path(name).suffix!r}" in message
    assert message.endswith("expected .csv, .tsv, .jsonl, .parquet")


@pytest.mark.parametrize(
    ("name", "content"), [("m.csv", ""), ("m.csv", "text,label\n"), ("m.jsonl", "\n\n")]
)
def test_no_rows(refused, name, content):
    assert refused(content, name=name) == f"{name}: path: the manifest has no rows"


def test_an_empty_parquet(tmp_path):
    pq.write_table(pa.table({"text": [], "label": []}), tmp_path / "m.parquet")
    with pytest.raises(ValueError, match=r"m\.parquet: path: the manifest has no rows"):
        Manifest(tmp_path / "m.parquet", "label", TEXT)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"text,label\nx,caf\xe9\n", "not UTF-8 text (byte 0xe9 in line 2)"),
        ("text,label\n".encode("utf-16"), "not UTF-8 text (byte 0xff in line 1)"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8 text (byte 0x89 in line 1)"),
        (b"PK\x03\x04\n\0\0", "not a text file (a NUL byte in line 2)"),
    ],
)
def test_binary_files_and_other_encodings(refused, suffix, content, reason):
    assert refused(content, name=f"m.{suffix}") == f"m.{suffix}: {reason}"


@pytest.mark.parametrize("content", [b"text,label\nx,a\n", b"", b"PAR1 cut short PAR1"])
def test_no_parquet(refused, content):
    assert refused(content, name="m.parquet").startswith("m.parquet: cannot be read as parquet: ")


@pytest.mark.parametrize(("row", "count"), [("x", 1), ("x,a,b", 3), ('"x\ny",a,b', 3), ("x,a,", 3)])
def test_short_and_long_rows_name_their_line(refused, row, count):
    message = refused(f'text,label\n"one\ntwo",a\n{row}\ny,b\n')
    assert message == f"m.csv: line 4 has {count} fields; the header has 2"


@pytest.mark.parametrize("row", ['"x,a', '"x" y,a'])
def test_broken_quotes_name_the_line_where_they_begin(refused, row):
    assert refused(f"text,label\nw,a\n{row}\nz,b\n").startswith("m.csv: line 3: ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{'text': 1}", "Expecting property name enclosed in double quotes at character 2"),
        ('{"text": NaN, "label": 1}', "NaN is not JSON"),
        ('{"text": 1, "text": 2}', "the key 'text' stands there more than once"),
        ("[1, 2]", "holds a list; expected one JSON object per line"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_broken_json_line_is_named(refused, line, reason):
    message = refused('{"text": "x", "label": 1}\n\n' + line, name="m.jsonl")
    assert message.startswith("m.jsonl: line 3")
    assert reason in message


def test_duplicate_column_names(refused, tmp_path):
    assert refused("text,label,text\nx,a,y\n") == (
        "m.csv: 2 columns are named 'text'; names must differ"
    )
    table = pa.table([[1], [2]], names=["a", "a"])
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(ValueError, match="2 columns are named 'a'"):
        Manifest(tmp_path / "m.parquet", "a", TEXT)


@pytest.mark.parametrize("key", ["label", "id", "split", "fold", "group"])
def test_a_missing_column_names_the_nearest(refused, key):
    options = {key: "Labell"}
    assert refused(GOOD, **options) == (f"m.csv: {key}: no column 'Labell'; did you mean 'label'?")
    assert refused(GOOD, **{key: "zzzz"}) == (
        f"m.csv: {key}: no column 'zzzz'; the columns are 'id', 'text', 'v1', 'v2', 'label'"
    )


def test_a_missing_column_of_a_modality_names_the_nearest(refused):
    for kind in ("text", "image", "audio", "vector"):
        modalities = {"caption": {"column": "txt", "kind": kind}}
        assert refused(GOOD, modalities=modalities) == (
            "m.csv: modalities.caption.column: no column 'txt'; did you mean 'text'?"
        )
    assert refused(GOOD, **vector(columns=["v1", "vv2"])) == (
        "m.csv: modalities.v.columns: no column 'vv2'; did you mean 'v2'?"
    )
    assert refused(GOOD, **vector(columns="txt*")) == (
        "m.csv: modalities.v.columns: no column matches 'txt*'; did you mean 'text'?"
    )
    assert "the list names no column" in refused(GOOD, **vector(columns=[]))


@pytest.mark.parametrize("key", ["id", "split", "fold", "group"])
def test_a_missing_value_of_a_role(refused, key):
    content = "text,label,role\nx,a,train\ny,b,\nz,b,\n"
    assert refused(content, **{key: "role"}) == (
        f"m.csv: {key}: column 'role' is empty in row 2 (2 rows have none)"
    )
    line = '{"text": "x", "label": 1, "role": "train"}\n{"text": "x", "label": 2, "role": ""}'
    assert "is empty in row 2" in refused(line, name="m.jsonl", **{key: "role"})


@pytest.mark.parametrize("key", ["id", "group", "fold", "split"])
def test_a_role_of_another_type(refused, key):
    rows = [{"text": "x", "label": i, "role": value} for i, value in enumerate(["train", 0.5])]
    message = refused("\n".join(map(json.dumps, rows)), name="m.jsonl", **{key: "role"})
    assert message.startswith(f"m.jsonl: {key}: column 'role' holds a float in row 2")


def test_a_text_of_another_type(refused):
    lines = '{"text": "x", "label": 1}\n{"text": ["y"], "label": 2}'
    assert "modalities.text.column: column 'text' holds a list in row 2" in refused(
        lines, name="m.jsonl"
    )


def test_duplicate_ids_name_both_rows(refused):
    content = "id,text,label\np,x,a\n007,x,b\nq,x,b\n007,x,b\n"
    assert refused(content, id="id") == (
        "m.csv: id: column 'id' holds '007' twice, in rows 2 and 4"
    )
    lines = "\n".join(json.dumps({"id": i, "text": "x", "label": i}) for i in (7, "7"))
    assert "holds '7' twice, in rows 1 and 2" in refused(lines, name="m.jsonl", id="id")


def test_an_unknown_part(refused):
    content = "id,text,label,part\np,x,a,train\nq,x,b,trian\n"
    assert refused(content, id="id", split="part") == (
        "m.csv: split: column 'part' holds 'trian' in row 2 (id 'q'); "
        "expected train, validation or test; did you mean 'train'?"
    )


@pytest.mark.parametrize("kind", ["image", "audio", "vector"])
def test_files_that_are_not_there(refused, write, tmp_path, kind):
    write("files/a.png", b"")
    content = "id,file,label\np,files/a.png,a\nq,files/a.pgn,b\nr,,b\ns,file/b.png,b\n"
    modalities = {"m": {"column": "file", "kind": kind}}
    message = refused(content, FileNotFoundError, id="id", modalities=modalities)
    assert message == (
        "m.csv: modalities.m.column: column 'file' names no file in row 2 (id 'q'), "
        f"'files/a.pgn': 'a.pgn' is not in {str(tmp_path / 'files')!r}; did you mean 'a.png'? "
        "(2 of 4 are not there)"
    )
    content = "file,label\nfiel/a.png,a\nfiles/a.png,b\n"
    message = refused(content, FileNotFoundError, modalities=modalities)
    assert message.endswith(f"'fiel' is not in {str(tmp_path)!r}; did you mean 'files'?")
    message = refused("file,label\nfiles,a\n,b\n", FileNotFoundError, modalities=modalities)
    assert message.endswith("'files': it is a folder")


@pytest.mark.parametrize("value", ["", 7, {"bytes": "x"}])
def test_no_path(refused, value):
    rows = [{"file": None, "label": 1}, {"file": value, "label": 2}]
    message = refused(
        "\n".join(map(json.dumps, rows)),
        name="m.jsonl",
        modalities={"m": {"column": "file", "kind": "image"}},
    )
    assert message == (
        f"m.jsonl: modalities.m.column: column 'file' holds {value!r} in row 2; "
        "expected a file's path"
    )


@pytest.mark.parametrize("value", ["x", "nan", "inf", "1_0", "1;5", "0x1", "NA"])
def test_a_value_that_is_no_number(refused, value):
    content = f"id,v1,v2,label\np,1,2,a\nq,1,{value},b\n"
    assert refused(content, id="id", **vector(columns="v*")) == (
        f"m.csv: modalities.v.columns: column 'v2' holds {value!r} in row 2 (id 'q'); "
        "expected a finite number"
    )


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_json_value_that_is_no_number(refused, value):
    lines = "\n".join(json.dumps({"v1": v, "label": i}) for i, v in enumerate([1, value]))
    message = refused(lines, name="m.jsonl", **vector(columns="v*"))
    assert message.endswith(f"column 'v1' holds {value!r} in row 2; expected a finite number")


def test_an_incomplete_vector(refused):
    content = "v1,v2,v3,label\n,,,a\n1,,3,b\n1,2,,b\n"
    assert refused(content, **vector(columns="v*")) == (
        "m.csv: modalities.v.columns: column 'v2' is empty in row 2 while others are not; "
        "expected all or none (2 rows are incomplete)"
    )


@pytest.mark.parametrize("value", [[1, None], [1, "2"], [[1, 2]], [], "a.npy", 5])
def test_a_broken_list_of_numbers(refused, value):
    rows = [{"v": [1, 2], "label": 1}, {"v": value, "label": 2}]
    message = refused("\n".join(map(json.dumps, rows)), name="m.jsonl", **vector(column="v"))
    assert message == (
        "m.jsonl: modalities.v.column: column 'v' holds something else than a list of finite "
        "numbers in row 2"
    )


def test_lists_of_unequal_length(refused):
    rows = [{"v": v, "label": i} for i, v in enumerate([None, [1, 2], [1, 2, 3]])]
    message = refused("\n".join(map(json.dumps, rows)), name="m.jsonl", **vector(column="v"))
    assert message.endswith("holds 3 numbers in row 3; expected 2 as in row 2")


def test_a_null_in_a_list_of_parquet(tmp_path):
    pq.write_table(pa.table({"v": [[1.0], [None]], "label": [0, 1]}), tmp_path / "m.parquet")
    with pytest.raises(ValueError, match="something else than a list of finite numbers in row 2"):
        Manifest(tmp_path / "m.parquet", "label", vector(column="v")["modalities"])


def test_a_column_of_single_numbers_is_asked_for_by_columns(refused):
    assert refused(GOOD, **vector(column="v1")) == (
        "m.csv: modalities.v.column: column 'v1' holds single numbers; write columns = 'v1'"
    )


def test_the_label_is_no_input(refused):
    for options in (
        {"modalities": {"m": {"column": "label", "kind": "text"}}},
        vector(columns=["v1", "label"]),
    ):
        assert "column 'label' is the label, which is no input" in refused(GOOD, **options)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.ones((3, 2)), "v.npy has 3 rows; the manifest has 2"),
        (np.ones(2), "v.npy holds float64 of shape (2,); expected numbers in rows and columns"),
        (np.ones((2, 0)), "v.npy holds float64 of shape (2, 0)"),
        (np.array([["a"], ["b"]]), "v.npy holds <U1 of shape (2, 1)"),
        (np.array([[{}], [{}]]), "cannot be read as npy"),
    ],
)
def test_a_wrong_row_aligned_file(refused, tmp_path, array, reason):
    np.save(tmp_path / "v.npy", array, allow_pickle=True)
    message = refused(GOOD, **vector(file="v.npy"))
    assert message.startswith("m.csv: modalities.v.file: ")
    assert reason in message


def test_a_row_aligned_file_that_is_not_there_or_no_npy(refused, write, tmp_path):
    write("vv.npy", b"no npy at all")
    message = refused(GOOD, FileNotFoundError, **vector(file="v.npy"))
    assert message == (
        "m.csv: modalities.v.file: no file 'v.npy': "
        f"'v.npy' is not in {str(tmp_path)!r}; did you mean 'vv.npy'?"
    )
    message = refused(GOOD, **vector(file="vv.npy"))
    assert message.startswith("m.csv: modalities.v.file: vv.npy cannot be read as npy: ")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"colum": "text", "kind": "text"}, ": unknown key 'colum'; did you mean 'column'?"),
        (
            {"column": "text", "kind": "text", "zz": 1},
            ": unknown key 'zz'; expected kind, column, columns, file, separator, start, end, "
            "frame_rate, frames",
        ),
        (
            {"column": "text"},
            ": kind is missing; expected one of image, text, audio, vector, video",
        ),
        (
            {"column": "text", "kind": "txet"},
            ".kind: unknown kind 'txet'; did you mean 'text'?",
        ),
        ({"kind": "text"}, ": kind 'text' takes one of column, columns; given none"),
        ({"kind": "audio"}, ": kind 'audio' takes column; given none"),
        (
            {"column": "text", "kind": "image", "start": "v1"},
            ": start is for kind 'audio'; given kind 'image'",
        ),
        (
            {"column": "text", "kind": "text", "separator": " "},
            ": separator is for several columns; write columns",
        ),
        (
            {"column": "text", "kind": "video", "frame_rate": 0},
            ".frame_rate: expected a positive number, given 0",
        ),
        (
            {"column": "text", "kind": "video", "frame_rate": "25"},
            ".frame_rate: expected a positive number, given '25'",
        ),
        (
            {"column": "text", "kind": "video", "frames": 0.5},
            ".frames: expected a positive integer, given 0.5",
        ),
        ({"columns": "t*", "kind": "image"}, ": kind 'image' takes column; given columns"),
        (
            {"column": "v1", "file": "v.npy", "kind": "vector"},
            ": kind 'vector' takes one of column, columns, file; given column and file",
        ),
        ({"column": 3, "kind": "text"}, ".column: expected a string, given 3"),
        (
            {"columns": [1], "kind": "vector"},
            ".columns: expected a string or a list of strings, given [1]",
        ),
        (
            "text",
            ': expected a table such as { column = "image", kind = "image" }, given \'text\'',
        ),
    ],
)
def test_a_modalitys_options(refused, options, reason):
    assert refused(GOOD, modalities={"m": options}) == f"m.csv: modalities.m{reason}"


def test_no_modality(refused):
    assert refused(GOOD, modalities={}) == (
        "m.csv: modalities: none is given; expected at least one"
    )
