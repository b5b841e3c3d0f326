"""``image-folder``: what it finds, in which order, and a user's mistakes in one line."""

from __future__ import annotations

import os

import numpy as np
import pytest
from mmbench_datasets.folder import ImageFolder
from PIL import Image


@pytest.fixture
def plant(tmp_path):
    """Write images of one colour under the names given, and empty files where they are none."""

    def plant(*names):
        root = tmp_path / "garden"
        for shade, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.lower().endswith((".png", ".jpg", ".bmp", ".gif")):
                image = Image.new("L", (2, 3), shade)
                image.save(path, format="JPEG" if name.lower().endswith("jpg") else None)
            else:
                path.touch()
        return root

    return plant


@pytest.fixture
def refused(plant):
    def refused(*names, error=ValueError, **options):
        with pytest.raises(error) as caught:
            ImageFolder(plant(*names), **options)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return refused


def test_folders_are_classes_at_any_depth(plant):
    root = plant("b/x.png", "a/deep/er/y.PNG", "a/z.bmp", "b/notes.txt", "readme.md")
    found = ImageFolder(root)
    assert found.ids == ["a/deep/er/y.PNG", "a/z.bmp", "b/x.png"]
    assert found.classes == ["a", "b"]
    assert found.labels.tolist() == [0, 0, 1]
    assert found.labels.dtype == np.int64
    assert found.split is None
    assert found.modalities == {"image": "image"}
    assert [item.getpixel((0, 0)) for item in found.items("image")] == [1, 2, 0]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["10", "9", "1.5", "-2"], ["-2", "1.5", "9", "10"]),
        (["10", "9", "b"], ["10", "9", "b"]),
        (["True", "False"], ["False", "True"]),
        (["ä", "z", "Z"], ["Z", "z", "ä"]),
    ],
)
def test_the_order_of_classes(plant, names, expected):
    assert ImageFolder(plant(*(f"{name}/{name}.png" for name in names))).classes == expected


def test_hidden_files_and_folders_are_skipped(plant):
    root = plant("a/1.png", "a/._1.png", "a/.cache/2.png", ".git/3.png", "b/4.png")
    assert ImageFolder(root).ids == ["a/1.png", "b/4.png"]


def test_published_parts_are_kept(plant):
    root = plant(
        *("Train/a/1.png", "Train/b/2.png", "valid/b/3.png"),
        *("TEST/a/4.png", "TEST/c/5.png", "x/no.txt"),
    )
    found = ImageFolder(root)
    assert dict(zip(found.ids, found.split.tolist(), strict=True)) == {
        "TEST/a/4.png": "test",
        "TEST/c/5.png": "test",
        "Train/a/1.png": "train",
        "Train/b/2.png": "train",
        "valid/b/3.png": "validation",
    }
    assert found.classes == ["a", "b", "c"]
    assert found.labels.tolist() == [0, 2, 0, 1, 1]


def test_parts_are_classes_where_asked(plant):
    found = ImageFolder(plant("train/a/1.png", "test/a/2.png"), split=False)
    assert found.classes == ["test", "train"]
    assert found.split is None


def test_one_part_is_a_class_like_any_other(plant):
    assert ImageFolder(plant("train/1.png", "bus/2.png")).classes == ["bus", "train"]


def test_validation_is_tested_on_only_where_asked(plant, refused):
    names = ("train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png")
    message = refused(*names)
    assert message == "garden: it has no test part; write test = 'val' to test on that"
    assert ImageFolder(plant(*names), test="val").split.tolist() == ["train"] * 2 + ["test"] * 2


def test_what_stands_beside_parts(plant, refused):
    names = ("train/a/1.png", "test/b/2.png", "extra/c/3.png")
    message = refused(*names)
    assert message.startswith("garden: the folder 'extra' stands beside ")
    assert "split = true leaves it out" in message
    assert ImageFolder(plant(*names), split=True).ids == ["test/b/2.png", "train/a/1.png"]


def test_extensions_in_any_spelling(plant):
    root = plant("a/1.png", "a/2.JPG", "b/3.png", "b/4.gif", "b/5.jpg")
    assert ImageFolder(root, extensions=["JPG", ".gif"]).ids == ["a/2.JPG", "b/4.gif", "b/5.jpg"]


def test_the_modality_has_the_name_given(plant):
    found = ImageFolder(plant("a/1.png", "b/2.png"), modality="photo")
    assert found.modalities == {"photo": "image"}
    assert len(found.items("photo")) == 2
    with pytest.raises(ValueError, match="no modality 'foto'; did you mean 'photo'"):
        found.items("foto")


