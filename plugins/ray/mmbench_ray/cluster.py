"""A Ray to join or to start, and what its nodes are."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mmbench.errors import one_line
from mmbench.store import store_at
from mmbench_ray import node

OBJECT_STORE = 100 * 2**20
"""Bytes of shared memory where Ray is started here: only jobs and outcomes pass through it."""

REACHED = 10.0
"""Seconds in which a cluster's port is to answer."""

PATIENCE = 120.0
"""Seconds that nodes have to say what they are."""


def join(address: str | None, cpus: int) -> str:
    """Join a cluster, or start Ray with some processors here; return its dashboard's address."""
    asked: dict[str, Any] = {"address": address}
    if address is None:
        asked = {"address": "local", "num_cpus": cpus, "object_store_memory": OBJECT_STORE}
    try:
        host, _, port = (address or "").removeprefix("ray://").rpartition(":")
        if port.isdigit():  # Ray itself tries for minutes
            socket.create_connection((host, int(port)), REACHED).close()
        joined = ray.init(**asked, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises errors of many kinds
        if address is None:
            raise OSError(f"Ray cannot be started: {one_line(error)}") from None
        answered = type(error) is ConnectionError  # Ray's own, of a cluster that is there
        untold = answered and "RAY_AUTH_MODE" not in os.environ
        hint = "; has it a token (RAY_AUTH_MODE=token)?" if untold else ""
        raise OSError(f"{address} cannot be joined: {one_line(error)}{hint}") from None
    return str(joined.dashboard_url or "")


def _counted(number: float, what: str) -> str:
    return f"{number:g} {what}" + "s" * (number != 1)


class Nodes:
    """The nodes that jobs may be done on: those with processors."""

    def __init__(self) -> None:
        told: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        used = [n for n in told if n["Alive"] and n["Resources"].get("CPU")]
        self.addresses = {str(n["NodeID"]): str(n["NodeManagerAddress"]) for n in used}
        self._amounts: list[dict[str, float]] = [n["Resources"] for n in used]

    def _total(self, name: str) -> float:
        return sum(amounts.get(name, 0.0) for amounts in self._amounts)

    def __str__(self) -> str:
        """Return how many nodes there are, and what they have together."""
        told = [_counted(len(self._amounts), "node"), _counted(self._total("CPU"), "CPU")]
        told += [_counted(gpus, "GPU")] if (gpus := self._total("GPU")) else []
        return ", ".join([*told, f"{self._total('memory') / 10**9:.0f} GB of memory"])

    def suit(self, needs: Mapping[str, float]) -> bool:
        """Whether there is a node with ``cpus``, ``gpus`` and ``memory_gb``."""
        wanted = {
            "CPU": needs.get("cpus", 0.0),
            "GPU": needs.get("gpus", 0.0),
            "memory": needs.get("memory_gb", 0.0) * 10**9,
        }
        return any(
            all(amounts.get(name, 0.0) >= amount for name, amount in wanted.items())
            for amounts in self._amounts
        )

    @property
    def gpus_per_cpu(self) -> float:
        """How much of a GPU there is for each processor, in Ray's smallest parts."""
        if not self._total("GPU"):
            raise ValueError("--device cuda: no node has a GPU")
        return int(self._total("GPU") / self._total("CPU") * 10_000) / 10_000


def check(nodes: Nodes, setup: node.Setup) -> None:
    """Have every node compare itself with this machine.

    Raises
    ------
    OSError
        A node has other versions or plugins, or another store; in one line.
    """
    task: Any = ray.remote(num_cpus=0, max_retries=0)(node.differences)
    store, token = store_at(setup.context.store), f"seen-{uuid.uuid4().hex}"
    with store.create(token) as writer:
        writer.meta["kind"] = "seen"
    try:
        asked = {
            task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)
            ).remote(setup, token): address
            for node_id, address in nodes.addresses.items()
        }
        ray.wait(list(asked), num_returns=len(asked), timeout=PATIENCE)
        for ref, address in asked.items():
            try:
                told = ray.get(ref, timeout=0)
            except RayTaskError as error:  # mmbench or this plugin is not there
                told = [str(error).strip().splitlines()[-1]]
            except GetTimeoutError:
                told = [f"it has not answered for {PATIENCE:g} s"]
            except RayError:
                continue  # it has left the cluster
            if told:
                more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
                raise OSError(f"node {address}: {told[0]}{more}")
    finally:
        store.remove(token)
