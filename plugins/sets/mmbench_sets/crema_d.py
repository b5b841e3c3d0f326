"""The data set ``crema-d``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from mmbench_datasets.base import Samples, encode
from mmbench_manifest.items import Files, Items, read_audio
from mmbench_manifest.tables import read_table
from mmbench_manifest.video import Videos

from mmbench_sets.published import Published, chosen

SOURCE = "https://github.com/CheyneyComputerScience/CREMA-D"
KINDS = {"audio": "audio", "video": "video"}
PLACES = {"audio": ("AudioWAV", ".wav"), "video": ("VideoFlash", ".flv")}
CLIPS = 7_442
EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
NAME = re.compile(r"(?P<actor>[0-9]{4})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_[A-Z]{1,2}")
VOTES = {"voice": "VoiceVote", "face": "FaceVote", "multimodal": "MultiModalVote"}
EXPECTED = "one of A, D, F, H, N, S, or several of them with colons"
TABLE = "processedResults/summaryTable.csv"
FAULTY = {"audio": {"1076_MTI_SAD_XX"}, "video": {"1064_TIE_SAD_XX"}}
"""Clips known to have no sound, and no duration: given as missing."""


class CremaD(Samples):
    """CREMA-D (Cao et al., 2014): actors who speak twelve sentences in six emotions.

    Expected are ``AudioWAV/*.wav`` and ``VideoFlash/*.flv``, whose names are
    ``ACTOR_SENTENCE_EMOTION_LEVEL``. There is no published split; no actor stands in two parts of
    one.

    Parameters
    ----------
    path : Path
        The folder.
    label : {"intended", "voice", "face", "multimodal"}, default="intended"
        The emotion that the actor was to show, as the file's name says it, or the one that most
        raters heard, saw, or heard and saw (``processedResults/summaryTable.csv``). Clips of which
        the raters' vote is a tie are left out.
    frames : int, optional
        How many frames, evenly spread, are given of each video; default: all.
    modalities : list of str, optional
        Some of ``audio``, ``video``; default: all.
    subset : bool, default=False
        Accept other numbers of samples than the published.

    Attributes
    ----------
    classes : list of str
        anger, disgust, fear, happy, neutral, sad.
    ids : list of str
        The files' names without the extension.
    groups : ndarray of str, shape (n,)
        The actor.

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
        label: Literal["intended", "voice", "face", "multimodal"] = "intended",
        frames: int | None = None,
        modalities: list[str] | None = None,
        subset: bool = False,
    ) -> None:
        self.modalities = chosen(modalities, KINDS)
        published = Published(Path(path), SOURCE)
        folders = {name: published.folder(PLACES[name][0]) for name in self.modalities}
        names: set[str] = set()
        for name, folder in folders.items():
            names.update(_clips(folder, PLACES[name][1]))
        published.check_counts({"clips": len(names)}, {"clips": CLIPS}, subset)
        clips = {name: _parsed(published, name) for name in sorted(names)}
        emotions = {name: emotion for name, (_, emotion) in clips.items()}
        if label != "intended":
            emotions = _votes(published, clips, VOTES[label])
        self.ids = list(emotions)
        self.labels, self.classes = encode(list(emotions.values()))
        self.groups = np.array([clips[name][0] for name in self.ids])
        self._items: dict[str, Items] = {}
        for name, folder in folders.items():
            extension = PLACES[name][1]
            files = [None if i in FAULTY[name] else i + extension for i in self.ids]
            files = published.present(name, folder, files)
            self._items[name] = (
                Files("audio", folder, files, read_audio)
                if name == "audio"
                else Videos(folder, files, None, frames)
            )


def _clips(folder: Path, extension: str) -> list[str]:
    found = (os.path.splitext(name) for name in os.listdir(folder) if not name.startswith("."))
    return [stem for stem, suffix in found if suffix.lower() == extension]


def _parsed(published: Published, name: str) -> tuple[str, str]:
    """Return actor and emotion."""
    found = NAME.fullmatch(name)
    if found is None or found["emotion"] not in EMOTIONS:
        raise published.error(
            f"the clip {name!r} is not called ACTOR_SENTENCE_EMOTION_LEVEL with an emotion of "
            f"{', '.join(EMOTIONS)}"
        )
    return found["actor"], EMOTIONS[found["emotion"]]


def _votes(published: Published, names: Iterable[str], column: str) -> dict[str, str]:
    """Return the raters' emotion of each clip, without those of which it is a tie."""
    table = read_table(published.file(TABLE, f"data/InfoAndStats/{TABLE}"))
    rated = table.keys("FileName", "FileName")
    votes = dict(zip(rated, table.keys(column, column), strict=True))
    initials = {emotion[0].upper(): emotion for emotion in EMOTIONS.values()}
    found = {}
    for name in names:
        # one file's name ends in X, where the table has XX
        vote = votes.get(name) or votes.get(f"{name}X")
        if vote is None:
            raise table.error(f"FileName: no row for the clip {name!r}")
        if vote in initials:
            found[name] = initials[vote]
        elif not set(vote.split(":")) <= set(initials):
            raise table.error(f"{column}: {vote!r} for the clip {name!r}; expected {EXPECTED}")
    if len(set(found.values())) < 2:
        raise table.error(f"{column}: {len(found)} clips without a tie, not of two emotions")
    return found
