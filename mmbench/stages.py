"""Named stages of serving a sample, told by harness and plugins; free when nobody listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


class Recorder(Protocol):
    """Is told where a stage begins and ends."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Return a context that lasts as long as the stage."""
        ...


_recorder: Recorder | None = None
_silence = nullcontext()


def stage(name: str) -> AbstractContextManager[None]:
    """Mark a stage within ``encode``, ``transform`` or ``predict_proba``; its time is told apart.

    ``mmbench`` itself marks decoding, encoders, fusion and head. An encoder may tell more::

        with mmbench.stage("preprocess"):
            batch = prepare(items)
        with mmbench.stage("transfer"):
            batch = batch.to(device)

    Parameters
    ----------
    name : str
        ``"preprocess"`` and ``"transfer"`` have columns of their own in the table of timings.

    Returns
    -------
    context manager
        Does nothing unless stages are being timed.
    """
    return _silence if _recorder is None else _recorder.stage(name)


@contextmanager
def recorded(recorder: Recorder) -> Iterator[None]:
    """Have all stages within told to a recorder."""
    global _recorder
    before, _recorder = _recorder, recorder
    try:
        yield
    finally:
        _recorder = before
