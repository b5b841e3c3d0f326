"""What each modality gives: alone, added to others, and where they disagree."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench.analysis.reading import Combination, Reader, figure
from mmbench.evidence import Evidence, Predictions, stacked
from mmbench.metrics import predict
from mmbench.results import KEYS
from mmbench.statistics.intervals import percentile

if TYPE_CHECKING:
    import pandas as pd

SHARED = [key for key in KEYS if key not in ("modalities", "encoders", "params", "level")]
"""What a fused combination and those of its subsets have in common, besides options."""

Encoded = tuple[tuple[str, str], ...]
"""By modality, its encoder with that one's options."""


def contributions(table: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """Share what a fusion reaches out among its modalities: their Shapley values.

    The Shapley value of a modality (Shapley, 1953) is what it adds to the metric, averaged over all
    orders in which the modalities could be brought in. The worth of a subset is what the same
    fusion, with the same encoders and head, reaches on it; of one modality, what the head reaches
    alone (of a joint fusion, the best head in the table); of none, what predicting the classes'
    shares reaches. The values of all modalities add up to what the fusion reaches above that.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`, of a matrix file with ``subsets =
        "all"``; combinations of which a subset is missing are left out.
    metric : str
        One of its metrics.

    Returns
    -------
    pandas.DataFrame
        A row per combination (the axes of `summarise`) and modality: ``modality``, ``shapley`` with
        its 95 % bootstrap interval ``shapley_low`` and ``shapley_high`` (paired over all subsets),
        ``alone`` (the metric with it alone), ``added`` (what is lost without it), ``none`` (the
        metric with no modality) and ``full``.

    Raises
    ------
    UserError
        There is no such metric.
    """
    import pandas as pd

    reader = Reader(table, metric)
    fused: dict[tuple[Any, ...], dict[Encoded, Combination]] = {}
    alone: dict[tuple[Any, ...], dict[Encoded, list[Combination]]] = {}
    for combination in reader.combinations():
        encoded, options = _split(combination.row)
        row = combination.row
        if row["fusion"] == "none":
            trial = tuple(row[key] for key in ("dataset", "corruption", "train_size"))
            alone.setdefault(trial, {}).setdefault(encoded, []).append(combination)
        else:
            shared = (*(row[key] for key in SHARED), options)
            fused.setdefault(shared, {})[encoded] = combination
    worth: dict[Combination, Evidence] = {}

    def evidence(of: Combination) -> Evidence:
        if of not in worth:
            worth[of] = reader.evidence(of.parts)
        return worth[of]

    rows: list[dict[str, Any]] = []
    for of_method in fused.values():
        for encoded, whole in of_method.items():
            trial = tuple(whole.row[key] for key in ("dataset", "corruption", "train_size"))
            found: dict[Encoded, Evidence] = {(): _of_none(reader, whole)}
            for one in encoded:
                fitting = [
                    evidence(each)
                    for each in alone.get(trial, {}).get((one,), [])
                    if not whole.row["head"] or each.head == whole.head
                ]
                if fitting:
                    better = 1 if reader.gatherer.metrics[metric].higher_is_better else -1
                    found[(one,)] = max(fitting, key=lambda e: better * figure(e, metric))
            for size in range(2, len(encoded) + 1):
                for subset in itertools.combinations(encoded, size):
                    if subset in of_method:
                        found[subset] = evidence(of_method[subset])
            if len(found) == 2 ** len(encoded):
                rows += [{**whole.row, **each} for each in _shapley(encoded, found, metric)]
    names = ["modality", "shapley", "shapley_low", "shapley_high", "alone", "added", "none", "full"]
    return pd.DataFrame(rows, columns=[*reader.axes, *names])


def _split(row: Mapping[str, Any]) -> tuple[Encoded, str]:
    """Return a combination's encoders with their options, and the options of its other plugins."""
    given: dict[str, Any] = json.loads(row["params"] or "{}")
    encoded = tuple(
        (m, json.dumps([row[f"encoder_{m}"], given.pop(f"encoder.{m}", None)]))
        for m in row["modalities"].split("+")
    )
    return encoded, json.dumps(given)


def _of_none(reader: Reader, whole: Combination) -> Evidence:
    """Return what predicting the classes' shares says."""
    made = []
    for part in whole.parts:
        shares = np.bincount(part.truth, minlength=part.probabilities.shape[1]) / len(part.truth)
        constant = np.tile(shares, (len(part.truth), 1))
        made.append(Predictions(part.ids, part.truth, constant, part.groups))
    return reader.evidence(made)


def _shapley(
    encoded: Encoded, found: Mapping[Encoded, Evidence], metric: str
) -> list[dict[str, Any]]:
    n = len(encoded)
    whole = found[encoded]
    figures = {subset: figure(each, metric) for subset, each in found.items()}
    paired = len({each.samples.name for each in found.values()}) == 1
    draws = min(len(each.drawn) for each in found.values()) if paired else 0
    rows = []
    for one in encoded:
        others = tuple(each for each in encoded if each != one)
        value, drawn = 0.0, np.zeros(max(draws - 1, 0))
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for subset in itertools.combinations(others, size):
                with_it = tuple(each for each in encoded if each in (*subset, one))
                value += weight * (figures[with_it] - figures[subset])
                if draws:
                    gained = found[with_it].drawn[1:draws] - found[subset].drawn[1:draws]
                    drawn += weight * gained
        low, high = percentile(drawn, whole.samples.degrees) if draws else (math.nan, math.nan)
        rows.append(
            {
                "modality": one[0],
                "shapley": value,
                "shapley_low": low,
                "shapley_high": high,
                "alone": figures[(one,)],
                "added": figures[encoded] - figures[others],
                "none": figures[()],
                "full": figures[encoded],
            }
        )
    return rows


def diversity(table: pd.DataFrame) -> pd.DataFrame:
    """Tell where two single modalities disagree, and what choosing rightly between them would give.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`.

    Returns
    -------
    pandas.DataFrame
        A row per pair of single-modality combinations with the same head, of other modalities, on
        the same samples; averages over seeds:

        ``dataset``, ``corruption``, ``train_size``, ``head``, ``params``, ``a``, ``b``
            What is paired; ``a`` and ``b`` are modality and encoder, ``params`` the head's options.
        ``accuracy_a``, ``accuracy_b``
            Of each.
        ``disagreement``
            The share of samples to which they give different labels.
        ``double_fault``
            The share that both label wrong (Giacinto and Roli, 2001).
        ``oracle``
            The share that at least one labels right: what no choice between the two can pass.
        ``q``
            Yule's Q: 1 where they are right on the same samples, -1 where on others, 0 where they
            are independent (Kuncheva and Whitaker, 2003). Empty where it is not defined.
    """
    import pandas as pd

    reader = Reader(table, "accuracy")
    by_trial: dict[tuple[Any, ...], list[Combination]] = {}
    for combination in reader.combinations():
        row = combination.row
        if row["fusion"] == "none":
            head = json.dumps(json.loads(row["params"] or "{}").get("head", {}))
            trial = (*(row[k] for k in ("dataset", "corruption", "train_size", "head")), head)
            by_trial.setdefault(trial, []).append(combination)
    names = ["dataset", "corruption", "train_size", "head", "params"]
    rows = []
    for trial, singles in by_trial.items():
        for a, b in itertools.combinations(singles, 2):
            if a.row["modalities"] == b.row["modalities"] or len(a.parts) != len(b.parts):
                continue
            pairs = [_paired(*both) for both in zip(a.parts, b.parts, strict=True)]
            told = [_agreement(*each) for each in pairs if each is not None]
            if len(told) == len(pairs):
                mean = {name: float(np.mean([each[name] for each in told])) for name in told[0]}
                named = {"a": _name(a.row), "b": _name(b.row)}
                rows.append({**dict(zip(names, trial, strict=True)), **named, **mean})
    columns = ["accuracy_a", "accuracy_b", "disagreement", "double_fault", "oracle", "q"]
    return pd.DataFrame(rows, columns=[*names, "a", "b", *columns])


def _name(row: Mapping[str, Any]) -> str:
    modality = row["modalities"]
    return f"{modality} by {row[f'encoder_{modality}']}"


def _paired(a: Predictions, b: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return truth and both labels of the same samples; None where they are of others."""
    first, second = np.argsort(a.ids), np.argsort(b.ids)
    if not np.array_equal(a.ids[first], b.ids[second]):
        return None
    return a.truth[first], predict(a.probabilities)[first], predict(b.probabilities)[second]


def _agreement(truth: np.ndarray, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    right_a, right_b = a == truth, b == truth
    both, neither = (right_a & right_b).sum(), (~right_a & ~right_b).sum()
    only_a, only_b = (right_a & ~right_b).sum(), (~right_a & right_b).sum()
    together, apart = float(both * neither), float(only_a * only_b)
    return {
        "accuracy_a": float(right_a.mean()),
        "accuracy_b": float(right_b.mean()),
        "disagreement": float((a != b).mean()),
        "double_fault": float(neither / len(truth)),
        "oracle": float((right_a | right_b).mean()),
        "q": (together - apart) / (together + apart) if together + apart else math.nan,
    }


def levels(table: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """Compare feature-level with decision-level fusions on the same samples.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, from `mmbench.run` or `mmbench.read_results`.
    metric : str
        One of its metrics.

    Returns
    -------
    pandas.DataFrame
        A row per dataset, corruption, training size, modalities, encoders and head that have both:
        ``feature`` and ``decision``, the metric's mean over the fusions of that level;
        ``difference`` (feature less decision) with its 95 % bootstrap interval ``difference_low``
        and ``difference_high``, and the two-sided ``p`` of its being 0 (Student's t with the spread
        of the paired draws). It is of all fusions listed, not of the best of each level, which
        would be picked by the same samples.

    Raises
    ------
    UserError
        There is no such metric.
    """
    import pandas as pd
    from scipy.special import stdtr

    reader = Reader(table, metric)
    axes = ["dataset", "corruption", "train_size", "missing", "modalities", "encoders", "head"]
    groups: dict[tuple[Any, ...], dict[str, list[Evidence]]] = {}
    for combination in reader.combinations():
        row = combination.row
        if row["level"] not in ("feature", "decision"):
            continue
        encoded, _ = _split(row)
        same = (*(row[axis] for axis in axes), encoded, combination.head)
        found = reader.evidence(combination.parts)
        groups.setdefault(same, {}).setdefault(row["level"], []).append(found)
    rows = []
    for same, by_level in groups.items():
        every = [each for of_level in by_level.values() for each in of_level]
        if len(by_level) < 2 or len({each.samples.name for each in every}) > 1:
            continue
        mean = {
            level: stacked([each.drawn for each in of_level]).mean(axis=0)
            for level, of_level in by_level.items()
        }
        draws = min(map(len, mean.values()))
        apart = mean["feature"][:draws] - mean["decision"][:draws]
        freedom, spread = every[0].samples.degrees, float(np.nanstd(apart[1:]))
        low, high = percentile(apart[1:], freedom)
        p = 2 * float(stdtr(freedom, -abs(apart[0]) / spread)) if spread else 1.0
        told = {level: float(values[0]) for level, values in mean.items()}
        told |= {"difference": float(apart[0]), "difference_low": low, "difference_high": high}
        rows.append({**dict(zip(axes, same, strict=False)), **told, "p": p})
    names = ["feature", "decision", "difference", "difference_low", "difference_high", "p"]
    return pd.DataFrame(rows, columns=[*axes, *names])
