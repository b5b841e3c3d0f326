"""Processes of our own: started cheaply from a fork server, with a log, ended whole."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Callable
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

PRELOADED = ["mmbench.jobs", "mmbench.testing.subject", "sklearn.preprocessing"]
"""What the fork server imports once, so that each process it forks has it at no cost."""


def context() -> BaseContext:
    """Return how processes are started: forked from a clean server where the system can."""
    methods = multiprocessing.get_all_start_methods()
    made = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    made.set_forkserver_preload(PRELOADED)
    return made


def prepare() -> None:
    """Start the fork server where there is one, which imports while this process goes on."""
    if context().get_start_method() == "forkserver":
        from multiprocessing.forkserver import ensure_running

        ensure_running()


def start(target: Callable[..., None], *arguments: Any, name: str, log: Path) -> BaseProcess:
    """Call a function in a process, and a session, of its own.

    It sees this process's environment variables as they are now, writes to the log whatever it
    prints, and ends when this process does.

    Parameters
    ----------
    target : callable
        Of a module; its arguments are pickled.
    *arguments
        What it is given.
    name : str
        Of the process.
    log : Path
        A file to append to.
    """
    process = context().Process(  # type: ignore[attr-defined]
        target=_begin, args=(target, arguments, log, dict(os.environ)), name=name
    )
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")  # a script is never run again
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
    made: BaseProcess = process
    return made


def end(process: BaseProcess, grace: float) -> None:
    """End a process and whatever it started: asked first, killed after ``grace`` seconds."""
    if grace > 0:
        process.terminate()
        process.join(grace)
    try:
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError, PermissionError):
        process.kill()
    process.join()


def _begin(
    target: Callable[..., None], arguments: tuple[Any, ...], log: Path, environ: dict[str, str]
) -> None:
    os.environ.clear()  # the fork server keeps the environment that it was started with
    os.environ.update(environ)
    if hasattr(os, "setsid"):
        os.setsid()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with open(log, "ab", buffering=0) as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    target(*arguments)


def _die_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
