"""Follows one run: a curve for each fit that kept its history, and each combination's figures."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench_tensorboard.events import EVENTS, Event, digest, folder_name, write_events

if TYPE_CHECKING:
    import pandas as pd

STEPS = ("epoch", "iteration")
"""Columns of a history that number its rows."""


class Tracker:
    """Writes what one run has trained and found for TensorBoard.

    Parameters
    ----------
    run : pathlib.Path
        The run's folder; the histories are read from its ``fits/``.
    into : pathlib.Path
        Where the events are written. Curves that lie there from before stay, and are not written
        again.

    Raises
    ------
    OSError
        The folder cannot be made.
    """

    def __init__(self, run: Path, into: Path) -> None:
        self.fits = run / "fits"
        self.curves = into / "fits"
        self.combinations = into / "combinations"
        self.curves.mkdir(parents=True, exist_ok=True)
        self.known = {folder.name.rpartition(" ")[2] for folder in self.curves.glob("*/*")}
        """The hashes of the curves that are there."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Write the curves of what a cell's fits have told, those aside that are there."""
        try:
            fits = json.loads((self.fits / f"{row['cell']}.json").read_text("utf-8"))
        except FileNotFoundError:
            return
        for label, history in fits.items():
            mark = digest(json.dumps([label, row["fold"], history]))
            if mark in self.known:  # cells share what they have in common
                continue
            self.known.add(mark)
            name = f"seed {row['seed']} fold {row['fold']} {mark}"
            write_events(self.curves / folder_name(label) / name, _curve(history))

    def finish(self, table: pd.DataFrame) -> None:
        """Write the figures of every combination, and take away those of an earlier end."""
        import mmbench

        for file in self.combinations.glob(f"*/{EVENTS}.*"):
            file.unlink()
        for known, figures in _combinations(mmbench.summarise(table)):
            mark = digest(json.dumps(known, sort_keys=True))
            said = ("dataset", "encoders", "fusion", "head")
            name = " ".join([*(known[axis] for axis in said if known.get(axis)), mark])
            write_events(self.combinations / folder_name(name), _figures(known, figures))
        for folder in self.combinations.glob("*"):
            with suppress(OSError):  # not empty: it has figures
                folder.rmdir()


def _curve(history: list[dict[str, Any]]) -> Iterator[Event]:
    """Yield a history's numbers, by name and by the texts beside them."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    left = [float(row.get("seconds") or 0) for row in history]
    now = time.time()
    seen: Counter[str] = Counter()
    for i, row in enumerate(history):
        texts = [value for value in row.values() if isinstance(value, str)]
        step = next((int(row[name]) for name in STEPS if name in row), None)
        for name, value in row.items():
            if name in STEPS or not isinstance(value, int | float):
                continue
            tag = "/".join([name, *texts])
            event = scalar_pb(tag, float(value))
            yield now - sum(left[i + 1 :]), seen[tag] if step is None else step, event
            seen[tag] += 1


def _combinations(summary: pd.DataFrame) -> Iterator[tuple[dict[str, str], dict[str, float]]]:
    """Yield what each combination is, axes and options as texts, and its figures."""
    import pandas as pd

    if summary.empty:
        return
    first = summary.columns.get_loc("n")
    axes, further = list(summary.columns[:first]), list(summary.columns[first:])
    numbers = [name for name in further if pd.api.types.is_numeric_dtype(summary[name])]
    for row in summary.to_dict("records"):
        known = {name: str(row[name]) for name in axes if row[name] == row[name] != ""}
        for role, options in json.loads(known.pop("params", "{}")).items():
            for option, value in options.items():
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                known[f"{role}.{option}"] = text
        yield known, {name: float(row[name]) for name in numbers if not pd.isna(row[name])}


def _figures(known: dict[str, str], figures: dict[str, float]) -> Iterator[Event]:
    """Yield what TensorBoard's page of hyperparameters shows of a combination."""
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    now = time.time()
    yield now, 0, hparams_pb(known, start_time_secs=now)
    for name, value in figures.items():
        yield now, 0, scalar_pb(name, value)
