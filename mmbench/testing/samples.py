"""A dataset on the bench: built as the harness builds it, and looked at without decoding it all."""

from __future__ import annotations

import gc
import hashlib
import weakref
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mmbench.data import DatasetSpec
from mmbench.errors import UserError
from mmbench.options import signature
from mmbench.testing.arrays import Arrays
from mmbench.testing.kit import BrokenContractError
from mmbench.testing.subject import Subject

SPREAD = 200
"""How many items of a modality are looked at."""

FEW = 40
"""How many are looked at more than once."""

COLUMNS = ("split", "folds", "groups")


class DatasetSubject(Subject):
    """A dataset."""

    elsewhere: Arrays | None = None
    """What a fresh process has made of it, where one was asked."""

    def build(self, params: Mapping[str, Any] | None = None, **_: Any) -> Any:
        """Build it from its options, as every worker does: it is given no seed.

        Raises
        ------
        UserError
            It asks for what datasets are not given.
        """
        unknown = sorted(signature(self.entry).asks - {"threads", "device"})
        if unknown:
            raise UserError(
                f"it has a parameter {unknown[0]!r}, which is no option, and which datasets are "
                "not given; an option by which to draw samples may be called 'draw'"
            )
        options = self.request.params if params is None else params
        return DatasetSpec(self.entry, self.entry.name, dict(options)).load(1)

    @cached_property
    def dataset(self) -> Any:
        """The object that the checks share."""
        return self.build()

    @cached_property
    def n(self) -> int:
        """How many samples there are."""
        return len(self.dataset.ids)

    @cached_property
    def rows(self) -> np.ndarray:
        """The positions of the items that are looked at."""
        return spread(self.n)

    def contents(self, dataset: Any, limit: int = SPREAD) -> Arrays:
        """Return hashes of a spread of each modality's items."""
        return {
            modality: hashes(dataset.items(modality), kind, spread(len(dataset.ids), limit))
            for modality, kind in dataset.modalities.items()
        }

    def snapshot(self, dataset: Any) -> Arrays:
        """Return what must be the same wherever and whenever it is built, fingerprints aside."""
        found = {
            "modalities": [f"{name}: {kind}" for name, kind in dataset.modalities.items()],
            "ids": dataset.ids,
            "labels": dataset.labels,
            "classes": dataset.classes,
            **{name: getattr(dataset, name, None) for name in COLUMNS},
        }
        arrays = {name: np.array(list(map(str, v))) for name, v in found.items() if v is not None}
        for modality, made in self.contents(dataset, FEW).items():
            arrays[f"items of {modality}"] = made
        return arrays


def fingerprints(dataset: Any) -> Arrays:
    """Return the modalities' fingerprints, under names of their own."""
    found = {modality: str(dataset.fingerprint(modality)) for modality in dataset.modalities}
    return {f"fingerprint of {modality}": np.array(text) for modality, text in found.items()}


def spread(n: int, limit: int = SPREAD) -> np.ndarray:
    """Return positions evenly spread over all, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).round().astype(int))


def hashes(items: Sequence[Any], kind: str, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return a hash of each of these items, in this order."""
    return np.array([hashlib.sha256(content(items[int(i)], kind)).hexdigest() for i in rows])


def content(item: Any, kind: str) -> bytes:
    """Return all that an item of a kind holds.

    Raises
    ------
    BrokenContractError
        It is not of that kind.
    """
    if item is None:
        return b"missing"
    if problem := wrong(item, kind):
        raise BrokenContractError(problem)
    if kind == "text":
        text: str = item
        return text.encode("utf-8", "surrogatepass")
    if kind == "vector":
        return f"{item.dtype} ".encode() + bytes(item.tobytes())
    if kind == "audio":
        return f"{item.samples.shape} {item.sample_rate} ".encode() + bytes(item.samples.tobytes())
    if kind == "video":
        head = f"{len(item)} {item.frame_rate} ".encode()
        return head + b"".join(content(frame, "image") for frame in item)
    palette = bytes(item.getpalette() or ()) if item.mode == "P" else b""
    return f"{item.mode} {item.size} ".encode() + palette + bytes(item.tobytes())


def held(items: Sequence[Any], kind: str, rows: Sequence[int] | np.ndarray) -> tuple[bool, float]:
    """Return whether all these images, sounds or videos outlive their use, and their mean bytes."""
    anchors: list[weakref.ref[Any]] = []
    size = 0
    for i in rows:
        item = items[int(i)]
        if item is None:
            continue
        size += len(content(item, kind))
        anchors.append(weakref.ref(_anchor(item, kind)))
        del item
    gc.collect()
    left = {id(found) for anchor in anchors if (found := anchor()) is not None}
    return bool(anchors) and len(left) == len(anchors), size / max(1, len(anchors))


def _anchor(item: Any, kind: str) -> Any:
    """Return the part of an item that takes the memory."""
    return item.samples if kind == "audio" else item[0] if kind == "video" else item


def wrong(item: Any, kind: str) -> str:
    """Say in what an item is not what its kind asks for; empty where in nothing."""
    return _WRONG[kind](item)


def _wrong_image(item: Any) -> str:
    from PIL import Image

    if not isinstance(item, Image.Image):
        return f"it is {_type(item)}; a PIL.Image was expected"
    return "" if all(item.size) else f"it is an image of size {item.size}"


def _wrong_text(item: Any) -> str:
    return "" if isinstance(item, str) else f"it is {_type(item)}; a str was expected"


def _wrong_audio(item: Any) -> str:
    samples, rate = getattr(item, "samples", None), getattr(item, "sample_rate", None)
    if samples is None or rate is None:
        return f"it is {_type(item)}; an object with samples and sample_rate was expected"
    if not isinstance(samples, np.ndarray) or samples.ndim != 2 or samples.dtype != np.float32:
        shown = f"{samples.dtype} {samples.shape}" if hasattr(samples, "dtype") else _type(samples)
        return f"its samples are {shown}; float32 (frames, channels) was expected"
    if not all(samples.shape):
        return f"its samples are of shape {samples.shape}: there is no sound"
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not rate > 0:
        return f"its sample_rate is {rate!r}; a positive number was expected"
    return ""


def _wrong_vector(item: Any) -> str:
    if not isinstance(item, np.ndarray):
        return f"it is {_type(item)}; a NumPy array was expected"
    if item.ndim != 1 or not len(item) or not np.issubdtype(item.dtype, np.floating):
        return f"it is {item.dtype} of shape {item.shape}; a 1-D float array was expected"
    return ""


def _wrong_video(item: Any) -> str:
    if not hasattr(item, "__len__") or not hasattr(item, "__getitem__"):
        return f"it is {_type(item)}; a sequence of images was expected"
    if not len(item):
        return "it has no frames"
    rate = getattr(item, "frame_rate", None)
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.number) or not rate > 0:
        return f"its frame_rate is {rate!r}; a positive number was expected"
    problems = (_wrong_image(frame) for frame in item)
    return next((f"one of its frames: {problem}" for problem in problems if problem), "")


def _type(item: Any) -> str:
    return type(item).__name__


_WRONG = {
    "image": _wrong_image,
    "text": _wrong_text,
    "audio": _wrong_audio,
    "vector": _wrong_vector,
    "video": _wrong_video,
}
