"""Datasets, each with one defect that its name tells and otherwise right, for `mmbench check`."""

from __future__ import annotations

import inspect
import os
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmbench import hookimpl

DATASETS: list[tuple[str, Any]] = []
N = 60


def dataset(name: str) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        DATASETS.append((name, target))
        return target

    return keep


@hookimpl
def mmbench_register_datasets(register: Any) -> None:
    for name, target in DATASETS:
        register(name, target, summary=(inspect.getdoc(target) or "").partition("\n")[0])


@dataclass(frozen=True)
class Tone:
    samples: np.ndarray
    sample_rate: int = 8_000


class Made(Sequence[Any]):
    """Items made when they are accessed."""

    def __init__(self, n: int, make: Callable[[int], Any]) -> None:
        self._n = n
        self._make = make

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._n:
            raise IndexError(index)
        return self._make(index)


class Flowers:
    """Flowers of three kinds: a photo, a note, a tone and some measures each."""

    def __init__(self) -> None:
        self.modalities: Mapping[str, str] = {
            "photo": "image", "note": "text", "tone": "audio", "measures": "vector"
        }  # fmt: skip
        self.classes: Any = ["anemone", "iris", "rose"]
        self.labels: Any = np.arange(N, dtype=np.int64) % 3
        self.ids: Any = [f"flower-{i}" for i in range(N)]

    def rng(self, i: int, modality: str) -> np.random.Generator:
        return np.random.default_rng([i, len(modality)])

    def photo(self, i: int) -> Any:
        return Image.fromarray(self.rng(i, "photo").integers(0, 256, (8, 8, 3)).astype(np.uint8))

    def note(self, i: int) -> Any:
        return f"seen {self.rng(i, 'note').integers(100)} times"

    def tone(self, i: int) -> Any:
        return Tone(self.rng(i, "tone").normal(size=(40, 1)).astype(np.float32))

    def measures(self, i: int) -> Any:
        return self.rng(i, "measures").normal(size=4)

    def items(self, modality: str) -> Any:
        return Made(N, getattr(self, modality))

    def fingerprint(self, modality: str) -> Any:
        return sha256(f"flowers {modality}".encode()).hexdigest()


class Measured(Flowers):
    """Flowers of which there are only measures."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {"measures": "vector"}


# --- members, modalities, ids -------------------------------------------------------------------


@dataset("no-fingerprint")
class NoFingerprint(Measured):
    """It has no fingerprint."""

    fingerprint = None  # type: ignore[assignment]


@dataset("asks-for-a-seed")
class AsksForASeed(Measured):
    """It wants a seed, which datasets are not given."""

    def __init__(self, seed: int) -> None:
        super().__init__()


@dataset("unknown-kind")
class UnknownKind(Measured):
    """It names a kind that there is not."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {"measures": "vectors"}


@dataset("misleading-name")
class MisleadingName(Measured):
    """Its vectors are called text, so that encoders of texts are given them."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {"text": "vector"}

    def text(self, i: int) -> Any:
        return self.measures(i)


@dataset("no-modality")
class NoModality(Measured):
    """It has no modality."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {}


@dataset("duplicate-ids")
class DuplicateIds(Measured):
    """Two samples have one id."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = [f"flower-{i % 59}" for i in range(N)]


@dataset("numbered-ids")
class NumberedIds(Measured):
    """Its ids are numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = list(range(N))


# --- labels and classes -------------------------------------------------------------------------


@dataset("float-labels")
class FloatLabels(Measured):
    """Its labels are floating point numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = self.labels.astype(float)


@dataset("labels-from-one")
class LabelsFromOne(Measured):
    """Its labels are counted from one."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = self.labels + 1


@dataset("too-few-labels")
class TooFewLabels(Measured):
    """Its labels are those of the training part."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = self.labels[:40]


@dataset("class-twice")
class ClassTwice(Measured):
    """It names a class twice."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = ["anemone", "rose", "rose"]


