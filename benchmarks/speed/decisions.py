"""Decision-level fusions of all tuples of encoders, against scikit-learn's ensembles per cell.

Run as ``python -m benchmarks.speed.decisions``, it writes ``results/speed/decisions-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.speed.blobs import Blob, Blobs
from benchmarks.speed.sidebyside import ROUNDS, by_turns, figures
from benchmarks.speed.tables import write

if TYPE_CHECKING:
    import pandas as pd

PLUGIN = Path(__file__).with_name("blobs.py")
WIDTHS = {"image": 512, "text": 384, "audio": 256}
"""Columns of every encoder, by modality."""
HEADS = ("logistic-regression", "naive-bayes")

TEXT = (
    "All tuples of encoders of three modalities ({widths} wide), six decision-level fusions (soft "
    "vote, plain and with two weightings; weighted hard vote; stacking with two penalties) and two "
    "heads ({heads}), ten classes: `mmbench.run` with an empty store, one job at a time, against "
    "scikit-learn's `VotingClassifier` and `StackingClassifier` fitted for each cell, over the "
    "same inner folds (`python -m benchmarks.speed.decisions`). One thread each; medians over "
    "rounds taken by turns, with the range of the ratio; `cpu_ratio` is that of processor seconds. "
    "scikit-learn fits the cells of `tuples_measured` tuples, drawn with a seed; its seconds are "
    "those, times tuples over tuples measured. Every predicted class of those cells is the same. "
    "`work_s` is what embedding, fitting and deciding take of mmbench's time (in the last round); "
    "with the rest it scores every cell, ranks them, and writes predictions, tables and reports."
)

Tuple = tuple[int, ...]
"""The number of an encoder for each modality."""


@dataclass(frozen=True)
class Fusion:
    """A fusion of mmbench's, and scikit-learn's ensemble that is the same.

    Attributes
    ----------
    use : str
        Its name.
    options : dict
        And options.
    """

    use: str
    options: dict[str, Any]

    @property
    def entry(self) -> dict[str, Any]:
        """It, in a matrix file, where a list is one value and no axis."""
        own = {k: [v] if isinstance(v, list) else v for k, v in self.options.items()}
        return {"use": self.use, **own}

    def ensemble(self, members: list[tuple[str, Any]], folds: Any) -> Any:
        """Return the ensemble of a pipeline per modality, not fitted."""
        from sklearn.ensemble import StackingClassifier, VotingClassifier
        from sklearn.linear_model import LogisticRegression

        if self.use == "stacking":
            meta = LogisticRegression(max_iter=1000, **self.options)
            return StackingClassifier(members, meta, stack_method="predict_proba", cv=folds)
        return VotingClassifier(
            members, voting="hard" if self.use == "vote" else "soft", **self.options
        )


FUSIONS = (
    Fusion("mean-probability", {}),
    Fusion("weighted-mean", {"weights": [0.5, 0.3, 0.2]}),
    Fusion("weighted-mean", {"weights": [0.2, 0.3, 0.5]}),
    Fusion("vote", {"weights": [1.0, 1.1, 1.2]}),  # so that there are no ties
    Fusion("stacking", {"C": 1.0}),
    Fusion("stacking", {"C": 0.1}),
)

Key = tuple[Tuple, int, str]
"""A cell: its encoders, the number of its fusion, and its head."""
Answers = dict[Key, np.ndarray]
"""By cell, the predicted classes of the test part."""


@dataclass(frozen=True)
class Task:
    """A row of the table.

    Attributes
    ----------
    train, test : int
        Samples.
    measured : int
        How many tuples of encoders scikit-learn fits cells of.
    encoders : int
        Of each modality.
    target : float
        How many times faster mmbench shall be.
    """

    train: int
    test: int
    measured: int
    encoders: int = 5
    rounds: int = ROUNDS
    target: float = 20

    @property
    def tuples(self) -> list[Tuple]:
        """The encoders' numbers."""
        return list(itertools.product(range(self.encoders), repeat=len(WIDTHS)))

    @property
    def sample(self) -> list[Tuple]:
        """Those that scikit-learn fits cells of."""
        drawn = np.random.default_rng(0).permutation(len(self.tuples))[: self.measured]
        return [self.tuples[i] for i in sorted(drawn)]

    @property
    def cells(self) -> int:
        """How many cells mmbench evaluates."""
        return len(self.tuples) * len(FUSIONS) * len(HEADS)

    @property
    def matrix(self) -> dict[str, Any]:
        """The matrix file; single modalities are left out, as the alternative fits none."""
        numbers = list(range(self.encoders))
        data = {"use": "blobs", "train": self.train, "test": self.test}
        return {
            "name": "decisions",
            "datasets": [{**data, "modalities": list(WIDTHS)}],
            "encoders": {
                modality: {"use": "blob", "number": numbers, "width": width}
                for modality, width in WIDTHS.items()
            },
            "fusions": [fusion.entry for fusion in FUSIONS],
            "heads": list(HEADS),
            "exclude": [{"fusion": "none"}],
        }


TASKS = (Task(600, 300, measured=25), Task(2000, 500, measured=10))


