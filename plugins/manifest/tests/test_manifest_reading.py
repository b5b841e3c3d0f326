"""The four formats, as people have them."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmbench_manifest.dataset import Manifest

TEXT = {"text": {"column": "text", "kind": "text"}}
EVERY_CHARACTER = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def texts(manifest):
    return list(manifest.items("text"))


@RELAXED
@given(st.lists(EVERY_CHARACTER, min_size=2, max_size=6), st.sampled_from(["csv", "tsv"]))
def test_csv_fields_come_back_as_written(tmp_path, fields, suffix):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter="," if suffix == "csv" else "\t")
    writer.writerow(["text", "label"])
    writer.writerows([field, f"class {i % 2}"] for i, field in enumerate(fields))
    path = tmp_path / f"m.{suffix}"
    path.write_bytes(buffer.getvalue().encode())
    read = Manifest(path, "label", TEXT)
    assert texts(read) == [field or None for field in fields]
    assert read.items("text").missing.tolist() == [not field for field in fields]


@RELAXED
@given(st.lists(st.none() | st.text(), min_size=2, max_size=6), st.booleans())
def test_jsonl_values_come_back_as_written(tmp_path, values, ascii_only):
    rows = [{"text": value, "label": i % 2} for i, value in enumerate(values)]
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    path = tmp_path / "m.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8", newline="")
    assert texts(Manifest(path, "label", TEXT)) == values


def test_half_a_surrogate_pair_is_read_and_hashed(make):
    manifest = make('{"text": "\\ud800", "label": 1}\n{"label": 2}', name="m.jsonl")
    assert texts(manifest) == ["\ud800", None]
    assert manifest.fingerprint("text")


def test_words_for_nothing_are_text_and_labels(make):
    rows = ["NA,None", "None,NA", "null,null", "nan,NA", ",None"]
    manifest = make("text,label\n" + "\n".join(rows))
    assert texts(manifest) == ["NA", "None", "null", "nan", None]
    assert manifest.classes == ["NA", "None", "null"]
    assert manifest.labels.tolist() == [1, 0, 2, 0, 1]


def test_a_byte_order_mark_is_no_part_of_the_first_name(make):
    assert make(b"\xef\xbb\xbftext,label\nx,a\ny,b\n").classes == ["a", "b"]
    line = json.dumps({"text": "x", "label": "a"}) + "\n" + json.dumps({"text": "y", "label": "b"})
    assert make(b"\xef\xbb\xbf" + line.encode(), name="m.jsonl").classes == ["a", "b"]


def test_line_breaks_in_quotes_and_windows_line_ends(make):
    manifest = make('text,label\r\n"one\r\ntwo, ""three""\n",a\r\n"",b\r\n')
    assert texts(manifest) == ['one\r\ntwo, "three"\n', None]


def test_ids_stay_as_they_are_written(make, write, tmp_path):
    ids = ["1_60", "007", "7", "1e3", "NA"]
    rows = "".join(f"{name},x,{i % 2}\n" for i, name in enumerate(ids))
    assert make("name,text,label\n" + rows, id="name").ids == ids
    records = [{"id": name, "text": "x", "label": i % 2} for i, name in enumerate([7, "007", 12])]
    lines = "\n".join(map(json.dumps, records))
    assert make(lines, name="m.jsonl", id="id").ids == ["7", "007", "12"]


def test_without_ids_rows_are_numbered(make):
    assert make("text,label\nx,a\ny,b\nz,a\n").ids == ["0", "1", "2"]


def test_a_tsv_keeps_commas_and_an_upper_case_suffix_is_known(make):
    manifest = make("text\tlabel\na, b\t1\nc\t2\n", name="M.TSV")
    assert texts(manifest) == ["a, b", "c"]


def test_blank_lines_are_skipped(make):
    assert texts(make("text,label\n\nx,a\n\n\ny,b\n\n")) == ["x", "y"]
    lines = '\n{"text": "x", "label": 1}\n \n{"text": "y", "label": 2}\r\n\n'
    assert texts(make(lines, name="m.jsonl")) == ["x", "y"]


def test_jsonl_keys_may_be_absent_and_separators_of_unicode_are_text(make):
    lines = '{"label": 1}\n{"text": null, "label": 2}\n{"text": "a\u2028b 漢字", "label": 2}'
    assert texts(make(lines, name="m.jsonl")) == [None, None, "a\u2028b 漢字"]


def test_an_empty_string_is_a_text_in_jsonl(make):
    lines = '{"text": "", "label": 1}\n{"text": 5, "label": 2}\n{"text": true, "label": 2}'
    assert texts(make(lines, name="m.jsonl")) == ["", "5", "true"]


def test_fields_longer_than_the_csv_modules_default(make):
    before = csv.field_size_limit()
    assert texts(make(f"text,label\n{'x' * 200_000},a\ny,b\n"))[0] == "x" * 200_000
    assert csv.field_size_limit() == before


def test_a_column_may_be_without_a_name(make):
    assert make(",text,label\n0,x,a\n1,y,b\n").classes == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([True, False, True]), ["false", "true"]),
        (pa.array([10, 9, 10], pa.int8()), ["9", "10"]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array(["b", "a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([2.0, 1.0, 2.0]), ["1.0", "2.0"]),
    ],
)
def test_parquet_labels(tmp_path, labels, classes):
    table = pa.table(
        {
            "id": pa.array([7, 8, 9], pa.uint16()),
            "text": ["x", None, "NA"],
            "label": labels,
            "fold": pa.array([0, 10, 2]),
        }
    )
    path = tmp_path / "fold=3" / "m.parquet"
    path.parent.mkdir()
    pq.write_table(table, path)
    manifest = Manifest(path, "label", TEXT, id="id", fold="fold")
    assert manifest.classes == classes
    assert manifest.labels.dtype == np.int64
    assert manifest.labels.tolist() == [1, 0, 1]
    assert manifest.ids == ["7", "8", "9"]
    assert texts(manifest) == ["x", None, "NA"]
    assert manifest.folds.tolist() == [0, 10, 2]


def test_split_folds_and_groups(make):
    rows = ["x,a,Train,0,u", "y,b,val,10,u", "z,a,DEV,2,v", "w,b,test,2,007", "w,b,valid,2,7"]
    manifest = make(
        "text,label,part,cv,who\n" + "\n".join(rows), split="part", fold="cv", group="who"
    )
    assert manifest.split.tolist() == ["train", "validation", "validation", "test", "validation"]
    assert manifest.folds.tolist() == [0, 10, 2, 2, 2]
    assert manifest.groups.tolist() == ["u", "u", "v", "007", "7"]
    plain = make("text,label\nx,a\ny,b\n")
    assert plain.split is plain.folds is plain.groups is None


@pytest.mark.parametrize("values", [["01", "1", "2"], ["a", "b", "b"], ["1_0", "2", "3"]])
def test_folds_that_are_no_plain_integers_stay_strings(make, values):
    rows = "".join(f"x,{i % 2},{value}\n" for i, value in enumerate(values))
    assert make("text,label,fold\n" + rows, fold="fold").folds.tolist() == values
