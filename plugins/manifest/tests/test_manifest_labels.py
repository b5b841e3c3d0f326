"""Codes and classes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmbench_manifest.labels import read_labels
from mmbench_manifest.tables import Table


def read(path, values):
    return read_labels(Table(path, ["y"], len(values), lambda _: list(values)), "y")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["true", "false", "true"], ["false", "true"]),
        (["TRUE", "False", "true"], ["false", "true"]),
        ([True, False], ["false", "true"]),
        (["yes", "no", "true"], ["no", "true", "yes"]),
        ([True, "maybe"], ["maybe", "true"]),
        (["10", "9", "-1"], ["-1", "9", "10"]),
        ([10, 9, -1], ["-1", "9", "10"]),
        (["007", "10", "7"], ["007", "7", "10"]),
        (["1_60", "1_7", "9"], ["1_60", "1_7", "9"]),
        (["b", "B", "a", "10", "9"], ["10", "9", "B", "a", "b"]),
        (["1.5", "10", "2"] * 4, ["1.5", "2", "10"]),
        ([1.0, 0.0, 1.0], ["0.0", "1.0"]),
        (["nan", "1"], ["1", "nan"]),
        (["é", "z", "漢"], ["z", "é", "漢"]),
    ],
)
def test_order_and_spelling_of_classes(tmp_path, values, classes):
    codes, found = read(tmp_path, values)
    assert found == classes
    assert codes.dtype == np.int64


@given(st.lists(st.text(min_size=1), min_size=2).filter(lambda v: len(set(v)) > 1))
def test_codes_point_at_the_labels(tmp_path_factory, values):
    codes, classes = read(tmp_path_factory.getbasetemp(), values)
    boolean = {value.casefold() for value in values} <= {"true", "false"}
    if not boolean:
        assert [classes[code] for code in codes] == values
        assert len(set(classes)) == len(classes)


def test_many_floats_are_a_regression(tmp_path):
    floats = [0.1 * i for i in range(30)] * 3
    for values in (floats, [str(value) for value in floats], [float(i) for i in range(30)] * 3):
        with pytest.raises(ValueError, match=r"label: column 'y' holds 30 different floats"):
            read(tmp_path, values)
    with pytest.raises(ValueError, match="3 different floats"):
        read(tmp_path, ["0.25", "1.5", "2"])


def test_many_integers_and_few_floats_are_classes(tmp_path):
    assert len(read(tmp_path, [str(i) for i in range(99)])[1]) == 99
    assert len(read(tmp_path, list(range(99)))[1]) == 99
    assert len(read(tmp_path, [0.5, 1.0, 1.5, 2.0] * 5)[1]) == 4
    assert len(read(tmp_path, ["1e40", "1e41", "9" * 40])[1]) == 3


@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_label_of_another_type_is_refused(refused, value):
    lines = [json.dumps({"text": "x", "label": label}) for label in ("a", value)]
    message = refused("\n".join(lines), name="m.jsonl")
    assert message.startswith(f"m.jsonl: label: column 'label' holds a {type(value).__name__}")
    assert "row 2" in message


def test_a_nan_is_no_label(tmp_path):
    with pytest.raises(ValueError, match="column 'y' holds nan in row 2"):
        read(tmp_path, [1.0, float("nan"), 2.0])


def test_a_missing_label_is_named_with_its_row_and_count(refused):
    message = refused("id,text,label\nq,x,a\nr,y,\ns,z,b\nt,z,\n", id="id")
    assert message == ("m.csv: label: column 'label' is empty in row 2 (id 'r') (2 rows have none)")
    message = refused('{"text": "x", "label": ""}\n{"text": "y"}', name="m.jsonl")
    assert message == "m.jsonl: label: column 'label' is empty in row 1 (2 rows have none)"


def test_one_class_is_refused(refused):
    assert refused("text,label\nx,a\ny,a\n") == (
        "m.csv: label: column 'label' holds the one class 'a'; expected two or more"
    )
