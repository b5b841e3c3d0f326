"""A Ray cluster on this machine: each node's processes are those of a ``ray start`` of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RAY = Path(sys.executable).with_name("ray")
LIMIT = 90.0
"""Seconds that a node may take to be there, or to be gone."""


class Cluster:
    """Nodes that come and go; the first has one processor.

    The environment variables ``RAY_TMPDIR`` (a short name) and those of Ray's token are to be set.

    Parameters
    ----------
    *options : str
        Of ``ray start``, for the first.

    Attributes
    ----------
    address : str
        Where it is joined.
    """

    def __init__(self, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        self.address = f"{_own_address()}:{port}"
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._start("--head", f"--port={port}", "--include-dashboard=false", *options)

    def add(self, *options: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a node, and return once it is there."""
        return self._start(f"--address={self.address}", *options, **variables)

    def _start(self, *options: str, **variables: str) -> subprocess.Popen[bytes]:
        command = [RAY, "start", "--block", "--object-store-memory=80000000", *options]
        if not any(option.startswith("--num-cpus") for option in options):
            command.append("--num-cpus=1")
        log = Path(tempfile.mkdtemp(dir=os.environ["RAY_TMPDIR"])) / "log"
        with log.open("wb") as file:
            node = subprocess.Popen(
                command, stdout=file, stderr=file, env={**os.environ, **variables}
            )
        self._nodes.append(node)
        deadline = time.monotonic() + LIMIT
        while b"--block" not in log.read_bytes():  # it then says that it blocks
            assert node.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return node

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """End a node as the loss of its machine does: ``kill -9`` of its Ray processes."""
        own = [p for p in _below(node.pid) if _is_ray(p)]
        for process in [psutil.Process(node.pid), *own]:
            process.kill()
        node.wait()
        self._nodes.remove(node)

    def close(self) -> None:
        """End all nodes and whatever is left of them."""
        left = [process for node in self._nodes for process in _below(node.pid)]
        for node in reversed(self._nodes):
            node.terminate()
        for node in self._nodes:
            node.wait(LIMIT)
        _, alive = psutil.wait_procs(left, 5)
        for process in alive:
            process.kill()


def _own_address() -> str:
    from ray.util import get_node_ip_address

    return str(get_node_ip_address())


def _below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_ray(process: psutil.Process) -> bool:
    """Whether it is the raylet, an agent of it or a worker; not a child process of a worker."""
    try:
        words = process.cmdline()
    except psutil.NoSuchProcess:
        return False
    return bool(words) and (words[0].startswith("ray::") or "/ray/" in " ".join(words[:3]))
