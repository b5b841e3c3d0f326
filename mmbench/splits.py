"""Seeds and splits, derived so that anyone can redo a cell by hand.

Outer splits make the parts of a run (training, validation, test); inner folds serve stacking,
learned weights, calibration and tuning, and are the same for all seeds.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmbench.errors import TooFewSamplesError, UserError

if TYPE_CHECKING:
    from mmbench.blocks import SplitBlock
    from mmbench.data import Samples

INNER_FOLDS = 5

Folds = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Part:
    """One division of a dataset's samples.

    ``seed`` is None where the part does not depend on it (given splits).
    """

    seed: int | None
    fold: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def derive_seed(seed: int, fold: int | None, role: str) -> int:
    """Derive the seed of one role in one cell.

    Parameters
    ----------
    seed : int
        The replicate's seed, from ``seeds`` in the matrix file.
    fold : int or None
        The cell's fold; None for what does not depend on one (the split itself, a frozen encoder).
    role : str
        ``"split"``, ``"head"``, ``"fusion"``, ``"alignment"`` or ``"encoder.<modality>"``.

    Returns
    -------
    int
        The first 32 bits of a SHA-256 hash, in ``[0, 2**32)``.
    """
    text = f"{seed}/{'' if fold is None else fold}/{role}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def folds(
    labels: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    n_splits: int = INNER_FOLDS,
    seed: int | None = None,
) -> Folds:
    """Split samples into stratified folds, grouped where there are groups.

    Parameters
    ----------
    labels : ndarray, shape (n,)
        Class of each sample.
    groups : ndarray, shape (n,), optional
        No group is cut (`StratifiedGroupKFold`), unless there is only one.
    n_splits : int
        Number of folds; fewer, but at least two, where the smallest class has fewer samples or
        there are fewer groups.
    seed : int, optional
        Shuffle by ``derive_seed(seed, None, "split")``; None keeps dataset order: inner folds do.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Positions of the training and the test samples of each fold.

    Raises
    ------
    TooFewSamplesError
        No class has two samples (a `ValueError`).
    """
    labels = np.asarray(labels)
    counts = np.unique(labels, return_counts=True)[1]
    if counts.max(initial=0) < 2:
        raise TooFewSamplesError(
            f"folds need a class of two samples; here {len(counts)} classes have one each"
        )
    n_splits = max(2, min(n_splits, int(counts.min())))
    if groups is not None:
        n_groups = len(np.unique(groups))
        n_splits = max(2, min(n_splits, n_groups))
        groups = groups if n_groups > 1 else None
    return _stratified(labels, groups, n_splits, seed)


def _stratified(
    labels: np.ndarray, groups: np.ndarray | None, n_splits: int, seed: int | None
) -> Folds:
    return _divide(
        labels, groups, n_splits, None if seed is None else derive_seed(seed, None, "split")
    )


def _divide(
    labels: np.ndarray, groups: np.ndarray | None, n_splits: int, state: int | None
) -> Folds:
    if groups is None:
        fold_of = _stratified_folds(labels, n_splits, state)
        tests = [fold_of == fold for fold in range(n_splits)]
        pairs = [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]
    else:
        from sklearn.model_selection import StratifiedGroupKFold

        splitter = StratifiedGroupKFold(n_splits, shuffle=state is not None, random_state=state)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            pairs = list(splitter.split(np.zeros(len(labels)), labels, groups))
    return [(train, test) for train, test in pairs if len(train) and len(test)]


def _stratified_folds(labels: np.ndarray, n_splits: int, state: int | None) -> np.ndarray:
    """Return the fold of each sample, as scikit-learn's `StratifiedKFold` divides them.

    A plan needs the folds and nothing else of scikit-learn, whose import takes longer than all the
    rest of a plan.
    """
    _, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    codes = np.argsort(np.argsort(first))[codes]  # classes in the order of their first samples
    dealt = np.sort(codes)
    sizes = [np.bincount(dealt[fold::n_splits], minlength=len(first)) for fold in range(n_splits)]
    rng = None if state is None else np.random.RandomState(state)
    folds = np.empty(len(labels), dtype=np.int64)
    for code, of_class in enumerate(np.transpose(sizes)):
        blocks = np.repeat(np.arange(n_splits), of_class)
        if rng is not None:
            rng.shuffle(blocks)
        folds[codes == code] = blocks
    return folds


def parts(samples: Samples, split: SplitBlock, seeds: list[int]) -> list[Part]:
    """Divide a dataset as the matrix file's ``[split]`` says.

    Raises
    ------
    UserError
        The dataset brings no split, or its classes or groups are too small for the scheme.
    """
    scheme = split.scheme
    if scheme is None:
        given = samples.split is not None or samples.folds is not None
        scheme = "given" if given else "kfold"
    if scheme == "given":
        return _given(samples)
    _check_sizes(samples, split.folds if scheme == "kfold" else 2)
    made = []
    for seed in seeds:
        if scheme == "kfold":
            divided = _outer_folds(samples, split.folds, seed)
        else:
            divided = [_holdout(samples, split, seed)]
        for number, (train, validation, test) in enumerate(divided):
            made.append(Part(seed, number, train, validation, test))
    return made


def _given(samples: Samples) -> list[Part]:
    none = np.empty(0, dtype=np.int64)
    if samples.folds is not None:
        values = np.unique(samples.folds)
        if len(values) < 2:
            raise UserError(f"dataset {samples.name!r}: its folds have one value; two are needed")
        held_out = [samples.folds == value for value in values]
        return [
            Part(None, fold, np.flatnonzero(~test), none, np.flatnonzero(test))
            for fold, test in enumerate(held_out)
        ]
    if samples.split is None:
        raise UserError(
            f"dataset {samples.name!r} brings neither split nor folds; "
            "name its column (split = ..., fold = ...) or choose scheme = 'kfold'"
        )
    by_name = {
        name: np.flatnonzero(samples.split == name) for name in ("train", "validation", "test")
    }
    for name in ("train", "test"):
        if not len(by_name[name]):
            raise UserError(f"dataset {samples.name!r}: its split has no {name} samples")
    return [Part(None, 0, by_name["train"], by_name["validation"], by_name["test"])]


def _check_sizes(samples: Samples, n_splits: int) -> None:
    counts = np.bincount(samples.labels, minlength=len(samples.classes))
    alone = [samples.classes[i] for i in np.flatnonzero(counts == 1)]
    if alone:
        limited = f" (after --limit {samples.limit})" if samples.limit else ""
        raise UserError(
            f"dataset {samples.name!r}{limited}: class {alone[0]!r} has one sample, so it cannot "
            f"stand in both training and test ({len(alone)} such class{'es' * (len(alone) > 1)})"
        )
    if counts.max() < n_splits:
        raise UserError(
            f"dataset {samples.name!r}: {n_splits} folds, but the largest class has "
            f"{counts.max()} samples; lower [split] folds"
        )
    if samples.groups is not None and (n := len(np.unique(samples.groups))) < n_splits:
        raise UserError(
            f"dataset {samples.name!r}: {n_splits} folds, but only {n} groups; lower [split] folds"
        )


def _outer_folds(
    samples: Samples, n_splits: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    none = np.empty(0, dtype=np.int64)
    pairs = _stratified(samples.labels, samples.groups, n_splits, seed)
    return [(train, none, test) for train, test in pairs]


def _holdout(
    samples: Samples, split: SplitBlock, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    everything = np.arange(len(samples.labels))
    rest, test = _cut(samples, everything, split.test, derive_seed(seed, None, "split"))
    if not split.validation:
        return rest, np.empty(0, dtype=np.int64), test
    share = split.validation / (1 - split.test)
    train, validation = _cut(samples, rest, share, derive_seed(seed, None, "validation"))
    return train, validation, test


def _cut(
    samples: Samples, rows: np.ndarray, share: float, state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut ``share`` of the rows off, stratified, whole groups."""
    from sklearn.model_selection import train_test_split

    labels = samples.labels[rows]
    if samples.groups is not None:
        groups = samples.groups[rows]
        most = min(len(np.unique(groups)), np.bincount(labels).max())
        if most < 2:
            raise UserError(
                f"dataset {samples.name!r}: [split] cannot be made: {len(rows)} samples of "
                f"{len(np.unique(groups))} groups are left to divide"
            )
        taken, n_splits = _fraction(share, most)
        tests = [test for _, test in _divide(labels, groups, n_splits, state)]
        second = np.sort(np.concatenate(tests[: min(taken, len(tests) - 1)]))
        return np.delete(rows, second), rows[second]
    try:
        first, second = train_test_split(rows, test_size=share, stratify=labels, random_state=state)
    except ValueError as error:
        raise UserError(f"dataset {samples.name!r}: [split] cannot be made: {error}") from None
    return np.sort(first), np.sort(second)


