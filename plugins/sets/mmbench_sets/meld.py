"""The data set ``meld``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from mmbench_datasets.base import Samples, encode
from mmbench_manifest.items import Items
from mmbench_manifest.tables import read_table

from mmbench_sets.media import clips, texts
from mmbench_sets.published import Published, chosen, parts_of

SOURCE = "https://affective-meld.github.io"
KINDS = {"text": "text", "audio": "audio", "video": "video"}
COUNTS = {"train": 9_989, "validation": 1_109, "test": 2_610}
FOLDERS = {
    "train": ("train", "train_splits"),
    "validation": ("dev", "dev_splits_complete"),
    "test": ("test", "output_repeated_splits_test"),
}
FAULTY = {"train/dia125_utt3", "dev/dia110_utt7"}
"""The one clip that cannot be decoded, and the one that is not published: given as missing."""


class Meld(Samples):
    """MELD (Poria et al., 2019): utterances of the series Friends, with emotion and sentiment.

    Expected are ``train_sent_emo.csv``, ``dev_sent_emo.csv`` and ``test_sent_emo.csv``, and the
    clips ``train_splits/diaX_uttY.mp4``, ``dev_splits_complete/...`` and
    ``output_repeated_splits_test/...``. Each may also stand in ``train``, ``dev`` or ``test``, the
    tables also in ``data/MELD``. Clips that no table names are not read.

    Parameters
    ----------
    path : Path
        The folder.
    label : {"emotion", "sentiment"}, default="emotion"
        Which annotation is the label: of seven emotions, or of three sentiments.
    frames : int, optional
        How many frames, evenly spread, are given of each video; default: all.
    modalities : list of str, optional
        Some of ``text``, ``audio``, ``video``; default: all.
    subset : bool, default=False
        Accept other numbers of samples than the published.

    Attributes
    ----------
    classes : list of str
        As published, in the order of strings.
    ids : list of str
        ``train/dia0_utt0`` and the like.
    groups : ndarray of str, shape (n,)
        The dialogue.

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
        label: Literal["emotion", "sentiment"] = "emotion",
        frames: int | None = None,
        modalities: list[str] | None = None,
        subset: bool = False,
    ) -> None:
        self.modalities = chosen(modalities, KINDS)
        published = Published(Path(path), SOURCE)
        self.ids, labels, utterances, dialogues = [], [], [], []
        lengths = {}
        for part, (name, _) in FOLDERS.items():
            file = f"{name}_sent_emo.csv"
            table = read_table(published.file(file, f"{name}/{file}", f"data/MELD/{file}"))
            number = table.keys("Dialogue_ID", "Dialogue_ID")
            turn = table.keys("Utterance_ID", "Utterance_ID")
            self.ids += [f"{name}/dia{d}_utt{u}" for d, u in zip(number, turn, strict=True)]
            dialogues += [f"{name}/dia{d}" for d in number]
            labels += [value.strip().lower() for value in table.keys(label.capitalize(), "label")]
            utterances += table.texts("Utterance", "Utterance")
            lengths[part] = table.n_rows
        published.check_counts(lengths, COUNTS, subset)
        published.check_ids(self.ids)
        self.labels, self.classes = encode(labels)
        self.split = parts_of(lengths)
        self.groups = np.array(dialogues)
        self._items: dict[str, Items] = {}
        files = None
        for modality, kind in self.modalities.items():
            if kind == "text":
                self._items[modality] = texts(utterances)
                continue
            files = files or self._clips(published)
            self._items[modality] = clips(kind, published.path, files, frames)

    def _clips(self, published: Published) -> list[str | None]:
        """Return the clips' places below the folder, None where there is none."""
        places = {
            name: published.folder(folder, f"{name}/{folder}").relative_to(published.path)
            for name, folder in FOLDERS.values()
        }
        names = [utterance.split("/") for utterance in self.ids]
        files = [
            None if "/".join(name) in FAULTY else f"{places[name[0]].as_posix()}/{name[1]}.mp4"
            for name in names
        ]
        return published.present("clips", published.path, files)
