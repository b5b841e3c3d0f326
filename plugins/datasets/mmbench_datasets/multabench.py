"""The data set ``multabench``: tables with texts or images, of the package of that name."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from mmbench_manifest.items import Images, Items, Texts, Vectors
from mmbench_manifest.labels import read_labels
from mmbench_manifest.tables import Table, nearest

from mmbench_datasets.base import Samples

if TYPE_CHECKING:
    import pandas as pd

DATE_PARTS = ("year", "month", "day", "day_of_week", "hour")


class MulTaBench(Samples):
    """A classification set of MulTaBench (Arazi et al., 2026), in one of its published splits.

    The split and the columns' types are those of the package `multabench`. Its image column is the
    modality ``image``; its text columns are ``text``, where there are several as a line
    ``column: text`` each; all other columns are ``vector``.

    Parameters
    ----------
    set : str
        The set's name, ``"MUL_IMAGE_PETFINDER"``.
    path : Path, optional
        A local copy, with a folder for each set (the package's ``data_dir``); default: the package
        downloads the set from the Hugging Face hub, at the revision that it names.
    fold : int, default=0
        Which of the six splits: fold ``fold % 3`` of repetition ``fold // 3``.
    size : {"10k", "full"}, default="10k"
        At most 10,000 training and 5,000 test samples, drawn by the package, or all.
    categories : int, default=50
        How many of a column's categories have an indicator of their own in ``vector``, the most
        frequent ones of the training part; the others share one.

    Attributes
    ----------
    ids : list of str
        The rows of the published table, from 0.
    split : ndarray of str, shape (n,)
        ``"train"`` or ``"test"``.

    Raises
    ------
    ValueError
        If there is no such set, or it is for regression, or cannot be loaded; in one line.

    Notes
    -----
    In ``vector``, what is learnt (medians, categories) is learnt from the training part. Missing
    numbers are the median, with an indicator; dates are year, month, day, weekday and hour.
    """

    def __init__(
        self,
        set: str,
        path: Path | None = None,
        fold: int = 0,
        size: Literal["10k", "full"] = "10k",
        categories: int = 50,
    ) -> None:
        if categories < 1:
            raise ValueError(f"categories = {categories}: expected 1 or more")
        found = _load(set, path, fold, size)
        import pandas as pd
        from multabench.baselines.preprocessing.feature_types import detect_feature_types

        train = found.x_train
        rows = pd.concat([train, found.x_test])
        labels = pd.concat([found.y_train, found.y_test])
        target = str(labels.name)
        values = _plain(labels)
        self.ids = [str(row) for row in rows.index]
        table = Table(Path(set), [target], len(rows), lambda name: values)
        table.ids = self.ids
        self.labels, self.classes = read_labels(table, target)
        self.split = np.repeat(["train", "test"], [len(train), len(found.x_test)])
        types = detect_feature_types(train, image_column=found.image_column)
        columns = [name for name in rows.columns if name in types.text_features]
        others = types.numerical_features | types.categorical_features | types.date_features
        self._items: dict[str, Items] = {}
        if types.image_features:
            (name,) = types.image_features
            self._items["image"] = _images(set, Path(found.image_folder), _plain(rows[name]))
        if columns:
            self._items["text"] = Texts(_texts(rows, columns))
        if others:
            matrix = _matrix(rows[[n for n in rows.columns if n in others]], len(train), categories)
            self._items["vector"] = Vectors(matrix, np.zeros(len(rows), dtype=bool), set)
        self.modalities = {name: name for name in self._items}


def _load(name: str, path: Path | None, fold: int, size: str) -> Any:
    """Return the package's split of a classification set."""
    try:
        import multabench
    except ImportError as error:
        raise ValueError(
            "the library multabench is not installed; pip install 'mmbench-datasets[multabench]'"
        ) from error
    infos = {info.id.name: info for info in multabench.list_datasets()}
    if name not in infos:
        hint = nearest(name, infos) or "; multabench.list_datasets() names them"
        raise ValueError(f"set: no set {name!r}{hint}")
    if infos[name].task == multabench.SupervisedTask.REGRESSION:
        raise ValueError(f"set: {name!r} is for regression; expected a set for classification")
    if not 0 <= fold < multabench.SPLITS:
        raise ValueError(f"fold = {fold}: expected 0 to {multabench.SPLITS - 1}")
    try:
        with redirect_stdout(sys.stderr):  # the package prints what it downloads
            return multabench.load_split(
                name,
                fold=fold,
                size=multabench.Size(size),
                data_dir=None if path is None else str(path),
            )
    except Exception as error:  # the package raises whatever its readers and the network do
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"set: {name!r} cannot be loaded: {reason}") from error


def _plain(column: pd.Series) -> list[Any]:
    """Return a column's values as Python's own, None where missing."""
    missing = column.isna()
    return [None if gone else v for v, gone in zip(column.tolist(), missing, strict=True)]


def _images(name: str, folder: Path, files: list[str | None]) -> Images:
    absent = [file for file in files if file is not None and not (folder / file).is_file()]
    if absent:
        more = f" ({len(absent)} of {len(files)} are absent)" if len(absent) > 1 else ""
        raise ValueError(f"{name}: image: no file {absent[0]!r} in {folder.name!r}{more}")
    return Images(folder, files)


def _texts(rows: pd.DataFrame, columns: list[str]) -> list[str | None]:
    values = {column: _plain(rows[column]) for column in columns}
    if len(columns) == 1:
        return [None if value is None else str(value) or None for value in values[columns[0]]]
    joined = (
        "\n".join(
            f"{column}: {value}" for column, value in zip(values, row, strict=True) if value
        )
        for row in zip(*values.values(), strict=True)
    )  # fmt: skip
    return [text or None for text in joined]


def _matrix(rows: pd.DataFrame, n_train: int, categories: int) -> np.ndarray:
    """Return numbers, dates and categories as floats, fitted on the first rows alone."""
    import pandas as pd
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder

    numbers, named = [], []
    for _, column in rows.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            named.append(["" if value is None else str(value) for value in _plain(column)])
        elif pd.api.types.is_datetime64_any_dtype(column):
            parts = [getattr(column.dt, part) for part in DATE_PARTS]
            numbers += [part.to_numpy(float, na_value=np.nan) for part in parts]
        else:
            values = column.to_numpy(float, na_value=np.nan)
            numbers.append(np.where(np.isfinite(values), values, np.nan))
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    indicators = OneHotEncoder(
        max_categories=categories + 1, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    fitted = []
    for transformer, columns in ((imputer, numbers), (indicators, named)):
        if columns:
            matrix = np.array(columns, dtype=object if transformer is indicators else float).T
            fitted.append(transformer.fit(matrix[:n_train]).transform(matrix))
    return np.hstack(fitted).astype(np.float64)
