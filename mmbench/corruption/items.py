"""Items as a corruption leaves them: made on access, the same for every method."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.corruption.model import Corruption
from mmbench.corruption.noise import NOISES, Scale
from mmbench.data import pick

if TYPE_CHECKING:
    from mmbench.workshop import Workshop


def lost(corruption: Corruption, ids: Iterable[str], seed: int) -> np.ndarray:
    """Return which samples lose the modalities that a corruption takes away.

    Drawn from the seed and the sample's id: those that a smaller share takes are among those that
    a larger one does, and several modalities are lost together.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    where = "+".join(corruption.modalities)
    return np.array(
        [corruption.level == 1 or _rng(seed, i, where, "missing").random() < corruption.level
         for i in ids],
        dtype=bool,
    )  # fmt: skip


def partners(ids: Sequence[str], modality: str, seed: int) -> np.ndarray:
    """Return for each sample the position of the one whose item it has under a permutation.

    The next in an order drawn from the seed and the ids: no sample keeps its own, if there are two.
    """
    order = np.argsort([_rng(seed, i, modality, "permuted").random() for i in ids], kind="stable")
    partner = np.empty(len(order), dtype=np.int64)
    partner[order] = np.roll(order, -1)
    return partner


def open_items(
    source: Mapping[str, Any],
    modality: str,
    workshop: Workshop,
    corruption: Mapping[str, Any] | None = None,
) -> Sequence[Any]:
    """Return the items of a run's samples, as noise leaves them where one is named.

    Parameters
    ----------
    source : mapping
        ``dataset`` and ``rows``, the key of its samples' positions there.
    modality : str
        Which of its modalities.
    corruption : mapping, optional
        A `Corruption.spec` with its ``seed``.
    """
    dataset = workshop.dataset(source["dataset"])
    rows = workshop.array(source["rows"])
    items = pick(dataset.items(modality), rows)
    if corruption is None:
        return items
    ids = [str(dataset.ids[row]) for row in rows]
    noise, is_video = Corruption.from_spec(corruption), dataset.modalities[modality] == "video"
    return CorruptedItems(items, ids, noise, corruption["seed"], is_video=is_video)


def _rng(seed: int, sample: str, modality: str, name: str) -> np.random.Generator:
    text = "\0".join([str(seed), sample, modality, name])
    return np.random.default_rng(
        int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    )


class CorruptedItems(Sequence[Any]):
    """The items of one modality as noise leaves them; missing ones stay None.

    Parameters
    ----------
    items : sequence
        Of all samples of a run.
    ids : sequence of str
        Their ids.
    kind : str
        Their kind; of a video, every frame is corrupted with noise of its own.
    corruption : Corruption
        Noise of that modality.
    seed : int
        The replicate's.
    """

    def __init__(
        self,
        items: Sequence[Any],
        ids: Sequence[str],
        corruption: Corruption,
        seed: int,
        *,
        is_video: bool = False,
    ) -> None:
        self._items = items
        self._ids = ids
        self._corruption = corruption
        self._seed = seed
        self._is_video = is_video

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        index = range(len(self))[index]
        item = self._items[index]
        if item is None:
            return None
        if self._is_video:
            return CorruptedVideo(item, lambda frame, i: self._corrupt(frame, index, f"/{i}"))
        return self._corrupt(item, index)

    def _corrupt(self, item: Any, index: Any, frame: str = "") -> Any:
        noise = self._corruption
        (modality,) = noise.modalities
        rng = _rng(self._seed, self._ids[index] + frame, modality, noise.name)
        return NOISES[noise.kind][noise.name](item, int(noise.level), rng, self._scale)

    @cached_property
    def _scale(self) -> Scale | None:
        if self._corruption.kind != "vector":
            return None
        there = [item for item in self._items if item is not None]
        values = np.stack(there).astype(np.float64)
        return Scale(np.nanmean(values, axis=0), np.nanstd(values, axis=0))


class CorruptedVideo(Sequence[Any]):
    """A video whose frames are corrupted when they are read."""

    def __init__(self, video: Any, corrupt: Callable[[Any, int], Any]) -> None:
        self._video = video
        self._corrupt = corrupt
        self.frame_rate = video.frame_rate

    def __len__(self) -> int:
        return len(self._video)

    def __getitem__(self, index: Any) -> Any:
        index = range(len(self))[index]
        if isinstance(index, range):
            return [self[i] for i in index]
        return self._corrupt(self._video[index], index)


class LostItems(Sequence[Any]):
    """Items of which some are missing: None in their place."""

    def __init__(self, items: Sequence[Any], lost: np.ndarray) -> None:
        self._items = items
        self._lost = lost

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return None if self._lost[index] else self._items[index]
