"""The job that tunes: candidates compared on the training part, the best of them named."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmbench import joint, splits
from mmbench.decisions import decide_by, out_of_fold
from mmbench.errors import DamagedArtefactError, PluginError, one_line
from mmbench.metrics import evaluate
from mmbench.options import canonical
from mmbench.pipeline import (
    Labels,
    fit_head,
    fold_decisions,
    is_calibrated,
    temperature,
)
from mmbench.prepared import features
from mmbench.steps import accepted, fused_vectors
from mmbench.workshop import Workshop, progress

FACTOR = 3
"""Halving keeps one candidate in so many, and gives each so many times the samples."""

Outputs = list[tuple[np.ndarray, np.ndarray]]
"""Per fold, the true codes (n,) and a candidate's probabilities or decision values (n, k)."""


@dataclass
class Trials:
    """What became of the candidates.

    Attributes
    ----------
    chosen : int
        The best candidate; of equal ones the first.
    score : float
        Its metric, the mean over folds.
    history : list of dict
        One row per candidate and round: ``candidate`` (JSON of its values), ``share`` of the
        training samples that it was fitted to, ``score``, or ``reason`` where it failed.
    """

    chosen: int = -1
    score: float = math.nan
    history: list[dict[str, Any]] = field(default_factory=list)


def tune(spec: Mapping[str, Any], workshop: Workshop) -> Trials:
    """Compare candidates and choose the best.

    Each is fitted to the training part of every inner fold and scored on its held-out part (on the
    validation part where there is one); its score is the mean over folds in which the metric
    applies. By successive halving (Jamieson and Talwalkar, 2016) all start on a small stratified
    sample of the training part, and the better third goes on with three times as many samples,
    until the last round has all of them.

    Raises
    ------
    PluginError
        No candidate could be fitted and scored.
    """
    candidates = spec["candidates"]
    bench = (_Decisions if "out_of_fold" in spec else _Fits)(spec, workshop)
    trials = Trials()
    alive = list(range(len(candidates)))
    rounds = _rounds(len(candidates)) if spec.get("halving") else 1
    for number in range(rounds):
        share = FACTOR ** (number + 1 - rounds)
        scores: dict[int, float] = {}
        reasons: dict[int, str] = {}
        for index, outcome in bench.scored(alive, share):
            row = {"candidate": canonical(candidates[index]["values"]), "share": share}
            if isinstance(outcome, str):
                reasons[index] = outcome
                trials.history.append({**row, "reason": outcome})
            else:
                scores[index] = outcome
                trials.history.append({**row, "score": outcome})
        if not scores:
            raise PluginError(f"no candidate can be used: {next(iter(reasons.values()))}")
        sign = 1.0 if bench.metric.higher_is_better else -1.0
        ranked = sorted(scores, key=lambda index: -sign * scores[index])
        alive = ranked[: math.ceil(len(alive) / FACTOR)]
    trials.chosen = ranked[0]
    trials.score = scores[trials.chosen]
    return trials


def _rounds(candidates: int) -> int:
    rounds = 1
    while candidates >= FACTOR**rounds:
        rounds += 1
    return rounds


class _Bench(ABC):
    """Scores candidates over folds."""

    def __init__(self, spec: Mapping[str, Any], workshop: Workshop) -> None:
        self.spec = spec
        self.workshop = workshop
        self.metric = workshop.build(spec["metric"])
        self.labels = Labels.of(workshop.array(spec["labels"]))
        self.k = len(self.labels.present)

    @abstractmethod
    def outputs(self, alive: Sequence[int], share: float) -> dict[int, Outputs | str]:
        """Return what candidates give on every fold, or why they could not."""

    def scored(self, alive: Sequence[int], share: float) -> Iterator[tuple[int, float | str]]:
        """Return each candidate's score, or why it has none."""
        name = self.spec["metric"]["name"]
        for index, made in self.outputs(alive, share).items():
            if isinstance(made, str):
                yield index, made
                continue
            try:
                values = [
                    evaluate({name: self.metric}, truth, output)[name] for truth, output in made
                ]
            except PluginError as error:
                yield index, str(error)
                continue
            known = [value for value in values if value is not None]
            applies = f"{name} does not apply to any inner fold"
            yield index, float(np.mean(known)) if known else applies


