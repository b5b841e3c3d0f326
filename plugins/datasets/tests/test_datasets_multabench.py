"""``multabench``: a small set in the layout of the package's local copies, read through it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from mmbench_datasets.multabench import MulTaBench
from PIL import Image

from mmbench.testing import check_dataset

multabench = pytest.importorskip(
    "multabench", reason="the extra mmbench-datasets[multabench] is not installed"
)

N = 36
BOTH, PLAIN = "MUL_IMAGE_CSGO_SKIN_PRICE", "BIN_TEXT_FAKE_JOB_POSTING"
FOLDERS = {BOTH: "core-img-cls-csgo-skin", PLAIN: "core-text-cls-fake-job-posting"}


def table():
    rng = np.random.default_rng(0)
    kinds = np.array(["common"] * 20 + ["rare"] * 10 + ["odd"] * 5 + ["unique"])
    return pd.DataFrame(
        {
            "image": [f"images/{i}.png" for i in range(N)],
            "title": [None if i == 5 else f"skin {i}" for i in range(N)],
            "maker": [None if i in (5, 6) else f"maker {i % 4}" for i in range(N)],
            "price": np.where(np.arange(N) % 6 == 2, np.nan, rng.normal(size=N)),
            "kind": pd.Categorical(rng.permutation(kinds)),
            "stocked": rng.integers(0, 2, N).astype(bool),
            "made": pd.date_range("2020-02-27 22:00", periods=N, freq="13h"),
            "tier": np.array(["low", "mid", "top"])[np.arange(N) % 3],
        }
    )


def write(root, name, columns):
    folder = root / FOLDERS[name]
    (folder / "images").mkdir(parents=True)
    columns.to_parquet(folder / "data.parquet")
    image = "image" if "image" in columns else None
    meta = {"target": columns.columns[-1], "image_col": image, "task_type": "cls"}
    (folder / "metadata.json").write_text(json.dumps(meta))
    for i in range(N if image else 0):
        Image.new("L", (5, 4), i).save(folder / "images" / f"{i}.png")
    return root


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "copy", BOTH, table())


def test_it_keeps_the_contract(path):
    (verdict,) = check_dataset("multabench", params={"set": BOTH, "path": path})
    told = {finding.check: finding.what for finding in verdict.findings}
    assert told["modalities"] == "image: image, text: text, vector: vector"
    assert told["split"] == "24 train, 12 test"
    assert told["missing"] == "image: 0 missing, text: 1 missing, vector: 0 missing"


@pytest.mark.parametrize("fold", [0, 4])
def test_rows_are_those_of_the_package(path, fold):
    found = MulTaBench(BOTH, path, fold=fold)
    split = multabench.load_split(BOTH, fold=fold, data_dir=str(path))
    rows = [*split.x_train.index, *split.x_test.index]
    assert found.ids == [str(row) for row in rows]
    assert found.split.tolist() == ["train"] * len(split.x_train) + ["test"] * len(split.x_test)
    truth = [*split.y_train, *split.y_test]
    assert [found.classes[code] for code in found.labels] == truth
    image, text = found.items("image"), found.items("text")
    assert [item.getpixel((0, 0)) for item in image] == rows
    assert text[rows.index(7)] == "title: skin 7\nmaker: maker 3"
    assert text[rows.index(6)] == "title: skin 6"
    assert text[rows.index(5)] is None


def test_what_is_learnt_is_learnt_from_the_training_part(path):
    found = MulTaBench(BOTH, path, fold=1, categories=2)
    matrix = np.stack(found.items("vector"))
    rows = table().loc[[int(name) for name in found.ids]]
    train = rows[found.split == "train"]
    expected = [
        rows["price"].fillna(train["price"].median()),
        rows["stocked"],
        *(
            getattr(rows["made"].dt, part)
            for part in ("year", "month", "day", "day_of_week", "hour")
        ),
        rows["price"].isna(),
    ]
    frequent = train["kind"].astype(str).value_counts().index[:2]
    expected += [rows["kind"] == kind for kind in sorted(frequent)]
    expected.append(~rows["kind"].isin(frequent))
    np.testing.assert_allclose(matrix, np.column_stack(expected).astype(float))


def test_one_text_column_is_given_as_it_is(tmp_path):
    columns = table()[["title", "price", "stocked"]]
    found = MulTaBench(PLAIN, write(tmp_path / "copy", PLAIN, columns), size="full")
    assert found.modalities == {"text": "text", "vector": "vector"}
    assert found.classes == ["false", "true"]
    assert found.items("text")[found.ids.index("7")] == "skin 7"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"set": "MUL_IMAGE_PETFINDR"}, "did you mean 'MUL_IMAGE_PETFINDER'?"),
        ({"set": "REG_IMAGE_HNM_FASHION"}, "is for regression; expected a set for classification"),
        ({"fold": 6}, "fold = 6: expected 0 to 5"),
        ({"categories": 0}, "categories = 0: expected 1 or more"),
        ({"set": "MUL_IMAGE_PETFINDER"}, "cannot be loaded: No "),
    ],
)
def test_mistakes(path, options, expected):
    with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
        MulTaBench(**{"set": BOTH, "path": path, **options})
    assert expected in str(caught.value)


def test_an_image_that_is_not_there_is_named(path):
    (path / FOLDERS[BOTH] / "images" / "3.png").unlink()
    with pytest.raises(ValueError, match=r"^MUL_.+: image: no file 'images/3.png' in 'core-img-"):
        MulTaBench(BOTH, path)


def test_the_package_prints_nothing(path, capsys, monkeypatch):
    load = multabench.load_split

    def loud(*arguments, **options):
        print("Downloading")
        return load(*arguments, **options)

    monkeypatch.setattr(multabench, "load_split", loud)
    MulTaBench(BOTH, path)
    assert capsys.readouterr().out == ""


def test_a_package_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "multabench", None)
    with pytest.raises(ValueError, match=r"pip install 'mmbench-datasets\[multabench\]'$"):
        MulTaBench(BOTH)
