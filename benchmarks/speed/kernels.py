"""RBF machines over pairs of encoders: mmbench's shared distances against scikit-learn per pair.

Run as ``python -m benchmarks.speed.kernels``, it writes ``results/speed/kernels-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.blobs import Blob, Blobs
from benchmarks.speed.sidebyside import by_turns, figures
from benchmarks.speed.tables import write

PLUGIN = Path(__file__).with_name("blobs.py")
WIDTHS = {"wide": 512, "narrow": 384}
GRID = {"C": [0.1, 1.0, 10.0, 100.0], "gamma": [0.0003, 0.001, 0.003, 0.01]}

TEXT = (
    "All pairs of encoders (512 and 384 wide), `concat` and `svm` with its RBF kernel, ten "
    "classes: `mmbench.run` with an empty store, one job at a time, against scikit-learn's `SVC` "
    "on the concatenated embeddings of each pair, calibrated alike (`python -m "
    "benchmarks.speed.kernels`). One thread each; medians over rounds taken by turns, with the "
    "range of the ratio; `cpu_ratio` is that of processor seconds, which others on a shared "
    "machine change less. Every predicted class is the same. `solver_s` is what libsvm alone takes "
    "of mmbench's time, estimated from one pair's fits on kernels made beforehand."
)

Pair = tuple[int, int]
Answers = dict[Pair, np.ndarray]
"""By pair of encoders, the predicted classes of the test part."""


@dataclass(frozen=True)
class Task:
    """One row of the table: all pairs of some encoders, the head tuned or not.

    Attributes
    ----------
    encoders : int
        Of each modality.
    grid : dict
        What the head's options are tuned over.
    target : float
        How many times faster mmbench shall be.
    """

    name: str
    train: int
    test: int
    encoders: int
    rounds: int
    target: float
    grid: dict[str, list[float]] | None = None

    @property
    def pairs(self) -> list[Pair]:
        """The encoders' numbers."""
        return list(itertools.product(range(self.encoders), repeat=2))

    @property
    def matrix(self) -> dict[str, Any]:
        """The matrix file; single modalities are left out, as the alternative fits none."""
        numbers = list(range(self.encoders))
        tuning = {"tuning": {"heads": {"svm": self.grid}}} if self.grid else {}
        return {
            "name": "kernels",
            "datasets": [{"use": "blobs", "train": self.train, "test": self.test}],
            "encoders": {
                modality: {"use": "blob", "number": numbers, "width": width}
                for modality, width in WIDTHS.items()
            },
            "fusions": ["concat"],
            "heads": ["svm"],
            "exclude": [{"fusion": "none"}],
            **tuning,
        }


TASKS = (
    Task("calibrated", 3000, 1000, encoders=4, rounds=3, target=10),
    Task("grid of 16, tuned", 2000, 500, encoders=2, rounds=3, target=8, grid=GRID),
)


