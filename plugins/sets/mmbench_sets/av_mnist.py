"""The data set ``av-mnist``."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from mmbench_datasets.base import Samples, encode

from mmbench_sets.media import Chained, Pictures
from mmbench_sets.published import Published, chosen

SOURCE = "https://github.com/pliang279/MultiBench (datasets/avmnist)"
KINDS = {"image": "image", "spectrogram": "image"}
FOLDERS = {"image": "image", "spectrogram": "audio"}
COUNTS = {"train": 60_000, "test": 10_000}


class AVMNIST(Samples):
    """AV-MNIST (Vielzeuf et al., 2018): written digits and spectrograms of spoken ones.

    Expected are ``image/{train,test}_data.npy``, ``audio/{train,test}_data.npy`` and
    ``{train,test}_labels.npy``: pictures (n, height, width), or flattened (n, height * width) with
    height and width equal. They are memory-mapped.

    Parameters
    ----------
    path : Path
        The folder.
    validation : int, default=0
        How many of the last training samples are the validation part. Published is none; MultiBench
        takes 5,000.
    modalities : list of str, optional
        Some of ``image``, ``spectrogram``; default: all.
    subset : bool, default=False
        Accept other numbers of samples than the published.

    Attributes
    ----------
    classes : list of str
        ``"0"`` to ``"9"``.
    ids : list of str
        ``train-0`` and the like, in the order of the files.

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
        validation: int = 0,
        modalities: list[str] | None = None,
        subset: bool = False,
    ) -> None:
        self.modalities = chosen(modalities, KINDS)
        published = Published(Path(path), SOURCE)
        digits = {part: _digits(published, f"{part}_labels.npy") for part in COUNTS}
        lengths = {part: len(found) for part, found in digits.items()}
        published.check_counts(lengths, COUNTS, subset)
        if not 0 <= validation < lengths["train"]:
            raise ValueError(
                f"validation = {validation}: expected 0 to {lengths['train'] - 1}, of "
                f"{lengths['train']} training samples"
            )
        self.labels, self.classes = encode([str(d) for part in digits.values() for d in part])
        self.ids = [f"{part}-{row}" for part, n in lengths.items() for row in range(n)]
        parts = {"train": lengths["train"] - validation, "validation": validation}
        parts["test"] = lengths["test"]
        self.split = np.repeat(list(parts), list(parts.values()))
        self._items = {}
        for name in self.modalities:
            files = {part: f"{FOLDERS[name]}/{part}_data.npy" for part in COUNTS}
            found = [_pictures(published, file, lengths[part]) for part, file in files.items()]
            self._items[name] = Chained(found)


def _digits(published: Published, place: str) -> list[int]:
    values = _loaded(published, place).ravel()
    if values.dtype.kind not in "biuf" or not np.isin(values, range(10)).all():
        raise published.error(f"{place}: expected digits from 0 to 9")
    return [int(value) for value in values]


def _pictures(published: Published, place: str, n: int) -> Pictures:
    array = _loaded(published, place)
    if len(array) != n:
        raise published.error(f"{place}: {len(array)} rows; there are {n} labels")
    if array.ndim == 2 and (side := math.isqrt(array.shape[1])) ** 2 == array.shape[1]:
        array = array.reshape(n, side, side)
    if array.ndim != 3 or not array.size or array.dtype.kind not in "biuf":
        raise published.error(
            f"{place}: {array.dtype} of shape {array.shape}; expected numbers of shape (n, height, "
            "width), or (n, height * width) of squares"
        )
    return Pictures(array, np.zeros(n, dtype=bool))


def _loaded(published: Published, place: str) -> np.ndarray:
    path = published.file(place)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise published.error(f"{place}: it cannot be read as npy: {reason}") from error
