"""The data set ``hateful-memes``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from mmbench_datasets.base import Samples, encode
from mmbench_manifest.items import Images, Items
from mmbench_manifest.tables import Table, read_table

from mmbench_sets.media import texts
from mmbench_sets.published import Published, chosen, parts_of

T = TypeVar("T")
SOURCE = "https://hatefulmemeschallenge.com"
KINDS = {"image": "image", "text": "text"}
FILES = {
    "unseen": {"train": "train", "validation": "dev_unseen", "test": "test_unseen"},
    "seen": {"train": "train", "validation": "dev_seen", "test": "test_seen"},
    "dev": {"train": "train", "test": "dev_seen"},
}
COUNTS = {
    "train": 8_500,
    "dev_seen": 500,
    "dev_unseen": 540,
    "test_seen": 1_000,
    "test_unseen": 2_000,
}


class HatefulMemes(Samples):
    """Hateful Memes (Kiela et al., 2020): memes with their text, hateful or not.

    Expected are ``train.jsonl``, ``dev_seen.jsonl``, ``dev_unseen.jsonl``, ``test_seen.jsonl`` and
    ``test_unseen.jsonl``, as far as the option ``evaluation`` asks for them, and ``img/*.png``, in
    the folder or in ``data`` below it. Rows without a label, which the publishers keep hidden, are
    left out.

    Parameters
    ----------
    path : Path
        The folder.
    evaluation : {"unseen", "seen", "dev"}, default="unseen"
        Which parts are evaluated: those of the challenge's phase 2 (dev_unseen, test_unseen), of
        phase 1 (dev_seen, test_seen), or dev_seen as the test part, for those who have no labels
        of the test parts.
    modalities : list of str, optional
        Some of ``image``, ``text``; default: all.
    subset : bool, default=False
        Accept other numbers of samples than the published.

    Attributes
    ----------
    classes : list of str
        ``"0"`` and ``"1"``, as published; 1 is hateful.
    ids : list of str
        As published.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If anything else is wrong. Either has one line.
    """

    def __init__(
        self,
        path: Path,
        evaluation: Literal["unseen", "seen", "dev"] = "unseen",
        modalities: list[str] | None = None,
        subset: bool = False,
    ) -> None:
        self.modalities = chosen(modalities, KINDS)
        published = Published(Path(path), SOURCE)
        top = published.file("train.jsonl", "data/train.jsonl").parent
        below = top.relative_to(published.path)
        self.ids, labels, images, captions = [], [], [], []
        lengths = {}
        for part, name in FILES[evaluation].items():
            table = read_table(published.file((below / f"{name}.jsonl").as_posix()))
            known = _labelled(table, name)
            rows = list(known)
            self.ids += _at(rows, table.keys("id", "id"))
            images += _at(rows, table.texts("img", "img"))
            captions += _at(rows, table.texts("text", "text"))
            labels += list(known.values())
            lengths[part] = len(rows)
        counts = {part: COUNTS[name] for part, name in FILES[evaluation].items()}
        published.check_counts(lengths, counts, subset)
        published.check_ids(self.ids)
        self.labels, self.classes = encode(labels)
        self.split = parts_of(lengths)
        self._items: dict[str, Items] = {}
        if "image" in self.modalities:
            self._items["image"] = Images(top, published.present("image", top, images))
        if "text" in self.modalities:
            self._items["text"] = texts(captions)


def _labelled(table: Table, name: str) -> dict[int, str]:
    """Return the labels by row, without the rows that have none."""
    if "label" not in table.names:
        labels: list[str | None] = [None] * table.n_rows
    else:
        labels = table.texts("label", "label")
    for row, label in enumerate(labels):
        if label not in ("0", "1", "", None):
            raise table.error(f"label: {label!r} in {table.row(row)}; expected 0 or 1")
    known = {row: label for row, label in enumerate(labels) if label}
    if not known:
        hint = "; evaluation = 'dev' tests on dev_seen.jsonl" if name.startswith("test") else ""
        raise table.error(f"label: no row has one{hint}")
    return known


def _at(rows: list[int], values: Sequence[T]) -> list[T]:
    return [values[row] for row in rows]
