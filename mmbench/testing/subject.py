"""A plugin on the bench: built, fitted and applied as the harness does it, one class per sort.

What a check needs of a sort is the same for all that turn rows into rows: training rows and
others, ``fit`` and ``apply``. So behaviour that all must show is asked for once.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mmbench import pipeline
from mmbench.catalogue import Catalogue, Entry, load_catalogue
from mmbench.config import FROZEN
from mmbench.data import pick
from mmbench.errors import PluginError
from mmbench.options import build, signature
from mmbench.testing import specimens
from mmbench.testing.arrays import Arrays, copied


@dataclass(frozen=True)
class Request:
    """Which plugin is to be checked, in plain values, so that any process can build it."""

    sort: str
    name: str
    kind: str = ""
    """The kind of items, for encoders."""
    params: Mapping[str, Any] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    registrations: bytes = b""

    def subject(self) -> Subject:
        """Load the plugins in this process and return the subject."""
        catalogue = load_catalogue(self.plugins, self.registrations)
        entry = catalogue.find(self.sort, self.name, "check")
        return _subject_class(entry)(self, entry, catalogue)


@dataclass
class Subject:
    """A plugin with its options."""

    request: Request
    entry: Entry
    catalogue: Catalogue

    def build(
        self,
        params: Mapping[str, Any] | None = None,
        *,
        seed: int = 1,
        device: str = "cpu",
        n_classes: int = specimens.CLASSES,
    ) -> Any:
        """Build the plugin's object from its options and what the harness gives."""
        given = {
            "seed": seed,
            "device": device,
            "threads": 1,
            "n_classes": n_classes,
            "finetune": FROZEN,
        }
        return build(self.entry, self.request.params if params is None else params, given)

    @cached_property
    def target(self) -> Any:
        """The class or factory that was registered."""
        return self.entry.load()

    @cached_property
    def asks(self) -> frozenset[str]:
        """Which of seed, device, threads and n_classes it wants."""
        return signature(self.entry).asks


class RowSubject(Subject, ABC):
    """A plugin that turns rows into rows: encoder, alignment, fusion or head."""

    methods: tuple[str, ...] = ()
    """The method that does it; further ones may do instead."""
    n_train, n_test = 80, 36
    tolerance = 1e-6
    """Of floating point, relative to the largest value, between batches of different size."""
    reseeds: tuple[str, ...] = ()
    """The libraries whose global generator it was seen to seed."""

    @property
    def fits(self) -> bool:
        """Whether the harness fits it."""
        return self.entry.trained

    @property
    def takes_labels(self) -> bool:
        """Whether its ``fit`` is given labels."""
        return self.entry.supervised

    @abstractmethod
    def rows(self, n: int, seed: int) -> Any:
        """Return ``n`` made rows whose classes are `specimens.labels`."""

    @cached_property
    def train(self) -> Any:
        """The training rows."""
        return self.rows(self.n_train, seed=0)

    @cached_property
    def test(self) -> Any:
        """Other rows, on which the plugin is tried."""
        return self.rows(self.n_test, seed=1)

    @property
    def train_labels(self) -> np.ndarray:
        """The labels of the training rows, the highest first, in memory of their own."""
        return specimens.labels(self.n_train)

    def fit(self, built: Any, rows: Any, labels: np.ndarray) -> Any:
        """Fit as the harness does; what is not fitted is returned as it is.

        Where ``fit`` returns nothing, which a check of its own tells, the object is gone on with.
        """
        if not self.fits:
            return built
        fitted = built.fit(rows, labels if self.takes_labels else None)
        return built if fitted is None else fitted

    def apply(self, fitted: Any, rows: Any) -> Arrays:
        """Apply as the harness does."""
        return {"": getattr(fitted, self.methods[0])(rows)}

    def chunk(self, fitted: Any) -> int:
        """Return how many rows the harness gives it at once, of a thousand and more."""
        return 1_100

    def made(self, **given: Any) -> Any:
        """Return a fresh object, fitted on the training rows."""
        return self.fit(self.build(**given), self.train, self.train_labels)

    @cached_property
    def first(self) -> Any:
        """One fitted object that checks share."""
        return self.made()

    @cached_property
    def output(self) -> Arrays:
        """What the first object makes of the other rows."""
        return copied(self.apply(self.first, self.test))


class EncoderSubject(RowSubject):
    """An encoder, on items of one kind."""

    methods = ("encode",)
    n_train, n_test = 48, 24
    tolerance = 1e-4

    def chunk(self, fitted: Any) -> int:
        """Return how many items the harness gives it at once."""
        from mmbench.embedding import CHUNK

        return max(CHUNK, int(getattr(fitted, "chunk", CHUNK)))

    def rows(self, n: int, seed: int) -> Any:
        """Return items."""
        return specimens.items(self.request.kind, n, seed)

    def fit(
        self, built: Any, rows: Any, labels: np.ndarray, validation: tuple[Any, Any] | None = None
    ) -> Any:
        """Fit a trained encoder on a lazy sequence of items, as the harness does."""
        if self.fits:
            lazy = pick(rows, np.arange(len(rows))) if isinstance(rows, list) else rows
            if validation and not self.takes_labels:
                validation = (validation[0], None)
            built.fit(lazy, labels if self.takes_labels else None, validation=validation)
        return built


