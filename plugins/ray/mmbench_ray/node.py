"""What is done on a node, in Ray's worker processes: it is looked at, and jobs are performed."""

from __future__ import annotations

import atexit
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmbench.catalogue import load_catalogue
from mmbench.errors import UserError
from mmbench.jobs import Job, Outcome
from mmbench.runners.local import LocalRunner
from mmbench.store import store_at
from mmbench.workshop import Context

EVERY = 0.25
"""Seconds between two looks at how far a job is."""


class UnlikeError(Exception):
    """A node is not what the run was planned for."""


@dataclass(frozen=True)
class Setup:
    """What performing the jobs of a run takes; small and picklable."""

    run: str
    """A name that no other run has."""
    context: Context
    timeout: float | None
    identities: Mapping[str, str]
    """What stored results depend on, by plugin, as `identities` tells it where the run is."""
    variables: Mapping[str, str]
    """Environment variables that jobs are to see."""
    board: Any = None
    """The handle of the run's `mmbench_ray.board.Board`."""


def identities(context: Context) -> dict[str, str]:
    """Return what stored results depend on in this process: Python, and each plugin's identity."""
    catalogue = load_catalogue(context.plugins, context.registrations)
    found = {p.name: p.failure or p.identity for p in catalogue.plugins}
    return {"Python": "Python {}.{}".format(*sys.version_info), **found}


def differences(setup: Setup, token: str = "") -> list[str]:
    """Say how this process differs from the one that planned the run, a line each.

    Parameters
    ----------
    setup : Setup
        Of the run.
    token : str
        A key that is in the run's store, if it is the same store.
    """
    os.environ.update(setup.variables)
    try:
        here = identities(setup.context)
    except UserError as error:
        return [str(error)]
    told = []
    for name, expected in setup.identities.items():
        if name not in here:
            told.append(f"there is no plugin {name!r}")
        elif here[name] != expected:
            found, wanted = here[name].split("; "), expected.split("; ")
            ours = [part for part in found if part not in wanted] or ["nothing more"]
            theirs = [part for part in wanted if part not in found] or ["nothing more"]
            told.append(f"{name}: {ours[0]}, but {theirs[0]} where the run was planned")
    try:
        if token and token not in store_at(setup.context.store):
            told.append(f"{setup.context.store} is not the run's store: all nodes must reach it")
    except UserError as error:
        told.append(str(error))
    return told


class _Host:
    """Performs one job after another, each in a child process that it keeps."""

    def __init__(self, setup: Setup) -> None:
        if told := differences(setup):
            raise UnlikeError(told[0])
        self.board = setup.board
        self.store = store_at(setup.context.store)
        logs = setup.context.logs / f"{socket.gethostname()}-{os.getpid()}"
        try:
            logs.mkdir(parents=True, exist_ok=True)
        except OSError:  # the run's folder is of another machine
            logs = Path(tempfile.mkdtemp(prefix="mmbench-logs-"))
        self.runner = LocalRunner(replace(setup.context, logs=logs), 1, setup.timeout)
        atexit.register(self.runner.close)

    def perform(self, job: Job) -> Outcome:
        if (meta := self.store.meta(job.key)) is not None:  # stored before its node was lost
            return Outcome("ok", seconds=sum(meta["seconds"].values()))
        self.runner.submit(job)
        told = False
        while not (ended := self.runner.wait(EVERY)):
            for _, share in self.runner.activity():
                self.board.tell.remote(job.key, share)
                told = True
        if told:
            self.board.forget.remote(job.key)
        ((_, outcome),) = ended
        return outcome


_hosts: dict[tuple[str, str | None], _Host] = {}
"""The one of this process, by the run and the GPUs that Ray has given it."""


def perform(job: Job, setup: Setup) -> Outcome:
    """Perform a job as the local runner does (the body of a Ray task)."""
    mine = (setup.run, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if mine not in _hosts:
        while _hosts:
            _hosts.popitem()[1].runner.close()
        _hosts[mine] = _Host(setup)
    return _hosts[mine].perform(job)
