"""Which combination is best, which cannot be told from it, and what fusing gains."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.evidence import Evidence, stacked
from mmbench.pooled import Cells, Pool
from mmbench.recipes import Recipe, alone
from mmbench.results import KEYS, STANDING, combinations, predictions_file
from mmbench.statistics.intervals import percentile
from mmbench.statistics.ranking import rank_groups, ranks, worse_by_bootstrap, worse_by_mcnemar
from mmbench.statistics.selection import selection_corrected

if TYPE_CHECKING:
    import pandas as pd

STANDINGS = "standings.json"
"""What is known of each class of comparable combinations, under a hash of what it depends on."""

COMPARABLE = ("dataset", "corruption", "train_size")
"""What combinations have in common that are ranked together; their test samples, too."""

BLOCK = 256
"""Of how many combinations draws are evaluated at once."""

Standing = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Candidate(Recipe):
    """A combination as it is ranked."""

    cells: Cells
    mean: float
    """The headline's mean over its cells."""


def headline_metric(table: pd.DataFrame) -> str:
    """Return the metric that a run's matrix file ranks by."""
    try:
        matrix = (Path(table.attrs.get("folder", "")) / "matrix.toml").read_text("utf-8")
        metric = str(tomllib.loads(matrix).get("metric", "accuracy"))
    except (OSError, ValueError):
        return "accuracy"
    return metric if metric in table else "accuracy"


def stand(table: pd.DataFrame, pool: Pool) -> None:
    """Fill in a table's ranks, groups of ranks and gains, where the predictions are there.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of cells of a run; its columns `STANDING` are set.
    pool : Pool
        Of the run's predictions.
    """
    import pandas as pd

    if pool.folder is None or pool.headline not in pool.built:
        return
    done = np.flatnonzero((table["status"] == "ok").to_numpy())
    classes: dict[tuple[str, ...], list[tuple[np.ndarray, Candidate]]] = {}
    for places, candidate in _candidates(table.iloc[done], pool.headline):
        of_class = tuple(candidate.row[axis] for axis in COMPARABLE)
        classes.setdefault(of_class, []).append((done[places], candidate))
    known, used = _read(pool.folder), {}
    columns: dict[str, list[Any]] = {name: [None] * len(table) for name in STANDING}
    for listed in classes.values():
        candidates = [candidate for _, candidate in listed]
        key = _key(candidates, pool)
        used[key] = found = known.get(key) or _compare(candidates, pool)
        for (places, _), standing in zip(listed, found["standings"], strict=True):
            for name in STANDING:
                for place in places:
                    columns[name][place] = standing.get(name)
    for name in STANDING:
        if name.startswith("rank"):
            table[name] = pd.array(columns[name], dtype="Int64")
        else:
            table[name] = np.array(columns[name], np.float64)
    if used.keys() != known.keys():
        _write(pool.folder, used)


def selections(folder: Path) -> list[dict[str, Any]]:
    """Return what choosing the best costs, for each set of combinations that were compared.

    Each has the axes `COMPARABLE`, ``cells`` (of the best), and the fields of
    `mmbench.statistics.selection.Corrected`.
    """
    return [each for found in _read(folder).values() for each in found["selections"]]


def _candidates(done: pd.DataFrame, headline: str) -> list[tuple[np.ndarray, Candidate]]:
    """Return the combinations that have figures, each with the places of its cells."""
    figures = done[headline].to_numpy(np.float64, na_value=np.nan)
    cells, seeds = done["cell"].to_numpy(object), done["seed"].to_numpy(object)
    made = []
    groups = combinations(done)
    named = done[[*KEYS, *(name for name in done if str(name).startswith("encoder_"))]]
    rows = named.iloc[[places[0] for places in groups]].to_dict("records")
    for row, places in zip(rows, groups, strict=True):
        known = figures[places][~np.isnan(figures[places])]
        by_seed: dict[int, list[str]] = {}
        for place in places:
            by_seed.setdefault(int(seeds[place]), []).append(cells[place])
        mean = float(known.mean()) if len(known) else float("nan")
        made.append((places, Candidate(row, by_seed, mean)))
    return made


