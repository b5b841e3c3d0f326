"""What is timed, as callables: an encoder, what decides on embeddings, or a whole combination."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mmbench.data import pick
from mmbench.pipeline import Matrix
from mmbench.serving import Service, encoder
from mmbench.stages import stage
from mmbench.steps import decide_by, fit_decision
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


@dataclass
class Timed:
    """One part, built and fitted, ready to process samples of the test part by their numbers.

    Attributes
    ----------
    spec : mapping
        ``unit``, ``of`` (the key of the job that it does the work of), ``modality``, ``rows`` (the
        positions of the samples, array key), and the ``jobs`` that it stands on.
    """

    spec: Mapping[str, Any]
    workshop: Workshop
    _service: Service = field(init=False)

    def __post_init__(self) -> None:
        self._service = Service(self.spec["jobs"], self.spec["of"], self.workshop)

    @cached_property
    def rows(self) -> np.ndarray:
        """Positions of the samples in the dataset as the run uses it."""
        return np.asarray(self.workshop.array(self.spec["rows"]))

    @cached_property
    def _job(self) -> Mapping[str, Any]:
        job: Mapping[str, Any] = self.spec["jobs"][self.spec["of"]]["spec"]
        return job

    @cached_property
    def _items(self) -> dict[str, Sequence[Any]]:
        return {
            modality: pick(
                self.workshop.items(spec["dataset"], modality), self.workshop.array(spec["rows"])
            )
            for modality, spec in self._embeds.items()
        }

    @cached_property
    def _embeds(self) -> Mapping[str, Mapping[str, Any]]:
        if self.spec["unit"] == "encoder":
            return {self.spec["modality"]: self._job}
        return self._service.embeds

    @cached_property
    def encoders(self) -> dict[str, Any]:
        """The encoders in it, by modality."""
        if self.spec["unit"] in ("classifier", "decision"):
            return {}
        if self.spec["unit"] == "encoder":
            return {self.spec["modality"]: encoder(self._job, self.workshop)}
        return self._service.encoders

    @cached_property
    def process(self) -> Callable[[np.ndarray], Any]:
        """What is timed: from positions of samples to their embeddings, probabilities or classes.

        Getting it loads and fits whatever it takes.
        """
        match self.spec["unit"]:
            case "encoder":
                return self._encode()
            case "classifier":
                return self._classify()
            case "decision":
                return self._decide()
            case _:
                return self._serve()

    def _encode(self) -> Callable[[np.ndarray], Matrix]:
        modality = self.spec["modality"]
        built, items = self.encoders[modality], self._items[modality]

        def encode(rows: np.ndarray) -> Matrix:
            with stage("decode"):
                given = [items[row] for row in rows]
            with stage("encode"):
                return built.encode(given)

        return encode

    def _classify(self) -> Callable[[np.ndarray], np.ndarray]:
        classify = self._service.classify
        stored = {}
        for modality, key in self._service.keys.items():
            stored[modality] = self.workshop.store.open(key).matrix("values")[self.rows]
        position = {int(row): i for i, row in enumerate(self.rows)}

        def work(rows: np.ndarray) -> np.ndarray:
            chosen = [position[int(row)] for row in rows]
            return classify({name: values[chosen] for name, values in stored.items()})

        return work

    def _decide(self) -> Callable[[np.ndarray], np.ndarray]:
        labels, fusion = fit_decision(self._job, self.workshop)
        test = self.workshop.array(self.spec["test"])
        position = {int(row): i for i, row in enumerate(test)}
        stored = {
            modality: np.asarray(self.workshop.store.open(key).array("probabilities"))
            for modality, key in self._job["probabilities"].items()
        }

        def work(rows: np.ndarray) -> np.ndarray:
            chosen = [position[int(row)] for row in rows]
            given = {name: values[chosen][:, labels.present] for name, values in stored.items()}
            with stage("fusion"):
                return labels.widen(decide_by(fusion, given), self._job["n_classes"])

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

    def agreement(self) -> float:
        """Return the share of samples for which the result is the one that was scored.

        Embeddings agree where they differ by less than a thousandth of the largest value; classes
        where they are the same.
        """
        made = self.process(self.rows)
        if self.spec["unit"] == "encoder":
            stored = self.workshop.store.open(self.spec["of"]).matrix("values")[self.rows]
            gap = np.abs(_dense(made) - _dense(stored)).max(axis=1)
            return float(np.mean(gap <= 1e-3 * max(float(np.abs(_dense(stored)).max()), 1e-12)))
        test = self.workshop.array(self.spec["test"])
        position = {int(row): i for i, row in enumerate(test)}
        scored = np.asarray(self.workshop.store.open(self.spec["of"]).array("probabilities"))
        expected = scored[[position[int(row)] for row in self.rows]].argmax(axis=1)
        classes = made if self.spec["unit"] == "end-to-end" else made.argmax(axis=1)
        return float(np.mean(classes == expected))


def _dense(values: Any) -> np.ndarray:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


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
