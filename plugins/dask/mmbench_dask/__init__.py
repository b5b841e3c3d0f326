"""A runner that has jobs performed by Dask."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_runners(register: Callable[..., None]) -> None:
    """Register the runner; Dask is imported when it is built."""
    register("dask", "mmbench_dask.runner:DaskRunner", summary="Dask, here or at --address")
