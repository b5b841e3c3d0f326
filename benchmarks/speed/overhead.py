"""The harness itself: a run of 200 cells against the same embeds, fits and predicts by hand.

Run as ``python -m benchmarks.speed.overhead``, it writes ``results/speed/overhead-cpu.{csv,md}``
and, where the difference goes, ``results/speed/phases-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.speed.runs import Told, run_apart
from benchmarks.speed.sidebyside import by_turns, figures
from benchmarks.speed.tables import write

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 3
MOST = 1.03
"""Of the time by hand, that a run may take."""

TEXT = """\
Cells on `digits` (two encoders of images, two of speech, alone and side by side; five \
heads that share nothing; its five folds): one run with an empty store, one job at a time, in a \
process of its own, from its start to its end, against the same embeds, standardising, fits and \
predicts called by hand, each once, one after the other, in a process that has imported all \
before. By hand, nothing is scored or written. One thread each; medians over rounds by turns, \
with the range of the ratio. `more_percent` is what the run takes more (at most 3); \
`cpu_ratio` is of processor seconds, those of the run's worker and fork server included. Every \
stored probability is the one made by hand."""

PHASES_TEXT = """\
Where the time of those runs goes (medians over rounds, seconds). `plan` is all up to the first \
job: imports, reading, planning; `first` until a worker has begun it; `embed` and `fit` (with \
standardising and predicting) are what jobs take by their own clocks, `between` all else in that \
time (scores, the store, the journal, predictions); `close` table and reports."""

Key = tuple[str, str, int]
"""Encoders, head, fold."""
Answers = dict[Key, np.ndarray]
"""The test part's class probabilities, (n, k)."""


@dataclass(frozen=True)
class Task:
    """What is run: of all encoders and heads, or fewer.

    Attributes
    ----------
    limit : int, optional
        A stratified sample of that many, in place of all.
    """

    encoders: Mapping[str, tuple[str, ...]]
    heads: tuple[str, ...]
    limit: int | None = None

    @property
    def matrix(self) -> dict[str, Any]:
        """The matrix file."""
        return {
            "name": "overhead",
            "datasets": [{"use": "digits"}],
            "encoders": {modality: list(names) for modality, names in self.encoders.items()},
            "fusions": ["concat"],
            "heads": list(self.heads),
        }

    @property
    def combinations(self) -> list[dict[str, str]]:
        """By modality, the encoders that a head is given the vectors of."""
        alone = [{m: name} for m, names in self.encoders.items() for name in names]
        pairs = itertools.product(*self.encoders.values())
        return alone + [dict(zip(self.encoders, pair, strict=True)) for pair in pairs]


TASK = Task(
    {"image": ("hog", "local-binary-patterns"), "speech": ("mfcc", "audio-statistics")},
    ("random-forest", "extra-trees", "mlp", "logistic-regression", "k-nearest"),
)


