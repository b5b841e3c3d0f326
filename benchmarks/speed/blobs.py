"""Gaussian blobs as a dataset of modalities, and encoders that each see them their own way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mmbench import hookimpl

CLASSES = 10
SEPARATION = 0.15
"""Between class means, in standard deviations of a direction: one encoder alone is mediocre."""


class Blobs:
    """As many training and test samples as asked, of ten classes.

    An item is the sample's number and class; what an encoder makes of it is in `Blob`.

    Parameters
    ----------
    train, test : int
        Samples of each part.
    modalities : list of str
        Their names.
    """

    def __init__(
        self, *, train: int, test: int, modalities: Sequence[str] = ("wide", "narrow")
    ) -> None:
        n = train + test
        self.modalities = dict.fromkeys(modalities, "vector")
        self.classes = [f"class {i}" for i in range(CLASSES)]
        self.labels = np.random.default_rng(0).permutation(np.arange(n) % CLASSES)
        self.ids = [str(i) for i in range(n)]
        self.split = ["train"] * train + ["test"] * test

    def items(self, modality: str) -> Sequence[np.ndarray]:
        """Return number and class of every sample."""
        return list(np.stack([np.arange(len(self.ids)), self.labels], axis=1).astype(float))

    def fingerprint(self, modality: str) -> str:
        """Return what the items depend on."""
        return f"{modality} {self.split.count('train')} {len(self.ids)}"


class Blob:
    """Class means and Gaussian noise, mixed; variances fall as those of embeddings do.

    The j-th direction has variance 1 / j, class means included, and a random matrix mixes them.

    Parameters
    ----------
    number : int
        Which of the encoders: its means, noise and mixing.
    width : int
        Columns.
    """

    chunk = 1 << 20

    def __init__(self, *, number: int, width: int) -> None:
        self.number = number
        self.width = width

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Embed all samples, shape (n, width)."""
        labels = np.stack(items)[:, 1].astype(int)
        rng = np.random.default_rng([self.number, self.width])
        means = rng.normal(scale=SEPARATION, size=(CLASSES, self.width))
        mixing = rng.normal(size=(self.width, self.width))
        mixing /= np.sqrt(1 + np.arange(self.width))[:, None]
        noise = rng.normal(size=(len(items), self.width))
        return np.asarray((means[labels] + noise) @ mixing, dtype=np.float32)


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register the blobs."""
    register("blobs", Blobs, summary="Gaussian blobs of ten classes")


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register what embeds them."""
    register("blob", Blob, kind="vector", summary="one view of the blobs")
