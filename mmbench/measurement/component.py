"""One encoder, fusion or head by itself, on made samples: what ``mmbench time NAME`` times."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mmbench import processes
from mmbench.errors import PluginError, UserError, one_line
from mmbench.jobs import status_of
from mmbench.measurement import samples
from mmbench.measurement.measure import measure
from mmbench.measurement.settings import Settings
from mmbench.measurement.work import CLOSE
from mmbench.pipeline import to_dense
from mmbench.stages import stage
from mmbench.testing.arrays import take
from mmbench.testing.subject import DecisionSubject, Request, RowSubject

STAGE = {"encoder": "encode", "alignment": "align", "fusion": "fusion", "head": "head"}
"""What serving has of each sort of plugin."""

What = tuple[str, str, str, Mapping[str, Any], Sequence[str], str]
"""The arguments of `Component`."""


def time_component(what: What, settings: Settings) -> dict[str, Any]:
    """Time a component in a fresh process.

    Returns
    -------
    dict
        Its row of the table of timings; what it raises is why it failed.

    Raises
    ------
    UserError
        It cannot be built with such options.
    """
    told = {"unit": what[0], "name": what[1], **settings.columns}
    with ProcessPoolExecutor(1, mp_context=processes.context()) as process:
        try:
            return told | process.submit(_timed, what, settings, dict(os.environ)).result()
        except BrokenProcessPool:
            return {**told, "status": "crashed", "reason": "its process died"}


def _timed(what: What, settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    os.environ.clear()  # the fork server keeps the environment that it was started with
    os.environ.update(environ)
    try:
        with threadpool_limits(settings.threads):
            return measure(Component(*what), settings)[0]
    except UserError:
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, PluginError) else one_line(error)
        return {"status": status_of(error), "reason": reason}


class Component:
    """A plugin on made samples of everyday size, fitted where it learns.

    Parameters
    ----------
    sort, name : str
        What is timed.
    kind : str
        The kind of items, for encoders; by default the first that it takes.
    params : mapping
        Its options.
    plugins : sequence of str
        Files and modules to load besides the installed plugins.
    device : {"cpu", "cuda"}

    Raises
    ------
    UserError
        It is no encoder, alignment, fusion or head.
    """

    def __init__(
        self,
        sort: str,
        name: str,
        kind: str = "",
        params: Mapping[str, Any] | None = None,
        plugins: Sequence[str] = (),
        device: str = "cpu",
    ) -> None:
        subject = Request(sort, name, kind, dict(params or {}), tuple(plugins)).subject()
        if not isinstance(subject, RowSubject):
            raise UserError(f"time: a {sort} serves no samples; encoders, fusions and heads do")
        self.device = device
        self._subject = subject
        self._sort = sort
        self._kind = kind or next(iter(subject.entry.kinds), "")
        subject.n_train = samples.TRAINING
        self._train = self._made(samples.TRAINING, seed=0) if subject.fits else None
        self._test = self._made(samples.SERVED, seed=1)

    def _made(self, n: int, seed: int) -> Any:
        """Return what it is given for ``n`` samples."""
        if self._sort == "encoder":
            return samples.items(self._kind, n, seed)
        if self._sort == "head":
            return samples.features(n, 1, seed)["m0"]
        if isinstance(self._subject, DecisionSubject):
            return self._subject.rows(n, seed)
        return samples.features(n, 2, seed, sequences=self._subject.entry.sequences)

    @cached_property
    def rows(self) -> np.ndarray:
        """What its samples are called."""
        return np.arange(samples.SERVED)

    def batch(self, rows: np.ndarray) -> Any:
        """Return what a call is given: an encoder rows of items, others their embeddings."""
        return rows if self._sort == "encoder" else take(self._test, rows)

    @cached_property
    def process(self) -> Callable[[Any], dict[str, Any]]:
        """What is timed, built and fitted where it learns."""
        subject = self._subject
        built = subject.build(device=self.device)
        fitted = subject.fit(built, self._train, subject.train_labels) if subject.fits else built
        name = STAGE[self._sort]

        def encode(rows: np.ndarray) -> dict[str, Any]:
            with stage("decode"):
                given = [self._test[row] for row in rows]
            with stage(name):
                return subject.apply(fitted, given)

        def work(given: Any) -> dict[str, Any]:
            with stage(name):
                return subject.apply(fitted, given)

        return encode if self._sort == "encoder" else work

    @cached_property
    def _whole(self) -> dict[str, np.ndarray]:
        made = self.process(self.batch(self.rows))
        return {name: np.array(to_dense(values)) for name, values in made.items()}

    def agrees(self, rows: np.ndarray, made: Mapping[str, Any]) -> np.ndarray:
        """Return which samples give what they give in one batch with all others, bool (n,)."""
        agreed = np.ones(len(rows), dtype=bool)
        for name, whole in self._whole.items():
            gap = np.abs(to_dense(made[name]) - whole[rows]).reshape(len(rows), -1).max(axis=1)
            agreed &= gap <= CLOSE * max(float(np.abs(whole).max()), 1e-12)
        return agreed
