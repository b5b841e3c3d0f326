"""Predictions of two runs for the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class NotComparableError(Exception):
    """Two cells are of other samples; the message says how they differ."""


@dataclass(frozen=True)
class Predictions:
    """What one cell predicts.

    Attributes
    ----------
    ids : ndarray of str, shape (n,)
        Ascending.
    truth : ndarray of str, shape (n,)
    classes : tuple of str
    probabilities : ndarray of float64, shape (n, n_classes)
    groups : ndarray of str, shape (n,), or None
        Where samples belong together.
    """

    ids: np.ndarray
    truth: np.ndarray
    classes: tuple[str, ...]
    probabilities: np.ndarray
    groups: np.ndarray | None


@dataclass(frozen=True)
class Pair:
    """The predictions of A and B for the same samples.

    Attributes
    ----------
    ids : ndarray of str, shape (n,)
    truth : ndarray of int64, shape (n,)
        Codes into the classes.
    a, b : ndarray of float64, shape (n, n_classes)
    groups : ndarray, shape (n,), or None
    """

    ids: np.ndarray
    truth: np.ndarray
    a: np.ndarray
    b: np.ndarray
    groups: np.ndarray | None


def paired(a: Predictions, b: Predictions) -> Pair:
    """Pair two cells' predictions by sample id.

    Raises
    ------
    NotComparableError
        They are of other samples, labels, groups or classes.
    """
    if a.classes != b.classes:
        raise NotComparableError(f"other classes: {len(a.classes)} in A, {len(b.classes)} in B")
    if not np.array_equal(a.ids, b.ids):
        only = [len(set(one) - set(other)) for one, other in ((a.ids, b.ids), (b.ids, a.ids))]
        raise NotComparableError(
            f"other test samples: {only[0]} are only in A, {only[1]} only in B"
        )
    relabelled = int(np.sum(a.truth != b.truth))
    if relabelled:
        raise NotComparableError(f"other labels: of {relabelled} of {len(a.ids)} samples")
    nobody = np.empty(0, object)
    grouped = [nobody if each.groups is None else each.groups for each in (a, b)]
    if not np.array_equal(grouped[0], grouped[1]):
        raise NotComparableError("other groups of samples")
    code = {name: i for i, name in enumerate(a.classes)}
    truth = np.array([code[label] for label in a.truth], np.int64)
    return Pair(a.ids, truth, a.probabilities, b.probabilities, a.groups)


def pool(pairs: Sequence[Pair]) -> Pair:
    """Take the cells of a combination together.

    A sample that several seeds predict counts once, with the mean of its probabilities.
    """
    ids, first, sample, count = np.unique(
        np.concatenate([pair.ids for pair in pairs]).astype(str),
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )

    def mean(probabilities: np.ndarray) -> np.ndarray:
        total = np.zeros((len(ids), probabilities.shape[1]))
        np.add.at(total, sample, probabilities)
        averaged: np.ndarray = total / count[:, np.newaxis]
        return averaged

    groups = [pair.groups for pair in pairs if pair.groups is not None]
    return Pair(
        ids=ids,
        truth=np.concatenate([pair.truth for pair in pairs])[first],
        a=mean(np.concatenate([pair.a for pair in pairs])),
        b=mean(np.concatenate([pair.b for pair in pairs])),
        groups=np.concatenate(groups)[first] if groups else None,
    )