def test_a_missing_folder_names_the_nearest(plant):
    root = plant("a/1.png", "b/2.png")
    with pytest.raises(FileNotFoundError, match=r"path: no folder 'gadren': .*'garden'\?"):
        ImageFolder(root.with_name("gadren"))
    with pytest.raises(FileNotFoundError, match=r"path: no folder '1.png': it is a file"):
        ImageFolder(root / "a" / "1.png")


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        (["1.png", "2.png"], {}, "garden: it holds 2 images but no class folders; expected"),
        (["x.txt"], {}, "garden: it holds no class folders; expected a folder per class"),
        (["a/1.png"], {}, "garden: it has the one class folder 'a'; expected"),
        (
            ["a/1.png", "b/2.txt", "b/c/3.MD"],
            {},
            "garden: the class folder 'b' holds no image (only .md, .txt)",
        ),
        (
            ["train/a/1.png", "train/b/2.png", "test/a/x.txt"],
            {},
            "garden: the class folder 'test/a' holds no image (only .txt)",
        ),
        (
            ["train/1.png", "test/2.png"],
            {},
            "garden: the folder 'test' holds 1 images but no class folders; expected a folder per "
            "class (split = false takes the folders above as classes)",
        ),
        (
            ["a/1.png", "b/2.png"],
            {"split": True},
            "garden: expected folders train and test (or validation); it has 'a', 'b'",
        ),
        (
            ["train/a/1.png", "val/a/2.png", "valid/a/3.png", "test/a/4.png"],
            {},
            "garden: val and valid are both the validation part",
        ),
        (
            ["train/a/1.png", "train/b/1.png", "val/a/2.png"],
            {"test": "vall"},
            "test: 'garden' has no folder 'vall'; did you mean 'val'?",
        ),
        (["a/1.png", "b/2.png"], {"extensions": []}, "extensions: the list names none"),
    ],
)
def test_mistakes(refused, names, options, expected):
    assert refused(*names, **options).startswith(expected)


def test_links_within_the_folder_are_read_others_refused(plant, tmp_path):
    root = plant("a/1.png", "b/2.png")
    (root / "b" / "3.png").symlink_to(root / "a" / "1.png")
    assert ImageFolder(root).ids == ["a/1.png", "b/2.png", "b/3.png"]
    outside = tmp_path / "outside.png"
    Image.new("L", (1, 1)).save(outside)
    (root / "b" / "4.png").symlink_to(outside)
    with pytest.raises(ValueError, match=r"^garden: 'b/4.png' is a link that leaves the folder$"):
        ImageFolder(root)
    (root / "b" / "4.png").unlink()
    (root / "b" / "5.png").symlink_to(root / "a" / "none.png")
    with pytest.raises(ValueError, match=r"^garden: 'b/5.png' is a link to nothing$"):
        ImageFolder(root)
    (root / "b" / "5.png").unlink()
    (root / "b" / "up").symlink_to(root)
    with pytest.raises(ValueError, match=r"^garden: 'b/up' is a link to a folder"):
        ImageFolder(root)


def test_the_folder_itself_may_be_a_link(plant, tmp_path):
    (tmp_path / "link").symlink_to(plant("a/1.png", "b/2.png"))
    assert ImageFolder(tmp_path / "link").ids == ["a/1.png", "b/2.png"]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_names_in_other_encodings_are_refused(plant):
    root = plant("a/1.png", "b/2.png")
    os.rename(root / "b" / "2.png", os.fsencode(root / "b") + b"/caf\xe9.png")
    with pytest.raises(ValueError, match=r"^garden: the name 'b/caf.*png' is not in UTF-8$"):
        ImageFolder(root)


def test_the_fingerprint_is_of_bytes_not_names(plant, tmp_path):
    root = plant("a/1.png", "b/2.png")
    before = ImageFolder(root).fingerprint("image")
    moved = root.rename(tmp_path / "moved")
    (moved / "a" / "1.png").rename(moved / "a" / "0.png")
    assert ImageFolder(moved).fingerprint("image") == before
    Image.new("L", (2, 3), 77).save(moved / "b" / "2.png")
    assert ImageFolder(moved).fingerprint("image") != before


def test_an_unreadable_image_is_named(plant):
    root = plant("a/1.png", "b/2.png")
    (root / "b" / "2.png").write_bytes(b"no image")
    items = ImageFolder(root).items("image")
    with pytest.raises(OSError, match=r"b/2\.png cannot be read as image"):
        items[1]
