"""Plugins with which runners are tried: small honest work, and jobs that end badly or wait.

Loaded like any ``--plugin``, in whatever process a runner performs jobs. Each embedding appends
to ``begun.jsonl`` in the folder that it is given which process has taken it up.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from mmbench.hookspecs import Register, hookimpl
from mmbench.workshop import progress

BEGUN = "begun.jsonl"
GATE = "gate"
MESSAGE = "planted: this job always raises"

How = Literal["works", "raises", "exits", "exits-well", "killed", "hangs", "waits"]


@hookimpl
def mmbench_register_datasets(register: Register) -> None:
    """Register the samples."""
    register("planted-blobs", Blobs, summary="what runners are tried on")


@hookimpl
def mmbench_register_encoders(register: Register) -> None:
    """Register the encoder that misbehaves when told to."""
    register("planted", Planted, kind="vector", summary="what runners are tried with")


@hookimpl
def mmbench_register_fusions(register: Register) -> None:
    """Register a fusion, so that jobs depend on several others."""
    register("planted-concat", Concatenation, level="feature", summary="all vectors, side by side")


@hookimpl
def mmbench_register_heads(register: Register) -> None:
    """Register a head."""
    register("planted-centroids", Centroids, summary="nearest class mean")


class Blobs:
    """Gaussian blobs of three classes in two modalities, 48 samples."""

    modalities: Mapping[str, str] = {"a": "vector", "b": "vector"}

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.labels = np.arange(48, dtype=np.int64) % 3
        self.classes = ["blue", "green", "red"]
        self.ids = [f"blob-{i}" for i in range(48)]
        self._values = {
            name: rng.normal(scale=1.2, size=(3, width))[self.labels] + rng.normal(size=(48, width))
            for name, width in (("a", 4), ("b", 3))
        }

    def items(self, modality: str) -> Sequence[np.ndarray]:
        """Return the vectors."""
        return list(self._values[modality])

    def fingerprint(self, modality: str) -> str:
        """Return a hash of the vectors."""
        return sha256(self._values[modality].tobytes()).hexdigest()


class Planted:
    """Vectors to a power, from a job that does what ``how`` says.

    Parameters
    ----------
    how : str
        ``"works"``; ``"raises"``; ends its process by ``"exits"`` (status 3), ``"exits-well"``
        (status 0) or ``"killed"`` (SIGKILL where there is one); ``"hangs"`` for good, whatever is
        raised in it; or ``"waits"`` until the folder holds a file named `GATE`.
    tag : int
        Tells one job from another, and is the power less one.
    folder : str
        Where the job writes that it has begun.
    """

    chunk = 1_000

    def __init__(self, *, how: How = "works", tag: int = 0, folder: str = "") -> None:
        self.how = how
        self.tag = tag
        self.folder = folder

    def encode(self, items: Sequence[np.ndarray]) -> np.ndarray:
        """Say which process this is; then work, or not."""
        self._note()
        match self.how:
            case "raises":
                raise ValueError(MESSAGE)
            case "exits":
                os._exit(3)
            case "exits-well":
                os._exit(0)
            case "killed":
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
            case "hangs":
                _hang()
            case "waits":
                progress(1, 4)
                while not Path(self.folder, GATE).exists():
                    time.sleep(0.02)
        return (np.stack(list(items)) ** (1 + self.tag)).astype(np.float32)

    def _note(self) -> None:
        import psutil

        record = {
            "how": self.how,
            "tag": self.tag,
            "pid": os.getpid(),
            "created": psutil.Process().create_time(),
        }
        file = os.open(Path(self.folder, BEGUN), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, json.dumps(record).encode() + b"\n")  # in one piece, also among processes
        os.close(file)


def _hang() -> None:
    """Sleep for ever, as code does that catches all that is raised in it."""
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            sys.stderr.write("planted: still here\n")


class Concatenation:
    """All vectors, side by side."""

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the vectors of each sample as one."""
        return np.hstack(list(features.values()))


class Centroids:
    """Probabilities that fall with the squared distance from the classes' means."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Take the mean of each class."""
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in np.unique(y)])
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the softmax of the negative squared distances."""
        from scipy.special import softmax

        distances = ((X[:, None] - self.means_) ** 2).sum(axis=2)
        probabilities: np.ndarray = softmax(-distances, axis=1)
        return probabilities


def begun(folder: Path) -> list[dict[str, Any]]:
    """Return what the jobs of a folder have written, in order."""
    file = folder / BEGUN
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
