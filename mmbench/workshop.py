"""What a worker process has: the store, the plugins, and what it keeps loaded between jobs."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mmbench.catalogue import Catalogue, load_catalogue
from mmbench.config import FROZEN
from mmbench.contracts import Dataset
from mmbench.data import DatasetSpec
from mmbench.frames import FrameWise
from mmbench.options import build, canonical
from mmbench.store import Store, store_at
from mmbench.tempered import Tempered

T = TypeVar("T")

KEPT = 4
"""How many fitted encoders and combinations a worker keeps for the jobs that follow."""

MOST_KEPT = 64
"""How many small things a worker keeps of those that several jobs may ask for."""


@dataclass(frozen=True)
class Context:
    """What a worker needs besides jobs; small and picklable."""

    store: str | Path
    """A folder, or a URL."""
    plugins: tuple[str, ...]
    registrations: bytes
    threads: int
    device: str
    logs: Path

    def open(self) -> Workshop:
        """Load the plugins and the store in this process, and bind its number of threads."""
        import threadpoolctl

        for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR"):
            os.environ[f"{library}_NUM_THREADS"] = str(self.threads)  # for those yet to be loaded
        threadpoolctl.threadpool_limits(self.threads)
        catalogue = load_catalogue(self.plugins, self.registrations)
        return Workshop(store_at(self.store), catalogue, self.threads, self.device)


@dataclass
class Workshop:
    """A worker's own: the store, the plugins, and what it keeps loaded between jobs."""

    store: Store
    catalogue: Catalogue
    threads: int
    device: str
    _datasets: dict[str, Dataset] = field(default_factory=dict)
    _encoders: dict[str, Any] = field(default_factory=dict)
    _made: OrderedDict[str, Any] = field(default_factory=OrderedDict)
    _fitted: dict[str, Any] = field(default_factory=dict)

    def build(self, component: Mapping[str, Any], n_classes: int | None = None) -> Any:
        """Build a plugin from its name, options and seed."""
        entry = self.catalogue.find(component["sort"], component["name"], "worker")
        given = {
            "seed": component["seed"],
            "threads": self.threads,
            "device": self.device,
            "n_classes": n_classes,
            "finetune": component.get("finetune", FROZEN),
        }
        built = build(entry, component["params"], given)
        if "calibrate" in component:
            return Tempered(built)
        return FrameWise(built, component["over_time"]) if component["over_time"] else built

    def encoder(self, component: Mapping[str, Any]) -> Any:
        """Return a frozen encoder, the last one kept loaded."""
        key = canonical(component)
        if key not in self._encoders:
            self._encoders.clear()
            self._encoders[key] = self.build(component)
        return self._encoders[key]

    def dataset(self, dataset: Mapping[str, Any]) -> Dataset:
        """Return a dataset, kept loaded."""
        key = canonical(dataset)
        if key not in self._datasets:
            entry = self.catalogue.find("dataset", dataset["use"], "worker")
            spec = DatasetSpec(entry, dataset["name"], dataset["params"])
            self._datasets[key] = spec.load(self.threads)
        return self._datasets[key]

    def fitted(self, key: str, fit: Callable[[], Any]) -> Any:
        """Return what was fitted under a key, the last few kept."""
        if key not in self._fitted:
            while len(self._fitted) >= KEPT:
                self._fitted.pop(next(iter(self._fitted)))
            self._fitted[key] = fit()
        return self._fitted[key]

    def once(self, key: str, make: Callable[[], T]) -> T:
        """Return what was made under a key, where it is one of the last asked for; else make it.

        It is shared by several jobs: nobody may change it.
        """
        if key not in self._made:
            self._made[key] = make()
        self._made.move_to_end(key)
        if len(self._made) > MOST_KEPT:
            self._made.popitem(last=False)
        made: T = self._made[key]
        return made

    def array(self, key: str) -> np.ndarray:
        """Return a small array that the plan stored."""
        return self.store.open(key).array("values")


_listener: Callable[[float], None] | None = None


def progress(done: int, total: int) -> None:
    """Tell how far a long ``fit`` or ``encode`` is; shown while a run goes on, and free to call.

    Parameters
    ----------
    done, total : int
        Steps done, of how many.
    """
    if _listener is not None and total > 0:
        _listener(done / total)


def listen(listener: Callable[[float], None]) -> None:
    """Have a worker's progress told to its runner."""
    global _listener
    _listener = listener