@dataset("order-of-appearance")
class OrderOfAppearance(Measured):
    """Its classes stand in the order in which they first occur."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = ["rose", "anemone", "iris"]


@dataset("numbers-by-string")
class NumbersByString(Measured):
    """Its classes are numbers, sorted as strings."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = ["1", "10", "9"]


@dataset("true-first")
class TrueFirst(Measured):
    """Of its two classes the negative one stands last."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = ["True", "False"]
        self.labels = self.labels % 2


# --- columns -----------------------------------------------------------------------------------


@dataset("dev-split")
class DevSplit(Measured):
    """It has a part of another name."""

    def __init__(self) -> None:
        super().__init__()
        self.split = ["train", "dev", "test"] * 20


@dataset("one-fold")
class OneFold(Measured):
    """All samples are in one fold."""

    def __init__(self) -> None:
        super().__init__()
        self.folds = np.zeros(N, dtype=int)


@dataset("unknown-groups")
class UnknownGroups(Measured):
    """Of some samples the group is not known."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = ["garden", "meadow", None] * 20


@dataset("attributes-of-some")
class AttributesOfSome(Measured):
    """It has attributes of the first samples only."""

    def __init__(self) -> None:
        import pandas as pd

        super().__init__()
        self.attributes = pd.DataFrame({"height": np.arange(40)})


# --- items -------------------------------------------------------------------------------------


@dataset("one-item-short")
class OneItemShort(Measured):
    """It has an item less than samples."""

    def items(self, modality: str) -> Any:
        return Made(N - 1, self.measures)


@dataset("ragged")
class Ragged(Measured):
    """Its vectors differ in length."""

    def measures(self, i: int) -> Any:
        return super().measures(i)[: 4 - (i == 31)]


@dataset("whole-numbers")
class WholeNumbers(Measured):
    """Its vectors are of integers."""

    def measures(self, i: int) -> Any:
        return (100 * super().measures(i)).astype(int)


@dataset("paths-for-photos")
class PathsForPhotos(Flowers):
    """Its images are paths."""

    def photo(self, i: int) -> Any:
        return f"photos/{i}.jpg"


@dataset("closed-photos")
class ClosedPhotos(Flowers):
    """Its images were closed before anybody could see them."""

    def photo(self, i: int) -> Any:
        with super().photo(i) as image:
            image.close()
            return image


@dataset("mono")
class Mono(Flowers):
    """Its sounds have no channels."""

    def tone(self, i: int) -> Any:
        return Tone(super().tone(i).samples[:, 0])


@dataset("bytes-for-notes")
class BytesForNotes(Flowers):
    """Its texts are bytes."""

    def note(self, i: int) -> Any:
        return super().note(i).encode()


@dataset("nan")
class NaN(Measured):
    """One of its values is not a number."""

    def measures(self, i: int) -> Any:
        values = super().measures(i)
        values[2] = np.nan if i == 17 else values[2]
        return values


@dataset("lying-missing")
class LyingMissing(Measured):
    """It says that an item is missing which is there."""

    def items(self, modality: str) -> Any:
        found = super().items(modality)
        found.missing = np.arange(N) == 43
        return found


@dataset("hidden-missing")
class HiddenMissing(Measured):
    """It does not say that an item is missing."""

    def items(self, modality: str) -> Any:
        found = Made(N, lambda i: None if i == 43 else self.measures(i))
        found.missing = np.zeros(N, dtype=bool)  # type: ignore[attr-defined]
        return found


@dataset("augmented")
class Augmented(Flowers):
    """Its photos are turned at random whenever they are read."""

    def photo(self, i: int) -> Any:
        return super().photo(i).rotate(random.choice([0, 90, 180, 270]))


@dataset("running-generator")
class RunningGenerator(Measured):
    """Its noise comes from a seeded generator that runs on from item to item."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = np.random.default_rng(0)

    def measures(self, i: int) -> Any:
        return super().measures(i) + self.noise.normal(size=4)


@dataset("eager")
class Eager(Flowers):
    """Its photos are all in memory, 75 MB of them."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {"photo": "image"}
        self.photos = [Image.new("RGB", (650, 650), (i, 0, 0)) for i in range(N)]

    def items(self, modality: str) -> Any:
        return self.photos


