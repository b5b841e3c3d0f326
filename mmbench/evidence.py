"""What the stored predictions of a combination say: its figures in every draw of the bootstrap."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmbench.contracts import Metric
from mmbench.metrics import evaluate, predict
from mmbench.statistics.intervals import interval, wilson
from mmbench.statistics.resampling import bootstrap_weights, degrees, draws_for
from mmbench.statistics.selection import outside
from mmbench.statistics.weighted import class_weights, has_form, of_sums, resampled

if TYPE_CHECKING:
    import pyarrow as pa

Figures = dict[str, float | None]

LABELS = ("id", "truth", "predicted", "group")
"""The columns of predictions besides probabilities."""

KEPT = 3
"""Of how many sets of samples the draws are kept."""


@dataclass(frozen=True)
class Predictions:
    """The predictions of a seed's cells, folds together."""

    ids: np.ndarray
    """Strings, shape (n,)."""
    truth: np.ndarray
    """Class codes, shape (n,)."""
    probabilities: np.ndarray
    groups: np.ndarray | None

    @classmethod
    def read(cls, files: Sequence[Path]) -> Predictions:
        """Read the predictions of some cells of one dataset; raises `FileNotFoundError`."""
        table, classes = _read(files)
        probabilities = np.column_stack([table[f"p_{name}"].to_numpy() for name in classes])
        ids, truth, groups = _tested(table, classes)
        return cls(ids, truth, probabilities, groups)

    def where(self, chosen: np.ndarray) -> Predictions:
        """Return those of some samples, a bool array (n,)."""
        groups = None if self.groups is None else self.groups[chosen]
        return Predictions(self.ids[chosen], self.truth[chosen], self.probabilities[chosen], groups)


@dataclass(frozen=True)
class Verdicts:
    """Which samples of a seed's cells were labelled right: all that accuracy needs of them."""

    ids: np.ndarray
    truth: np.ndarray
    right: np.ndarray
    """Bool, shape (n,)."""
    groups: np.ndarray | None

    @classmethod
    def read(cls, files: Sequence[Path]) -> Verdicts:
        """Read labels without probabilities, which is a fraction of the work."""
        table, classes = _read(files, LABELS)
        ids, truth, groups = _tested(table, classes)
        return cls(ids, truth, truth == _codes(table["predicted"], classes), groups)


def _read(files: Sequence[Path], names: Collection[str] = ()) -> tuple[pa.Table, list[str]]:
    """Read the predictions of some cells, all columns or these, and the names of the classes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables, columns = [], []
    for file in files:
        with pq.ParquetFile(file, read_dictionary=["truth", "predicted"]) as opened:
            columns = opened.schema_arrow.names
            wanted = [name for name in columns if name in names] if names else None
            tables.append(opened.read(wanted, use_threads=False))
    table = pa.concat_tables(tables, promote_options="permissive")
    return table, [name.removeprefix("p_") for name in columns if name.startswith("p_")]


def _tested(
    table: pa.Table, classes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return ids, class codes and groups."""
    groups = table["group"].to_numpy() if "group" in table.column_names else None
    return table["id"].to_numpy(), _codes(table["truth"], classes), groups


