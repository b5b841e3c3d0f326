"""What is asked of a dataset's items: one per sample, of their kind, the same at every access."""

from __future__ import annotations

import numpy as np

from mmbench.errors import one_line
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.samples import FEW, DatasetSubject, content, hashes, held, spread

suite = Suite()

MOST_HELD = 64e6
"""Bytes of decoded items that a dataset may keep in memory."""


@suite.check(
    "items-length",
    why="Item i is sample i's: one more or less, and all behind it are another's.",
    mend="Return from `items` a sequence of one item per id, None where it is missing.",
    needs=("modalities", "ids"),
)
def items_length(subject: DatasetSubject) -> None:
    """Every modality has one item per id."""
    for modality in subject.dataset.modalities:
        found = subject.dataset.items(modality)
        if not hasattr(found, "__len__") or not hasattr(found, "__getitem__"):
            raise BrokenContractError(
                f"items({modality!r}) is {type(found).__name__}; a sequence was expected"
            )
        if len(found) != subject.n:
            raise BrokenContractError(
                f"{modality} has {len(found)} items; there are {subject.n} ids"
            )


@suite.check(
    "missing",
    why="What is missing is counted, imputed or left out by it, before any item is decoded.",
    mend="Let `items(modality).missing` be a bool array that is True where the item is None; or "
    "leave it out, and everything is decoded to count.",
    needs=("items-length",),
)
def missing(subject: DatasetSubject) -> str:
    """``missing`` says which items are None."""
    told = []
    for modality in subject.dataset.modalities:
        items = subject.dataset.items(modality)
        rows = subject.rows
        flags = getattr(items, "missing", None)
        if flags is not None:
            flags = np.asarray(flags)
            if flags.shape != (subject.n,) or flags.dtype != bool:
                raise BrokenContractError(
                    f"{modality}: missing is {flags.dtype} {flags.shape}; bool ({subject.n},) was "
                    "expected"
                )
            if flags.all():
                raise BrokenContractError(f"{modality}: every item is missing")
            rows = np.union1d(rows, np.flatnonzero(flags)[:FEW])
            for i in rows:
                absent = items[int(i)] is None
                if absent != flags[i]:
                    raise BrokenContractError(
                        f"{modality}: item {i} is {'' if absent else 'not '}None, but missing says "
                        f"{bool(flags[i])}"
                    )
            told.append(f"{modality}: {int(flags.sum())} missing")
    if not told:
        raise NotApplicable("no items have the attribute `missing`: all are decoded to count them")
    return ", ".join(told)


@suite.check(
    "items",
    why="Encoders are written for the items of a kind; another type fails in each of them.",
    mend="image: PIL.Image; text: str; audio: an object with `samples` (frames, channels) float32 "
    "and `sample_rate`; vector: 1-D float arrays of one length; video: a sequence of images with "
    "a `frame_rate`; None where missing.",
    needs=("items-length",),
)
def items(subject: DatasetSubject) -> str:
    """Items are of their kind, vectors of one length."""
    for modality, kind in subject.dataset.modalities.items():
        widths: dict[int, int] = {}
        found = subject.dataset.items(modality)
        for i in map(int, subject.rows):
            try:
                item = found[i]
                content(item, kind)
            except BrokenContractError as error:
                raise BrokenContractError(f"{modality}: item {i}: {error}") from None
            except Exception as error:
                told = one_line(error)
                raise BrokenContractError(f"{modality}: item {i} raises {told}") from error
            if kind == "vector" and item is not None:
                widths.setdefault(len(item), i)
        if len(widths) > 1:
            (a, i), (b, j), *_ = widths.items()
            raise BrokenContractError(
                f"{modality}: item {i} has {a} numbers, item {j} has {b}; one length was expected"
            )
    return f"{len(subject.rows)} of {subject.n} looked at"


@suite.check(
    "finite",
    why="One NaN spoils standardising and, with it, the column for all samples.",
    mend="Where a value is not known, impute it or let the whole item be None.",
    needs=("items",),
)
def finite(subject: DatasetSubject) -> None:
    """Vectors and sounds hold finite numbers."""
    for modality, kind in subject.dataset.modalities.items():
        if kind not in ("vector", "audio"):
            continue
        found = subject.dataset.items(modality)
        for i in map(int, subject.rows):
            item = found[i]
            values = item.samples if kind == "audio" and item is not None else item
            if values is not None and not np.isfinite(values).all():
                raise BrokenContractError(f"{modality}: item {i} has NaN or infinite values")


@suite.check(
    "item-repeatable",
    why="Every encoder reads the items anew, in its own order and process: what changes from one "
    "access to the next has been compared on different data.",
    mend="Draw what is drawn from the sample's id (a generator per item), never from one that runs "
    "on; keep no position.",
    needs=("items",),
)
def item_repeatable(subject: DatasetSubject) -> str:
    """An item is the same at every access, in any order."""
    rng = np.random.default_rng(9)
    for modality, kind in subject.dataset.modalities.items():
        found = subject.dataset.items(modality)
        rows = spread(subject.n, FEW)
        first = hashes(found, kind, rows)
        for _ in range(2):
            order = rng.permutation(len(rows))
            again_ = hashes(subject.dataset.items(modality), kind, rows[order])
            if len(bad := np.flatnonzero(first[order] != again_)):
                raise BrokenContractError(
                    f"{modality}: item {rows[order[bad[0]]]} is another when it is read again"
                )
    return f"{FEW} items of each modality, three times" if subject.n > FEW else ""


@suite.check(
    "lazy",
    why="A dataset of images or sounds that is decoded as a whole does not fit into memory, and "
    "every process would hold it.",
    mend="Keep paths or bytes, and decode in `__getitem__`; a small cache does no harm.",
    needs=("items",),
)
def lazy(subject: DatasetSubject) -> str:
    """Decoded images, sounds and videos are not kept once they are let go."""
    kinds = {m: k for m, k in subject.dataset.modalities.items() if k not in ("text", "vector")}
    if not kinds:
        raise NotApplicable("it has neither images nor sounds nor videos")
    for modality, kind in kinds.items():
        kept, size = held(subject.dataset.items(modality), kind, subject.rows)
        if kept and size * subject.n > MOST_HELD:
            raise BrokenContractError(
                f"{modality}: all of {len(subject.rows)} items are still in memory after they were "
                f"let go: in all about {size * subject.n / 1e6:.0f} MB"
            )
    return f"{len(subject.rows)} items of each let go"
