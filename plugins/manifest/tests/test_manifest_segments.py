"""Parts of sounds, and text joined from several columns."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import soundfile

RATE, FRAMES = 8_000, 12_000
PART = {"sound": {"column": "sound", "kind": "audio", "start": "from", "end": "to"}}


@pytest.fixture
def sound(tmp_path):
    """A stereo sound of 1.5 s in four formats; returns what soundfile reads of each."""
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (FRAMES, 2))
    found = {}
    for suffix in ("wav", "flac", "ogg", "mp3"):
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, samples, RATE)
        found[path.name] = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return found


def test_only_the_part_is_given_exact_to_the_frame(make, sound):
    for name in ("a.wav", "a.flac", "a.ogg"):
        content = f"sound,from,to,label\n{name},0.1,1.2001,a\n{name},,.5,b\n{name},1,,b\n{name},,,b"
        items = make(content, modalities=PART).items("sound")
        assert items[0].sample_rate == RATE
        assert items[0].samples.dtype == np.float32
        for item, (first, last) in zip(
            items, [(800, 9601), (0, 4000), (8000, FRAMES), (0, FRAMES)], strict=True
        ):
            np.testing.assert_array_equal(item.samples, sound[name][first:last])


def test_parts_join_to_the_whole(make, sound):
    borders = np.linspace(0, FRAMES / RATE, 8)
    rows = [
        {"sound": "a.flac", "from": start, "to": end, "label": i % 2}
        for i, (start, end) in enumerate(itertools.pairwise(borders))
    ]
    items = make("\n".join(map(json.dumps, rows)), name="m.jsonl", modalities=PART).items("sound")
    joined = np.concatenate([item.samples for item in items])
    np.testing.assert_array_equal(joined, sound["a.flac"])


def test_a_part_of_an_mp3_has_its_length(make, sound):
    items = make("sound,from,to,label\na.mp3,0.25,0.75,a\n,,,b\n", modalities=PART).items("sound")
    assert items[0].samples.shape == (4000, 2)
    assert items[1] is None


def test_one_border_is_enough(make, sound):
    for key, expected in (("start", slice(4000, None)), ("end", slice(4000))):
        part = {"sound": {"column": "sound", "kind": "audio", key: "at"}}
        items = make("sound,at,label\na.wav,0.5,a\na.wav,,b\n", modalities=part).items("sound")
        np.testing.assert_array_equal(items[0].samples, sound["a.wav"][expected])
        np.testing.assert_array_equal(items[1].samples, sound["a.wav"])


@pytest.mark.parametrize(
    ("borders", "reason"),
    [
        ("x,1", "start: column 'from' holds 'x' in row 2 (id 'q'); expected seconds, a number"),
        ("nan,1", "start: column 'from' holds 'nan' in row 2"),
        ("-1,1", "start: column 'from' holds '-1' in row 2 (id 'q'); expected seconds, a number"),
        ("0,1:30", "end: column 'to' holds '1:30' in row 2 (id 'q'); expected seconds, a number"),
        (
            "1,0.5",
            "end: column 'to' holds 0.5 in row 2 (id 'q'); expected more than its start, 1",
        ),
        ("1,1", "end: column 'to' holds 1 in row 2 (id 'q'); expected more than its start, 1"),
        (",0", "end: column 'to' holds 0 in row 2 (id 'q'); expected more than its start, 0"),
    ],
)
def test_borders_that_are_none(refused, sound, borders, reason):
    content = f"id,sound,from,to,label\np,a.wav,,1,a\nq,a.wav,{borders},b\n"
    message = refused(content, id="id", modalities=PART)
    assert message.startswith(f"m.csv: modalities.sound.{reason}")


def test_a_border_may_not_be_the_label_and_names_the_nearest_column(refused, sound):
    content = "sound,from,to,label\na.wav,0,1,1\na.wav,0,1,2\n"
    for key in ("start", "end"):
        part = {"sound": {"column": "sound", "kind": "audio", key: "label"}}
        assert f"sound.{key}: column 'label' is the label" in refused(content, modalities=part)
        part["sound"][key] = "form"
        assert refused(content, modalities=part).startswith(
            f"m.csv: modalities.sound.{key}: no column 'form'; did you mean 'from'?"
        )


@pytest.mark.parametrize(
    ("borders", "reason"),
    [
        ("0,1.51", "the segment ends at 1.51 s of 1.5 s"),
        ("1.5,", "the segment begins at 1.5 s of 1.5 s"),
        ("9,10", "the segment begins at 9.0 s of 1.5 s"),
        ("0.1,0.10001", "from 0.1 to 0.10001 s there is no frame at 8000 Hz"),
    ],
)
def test_a_part_beyond_the_file_names_file_and_row(make, sound, borders, reason):
    content = f"sound,from,to,label\na.wav,0,1.5,a\na.wav,{borders},b\n"
    items = make(content, modalities=PART).items("sound")
    assert len(items[0].samples) == FRAMES
    with pytest.raises(OSError, match=f"^a.wav, row 2, cannot be read as audio: {reason}$"):
        items[1]


def test_the_fingerprint_covers_the_borders(make, sound):
    def printed(*rows, modalities=PART):
        content = "sound,from,to,label\n" + "".join(f"{row},{i}\n" for i, row in enumerate(rows))
        return make(content, modalities=modalities).fingerprint("sound")

    one = printed("a.wav,0,1", "a.wav,,")
    assert printed("a.wav,,1.0", "a.wav,0.0,") == one
    others = [
        printed("a.wav,0,1", "a.wav,,1"),
        printed("a.wav,0.5,1", "a.wav,,"),
        printed("a.wav,0,1", "a.flac,,"),
        printed("a.wav,,", "a.wav,0,1"),
        printed("a.wav,0,1", "a.wav,,", modalities={"sound": {"column": "sound", "kind": "audio"}}),
    ]
    assert len({one, *others}) == 6


def joined(**options):
    return {"modalities": {"text": {"kind": "text", **options}}}


def test_text_of_several_columns_is_joined(make):
    content = "title,body,tag,label\nA,b c,x,1\n,d,,2\nE,,,2\n,,,1\n"
    for columns, separator, expected in [
        (["title", "body"], None, ["A\nb c", "d", "E", None]),
        (["body", "title"], " | ", ["b c | A", "d", "E", None]),
        ("t*", "", ["Ax", None, "E", None]),
        ("*", "\n", ["A\nb c\nx", "d", "E", None]),
    ]:
        given = {} if separator is None else {"separator": separator}
        items = make(content, **joined(columns=columns, **given)).items("text")
        assert list(items) == expected
        assert items.missing.tolist() == [text is None for text in expected]


def test_joined_text_leaves_out_what_is_empty_in_jsonl_too(make):
    rows = [{"a": "", "b": 7}, {"a": "", "b": ""}, {"a": None}, {"a": "x", "b": True}]
    lines = "\n".join(json.dumps(row | {"label": i % 2}) for i, row in enumerate(rows))
    items = make(lines, name="m.jsonl", **joined(columns=["a", "b"])).items("text")
    assert list(items) == ["7", None, None, "x\ntrue"]


def test_joined_text_leaves_out_the_roles_and_refuses_the_label(make, refused):
    content = "t_id,t_1,t_label,t_2\np,x,a,y\nq,z,b,\n"
    options = joined(columns="t_*") | {"label": "t_label", "id": "t_id"}
    assert list(make(content, **options).items("text")) == ["x\ny", "z"]
    message = refused(content, **{**options, **joined(columns=["t_1", "t_label"])})
    assert message.endswith("modalities.text.columns: column 't_label' is the label, which is no "
                            "input")  # fmt: skip
    assert refused(content, **{**options, **joined(columns=["t_1", "t_3"])}).startswith(
        "m.csv: modalities.text.columns: no column 't_3'; did you mean"
    )


def test_joined_text_has_the_fingerprint_of_what_it_says(make):
    def printed(content, **options):
        return make(content, **joined(**options)).fingerprint("text")

    one = printed("a,b,label\nx,y,1\n,z,2\n", columns=["a", "b"], separator=" ")
    assert printed("a,label\nx y,1\nz,2\n", column="a") == one
    assert printed("a,b,label\nx,y,1\n,z,2\n", columns=["a", "b"]) != one
