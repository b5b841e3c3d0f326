"""One encoder, fusion or head by itself, on made samples: what ``mmbench time NAME`` times."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mmbench.errors import UserError
from mmbench.stages import stage
from mmbench.testing.subject import Request, RowSubject, take

METHODS = {"encoder": "encode", "alignment": "align", "fusion": "fusion", "head": "head"}


class Component:
    """A plugin on the made rows of the conformance kit.

    Parameters
    ----------
    sort, name : str
        What is timed.
    kind : str
        The kind of items, for encoders.
    params : mapping
        Its options.
    plugins : sequence of str
        Files and modules to load besides the installed plugins.
    device : {"cpu", "cuda"}
    threads : int

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
        self._subject = subject
        self._device = device
        self._stage = METHODS[sort]

    @cached_property
    def rows(self) -> np.ndarray:
        """What its samples are called."""
        return np.arange(self._subject.n_test)

    @cached_property
    def process(self) -> Callable[[np.ndarray], Any]:
        """What is timed, built and fitted where it learns."""
        subject = self._subject
        fitted = subject.made(device=self._device)

        def work(rows: np.ndarray) -> Any:
            given = take(subject.test, rows)
            with stage(self._stage):
                return subject.apply(fitted, given)

        return work

    def agreement(self) -> float:
        """Return 1 where the whole gives what its samples give one by one, else the share."""
        whole = self.process(self.rows)
        agreed = []
        for row in self.rows:
            alone = self.process(np.array([row]))
            agreed.append(
                all(
                    np.allclose(_dense(whole[m])[row], _dense(alone[m])[0], rtol=1e-3, atol=1e-4)
                    for m in whole
                )
            )
        return float(np.mean(agreed))


def _dense(values: Any) -> np.ndarray:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)