def _key(candidates: Sequence[Candidate], pool: Pool) -> str:
    """Return the hash of what standings depend on; predictions by their files' size and time."""
    assert pool.folder is not None
    digest = hashlib.blake2b(pool.identity, digest_size=16)
    digest.update(pool.headline.encode())
    folder, suffix = str(predictions_file(pool.folder, "\0")).split("\0")
    for candidate in candidates:
        digest.update(json.dumps([candidate.mean, [candidate.row[key] for key in KEYS]]).encode())
        for seed, cells in candidate.cells.items():
            for cell in cells:
                with suppress(FileNotFoundError):
                    found = os.stat(f"{folder}{cell}{suffix}")
                    digest.update(f"{seed} {cell} {found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads((folder / STANDINGS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def _write(folder: Path, known: Mapping[str, Any]) -> None:
    temporary = folder / f".{STANDINGS}.new"
    with suppress(OSError):
        temporary.write_text(json.dumps(known), encoding="utf-8")
        os.replace(temporary, folder / STANDINGS)


def _compare(candidates: Sequence[Candidate], pool: Pool) -> dict[str, Any]:
    """Compare the combinations of one class, those among each other whose samples are the same."""
    standings: list[Standing] = [{} for _ in candidates]
    selected = []
    alike: dict[str, list[int]] = {}
    evidence: dict[int, Evidence] = {}
    for i, candidate in enumerate(candidates):
        if np.isnan(candidate.mean):
            continue
        with suppress(FileNotFoundError):
            evidence[i] = pool.evidence(candidate.cells)
            alike.setdefault(evidence[i].samples.name, []).append(i)
    for members in alike.values():
        chosen = [candidates[i] for i in members]
        shown = [evidence[i] for i in members]
        found = _Comparison(chosen, shown, pool)
        for i, standing in zip(members, found.standings(), strict=True):
            standings[i] = standing
        if (selection := found.selection()) is not None:
            selected.append(selection)
    return {"standings": standings, "selections": selected}


class _Comparison:
    """Combinations on the same samples."""

    def __init__(
        self, candidates: Sequence[Candidate], shown: Sequence[Evidence], pool: Pool
    ) -> None:
        self.candidates = candidates
        self.shown = shown
        self.is_accuracy = pool.headline == "accuracy"
        self.higher: bool = pool.built[pool.headline].higher_is_better
        right = [each.right for each in shown if each.right is not None]
        self.right = np.stack(right) if self.is_accuracy and len(right) == len(shown) else None
        if self.right is None:
            complete = [_complete(each) for each in shown]
            self.drawn = stacked([each.drawn for each in complete])
            left = [each.left for each in complete if each.left is not None]
            self.left = stacked(left) if len(left) == len(shown) else None
        else:
            self.drawn = _shares(self.right, shown[0].samples.weights)
            self.left = _shares(self.right, shown[0].samples.left)
        self.singles = [i for i, each in enumerate(candidates) if each.row["fusion"] == "none"]
        self.means = np.array([each.mean for each in candidates])
        self.ranks = ranks(self.means, higher_is_better=self.higher)

    @property
    def order(self) -> np.ndarray:
        """The combinations, best first."""
        return np.argsort(self.ranks, kind="stable")

    def standings(self) -> list[Standing]:
        groups = rank_groups(self.order, self._test())
        return [
            {"rank": int(rank), "rank_group": int(group), **self._gain(i)}
            for i, (rank, group) in enumerate(zip(self.ranks, groups, strict=True))
        ]

    def _test(self) -> Any:
        if self.right is not None and self.shown[0].samples.groups is None:
            return worse_by_mcnemar(self.right)
        freedom = self.shown[0].samples.degrees
        return worse_by_bootstrap(self.drawn, freedom, higher_is_better=self.higher)

    def _gain(self, i: int) -> Standing:
        """Return what a fusion gains over the best of its own modalities alone."""
        singles = [self.candidates[k] for k in self.singles]
        rivals = [self.singles[k] for k in alone(self.candidates[i], singles)]
        if not rivals:
            return {}
        sign = 1 if self.higher else -1
        best = rivals[int(np.argmax(sign * self.drawn[rivals, 0]))]
        difference = sign * (self.drawn[i] - self.drawn[best])
        low, high = percentile(difference[1:], self.shown[i].samples.degrees)
        found = {"gain": float(difference[0]), "gain_low": low, "gain_high": high}
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def selection(self) -> dict[str, Any] | None:
        if self.left is None or len(self.shown) < 2:
            return None
        found = selection_corrected(
            self.drawn[:, 1:],
            self.left[:, 1:],
            self.means,
            higher_is_better=self.higher,
        )
        best = self.candidates[self.order[0]]
        axes = {axis: best.row[axis] for axis in COMPARABLE}
        cells = [cell for of_seed in best.cells.values() for cell in of_seed]
        return {**axes, "cells": cells, **asdict(found)} if np.isfinite(found.estimate) else None


def _complete(shown: Evidence) -> Evidence:
    """Return evidence with its draws."""
    if shown.right is None or len(shown.drawn):
        return shown
    right = shown.right[np.newaxis]
    drawn, left = (_shares(right, w)[0] for w in (shown.samples.weights, shown.samples.left))
    return replace(shown, drawn=drawn, left=left)


def _shares(right: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share (m, draws) of the weight of samples that methods (m, n) label right."""
    blocks = np.array_split(right, 1 + len(right) // BLOCK)
    made = [block.astype(np.float64) @ weights for block in blocks]
    return np.asarray(np.concatenate(made) / weights.sum(axis=0))
