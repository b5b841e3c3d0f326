"""Quality: each cell and each combination of B against A, on the same test samples."""

from __future__ import annotations

import filecmp
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import numpy as np

from mmbench.comparison.pairs import NotComparableError, Pair, paired, pool
from mmbench.comparison.sides import Side, place
from mmbench.contracts import Metric
from mmbench.metrics import evaluate
from mmbench.results import KEYS
from mmbench.statistics.families import Correction, adjust
from mmbench.statistics.paired import Comparison, compare_predictions, discordant
from mmbench.statistics.power import smallest_difference
from mmbench.statistics.replicates import corrected_resampled_t

Row = dict[str, Any]

IDENTICAL = Comparison(0.0, 0.0, 0.0, 1.0, "identical predictions", 0.0, "", 0)
UNTESTED = Comparison(math.nan, math.nan, math.nan, math.nan, "", math.nan, "", 0)


class Quality:
    """Compares two runs by one metric; differences are B less A.

    Parameters
    ----------
    a, b : Side
    name : str
        The metric's name in the tables.
    metric : Metric
    level : float
        Of intervals and tests.

    Attributes
    ----------
    cells, combinations : list of dict
        What was compared; a combination only where it has several cells.
    refused : dict of str to str
        By cell, why it cannot be compared.
    """

    def __init__(self, a: Side, b: Side, name: str, metric: Metric, level: float) -> None:
        self.a, self.b, self.name, self.metric, self.level = a, b, name, metric, level
        self.by_sample = a.has_predictions and b.has_predictions
        self.cells: list[Row] = []
        self.combinations: list[Row] = []
        self.refused: dict[str, str] = {}
        groups: dict[tuple[Any, ...], list[str]] = {}
        for cell, row in a.rows.items():
            if cell in a.done and cell in b.done:
                groups.setdefault(tuple(row[key] for key in KEYS), []).append(cell)
        for cells in groups.values():
            compare = self._by_sample if self.by_sample else self._by_score
            compare(cells)

    def judge(self, correction: Correction, min_effect: float) -> None:
        """Correct all p-values for how many there are, and say what is worse and what better."""
        rows = [*self.cells, *self.combinations]
        adjusted = adjust(np.array([row["p_value"] for row in rows]), correction)
        sign = 1 if self.metric.higher_is_better else -1
        for row, p_value in zip(rows, adjusted, strict=True):
            row["p_adjusted"] = float(p_value)
            gain = sign * row["difference"]
            row["verdict"] = verdict(p_value, self.level, -gain > min_effect, gain > min_effect)

    def _by_sample(self, cells: Sequence[str]) -> None:
        """Compare the cells of one combination by their predictions, and all taken together."""
        pairs: dict[str, Pair | None] = {}
        for cell in cells:
            try:
                pairs[cell] = self._pair(cell)
            except NotComparableError as error:
                self.refused[cell] = str(error)
                continue
            scores, tested = self._compared(pairs[cell], [cell])
            self._add_cell(cell, scores, tested, pairs[cell])
        if len(pairs) < 2:
            return
        is_same = all(pair is None for pair in pairs.values())
        read = (pair or self._read(cell) for cell, pair in pairs.items())
        whole = None if is_same else pool(list(read))
        scores, tested = self._compared(whole, pairs)
        if whole is None:
            samples = np.concatenate([self.a.predictions(cell).ids for cell in pairs])
            tested = replace(tested, n=len(set(samples)))
        self._add_combination(list(pairs), scores, tested, whole)

    def _by_score(self, cells: Sequence[str]) -> None:
        """Compare one combination by the scores of its cells, as there are no predictions."""
        compared = []
        for cell in cells:
            counts = [int(side.rows[cell]["n_test"]) for side in (self.a, self.b)]
            if counts[0] != counts[1]:
                self.refused[cell] = f"{counts[0]} test samples in A, {counts[1]} in B"
                continue
            scores = self._scores([cell])
            tested = replace(UNTESTED, estimate=float(scores[1] - scores[0]), n=counts[0])
            self._add_cell(cell, scores, tested, None)
            if np.isfinite(scores).all():
                compared.append(cell)
        if len(compared) < 2:
            return
        rows = [self.a.rows[cell] for cell in compared]
        a, b = (
            np.array([side.rows[cell][self.name] for cell in compared], np.float64)
            for side in (self.a, self.b)
        )
        sizes = [float(np.mean([row[name] for row in rows])) for name in ("n_train", "n_test")]
        tested = corrected_resampled_t(b - a, *sizes, level=self.level)
        self._add_combination(compared, self._scores(compared), tested, None)

    def _pair(self, cell: str) -> Pair | None:
        """Return the predictions of the same samples; None where they are the same to the byte."""
        if filecmp.cmp(self.a.file(cell), self.b.file(cell), shallow=False):
            return None
        return self._read(cell)

    def _read(self, cell: str) -> Pair:
        return paired(self.a.predictions(cell), self.b.predictions(cell))

    def _compared(self, pair: Pair | None, cells: Iterable[str]) -> tuple[np.ndarray, Comparison]:
        """Return the metric of A and B, and its test; of equal predictions as in the tables."""
        if pair is None:
            scores = self._scores(cells)
            return scores, UNTESTED if np.isnan(scores).any() else IDENTICAL
        tested = compare_predictions(
            self.metric,
            pair.truth,
            pair.b,
            pair.a,
            groups=None if pair.groups is None else np.unique(pair.groups, return_inverse=True)[1],
            level=self.level,
            name=self.name,
        )
        return np.array([self._score(pair, of) for of in "ab"]), tested

    def _score(self, pair: Pair, of: str) -> float:
        value = evaluate({self.name: self.metric}, pair.truth, getattr(pair, of))[self.name]
        return math.nan if value is None else value

    def _scores(self, cells: Iterable[str]) -> np.ndarray:
        """Return the metric of A and B in the tables, the mean over cells."""
        listed = list(cells)
        return np.array(
            [
                np.mean([float(side.rows[cell][self.name]) for cell in listed])
                for side in (self.a, self.b)
            ]
        )

    def _add_cell(
        self, cell: str, scores: np.ndarray, tested: Comparison, pair: Pair | None
    ) -> None:
        row = self.a.rows[cell]
        tested = replace(tested, n=int(row["n_test"]))
        where = {"cell": cell, **place(row), "seed": int(row["seed"]), "fold": int(row["fold"])}
        self.cells.append(where | self._figures(scores, tested, pair))

    def _add_combination(
        self, cells: list[str], scores: np.ndarray, tested: Comparison, pair: Pair | None
    ) -> None:
        where = {**place(self.a.rows[cells[0]]), "cells": cells}
        self.combinations.append(where | self._figures(scores, tested, pair))

    def _figures(self, scores: np.ndarray, tested: Comparison, pair: Pair | None) -> Row:
        figures = asdict(tested)
        figures["difference"] = figures.pop("estimate")
        smallest = math.nan
        if self.name == "accuracy" and tested.test in ("exact McNemar", IDENTICAL.test):
            apart = 0 if pair is None else sum(discordant(pair.truth, pair.a, pair.b))
            smallest = _smallest(tested.n, apart / tested.n, self.level)
        order = (
            "n", "difference", "low", "high", "p_value", "test", "effect", "effect_name",
        )  # fmt: skip
        told = {name: figures[name] for name in order}
        return {"a": float(scores[0]), "b": float(scores[1]), **told, "smallest_shown": smallest}


def verdict(p_adjusted: float, level: float, is_worse: bool, is_better: bool) -> str:
    """Return what a corrected p-value and an effect beyond the least one come to."""
    if np.isnan(p_adjusted):
        return "not tested"
    if p_adjusted > 1 - level or not (is_worse or is_better):
        return "not told apart"
    return "worse" if is_worse else "better"


@lru_cache(maxsize=4096)
def _smallest(n: int, discordance: float, level: float) -> float:
    return smallest_difference(n, discordance, level=level)
