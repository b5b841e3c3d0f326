"""The data set ``food-101``."""

from __future__ import annotations

import csv
from pathlib import Path

from mmbench_datasets.base import Samples, encode
from mmbench_manifest.items import Images, Items

from mmbench_sets.media import texts
from mmbench_sets.published import Published, chosen, parts_of

SOURCE = "https://www.kaggle.com/datasets/gianmarco96/upmcfood101"
KINDS = {"image": "image", "text": "text"}
COUNTS = {"train": 67_988, "test": 22_716}
CLASSES = 101


class Food101(Samples):
    """UPMC Food-101 (Wang et al., 2015): photographs of 101 dishes with the titles of recipes.

    Expected are ``images/{train,test}/CLASS/CLASS_N.jpg`` and ``texts/{train,test}_titles.csv``
    with the columns image, title and class and no header.

    Parameters
    ----------
    path : Path
        The folder.
    modalities : list of str, optional
        Some of ``image``, ``text``; default: all.
    subset : bool, default=False
        Accept other numbers of samples and classes than the published.

    Attributes
    ----------
    classes : list of str
        The dishes, ``apple_pie`` to ``waffles``.
    ids : list of str
        ``train/apple_pie_0`` and the like.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If anything else is wrong. Either has one line.
    """

    def __init__(
        self, path: Path, modalities: list[str] | None = None, subset: bool = False
    ) -> None:
        self.modalities = chosen(modalities, KINDS)
        published = Published(Path(path), SOURCE)
        self.ids, dishes, images, titles = [], [], [], []
        lengths = {}
        for part in COUNTS:
            rows = _titles(published.file(f"texts/{part}_titles.csv"))
            lengths[part] = len(rows)
            self.ids += [f"{part}/{Path(image).stem}" for image, _, _ in rows]
            images += [f"{part}/{dish}/{image}" for image, _, dish in rows]
            titles += [title.strip() for _, title, _ in rows]
            dishes += [dish for _, _, dish in rows]
        published.check_counts(lengths, COUNTS, subset)
        published.check_ids(self.ids)
        self.labels, self.classes = encode(dishes)
        if not subset and len(self.classes) != CLASSES:
            raise published.error(
                f"{len(self.classes)} classes; the published set has {CLASSES} "
                "(subset = true accepts others)"
            )
        self.split = parts_of(lengths)
        self._items: dict[str, Items] = {}
        if "image" in self.modalities:
            folder = published.folder("images")
            self._items["image"] = Images(folder, published.present("image", folder, images))
        if "text" in self.modalities:
            self._items["text"] = texts(titles)


def _titles(path: Path) -> list[tuple[str, str, str]]:
    """Read image, title and class of each row."""
    rows = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            for fields in reader:
                if len(fields) != 3 or not fields[0] or not fields[2]:
                    raise ValueError(
                        f"{path.name}: line {reader.line_num} has {len(fields)} fields; "
                        "expected image, title and class"
                    )
                rows.append((fields[0], fields[1], fields[2]))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name}: after line {reader.line_num}: {error}") from error
    return rows
