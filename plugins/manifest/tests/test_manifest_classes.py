"""Labels under other names."""

from __future__ import annotations

import json

import pytest

FOUR = "text,label\nw,10\nx,9\ny,0\nz,9\n"
TWO = {"0": "not sarcastic", "1": "sarcastic"}


def test_labels_are_shown_under_their_names(make):
    manifest = make("text,label\nx,1\ny,0\nz,1\n", classes=TWO)
    assert manifest.classes == ["not sarcastic", "sarcastic"]
    assert manifest.labels.tolist() == [1, 0, 1]


def test_named_classes_stand_in_the_order_of_their_labels(make):
    manifest = make(FOUR, classes={"10": "anger", "0": "sadness", "9": "joy"})
    assert manifest.classes == ["sadness", "joy", "anger"]
    assert manifest.labels.tolist() == [2, 1, 0, 1]


def test_labels_of_one_name_are_one_class(make):
    manifest = make(FOUR, classes={"0": "no", "9": "yes", "10": "yes"})
    assert manifest.classes == ["no", "yes"]
    assert manifest.labels.tolist() == [1, 1, 0, 1]
    manifest = make(FOUR, classes={"0": "ends", "9": "middle", "10": "ends"})
    assert manifest.classes == ["ends", "middle"]
    assert manifest.labels.tolist() == [0, 1, 0, 1]


def test_booleans_are_named_in_any_case(make):
    lines = "\n".join(json.dumps({"text": "x", "label": i == 1}) for i in range(3))
    for keys in (("false", "true"), ("False", "TRUE")):
        manifest = make(lines, name="m.jsonl", classes=dict(zip(keys, ("no", "yes"), strict=True)))
        assert manifest.classes == ["no", "yes"]
        assert manifest.labels.tolist() == [0, 1, 0]


def test_many_floats_with_names_are_classes(make):
    content = "text,label\n" + "".join(f"x,{i + 0.5}\n" for i in range(30))
    names = {f"{i + 0.5}": "low" if i < 10 else "high" for i in range(30)}
    assert make(content, classes=names).labels.tolist() == [0] * 10 + [1] * 20


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            {"0": "a", "9": "b"},
            "no name for '10', which column 'label' holds in row 1 (id 'w'); "
            "the names are for '0', '9'; did you mean '0'?",
        ),
        (
            {"0": "a", "09": "b", "10": "c"},
            "no name for '9', which column 'label' holds in row 2 (id 'x'); "
            "the names are for '0', '09', '10'; did you mean '09'?",
        ),
        (
            {"0": "a", "9": "b", "10": "c", "8.5": "d"},
            "column 'label' holds no '8.5'; its labels are '0', '10', '9'",
        ),
        (
            {"0": "a", "9": "b", "10": "c", "010": "d"},
            "column 'label' holds no '010'; its labels are '0', '10', '9'; did you mean '10'?",
        ),
        ({"0": "a", "9": "", "10": "c"}, "the name of '9' is empty"),
    ],
)
def test_names_and_labels_must_match(refused, names, reason):
    assert refused(FOUR, id="text", classes=names) == f"m.csv: classes: {reason}"


def test_one_name_for_all_is_refused(refused):
    assert refused(FOUR, classes=dict.fromkeys(("0", "9", "10"), "same")) == (
        "m.csv: label: column 'label' holds the one class 'same'; expected two or more"
    )
    message = refused("text,label\nx,true\ny,false\n", classes={"true": "a", "True": "b"})
    assert message == "m.csv: classes: 'true', 'True': a label stands there twice"
