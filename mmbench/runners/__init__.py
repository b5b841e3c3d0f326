"""Who executes jobs. The local runner is built in, as a plugin; others register likewise."""

from __future__ import annotations

from mmbench.hookspecs import Register, hookimpl


@hookimpl
def mmbench_register_runners(register: Register) -> None:
    """Register the built-in runner."""
    register(
        "local", "mmbench.runners.local:LocalRunner", summary="processes of this machine (default)"
    )
