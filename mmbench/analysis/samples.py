"""Figures by sample and by class: what is hard, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.analysis.reading import Combination, Reader
from mmbench.evidence import Predictions
from mmbench.metrics import predict

if TYPE_CHECKING:
    import pandas as pd

BINS = 15
"""Of confidence, of equal width: as many as the metric `ece` has."""


def confusion(table: pd.DataFrame) -> pd.DataFrame:
    """Count what each combination takes each class for.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`.

    Returns
    -------
    pandas.DataFrame
        A row per combination (the axes of `summarise`) of which no cell failed, ``truth`` and
        ``predicted`` (names of classes), with ``n``, the predictions of all seeds and folds, and
        ``share`` of the class's. Pairs that do not occur are left out.
    """
    import pandas as pd

    reader = Reader(table, "accuracy")
    rows: list[dict[str, Any]] = []
    for combination in reader.combinations():
        classes = combination.classes
        counts = np.zeros((len(classes),) * 2, dtype=np.int64)
        for part in combination.parts:
            np.add.at(counts, (part.truth, predict(part.probabilities)), 1)
        for truth, predicted in np.argwhere(counts):
            n = int(counts[truth, predicted])
            named = {"truth": classes[truth], "predicted": classes[predicted]}
            rows.append({**combination.row, **named, "n": n, "share": n / counts[truth].sum()})
    return pd.DataFrame(rows, columns=[*reader.axes, "truth", "predicted", "n", "share"])


def calibration(table: pd.DataFrame) -> pd.DataFrame:
    """Tell how often each combination is right where it is how sure.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`.

    Returns
    -------
    pandas.DataFrame
        A row per combination (the axes of `summarise`) of which no cell failed, and bin of the
        confidence (the largest probability; 15 bins of equal width, empty ones left out): ``bin``
        (from 0), ``n`` predictions of all seeds and folds, their mean ``confidence`` and their
        ``accuracy``. The mean of the bins' differences, weighed by n, is `ece` of the same
        predictions (Guo et al., 2017).
    """
    import pandas as pd

    reader = Reader(table, "accuracy")
    rows: list[dict[str, Any]] = []
    for combination in reader.combinations():
        parts = combination.parts
        sure = np.concatenate([part.probabilities.max(axis=1) for part in parts])
        right = np.concatenate([predict(part.probabilities) == part.truth for part in parts])
        bins = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
        for number in np.unique(bins):
            chosen = bins == number
            told = {"bin": int(number), "n": int(chosen.sum())}
            told |= {"confidence": sure[chosen].mean(), "accuracy": right[chosen].mean()}
            rows.append({**combination.row, **told})
    return pd.DataFrame(rows, columns=[*reader.axes, "bin", "n", "confidence", "accuracy"])


def hardest(table: pd.DataFrame) -> pd.DataFrame:
    """Rank samples by how hard they are for all combinations, and name likely label errors.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`; those on corrupted items or smaller
        training parts are not asked.

    Returns
    -------
    pandas.DataFrame
        A row per dataset and sample of a test part, hardest first: ``dataset``, ``id``, ``truth``,
        ``probability`` (of the true class, averaged over combinations, seeds and folds), ``wrong``
        (the share of predictions that are), ``taken_for`` (the class with the largest mean
        probability) and ``label_error``: whether the label is likely to be wrong. That is where
        the most accurate combination, its probabilities averaged over seeds, puts the sample
        confidently into another class: one whose probability is at least what it is on average for
        samples of that class (confident learning, Northcutt, Jiang & Chuang, 2021).
    """
    import pandas as pd

    reader = Reader(table, "accuracy")
    by_dataset: dict[str, list[Combination]] = {}
    for combination in reader.combinations():
        if combination.row["corruption"] == "" and combination.row["train_size"] == "":
            by_dataset.setdefault(combination.row["dataset"], []).append(combination)
    tables = [_of_dataset(name, each) for name, each in by_dataset.items()]
    names = ["dataset", "id", "truth", "probability", "wrong", "taken_for", "label_error"]
    return pd.concat(tables, ignore_index=True)[names] if tables else pd.DataFrame(columns=names)


def _of_dataset(name: str, combinations: Sequence[Combination]) -> pd.DataFrame:
    import pandas as pd

    parts = [part for combination in combinations for part in combination.parts]
    classes = np.array(combinations[0].classes, dtype=object)
    ids, truth, mean, wrong = _averaged(parts)
    best = max(combinations, key=_accuracy)
    rows = np.arange(len(ids))
    told = pd.DataFrame(
        {
            "dataset": name,
            "id": ids,
            "truth": classes[truth],
            "probability": mean[rows, truth],
            "wrong": wrong,
            "taken_for": classes[mean.argmax(axis=1)],
            "label_error": np.isin(ids, _misplaced(best)),
        }
    )
    return told.sort_values("probability", kind="stable")


def _accuracy(combination: Combination) -> float:
    right = [predict(part.probabilities) == part.truth for part in combination.parts]
    return float(np.concatenate(right).mean())


def _misplaced(combination: Combination) -> np.ndarray:
    """Return the ids of the samples that a combination puts confidently into another class."""
    ids, truth, mean, _ = _averaged(combination.parts)
    expected = np.array(
        [mean[truth == k, k].mean() if (truth == k).any() else np.inf for k in range(mean.shape[1])]
    )
    is_sure = mean >= expected
    surest = np.where(is_sure, mean, -1).argmax(axis=1)
    misplaced: np.ndarray = ids[is_sure.any(axis=1) & (surest != truth)]
    return misplaced


def _averaged(
    parts: Sequence[Predictions],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return samples, their classes, mean probabilities, and the share of wrong predictions."""
    every = np.concatenate([part.ids for part in parts]).astype(str)
    ids, first, place = np.unique(every, return_index=True, return_inverse=True)
    truth = np.concatenate([part.truth for part in parts])
    probabilities = np.concatenate([part.probabilities for part in parts])
    counts = np.bincount(place)
    mean = np.zeros((len(ids), probabilities.shape[1]))
    np.add.at(mean, place, probabilities)
    wrong = np.bincount(place, predict(probabilities) != truth)
    return ids, truth[first], mean / counts[:, None], wrong / counts