class Plain:
    """scikit-learn's ensembles on the concatenated embeddings, cell by cell.

    Parameters
    ----------
    task : Task
        Its embeddings are made here, and so are not in what is measured.
    """

    def __init__(self, task: Task) -> None:
        import mmbench

        self.task = task
        data = Blobs(train=task.train, test=task.test, modalities=list(WIDTHS))
        self.labels = data.labels[: task.train]
        self.views = {
            (modality, number): Blob(number=number, width=width).encode(data.items(modality))
            for modality, width in WIDTHS.items()
            for number in range(task.encoders)
        }
        self.folds = mmbench.folds(self.labels)

    def predict(self, numbers: Tuple, fusion: Fusion, head: str) -> np.ndarray:
        """Fit and return the test part's classes."""
        joined = np.hstack([self.views[key] for key in zip(WIDTHS, numbers, strict=True)])
        joined = joined.astype(np.float64)
        ensemble = fusion.ensemble(list(_members(head)), self.folds)
        ensemble.fit(joined[: self.task.train], self.labels)
        return np.asarray(ensemble.predict(joined[self.task.train :]))

    def __call__(self) -> Answers:
        """Predict for the sample of cells."""
        cells = itertools.product(self.task.sample, enumerate(FUSIONS), HEADS)
        return {
            (numbers, number, head): self.predict(numbers, fusion, head)
            for numbers, (number, fusion), head in cells
        }


def _members(head: str) -> Iterator[tuple[str, Any]]:
    """Give a pipeline per modality: its columns, standardised, and the head."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    heads = dict(zip(HEADS, (LogisticRegression(max_iter=1000), GaussianNB()), strict=True))
    first = 0
    for modality, width in WIDTHS.items():
        columns = ColumnTransformer([(modality, StandardScaler(), slice(first, first + width))])
        yield modality, make_pipeline(columns, heads[head])
        first += width


class Matrix:
    """The matrix, run with nothing stored, one job at a time.

    Parameters
    ----------
    task : Task
    folder : Path
        For the runs' folders and stores.
    """

    def __init__(self, task: Task, folder: Path) -> None:
        self.task = task
        self.folder = folder

    def __call__(self) -> pd.DataFrame:
        """Run, and return the table of cells."""
        import mmbench

        folder = Path(tempfile.mkdtemp(dir=self.folder))
        return mmbench.run(
            self.task.matrix,
            out=folder / "run",
            store=folder / "store",
            jobs=1,
            plugins=[str(PLUGIN)],
        )


def predicted(table: pd.DataFrame) -> Answers:
    """Read what a run predicted."""
    from mmbench.results import read_predictions

    made = {}
    for cell in table[table["status"] == "ok"].to_dict("records"):
        told = json.loads(cell["params"])
        numbers = tuple(told[f"encoder.{modality}"]["number"] for modality in WIDTHS)
        options = told.get("fusion", {})
        (fusion,) = (
            number
            for number, each in enumerate(FUSIONS)
            if each.use == cell["fusion"] and each.options.items() <= options.items()
        )
        classes = read_predictions(table.attrs["folder"], cell["cell"])["predicted"]
        codes = classes.str.removeprefix("class ").astype(int).to_numpy()
        made[numbers, fusion, cell["head"]] = codes
    return made


def compare(task: Task, benchmark: Any = None) -> dict[str, Any]:
    """Return a row of the table, after both sides were seen to predict the same."""
    from threadpoolctl import threadpool_limits

    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        ours, theirs = by_turns(
            Matrix(task, Path(folder)), Plain(task), task.rounds, benchmark, warm=False
        )
        own = predicted(ours.answer)
    assert len(own) == task.cells
    assert len(theirs.answer) == task.measured * len(FUSIONS) * len(HEADS)
    for cell, classes in theirs.answer.items():
        np.testing.assert_array_equal(own[cell], classes, err_msg=str(cell))
    scale = len(task.tuples) / task.measured
    whole = replace(
        theirs,
        seconds=[scale * each for each in theirs.seconds],
        cpu=[scale * each for each in theirs.cpu],
    )
    return {
        "train": task.train,
        "test": task.test,
        "tuples": len(task.tuples),
        "tuples_measured": task.measured,
        "cells": task.cells,
        **figures(ours, whole, task.target),
        "work_s": round(float(ours.answer["cost_s_shared"].sum()), 4),
    }


def main() -> None:
    """Write the table."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--train", type=int, help="the row of that many training samples alone")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--encoders", type=int, help="of each modality")
    parser.add_argument("--measured", type=int, help="tuples that scikit-learn fits cells of")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    asked = parser.parse_args()
    names = ("rounds", "encoders", "measured")
    changed = {name: getattr(asked, name) for name in names if getattr(asked, name)}
    tasks = [task for task in TASKS if asked.train in (None, task.train)]
    table = pd.DataFrame([compare(replace(task, **changed)) for task in tasks])
    *first, last = map(str, WIDTHS.values())
    text = TEXT.format(widths=f"{', '.join(first)} and {last}", heads=" and ".join(HEADS))
    write("decisions", "cpu", table, table, text, asked.out)


if __name__ == "__main__":
    main()