# --- content -----------------------------------------------------------------------------------


@dataset("unseeded")
class Unseeded(Measured):
    """Its values are drawn without a seed."""

    def __init__(self) -> None:
        super().__init__()
        self.values = np.random.default_rng().normal(size=(N, 4))

    def measures(self, i: int) -> Any:
        return self.values[i]


@dataset("global-generator")
class GlobalGenerator(Measured):
    """Its samples are shuffled by the global generator."""

    def __init__(self) -> None:
        super().__init__()
        random.shuffle(self.ids)


@dataset("order-of-a-set")
class OrderOfASet(Measured):
    """Its samples stand in the order of a set."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = list({f"flower-{i}" for i in range(N)})


@dataset("folds-by-hash")
class FoldsByHash(Measured):
    """Its folds are made with Python's own hash."""

    def __init__(self) -> None:
        super().__init__()
        self.folds = [hash(name) % 5 for name in self.ids]


@dataset("of-this-process")
class OfThisProcess(Measured):
    """Its values depend on the process that they are read in."""

    def measures(self, i: int) -> Any:
        return super().measures(i) + os.getpid()


@dataset("fingerprint-by-id")
class FingerprintById(Measured):
    """Its fingerprint is its place in memory."""

    def fingerprint(self, modality: str) -> Any:
        return f"{modality} {id(self)}"


@dataset("fingerprint-by-hash")
class FingerprintByHash(Measured):
    """Its fingerprint is made with Python's own hash."""

    def fingerprint(self, modality: str) -> Any:
        return str(hash((modality, *self.ids)))


@dataset("fingerprint-by-call")
class FingerprintByCall(Measured):
    """Its fingerprint is another at each call."""

    def fingerprint(self, modality: str) -> Any:
        return uuid.uuid4().hex


@dataset("fingerprint-constant")
class FingerprintConstant(Flowers):
    """All its modalities have one fingerprint."""

    def fingerprint(self, modality: str) -> Any:
        return "flowers 1.0"


@dataset("fingerprint-none")
class FingerprintNone(Measured):
    """Its fingerprint is None."""

    def fingerprint(self, modality: str) -> Any:
        return None


@dataset("fingerprint-without-option")
class FingerprintWithoutOption(Measured):
    """Its fingerprint does not know of an option.

    Parameters
    ----------
    noise : float
        How much noise lies over the values.
    """

    def __init__(self, *, noise: float = 0.5) -> None:
        super().__init__()
        self.noise = noise

    def measures(self, i: int) -> Any:
        return super().measures(i) + self.noise * self.rng(i, "noise").normal(size=4)


class Listed(Flowers):
    """Notes, one in each line of a file.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.modalities = {"note": "text"}
        self.path = path
        self.read()

    def read(self) -> None:
        self.lines = self.path.read_text(encoding="utf-8").splitlines()
        self.ids = [f"line-{i}" for i in range(len(self.lines))]
        self.labels = np.arange(len(self.lines), dtype=np.int64) % 3

    def items(self, modality: str) -> Any:
        return Made(len(self.lines), lambda i: self.lines[i])

    def fingerprint(self, modality: str) -> Any:
        return sha256("\n".join(self.lines).encode()).hexdigest()


dataset("good-listed")(Listed)


@dataset("fingerprint-of-path")
class FingerprintOfPath(Listed):
    """Its fingerprint is the file's path."""

    __doc__ = f"{__doc__}\n{Listed.__doc__}"

    def fingerprint(self, modality: str) -> Any:
        return sha256(str(self.path).encode()).hexdigest()


@dataset("late-complaint")
class LateComplaint(Listed):
    """It reads its file when an item is asked for."""

    __doc__ = f"{__doc__}\n{Listed.__doc__}"

    def read(self) -> None:
        if self.path.exists():
            super().read()


