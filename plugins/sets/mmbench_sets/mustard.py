"""The data set ``mustard``."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from mmbench_datasets.base import Samples, encode
from mmbench_manifest.items import Items

from mmbench_sets.media import clips, texts
from mmbench_sets.published import Published, chosen

SOURCE = "https://github.com/soujanyaporia/MUStARD"
TEXTS = ("utterance", "context", "speaker")
KINDS = {
    "utterance": "text",
    "context": "text",
    "speaker": "text",
    "audio": "audio",
    "video": "video",
    "context_audio": "audio",
    "context_video": "video",
}
FIELDS = {"utterance": str, "speaker": str, "context": list, "sarcasm": bool}
UTTERANCES = 690
TEST_SHOW = "FRIENDS"
ARRAYS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


class Mustard(Samples):
    """MUStARD (Castro et al., 2019): utterances of four series, sarcastic or not.

    Expected are ``data/sarcasm_data.json``, for the published folds ``data/split_indices.p``, and
    the clips ``utterances_final/ID.mp4`` and ``context_final/ID_c.mp4``, in the folder or below
    ``videos``, ``data/videos`` or ``mmsd_raw_data``; or all of the clips in ``data/videos``.

    Parameters
    ----------
    path : Path
        The folder.
    setting : {"speaker-dependent", "speaker-independent"}, default="speaker-dependent"
        The authors' two settings: their five folds, or all but Friends as the training and Friends
        as the test part, with the speakers as groups.
    frames : int, optional
        How many frames, evenly spread, are given of each video; default: all.
    modalities : list of str, optional
        Some of ``utterance``, ``context``, ``speaker`` (texts), ``audio``, ``video``,
        ``context_audio``, ``context_video``; default: all.
    subset : bool, default=False
        Accept other numbers of samples than the published.

    Attributes
    ----------
    classes : list of str
        ``"false"`` and ``"true"``, which is sarcastic.
    ids : list of str
        As published.
    folds : ndarray of int64, shape (n,), or None
        The fold of which a sample is in the test part, 0 to 4.

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
        setting: Literal["speaker-dependent", "speaker-independent"] = "speaker-dependent",
        frames: int | None = None,
        modalities: list[str] | None = None,
        subset: bool = False,
    ) -> None:
        self.modalities = chosen(modalities, KINDS)
        published = Published(Path(path), SOURCE)
        independent = setting == "speaker-independent"
        rows = _rows(published, {**FIELDS, "show": str} if independent else FIELDS)
        published.check_counts({"utterances": len(rows)}, {"utterances": UTTERANCES}, subset)
        self.ids = list(rows)
        self.labels, self.classes = encode([str(row["sarcasm"]).lower() for row in rows.values()])
        if independent:
            shows = [row["show"] for row in rows.values()]
            self.split = np.array(["test" if show == TEST_SHOW else "train" for show in shows])
            self.groups = np.array([row["speaker"] for row in rows.values()])
        else:
            self.folds = _folds(published, len(rows))
        self._items: dict[str, Items] = {}
        for name, kind in self.modalities.items():
            if name == "context":
                self._items[name] = texts(["\n".join(row[name]) for row in rows.values()])
            elif kind == "text":
                self._items[name] = texts([row[name] for row in rows.values()])
            else:
                folder, ending = _clips(published, name.startswith("context"))
                files = published.present(name, folder, [f"{i}{ending}" for i in self.ids])
                self._items[name] = clips(kind, folder, files, frames)


def _rows(published: Published, fields: Mapping[str, type]) -> dict[str, dict[str, Any]]:
    """Read the annotations by id, in the file's order, and check the types of their fields."""
    path = published.file("data/sarcasm_data.json", "sarcasm_data.json")
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path.name}: it cannot be read as JSON: {error}") from error
    if not isinstance(rows, dict):
        raise ValueError(f"{path.name}: it holds a {type(rows).__name__}; expected rows by id")
    for name, row in rows.items():
        for field, kind in fields.items():
            if not isinstance(row, dict) or not isinstance(row.get(field), kind):
                raise ValueError(
                    f"{path.name}: the row {name!r} has no {field!r} of type {kind.__name__}"
                )
    return rows


def _clips(published: Published, context: bool) -> tuple[Path, str]:
    """Return the folder of the utterances or of their contexts, and how the names end."""
    name, ending = ("context_final", "_c.mp4") if context else ("utterances_final", ".mp4")
    tops = ("", "videos/", "data/videos/", "mmsd_raw_data/")
    return published.folder(*(f"{top}{name}" for top in tops), "data/videos"), ending


def _folds(published: Published, n: int) -> np.ndarray:
    """Read the fold of each sample from the authors' list of training and test positions."""
    path = published.file("data/split_indices.p", "split_indices.p")
    try:
        pairs = _Arrays(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        tests = [np.asarray(test, dtype=np.int64) for _, test in pairs]
        rows = np.concatenate(tests)
    except Exception as error:  # broken pickles end in all sorts of errors
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path.name}: it cannot be read as folds: {reason}") from error
    if not np.array_equal(np.sort(rows), np.arange(n)):
        raise ValueError(
            f"{path.name}: its test parts hold {len(rows)} positions; expected each of the {n} "
            "utterances once"
        )
    folds = np.empty(n, dtype=np.int64)
    folds[rows] = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    return folds


class _Arrays(pickle.Unpickler):
    """Unpickles lists, tuples, numbers and arrays of numbers; refuses all that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAYS:
            raise pickle.UnpicklingError(f"it holds {module}.{name}; expected arrays alone")
        return super().find_class(module, name)
