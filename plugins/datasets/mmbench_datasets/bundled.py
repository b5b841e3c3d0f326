"""The data set ``sklearn``: the classification sets that come with scikit-learn."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np
import sklearn.datasets
from mmbench_manifest.items import Vectors
from mmbench_manifest.tables import nearest

from mmbench_datasets.base import Samples, encode
from mmbench_datasets.items import ImageSlices

SETS = {
    "breast_cancer": sklearn.datasets.load_breast_cancer,
    "digits": sklearn.datasets.load_digits,
    "iris": sklearn.datasets.load_iris,
    "wine": sklearn.datasets.load_wine,
}
REGRESSION = ("diabetes", "linnerud")
BRIGHTEST = 16


class Bundled(Samples):
    """A set that comes with scikit-learn.

    Parameters
    ----------
    set : str
        ``"breast_cancer"``, ``"digits"``, ``"iris"`` or ``"wine"``.
    modalities : dict of str to str or list of str, optional
        Vectors: per modality a glob over the names of the features, or several. Default: all
        features, as ``features``. ``digits`` has the modality ``image`` besides.

    Attributes
    ----------
    modalities, labels, classes
        See `Samples`; classes are scikit-learn's names, in the order of strings.
    ids : list of str
        The row numbers, from 0.

    Raises
    ------
    ValueError
        If there is no such set, or a glob matches no feature.
    """

    def __init__(self, set: str, modalities: dict[str, str | list[str]] | None = None) -> None:
        if set not in SETS:
            if set in REGRESSION:
                raise ValueError(f"set: {set!r} is for regression; expected {', '.join(SETS)}")
            hint = nearest(set, SETS) or f"; expected {', '.join(SETS)}"
            raise ValueError(f"set: no set {set!r}{hint}")
        if modalities is not None and not modalities:
            raise ValueError("modalities: none is given; leave it out to have all features in one")
        bunch = SETS[set]()
        self.labels, self.classes = encode([str(bunch.target_names[i]) for i in bunch.target])
        self.ids = [str(row) for row in range(len(self.labels))]
        names = [str(name) for name in bunch.feature_names]
        none = np.zeros(len(self.ids), dtype=bool)
        self._items = {}
        if set == "digits":
            pixels = np.rint(bunch.images * (255 / BRIGHTEST)).astype(np.uint8)
            self._items["image"] = ImageSlices(pixels, none)
        for name, globs in (modalities or {"features": ["*"]}).items():
            if name in self._items:
                raise ValueError(f"modalities: {set} has the images {name!r}; take another name")
            columns = _matching(names, f"modalities.{name}", globs)
            self._items[name] = Vectors(bunch.data[:, columns], none, set)
        self.modalities = {
            name: "image" if isinstance(items, ImageSlices) else "vector"
            for name, items in self._items.items()
        }


def _matching(names: list[str], option: str, globs: str | list[str]) -> list[int]:
    """Return the positions of the features that a glob matches, in the set's order."""
    globs = [globs] if isinstance(globs, str) else globs
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            shown = ", ".join(map(repr, names[:4])) + (", ..." if len(names) > 4 else "")
            hint = nearest(glob, names) or f"; they are {shown}"
            raise ValueError(f"{option}: no feature matches {glob!r}{hint}")
    found = [i for i, name in enumerate(names) if any(fnmatchcase(name, g) for g in globs)]
    if not found:
        raise ValueError(f"{option}: the list names no feature")
    return found