def _codes(labels: pa.ChunkedArray, classes: list[str]) -> np.ndarray:
    """Return the places of labels among the classes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = pa.array(classes, pa.string())
    codes: np.ndarray = pc.index_in(labels.cast(pa.string()), value_set=known).to_numpy()
    return codes


@dataclass(eq=False)
class Samples:
    """The samples that some seeds' predictions are of, in an order that is always the same."""

    truth: np.ndarray
    groups: np.ndarray | None
    rows: tuple[np.ndarray, ...]
    """By seed, the sample that each of its predictions is of."""
    name: str
    """Tells which samples there are, and of which parts of them seeds are where these differ."""
    _known: dict[str, bool] = field(default_factory=dict)
    _classes: tuple[np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, parts: Sequence[Predictions | Verdicts]) -> Samples:
        """Collect the samples of each seed's predictions."""
        every = np.concatenate([part.ids for part in parts]).astype(str)
        ids, first, codes = np.unique(every, return_index=True, return_inverse=True)
        groups = None
        if parts[0].groups is not None:
            groups = np.concatenate([part.groups for part in parts])[first]
        rows = tuple(np.split(codes, np.cumsum([len(part.ids) for part in parts])[:-1]))
        told = sorted({tuple(ids[np.sort(of_seed)].tolist()) for of_seed in rows})
        name = hashlib.blake2b(repr(told).encode(), digest_size=16).hexdigest()
        return cls(np.concatenate([part.truth for part in parts])[first], groups, rows, name)

    @cached_property
    def weights(self) -> np.ndarray:
        """The draws of the bootstrap, shape (n, 1 + draws)."""
        return bootstrap_weights(self.truth, self.groups, draws=draws_for(len(self.truth)))

    @cached_property
    def left(self) -> np.ndarray:
        """What samples weigh that a draw left out, shape (n, 1 + draws); first all."""
        return _left(self.weights, self.truth)

    @cached_property
    def orders(self) -> tuple[np.ndarray, ...]:
        """By seed, its predictions in the order of the samples."""
        return tuple(np.argsort(of_seed) for of_seed in self.rows)

    @cached_property
    def degrees(self) -> int:
        """Degrees of freedom of a spread over draws."""
        return degrees(self.truth, self.groups)

    def forget(self) -> None:
        """Drop the draws, which are made again where they are asked for."""
        self._classes = None
        for name in ("weights", "left"):
            self.__dict__.pop(name, None)

    def classes(self, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what each class weighs in each draw, and in what each left out."""
        if self._classes is None:
            made = (class_weights(self.truth, n_classes, w) for w in (self.weights, self.left))
            self._classes = (next(made), next(made))
        return self._classes

    def is_known(self, name: str) -> bool:
        """Whether `knows` has said so of a metric."""
        return self._known.get(name, False)

    def knows(self, name: str, metric: Metric, predictions: Predictions) -> bool:
        """Whether a metric's weighted form is known, as the first predictions of these tell."""
        if name not in self._known:
            self._known[name] = has_form(name, metric, predictions.truth, predictions.probabilities)
        return self._known[name]


def _left(weights: np.ndarray, truth: np.ndarray) -> np.ndarray:
    made = outside(weights, truth)
    made[:, 0] = 1
    return made


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of a combination from its predictions."""

    by_seed: list[Figures]
    """The metrics of each seed's predictions, folds together; none of the headline alone."""
    bounds: dict[str, tuple[float, float]]
    """By metric, the confidence interval of its mean over seeds: of sampling, the seeds given."""
    samples: Samples
    drawn: np.ndarray
    """The headline's mean over seeds, of all samples and then of each draw, (1 + draws,).

    Empty of accuracy alone, which `right` tells.
    """
    left: np.ndarray | None
    """The same of the samples that each draw left out; None where its form is not known."""
    right: np.ndarray | None
    """Which samples were labelled right, (n,), where there is one seed."""


class Gatherer:
    """Reads what predictions say.

    Parameters
    ----------
    metrics : mapping of str to Metric
        By name.
    headline : str
        The metric by which combinations are ranked.
    """

    def __init__(self, metrics: Mapping[str, Metric], headline: str) -> None:
        self.metrics = metrics
        self.headline = headline
        self._samples: dict[bytes, Samples] = {}

    def gather(self, seeds: Sequence[Sequence[Path]], *, headline_only: bool) -> Evidence:
        """Read the predictions of a combination's seeds, each as its files.

        Samples are drawn once for all seeds, so that what is said is of their mean over seeds.
        Raises `FileNotFoundError` where predictions are missing.
        """
        if headline_only and self.headline == "accuracy":
            (files,) = seeds
            verdicts = Verdicts.read(files)
            samples = self._of([verdicts])
            if samples.is_known("accuracy"):
                return _by_right(samples, verdicts.right)
        parts = [Predictions.read(files) for files in seeds]
        return self.weigh(parts, headline_only=headline_only)

    def weigh(self, parts: Sequence[Predictions], *, headline_only: bool = False) -> Evidence:
        """Tell what predictions say, given by seed."""
        metrics, name = self.metrics, self.headline
        if headline_only:
            metrics = {name: metrics[name]}
        samples = self._of(parts)
        by_seed: list[Figures] = []
        drawn, left = [], []
        is_known = name in metrics and samples.knows(name, metrics[name], parts[0])
        if headline_only and is_known and name == "accuracy":
            return _by_right(samples, predict(parts[0].probabilities) == parts[0].truth)
        right = None
        for part, rows, order in zip(parts, samples.rows, samples.orders, strict=True):
            truth, probabilities = part.truth[order], part.probabilities[order]
            weights = samples.weights
            if is_part := len(rows) < len(samples.truth):
                weights = weights[rows[order]]
            n_classes = probabilities.shape[1]
            of_draws, of_left = (None, None) if is_part else samples.classes(n_classes)
            if headline_only and is_known:
                drawn.append(of_sums({name}, truth, probabilities, weights, of_draws))
            else:
                by_seed.append(evaluate(metrics, truth, probabilities))
                known = by_seed[-1]
                drawn.append(resampled(metrics, truth, probabilities, weights, known, of_draws))
            if is_known:
                away = _left(weights, truth) if is_part else samples.left
                left.append(of_sums({name}, truth, probabilities, away, of_left)[name])
            if len(parts) == 1:
                right = predict(probabilities) == truth
        means = {each: stacked([of[each] for of in drawn]).mean(axis=0) for each in metrics}
        bounds = {each: interval(each, of, samples.degrees) for each, of in means.items()}
        if right is not None and samples.groups is None and "accuracy" in bounds:
            bounds["accuracy"] = wilson(int(right.sum()), len(right))
        return Evidence(
            by_seed,
            bounds,
            samples,
            means.get(name, np.empty(0)),
            np.mean(left, axis=0) if left else None,
            right,
        )

    def _of(self, parts: Sequence[Predictions | Verdicts]) -> Samples:
        """Return the samples of predictions, the last few kept with their draws."""
        import pyarrow as pa

        found = hashlib.blake2b()
        for part in parts:
            for values in (part.ids, part.truth, part.groups):
                for buffer in [] if values is None else pa.array(values).buffers():
                    found.update(buffer or b"")
                found.update(b"next")
        key = found.digest()
        if key not in self._samples:
            if len(self._samples) >= KEPT:
                self._samples.pop(next(iter(self._samples))).forget()
            self._samples[key] = Samples.of(parts)
        return self._samples[key]


def _by_right(samples: Samples, right: np.ndarray) -> Evidence:
    """Return the evidence of accuracy alone, from which predictions are right."""
    return Evidence([], {}, samples, np.empty(0), None, right[samples.orders[0]])


def stacked(draws: Sequence[np.ndarray]) -> np.ndarray:
    """Stack draws, the first of each as many as all have."""
    fewest = min(map(len, draws))
    return np.stack([each[:fewest] for each in draws])
