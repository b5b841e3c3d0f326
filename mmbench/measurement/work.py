"""What is timed, as callables: an encoder, what decides on embeddings, or a whole combination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mmbench.corruption.items import open_items
from mmbench.decisions import decide_by, decided, fit_decision
from mmbench.pipeline import to_dense
from mmbench.sequences import Sequences
from mmbench.serving import Service, encoded, encoder
from mmbench.stages import stage
from mmbench.timing.clocks import Clock
from mmbench.workshop import Workshop

STAGES = ("decode", "preprocess", "transfer", "encode", "standardise", "align", "fusion", "head")
"""Stages that have columns; what a plugin names otherwise belongs to the stage around it."""

UNITS = ("encoder", "classifier", "decision", "end-to-end")
"""Parts that are timed.

``encoder``: from raw items to embeddings, decoding included. ``classifier``: from embeddings to
class probabilities (standardising, alignment, feature-level fusion, head). ``decision``: a
decision-level fusion on the probabilities of its heads. ``end-to-end``: from raw items to classes.
"""

CLOSE = 1e-3
"""How far a timed result may be from the scored one: of embeddings as a share of the largest
value; the scored probability of another class than the scored one below that one's."""


@dataclass
class Timed:
    """One part, to be built and fitted, that processes samples of the test part by their rows.

    Attributes
    ----------
    spec : mapping
        ``unit``, ``of`` (the key of the job that it does the work of), ``modality``, ``rows`` and
        ``test`` (positions of samples, array keys), ``device`` (on which ``of`` was done) and the
        ``jobs`` that it stands on.
    """

    spec: Mapping[str, Any]
    workshop: Workshop
    _service: Service = field(init=False)
    _items: dict[str, Sequence[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._service = Service(self.spec["jobs"], self.spec["of"], self.workshop)
        self._items = {
            modality: open_items(source, modality, self.workshop)
            for modality, source in self._sources.items()
        }

    @property
    def device(self) -> str:
        """Where the results were made that its own must agree with."""
        return str(self.spec["device"])

    @cached_property
    def rows(self) -> np.ndarray:
        """Positions of the samples in the dataset as the run uses it."""
        return np.asarray(self.workshop.array(self.spec["rows"]))

    @cached_property
    def _place(self) -> dict[int, int]:
        return {int(row): place for place, row in enumerate(self.rows)}

    @cached_property
    def _job(self) -> Mapping[str, Any]:
        job: Mapping[str, Any] = self.spec["jobs"][self.spec["of"]]["spec"]
        return job

    @cached_property
    def _sources(self) -> Mapping[str, Mapping[str, Any]]:
        """Where its items come from, by modality, if it begins with items."""
        match self.spec["unit"]:
            case "encoder":
                return {self.spec["modality"]: self._job}
            case "end-to-end":
                return self._service.sources
            case _:
                return {}

    @cached_property
    def _given(self) -> dict[str, Any]:
        """What a part without encoders is given for each of its samples, by modality."""
        store = self.workshop.store
        if self.spec["unit"] == "decision":
            given = decided(self._job, self.workshop)
            return {modality: self._of_test(values) for modality, values in given.items()}
        return {
            modality: store.open(key).matrix("values")[self.rows]
            for modality, key in self._service.keys.items()
        }

    def _of_test(self, values: np.ndarray) -> np.ndarray:
        """Return the rows for its samples of an array about the test part."""
        test = self.workshop.array(self.spec["test"])
        position = {int(row): i for i, row in enumerate(test)}
        return np.asarray(values)[[position[int(row)] for row in self.rows]]

    def batch(self, rows: np.ndarray) -> Any:
        """Return what a call is given for samples: their rows, or their stored embeddings."""
        if self.spec["unit"] in ("encoder", "end-to-end"):
            return rows
        places = [self._place[int(row)] for row in rows]
        return {modality: values[places] for modality, values in self._given.items()}

    @cached_property
    def process(self) -> Callable[[Any], Any]:
        """What is timed: from a batch to its embeddings, probabilities or classes.

        Getting it loads and fits whatever it takes.
        """
        match self.spec["unit"]:
            case "encoder":
                return self._encode()
            case "classifier":
                return self._service.classify
            case "decision":
                return self._decide()
            case _:
                return self._serve()

    def _encode(self) -> Callable[[np.ndarray], Any]:
        items = self._items[self.spec["modality"]]
        built = encoder(self._job, self.workshop)

        def encode(rows: np.ndarray) -> Any:
            with stage("decode"):
                given = [items[row] for row in rows]
            with stage("encode"):
                return encoded(built, given, self._job["sequences"])

        return encode

    def _decide(self) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
        labels, fusion = fit_decision(self._job, self.workshop)

        def work(given: Mapping[str, np.ndarray]) -> np.ndarray:
            with stage("fusion"):
                known = {name: values[:, labels.present] for name, values in given.items()}
                return labels.widen(decide_by(fusion, known), self._job["n_classes"])

        return work

    def _serve(self) -> Callable[[np.ndarray], np.ndarray]:
        service, items = self._service, self._items
        service.load()

        def work(rows: np.ndarray) -> np.ndarray:
            with stage("decode"):
                given = {name: [source[row] for row in rows] for name, source in items.items()}
            classes: np.ndarray = service.predict(given).argmax(axis=1)
            return classes

        return work

    @cached_property
    def _expected(self) -> Any:
        """What the job has stored for its samples."""
        stored = self.workshop.store.open(self.spec["of"])
        if self.spec["unit"] == "encoder":
            return stored.matrix("values")[self.rows]
        return self._of_test(stored.array("probabilities"))

    def agrees(self, rows: np.ndarray, made: Any) -> np.ndarray:
        """Return for which samples a call's result is the one that was scored, bool (n,).

        Embeddings agree where they differ by less than a thousandth of the largest value; classes
        where they are the same, or were scored within a thousandth of each other.
        """
        expected = self._expected[[self._place[int(row)] for row in rows]]
        if self.spec["unit"] == "encoder":
            largest = max(float(abs(_values(self._expected)).max()), 1e-12)
            return _gaps(made, expected) <= CLOSE * largest
        classes = made if self.spec["unit"] == "end-to-end" else made.argmax(axis=1)
        scored = expected[np.arange(len(rows)), classes]
        return np.asarray(scored >= expected.max(axis=1) - CLOSE)


def _values(embeddings: Any) -> Any:
    return embeddings.values if isinstance(embeddings, Sequences) else embeddings


def _gaps(made: Any, expected: Any) -> np.ndarray:
    """Return by how much each sample's embedding differs at most; infinite for other lengths."""
    if isinstance(made, Sequences):
        pairs = zip(made, expected, strict=True)
        return np.array([abs(a - b).max() if len(a) == len(b) else np.inf for a, b in pairs])
    return np.asarray(abs(to_dense(made) - to_dense(expected)).max(axis=1))


class StageRecorder:
    """Adds up the time of stages, each without the stages within it.

    Attributes
    ----------
    seconds : dict of str to float
        By name of the stage.
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._stack: list[str] = []
        self._since = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; the one around it pauses."""
        self._book()
        self._stack.append(name if name in STAGES or not self._stack else self._stack[-1])
        try:
            yield
        finally:
            self._book()
            self._stack.pop()

    def _book(self) -> None:
        now = self._clock.now()
        if self._stack:
            name = self._stack[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
