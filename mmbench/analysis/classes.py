"""What a fusion gains class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.analysis.reading import Combination, Reader
from mmbench.errors import UserError, did_you_mean
from mmbench.evidence import Evidence
from mmbench.metrics import predict
from mmbench.recipes import alone
from mmbench.standings import COMPARABLE, headline_metric
from mmbench.statistics.families import adjust
from mmbench.statistics.intervals import percentile
from mmbench.statistics.perclass import FORMS, exchanged, labelled, of_classes
from mmbench.statistics.resampling import degrees

if TYPE_CHECKING:
    import pandas as pd


def class_gains(table: pd.DataFrame, metric: str = "recall") -> pd.DataFrame:
    """Tell for which classes a fusion is better than the best of its modalities alone.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`.
    metric : {"recall", "precision", "f1"}
        Of a class against all others, the predictions of all seeds and folds together. The gains in
        recall, weighed by the classes' shares, add up to the gain in accuracy.

    Returns
    -------
    pandas.DataFrame
        A row per fused combination (the axes of `summarise`) of which no cell failed, and class
        that has test samples:

        ``single``, ``single_head``
            The single modality, by its encoder, and its head that the fusion is compared with: the
            one that the table's ``gain`` is over, which is the best by the matrix file's metric. It
            is the same for all classes.
        ``class``, ``n``
            The class and how many test samples it has.
        ``<metric>``, ``<metric>_single``
            Of the fusion, and of the single modality.
        ``gain``, ``gain_low``, ``gain_high``
            Their difference with its 95 % bootstrap interval, paired, of whole groups where there
            are groups.
        ``p``, ``p_adjusted``
            Two-sided, of no gain: by McNemar's exact test (1947) of recall where there are no
            groups and one seed, else by permutation; and corrected for the combination's number of
            classes (Holm, 1979).

    Raises
    ------
    UserError
        There is no such metric.
    """
    import pandas as pd

    if metric not in FORMS:
        known = ", ".join(FORMS)
        raise UserError(
            f"a class has no metric {metric!r}: expected {known}{did_you_mean(metric, FORMS)}"
        )
    reader = Reader(table, headline_metric(table))
    alike: dict[tuple[str, ...], list[tuple[Combination, Evidence]]] = {}
    for combination in reader.combinations():
        found = reader.evidence(combination.parts)
        if np.isfinite(found.drawn[0]):
            same = (*(combination.row[axis] for axis in COMPARABLE), found.samples.name)
            alike.setdefault(same, []).append((combination, found))
    sign = 1 if reader.gatherer.metrics[reader.metric].higher_is_better else -1
    rows: list[dict[str, Any]] = []
    for of_samples in alike.values():
        singles = [each for each in of_samples if each[0].row["fusion"] == "none"]
        for fused, found in of_samples:
            own = alone(fused, [combination for combination, _ in singles])
            if own:
                best, of_best = singles[max(own, key=lambda i: sign * singles[i][1].drawn[0])]
                modality = best.row["modalities"]
                single = f"{modality} by {best.row[f'encoder_{modality}']}"
                named = {"single": single, "single_head": best.row["head"]}
                told = _compared(metric, (fused, found), (best, of_best))
                rows += [{**fused.row, **named, **each} for each in told]
    figures = [metric, f"{metric}_single", "gain", "gain_low", "gain_high", "p", "p_adjusted"]
    names = ["single", "single_head", "class", "n", *figures]
    return pd.DataFrame(rows, columns=[*reader.axes, *names])


def _compared(
    metric: str, fused: tuple[Combination, Evidence], single: tuple[Combination, Evidence]
) -> list[dict[str, Any]]:
    """Return the figures of each class of two combinations on the same samples."""
    classes, samples = fused[0].classes, fused[1].samples
    truth, groups = samples.truth, samples.groups
    shares, drawn = [], []
    for combination, found in (fused, single):
        seeds = [
            (rows, predict(part.probabilities))
            for rows, part in zip(found.samples.rows, combination.parts, strict=True)
        ]
        shares.append(labelled(len(truth), len(classes), seeds))
        drawn.append(of_classes(metric, truth, shares[-1], samples.weights))
    gains = drawn[0] - drawn[1]
    p = exchanged(metric, truth, shares[0], shares[1], groups)
    adjusted = adjust(p)
    rows = []
    for code in np.unique(truth):
        member = truth == code
        freedom = degrees(truth[member], None if groups is None else groups[member])
        low, high = percentile(gains[code, 1:], freedom)
        rows.append(
            {
                "class": classes[code],
                "n": int(member.sum()),
                metric: drawn[0][code, 0],
                f"{metric}_single": drawn[1][code, 0],
                "gain": gains[code, 0],
                "gain_low": low,
                "gain_high": high,
                "p": p[code],
                "p_adjusted": adjusted[code],
            }
        )
    return rows