class Plain:
    """scikit-learn on the concatenated embeddings, pair by pair.

    Parameters
    ----------
    task : Task
        Its embeddings are made here, and so are not in what is measured.
    """

    def __init__(self, task: Task) -> None:
        import mmbench

        self.task = task
        data = Blobs(train=task.train, test=task.test)
        self.labels = data.labels[: task.train]
        self.views = {
            (modality, number): Blob(number=number, width=width).encode(data.items(modality))
            for modality, width in WIDTHS.items()
            for number in range(task.encoders)
        }
        self.folds = mmbench.folds(self.labels)

    def parts(self, pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        """Return a pair's training and test part."""
        joined = np.hstack([self.views[key] for key in zip(WIDTHS, pair, strict=True)])
        joined = joined.astype(np.float64)
        return joined[: self.task.train], joined[self.task.train :]

    def predict(self, pair: Pair) -> np.ndarray:
        """Fit, calibrated and tuned where asked, and return the test part's classes."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        train, test = self.parts(pair)
        machine = SVC(break_ties=True)
        if self.task.grid:
            tried = {f"svc__{name}": values for name, values in self.task.grid.items()}
            steps = make_pipeline(StandardScaler(), machine)
            search = GridSearchCV(steps, tried, scoring="accuracy", cv=self.folds, refit=False)
            found = search.fit(train, self.labels).best_params_
            machine.set_params(**{name.removeprefix("svc__"): v for name, v in found.items()})
        scaler = StandardScaler().fit(train)
        calibrated = CalibratedClassifierCV(
            machine, method="temperature", ensemble=False, cv=self.folds
        )
        calibrated.fit(scaler.transform(train), self.labels)
        return np.asarray(calibrated.predict(scaler.transform(test)))

    def __call__(self) -> Answers:
        """Predict for all pairs."""
        return {pair: self.predict(pair) for pair in self.task.pairs}

    def solver_seconds(self, pair: Pair) -> float:
        """Return what libsvm alone takes for one pair, its kernels made beforehand."""
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        train, _ = self.parts(pair)
        seconds = 0.0
        for chosen, rows, options in self._fits():
            scaled = StandardScaler().fit(train[chosen]).transform(train[chosen])
            gamma = options.pop("gamma", None) or 1 / (scaled.shape[1] * scaled.var())
            kernel = np.exp(-gamma * _squared(scaled))[np.ix_(rows, rows)]
            machine = SVC(kernel="precomputed", **options)
            start = time.perf_counter()
            machine.fit(kernel, self.labels[chosen][rows])
            seconds += time.perf_counter() - start
        return seconds

    def _fits(self) -> Iterator[tuple[np.ndarray, np.ndarray, dict[str, float]]]:
        """Give every fit of a pair: rows standardised on, those of them fitted to, and options."""
        everything = np.arange(self.task.train)
        yield everything, everything, {}
        for rows, _ in self.folds:
            yield everything, rows, {}
        names = self.task.grid or {}
        for values in itertools.product(*names.values()) if names else ():
            for rows, _ in self.folds:
                yield rows, np.arange(len(rows)), dict(zip(names, values, strict=True))


def _squared(X: np.ndarray) -> np.ndarray:
    lengths = (X**2).sum(axis=1)
    return np.asarray(np.maximum(lengths[:, None] + lengths - 2 * X @ X.T, 0))


def run(task: Task) -> Answers:
    """Run the matrix with nothing stored, one job at a time, and return what it predicted."""
    import pandas as pd

    import mmbench

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        table = mmbench.run(
            task.matrix, out=out, store=Path(folder) / "store", jobs=1, plugins=[str(PLUGIN)]
        )
        made = {}
        for _, cell in table[table["status"] == "ok"].iterrows():
            told = json.loads(cell["params"])
            predicted = pd.read_parquet(out / "predictions" / f"{cell['cell']}.parquet")
            codes = predicted["predicted"].str.removeprefix("class ").astype(int).to_numpy()
            wide, narrow = (told[f"encoder.{modality}"]["number"] for modality in WIDTHS)
            made[wide, narrow] = codes
    return made


def compare(task: Task, benchmark: Any = None) -> dict[str, Any]:
    """Return a row of the table, after both sides were seen to predict the same."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        plain = Plain(task)
        ours, theirs = by_turns(lambda: run(task), plain, task.rounds, benchmark, warm=False)
        solver = plain.solver_seconds(task.pairs[0]) * len(task.pairs)
    assert ours.answer.keys() == theirs.answer.keys()
    for pair, predicted in theirs.answer.items():
        np.testing.assert_array_equal(ours.answer[pair], predicted, err_msg=str(pair))
    return {
        "what": task.name,
        "train": task.train,
        "test": task.test,
        "pairs": len(task.pairs),
        **figures(ours, theirs, task.target),
        "solver_s": round(solver, 4),
    }


def main() -> None:
    """Write the table."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="of every row, instead of its own number")
    parser.add_argument("--encoders", type=int, help="of each modality")
    parser.add_argument("--samples", type=int, help="of the training part, and half as many more")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    asked = parser.parse_args()
    changed = {
        "rounds": asked.rounds,
        "encoders": asked.encoders,
        "train": asked.samples,
        "test": asked.samples and asked.samples // 2,
    }
    given = {name: value for name, value in changed.items() if value}
    rows = [compare(replace(task, **given)) for task in TASKS if asked.only in task.name]
    table = pd.DataFrame(rows)
    write("kernels", "cpu", table, table, TEXT, asked.out)


if __name__ == "__main__":
    main()
