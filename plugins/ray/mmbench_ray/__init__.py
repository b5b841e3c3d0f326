"""A runner that has jobs performed by Ray."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_runners(register: Callable[..., None]) -> None:
    """Register the runner; Ray is imported when it is built."""
    register(
        "ray", "mmbench_ray.runner:RayRunner", summary="Ray, on this machine or (--address) others"
    )