@dataclass
class Bare:
    """The same work by hand; the plugins' own classes, with the seeds and folds of a run.

    Attributes
    ----------
    seconds : dict of str to float
        What the last round took: ``embed``, and ``fit`` with standardising and predicting.
    """

    task: Task
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from mmbench.catalogue import load_catalogue

        self.catalogue = load_catalogue()
        self.data = self._build("dataset", "digits")
        self.chosen = np.arange(len(self.data.ids))
        if self.task.limit is not None:
            from mmbench.planning import make_plan

            plan = make_plan(self.task.matrix, limit=self.task.limit)
            self.chosen = plan.samples["digits"].rows

    def __call__(self) -> Answers:
        """Do every embed, fit and predict once."""
        self.seconds = dict.fromkeys(("embed", "fit"), 0.0)
        vectors = {
            name: self._embed(modality, name)
            for modality, names in self.task.encoders.items()
            for name in names
        }
        labels, folds = self.data.labels[self.chosen], self.data.folds[self.chosen]
        made = {}
        for fold in np.unique(folds):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            scaled = {name: self._scale(values, train, test) for name, values in vectors.items()}
            for combination in self.task.combinations:
                X, X_test = (
                    np.hstack([scaled[name][part] for name in combination.values()])
                    for part in (0, 1)
                )
                for head in self.task.heads:
                    key = "+".join(combination.values()), head, int(fold)
                    made[key] = self._predict(head, int(fold), X, labels[train], X_test)
        return made

    def _embed(self, modality: str, name: str) -> np.ndarray:
        from mmbench.embedding import CHUNK

        with self._clock("embed"):
            items = self.data.items(modality)
            encoder = self._build("encoder", name)
            chunks = [
                encoder.encode([items[i] for i in self.chosen[start : start + CHUNK]])
                for start in range(0, len(self.chosen), CHUNK)
            ]
            return np.concatenate(chunks)

    def _scale(
        self, values: np.ndarray, train: np.ndarray, test: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.preprocessing import StandardScaler

        with self._clock("fit"):
            values = values.astype(np.float64)
            scaler = StandardScaler().fit(values[train])
            return scaler.transform(values[train]), scaler.transform(values[test])

    def _predict(
        self, head: str, fold: int, X: np.ndarray, y: np.ndarray, X_test: np.ndarray
    ) -> np.ndarray:
        import mmbench

        with self._clock("fit"):
            fitted = self._build("head", head, mmbench.derive_seed(0, fold, "head")).fit(X, y)
            return np.asarray(fitted.predict_proba(X_test))

    def _build(self, sort: str, name: str, seed: int = 0) -> Any:
        from mmbench.options import build

        given = {"seed": seed, "threads": 1, "device": "cpu", "n_classes": 10}
        return build(self.catalogue.find(sort, name, "overhead"), {}, given)

    @contextmanager
    def _clock(self, phase: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[phase] += time.perf_counter() - start


def stored(folder: Path) -> Answers:
    """Return what a run has predicted."""
    import mmbench
    from mmbench.results import read_predictions

    table = mmbench.read_results(folder)
    assert (table["status"] == "ok").all(), table["reason"].unique()
    made = {}
    for row in table.itertuples():
        predicted = read_predictions(folder, row.cell).filter(like="p_").to_numpy()
        made[row.encoders, row.head, row.fold] = predicted
    return made


def compare(
    task: Task = TASK, rounds: int = ROUNDS, benchmark: Any = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables, after all probabilities were seen to be the same."""
    import pandas as pd
    from threadpoolctl import threadpool_limits

    bare, told, laps = Bare(task), list[Told](), list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):

        def ours() -> Path:
            place = Path(folder) / str(len(told))
            told.append(run_apart(task.matrix, place, limit=task.limit))
            return place

        def theirs() -> Answers:
            made = bare()
            laps.append(bare.seconds)
            return made

        own, other = by_turns(ours, theirs, rounds, benchmark, warm=False)
        made = stored(own.answer / "run")
    assert made.keys() == other.answer.keys()
    for key, probabilities in other.answer.items():
        np.testing.assert_array_equal(made[key], probabilities, err_msg=str(key))
    own.cpu = [each.cpu for each in told]
    other.seconds = [sum(each.values()) for each in laps]
    row = {"what": f"{len(made)} cells", **figures(own, other, round(1 / MOST, 3))}
    row |= {"more_percent": round(100 * (row["ours_s"] / row["theirs_s"] - 1), 2)}
    names = dict.fromkeys((*told[0].phases, *laps[0]))
    phases = [
        {
            "phase": name,
            "ours_s": round(statistics.median(t.phases.get(name, 0.0) for t in told), 3),
            "by_hand_s": round(statistics.median(t.get(name, 0.0) for t in laps), 3),
        }
        for name in names
    ]
    return pd.DataFrame([row]), pd.DataFrame(phases)


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--limit", type=int, help="a sample of that many")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args()
    task = Task(TASK.encoders, TASK.heads, given.limit)
    table, phases = compare(task, given.rounds)
    write("overhead", "cpu", table, table, TEXT, given.out)
    write("phases", "cpu", phases, phases, PHASES_TEXT, given.out)


if __name__ == "__main__":
    main()