class _Fits(_Bench):
    """Heads over features, and joint fusions."""

    def outputs(self, alive: Sequence[int], share: float) -> dict[int, Outputs | str]:
        made: dict[int, Outputs] = {index: [] for index in alive}
        failed: dict[int, str] = {}
        folds = self.spec["folds"]
        for number, fold in enumerate(folds):
            read = self.workshop.array
            codes, truth = (self.labels.renumber(read(fold[key])) for key in ("train", "truth"))
            rows = self._rows(codes, share)
            known, given = "", None
            for done, index in enumerate(alive):
                progress(number * len(alive) + done, len(folds) * len(alive))
                candidate = self.spec["candidates"][index]
                wanted = canonical([candidate["features"][number], _takes_sparse(candidate)])
                if index in failed:
                    continue
                try:
                    if wanted != known:
                        known, given = wanted, self._given(candidate, number, read(fold["test"]))
                    output = self._output(candidate, number, given, codes, rows)
                except DamagedArtefactError:  # nothing of the candidate's: it is made anew
                    raise
                except Exception as error:
                    failed[index] = one_line(error)
                else:
                    made[index].append((truth, output))
        return {
            index: failed[index] if index in failed else self._calibrated(index, outputs)
            for index, outputs in made.items()
        }

    def _rows(self, codes: np.ndarray, share: float) -> np.ndarray:
        """Return the positions of a stratified share of a fold's training part."""
        if share >= 1:
            return np.arange(len(codes))
        size = min(max(math.ceil(share * len(codes)), 2 * self.k), len(codes))
        return splits.subsample(codes, size)

    def _given(self, candidate: Mapping[str, Any], number: int, test: np.ndarray) -> Any:
        """Return the features of a fold's training and test part, as the candidate takes them."""
        spec = candidate["features"][number]
        if candidate["joint"]:
            return [
                accepted(candidate["joint"], part) for part in features(spec, self.workshop, test)
            ]
        return fused_vectors(spec, self.workshop, candidate["head"]["sparse"], test)

    def _output(
        self,
        candidate: Mapping[str, Any],
        number: int,
        given: Any,
        codes: np.ndarray,
        rows: np.ndarray,
    ) -> np.ndarray:
        """Return what a candidate, fitted to some rows of a fold, gives on its test part."""
        train, test = given
        fold = Labels.of(codes[rows])
        if len(fold.present) < 2:
            raise PluginError("the training part has one class")
        k = len(fold.present)
        if candidate["joint"]:
            parts = candidate["features"][number]["parts"]
            fewer = {m: values[rows] for m, values in train.items()}
            _, predict = joint.fit(candidate["joint"], parts, self.workshop, fewer, fold.codes)
            return fold.widen(predict(test), self.k)

        def make() -> Any:
            return self.workshop.build(candidate["head"], k)

        if not is_calibrated(make()):
            return fold_decisions(make, train[rows], codes[rows], test, self.k)
        return fold.widen(fit_head(make, train[rows], fold, None, None)(test), self.k)

    def _calibrated(self, index: int, outputs: Outputs) -> Outputs:
        """Return probabilities where the metric needs them, and decision values where not.

        One temperature is fitted to the decision values of all folds.
        """
        head = self.spec["candidates"][index]["head"]
        if self.metric.needs == "labels" or head is None:
            return outputs
        if is_calibrated(self.workshop.build(head, self.k)):
            return outputs
        pooled = np.concatenate([decisions for _, decisions in outputs])
        scale = temperature(pooled, np.concatenate([truth for truth, _ in outputs]))
        return [(truth, scale(decisions)) for truth, decisions in outputs]


class _Decisions(_Bench):
    """Decision-level fusions, over the out-of-fold probabilities of their heads."""

    def outputs(self, alive: Sequence[int], share: float) -> dict[int, Outputs | str]:
        spec, workshop = self.spec, self.workshop
        given = out_of_fold(spec, workshop, self.labels)
        groups = workshop.array(spec["groups"]) if spec["groups"] else None
        folds = splits.folds(self.labels.codes, groups)
        made: dict[int, Outputs | str] = {}
        for index in alive:
            try:
                made[index] = [self._output(index, given, *fold) for fold in folds]
            except Exception as error:
                made[index] = one_line(error)
        return made

    def _output(
        self, index: int, given: Mapping[str, np.ndarray], train: np.ndarray, test: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        component, codes = self.spec["candidates"][index]["fusion"], self.labels.codes
        fold = Labels.of(codes[train] if self.spec["trained"] else codes)
        known = {name: _shares(values[:, fold.present]) for name, values in given.items()}
        fusion = self.workshop.build(component, len(fold.present))
        if self.spec["trained"]:
            fusion.fit({name: values[train] for name, values in known.items()}, fold.codes)
        decided = decide_by(fusion, {name: values[test] for name, values in known.items()})
        return codes[test], fold.widen(decided, self.k)


def _shares(values: np.ndarray) -> np.ndarray:
    """Return rows that sum to 1 again, after columns of classes unknown in a fold have gone."""
    total = values.sum(axis=1, keepdims=True)
    uniform = np.where(np.isnan(total), np.nan, 1 / values.shape[1])
    shared: np.ndarray = np.where(total > 0, values / np.where(total > 0, total, 1), uniform)
    return shared


def _takes_sparse(candidate: Mapping[str, Any]) -> bool:
    return bool((candidate["head"] or candidate["joint"])["sparse"])