class FeatureSubject(RowSubject):
    """What takes features by modality: an alignment, a feature-level or a joint fusion."""

    methods = ("transform",)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The columns of each modality."""
        return _widths(self)

    def rows(self, n: int, seed: int) -> Any:
        """Return features by modality."""
        return specimens.features(n, self.widths, seed, sequences=self.entry.sequences)


class AlignmentSubject(FeatureSubject):
    """An alignment: always fitted, features in and features out."""

    @property
    def fits(self) -> bool:
        """Whether the harness fits it: always."""
        return True

    def apply(self, fitted: Any, rows: Any) -> Arrays:
        """Transform; what is no mapping fails the contract."""
        aligned = fitted.transform(rows)
        if not isinstance(aligned, Mapping):
            raise PluginError(
                f"transform returned {type(aligned).__name__}; a mapping by modality was expected"
            )
        return dict(aligned)


class FeatureFusionSubject(FeatureSubject):
    """A feature-level fusion."""

    def fit(self, built: Any, rows: Any, labels: np.ndarray) -> Any:
        """Fit where registered trained, with out-of-fold probabilities where registered so."""
        if not self.fits:
            return built
        keywords = {}
        if self.entry.out_of_fold:
            k = int(labels.max()) + 1
            made = specimens.probabilities(len(labels), len(rows), k=k)
            keywords["out_of_fold"] = dict(zip(rows, made.values(), strict=True))
        fitted = built.fit(rows, labels if self.takes_labels else None, **keywords)
        return built if fitted is None else fitted


class ClassifyingSubject(RowSubject, ABC):
    """What returns class probabilities: decision-level and joint fusions, and heads."""

    methods: tuple[str, ...] = ("predict_proba",)

    @abstractmethod
    def of_classes(self, n: int, seed: int, k: int) -> Any:
        """Return ``n`` made rows of classes ``k - 1, ..., 0, k - 1, ...``."""

    def rows(self, n: int, seed: int) -> Any:
        """Return ``n`` made rows whose classes are `specimens.labels`."""
        return self.of_classes(n, seed, specimens.CLASSES)

    def probabilities(self, fitted: Any, rows: Any, n: int, k: int) -> np.ndarray:
        """Return checked class probabilities (n, k), as the harness has them."""
        return pipeline.checked_probabilities(fitted.predict_proba(rows), n, k, "predict_proba")

    @property
    def takes_labels(self) -> bool:
        """Whether its ``fit`` is given labels: always."""
        return True


class DecisionSubject(ClassifyingSubject):
    """A decision-level fusion, on class probabilities by modality."""

    def of_classes(self, n: int, seed: int, k: int) -> Any:
        """Return class probabilities of three modalities."""
        return specimens.probabilities(n, 3, seed, k)


class JointSubject(ClassifyingSubject):
    """A joint fusion, on features by modality."""

    @property
    def fits(self) -> bool:
        """Whether the harness fits it: always."""
        return True

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The columns of each modality."""
        return _widths(self)

    def of_classes(self, n: int, seed: int, k: int) -> Any:
        """Return features by modality."""
        return specimens.features(n, self.widths, seed, k, sequences=self.entry.sequences)

    def fit(
        self, built: Any, rows: Any, labels: np.ndarray, validation: tuple[Any, Any] | None = None
    ) -> Any:
        """Fit; the harness uses the object, not what fit returns."""
        built.fit(rows, labels, validation=validation)
        return built


class HeadSubject(ClassifyingSubject):
    """A head, on vectors."""

    methods = ("predict_proba", "decision_function")

    @property
    def fits(self) -> bool:
        """Whether the harness fits it: always."""
        return True

    def of_classes(self, n: int, seed: int, k: int) -> Any:
        """Return features (n, 8)."""
        return specimens.features(n, (8,), seed, k)["m0"]

    def probabilities(self, fitted: Any, rows: Any, n: int, k: int) -> np.ndarray:
        """Return checked probabilities; of decision values the softmax, uncalibrated."""
        if pipeline.is_calibrated(fitted):
            return super().probabilities(fitted, rows, n, k)
        from scipy.special import softmax

        return np.asarray(softmax(pipeline.decide(fitted, rows, k), axis=1))

    def apply(self, fitted: Any, rows: Any) -> Arrays:
        """Return probabilities, or decision values where it has only those."""
        if pipeline.is_calibrated(fitted):
            return {"": fitted.predict_proba(rows)}
        return {"": np.asarray(fitted.decision_function(rows))}


def _subject_class(entry: Entry) -> type[Subject]:
    if entry.sort == "fusion":
        return {
            "feature": FeatureFusionSubject,
            "decision": DecisionSubject,
            "joint": JointSubject,
        }[entry.level]
    if entry.sort == "dataset":
        from mmbench.testing.samples import DatasetSubject

        return DatasetSubject
    if entry.sort == "runner":
        from mmbench.testing.trial import RunnerSubject

        return RunnerSubject
    return {"encoder": EncoderSubject, "alignment": AlignmentSubject, "head": HeadSubject}.get(
        entry.sort, Subject
    )


def _widths(subject: RowSubject) -> tuple[int, ...]:
    """Return unlike widths, or equal ones where it raises a ValueError for the unlike alone."""
    for widths in ((6, 4), (5, 5)):
        train = specimens.features(subject.n_train, widths, sequences=subject.entry.sequences)
        try:
            subject.apply(subject.fit(subject.build(), train, subject.train_labels), train)
        except ValueError:
            continue
        except Exception:
            break
        return widths
    return (6, 4)


def has_method(target: Any, name: str) -> bool:
    """Whether a built object offers a method of that name."""
    return inspect.isroutine(getattr(target, name, None))
