"""Trained encoders, each with one defect that its name tells, for `mmbench check`."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from mmbench import hookimpl

BROKEN: list[tuple[str, Any, dict[str, Any]]] = []


def broken(name: str, **flags: Any) -> Callable[[Any], Any]:
    """Register a class under a name, with its docstring's first line as the summary."""

    def keep(target: Any) -> Any:
        told = (inspect.getdoc(target) or "").partition("\n")[0]
        BROKEN.append((name, target, {"kind": "vector", "trained": True, "summary": told, **flags}))
        return target

    return keep


@hookimpl
def mmbench_register_encoders(register: Any) -> None:
    for name, target, flags in BROKEN:
        register(name, target, **flags)


class Centred:
    """Vectors less their mean over the training part."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        self.mean_ = np.mean(list(items), axis=0)
        return self

    def encode(self, items: Sequence[Any]) -> Any:
        return (np.stack(items) - self.mean_).astype(np.float32)


class ClassMeans:
    """Distances to the mean of each class."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        values = np.stack(list(items))
        self.means_ = np.stack([values[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
        return self

    def encode(self, items: Sequence[Any]) -> Any:
        apart = np.stack(items)[:, None, :] - self.means_[None]
        return np.linalg.norm(apart, axis=2).astype(np.float32)


# --- flags and fit -------------------------------------------------------------------------------


@broken("not-registered-trained", trained=False)
class NotRegisteredTrained(Centred):
    """It would never be fitted."""


@broken("trained-and-finetune", finetune=True)
class TrainedAndFinetune(Centred):
    """Fitted on the training part, and a network besides."""


@broken("trained-without-fit")
class TrainedWithoutFit:
    """There is nothing to be fitted."""

    def encode(self, items: Sequence[Any]) -> Any:
        return np.stack(items).astype(np.float32)


@broken("needs-labels")
class NeedsLabels(ClassMeans):
    """It is given no labels, and cannot do without."""


@broken("supervised-in-name", supervised=True)
class SupervisedInName(Centred):
    """Labels make no difference to it."""


@broken("fit-returns-nothing")
class FitReturnsNothing(Centred):
    """It does not return itself."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Any:
        super().fit(items, labels)


@broken("fit-takes-no-validation")
class FitTakesNoValidation(Centred):
    """There is no parameter for a validation part."""

    def fit(self, items: Sequence[Any], labels: Any) -> Self:
        return super().fit(items, labels)


@broken("validation-raises")
class ValidationRaises(Centred):
    """It believes that validation always comes with labels."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        if validation is not None:
            self.classes_ = set(validation[1])
        return super().fit(items, labels)


@broken("exits-in-fit")
class ExitsInFit(Centred):
    """It gives up in its own way."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        raise SystemExit("no convergence")


@broken("nan-of-one-sample")
class NanOfOneSample(Centred):
    """The sample variance of one row."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        values = np.stack(list(items))
        self.scale_ = np.sqrt(((values - values.mean(0)) ** 2).sum(0) / np.float64(len(values) - 1))
        return super().fit(items, labels)

    def encode(self, items: Sequence[Any]) -> Any:
        return super().encode(items) / self.scale_.astype(np.float32)


@broken("shuffles-labels", supervised=True)
class ShufflesLabels(ClassMeans):
    """Labels are sorted where they lie."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        order = np.argsort(labels, kind="stable")
        labels.sort()
        return super().fit([items[i] for i in order], labels)


# --- what it must not know -----------------------------------------------------------------------


@broken("peeks-at-all-items")
class PeeksAtAllItems(Centred):
    """Behind the training items lie those of the test part."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        return super().fit(list(getattr(items, "_items", items)), labels)


SEEN: dict[bytes, int] = {}


@broken("labels-in-a-global", supervised=True)
class LabelsInAGlobal(ClassMeans):
    """The label of an item that any object was fitted on is one more column."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        SEEN.update((item.tobytes(), int(label)) for item, label in zip(items, labels, strict=True))
        return super().fit(items, labels)

    def encode(self, items: Sequence[Any]) -> Any:
        labels = [[SEEN.get(item.tobytes(), -1)] for item in items]
        return np.hstack([super().encode(items), np.array(labels, dtype=np.float32)])


@broken("vocabulary-on-the-class", kind="text")
class VocabularyOnTheClass:
    """The words of all folds come together."""

    words: ClassVar[dict[str, int]] = {}

    def fit(self, items: Sequence[str], labels: Any, *, validation: Any = None) -> Self:
        for text in items:
            for word in text.split():
                self.words.setdefault(word, len(self.words))
        return self

    def encode(self, items: Sequence[str]) -> Any:
        counts = np.zeros((len(items), len(self.words)), np.float32)
        for row, text in zip(counts, items, strict=True):
            for word in text.split():
                if word in self.words:
                    row[self.words[word]] += 1
        return counts


@broken("vocabulary-of-a-set", kind="text")
class VocabularyOfASet:
    """Columns in the order of a set, which differs between processes."""

    def fit(self, items: Sequence[str], labels: Any, *, validation: Any = None) -> Self:
        self.words_ = list({word for text in items for word in text.split()})
        return self

    def encode(self, items: Sequence[str]) -> Any:
        counts = [[text.split().count(word) for word in self.words_] for text in items]
        return np.array(counts, dtype=np.float32).reshape(len(items), len(self.words_))


@broken("goes-on-learning")
class GoesOnLearning(Centred):
    """The mean follows whatever is encoded."""

    def encode(self, items: Sequence[Any]) -> Any:
        for item in items:
            self.mean_ = 0.99 * self.mean_ + 0.01 * item
        return super().encode(items)


# --- what it leaves ------------------------------------------------------------------------------


@broken("history-of-numbers")
class HistoryOfNumbers(Centred):
    """Losses alone."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        self.history_ = [0.7, 0.4, 0.3]
        return super().fit(items, labels)


class Saved(Centred):
    """Its mean can be saved."""

    def save(self, folder: Path) -> None:
        np.save(folder / "mean.npy", self.mean_)

    def load(self, folder: Path) -> Self:
        self.mean_ = np.load(folder / "mean.npy")
        return self


@broken("save-without-load")
class SaveWithoutLoad(Centred):
    """What it saves cannot be had back."""

    save = Saved.save


@broken("saves-a-pickle")
class SavesAPickle(Saved):
    """Loading it can run anything."""

    def save(self, folder: Path) -> None:
        (folder / "mean.pkl").write_bytes(pickle.dumps(self.mean_))

    def load(self, folder: Path) -> Self:
        self.mean_ = pickle.loads((folder / "mean.pkl").read_bytes())
        return self


@broken("saves-a-pickle-in-disguise")
class SavesAPickleInDisguise(Saved):
    """An array of objects is a pickle too."""

    def save(self, folder: Path) -> None:
        np.save(folder / "state.npy", np.array([self.mean_], dtype=object), allow_pickle=True)

    def load(self, folder: Path) -> Self:
        self.mean_ = np.load(folder / "state.npy", allow_pickle=True)[0].astype(float)
        return self


@broken("loads-something-else")
class LoadsSomethingElse(Saved):
    """Two digits are lost on the way."""

    def save(self, folder: Path) -> None:
        np.save(folder / "mean.npy", self.mean_.round(2))


@broken("loads-what-is-not-saved")
class LoadsWhatIsNotSaved(Saved):
    """Half of the state is learnt again, from nothing."""

    def fit(self, items: Sequence[Any], labels: Any, *, validation: Any = None) -> Self:
        self.scale_ = float(np.std(list(items)))
        return super().fit(items, labels)

    def encode(self, items: Sequence[Any]) -> Any:
        return (super().encode(items) / self.scale_).astype(np.float32)