@dataset("odd-complaint")
class OddComplaint(Listed):
    """It complains of a wrong path by an assertion."""

    __doc__ = f"{__doc__}\n{Listed.__doc__}"

    def read(self) -> None:
        assert self.path.exists(), f"{self.path} is not there"
        super().read()


@dataset("vague-complaint")
class VagueComplaint(Listed):
    """It complains of a wrong path without naming it."""

    __doc__ = f"{__doc__}\n{Listed.__doc__}"

    def read(self) -> None:
        if not self.path.exists():
            raise ValueError("something is wrong with the data")
        super().read()


# --- unusual, and right -------------------------------------------------------------------------


@dataset("good-flowers")
class GoodFlowers(Flowers):
    """Four modalities."""


@dataset("good-measures")
class GoodMeasures(Measured):
    """One modality."""


@dataset("good-two-samples")
class GoodTwoSamples(Measured):
    """One sample of each of two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.ids, self.classes = ["no", "yes"], ["false", "true"]
        self.labels = np.array([1, 0])

    def items(self, modality: str) -> Any:
        return [self.measures(i) for i in range(2)]


@dataset("good-numbers")
class GoodNumbers(Measured):
    """Classes that are numbers, ids of NumPy, float32 vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = ("-1.5", "9", "010", "10", "1e3")
        self.labels = np.arange(N) % 5
        self.ids = np.array(self.ids)

    def measures(self, i: int) -> Any:
        return super().measures(i).astype(np.float32)


@dataset("good-unused-class")
class GoodUnusedClass(Measured):
    """A class of which there is no sample, and classes that differ by case."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = ["Iris", "Rose", "iris", "éclair"]


@dataset("good-missing")
class GoodMissing(Flowers):
    """Missing items of all kinds, of which nothing is said beforehand."""

    def items(self, modality: str) -> Any:
        return Made(N, lambda i: None if i % 7 == 3 else getattr(self, modality)(i))


@dataset("good-told-missing")
class GoodToldMissing(GoodMissing):
    """Missing items of all kinds, of which is said which they are."""

    def items(self, modality: str) -> Any:
        found = super().items(modality)
        found.missing = np.arange(N) % 7 == 3
        return found


@dataset("good-columns")
class GoodColumns(Measured):
    """All columns that there may be."""

    def __init__(self) -> None:
        import pandas as pd

        super().__init__()
        self.split = np.array(["train", "train", "validation", "test", "test"] * 12)
        self.folds = [f"fold {i % 4}" for i in range(N)]
        self.groups = np.arange(N) // 2
        self.attributes = pd.DataFrame({"height": np.arange(N), "colour": ["red", None] * 30})


class Film(Sequence[Any]):
    """Frames, and how many of them are shown in a second."""

    frame_rate = 12.5

    def __init__(self, frames: Sequence[Any]) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: Any) -> Any:
        return self._frames[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._frames)


@dataset("good-films")
class GoodFilms(Flowers):
    """Videos, and images of a palette, kept in memory once they were read."""

    def __init__(self) -> None:
        super().__init__()
        self.modalities = {"film": "video", "icon": "image"}
        self.icon = cache(self._icon)

    def film(self, i: int) -> Any:
        return Film([self.photo(i + j) for j in range(1 + i % 3)])

    def _icon(self, i: int) -> Any:
        return self.photo(i).convert("P", palette=Image.Palette.ADAPTIVE)


@dataset("good-draws")
class GoodDraws(Measured):
    """Its values, and how many they are, depend on options.

    Parameters
    ----------
    draw : int
        Which values are drawn.
    n : int
        How many samples.
    """

    def __init__(self, *, draw: int = 0, n: int = 30) -> None:
        super().__init__()
        self.n = n
        self.ids, self.labels = self.ids[:n], self.labels[:n]
        self.values = np.random.default_rng(draw).normal(size=(N, 4))

    def items(self, modality: str) -> Any:
        return list(self.values[: self.n])

    def fingerprint(self, modality: str) -> Any:
        return sha256(self.values.tobytes()).hexdigest()