def _fraction(share: float, most: int) -> tuple[int, int]:
    """Return the fraction nearest to ``share``, between 0 and 1, its denominator 2 to ``most``."""
    fractions = [(min(max(round(share * k), 1), k - 1), k) for k in range(2, min(most, 20) + 1)]
    return min(fractions, key=lambda f: (round(abs(f[0] / f[1] - share), 9), f[1]))


def share_of(samples: Samples, part: Part, share: float, seed: int) -> Part:
    """Return a part with a stratified share of its training samples, whole groups.

    The samples are taken in an order drawn from the seed and their ids (of groups, the group's
    first id), so that a smaller share lies within a larger one.

    Parameters
    ----------
    samples : Samples
        The dataset.
    part : Part
        Its training part is cut; validation and test part stay as they are.
    share : float
        Between 0 and 1. Each class gives its share, rounded to whole samples and at least one; of
        groups, each class gives those that most of their samples belong to, as many as come
        nearest to its share, and at least one.
    seed : int
        The replicate's.

    Returns
    -------
    Part
        Of that seed.
    """
    rows = part.train
    units = rows if samples.groups is None else samples.groups[rows]
    _, first, unit_of, sizes = np.unique(
        units, return_index=True, return_inverse=True, return_counts=True
    )
    place = np.array(
        [derive_seed(seed, None, f"train_size/{samples.ids[row]}") for row in rows[first]]
    )
    counts = np.zeros((len(first), len(samples.classes)), dtype=np.int64)
    np.add.at(counts, (unit_of, samples.labels[rows]), 1)
    most = counts.argmax(axis=1)
    kept = np.zeros(len(first), dtype=bool)
    for label in np.unique(most):
        of_class = np.flatnonzero(most == label)
        of_class = of_class[np.argsort(place[of_class], kind="stable")]
        reached = np.cumsum(sizes[of_class])
        kept[of_class[: 1 + np.argmin(np.abs(reached - share * reached[-1]))]] = True
    return Part(seed, part.fold, rows[kept[unit_of]], part.validation, part.test)


def subsample(labels: np.ndarray, size: int) -> np.ndarray:
    """Return the positions of a stratified sample, in order, at least one of each class kept.

    The same for all runs: it takes each class's share by the largest remainder, and within a
    class the samples that a fixed seed draws.
    """
    counts = np.bincount(labels)
    exact = counts * size / len(labels)
    take = np.minimum(np.maximum(np.floor(exact).astype(int), counts > 0), counts)
    for label in np.argsort(-(exact - np.floor(exact)), kind="stable"):
        if take.sum() >= size:
            break
        take[label] += take[label] < counts[label]
    while take.sum() > max(size, np.count_nonzero(counts)):  # classes kept alive cost the others
        take[np.argmax(np.where(take > 1, take - exact, -np.inf))] -= 1
    rng = np.random.default_rng(derive_seed(0, None, "limit"))
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:n] for label, n in enumerate(take)]
    return np.sort(np.concatenate(chosen))
